//! Operations against independent stacks: bacpypes3 and rusty-bacnet hold schedules, calendars,
//! notification classes, alarms and clocks. A missing one skips loudly, or fails under `CI`.

use crate::foreign::{Net, Peer};
use riser_adapter::{Clock, SystemClock};
use riser_adapter_testkit::Running;
use riser_model::{ClockState, Quality, Reason, Timestamp, Value};
use std::sync::Arc;
use toml::Table;

/// Both stacks, and the configuration of an adapter with both as devices. `asks`: they say which events
/// stand.
fn both(test: &str, net: &Net, asks: bool, rest: &str) -> Option<(Peer, Peer, String)> {
    let at = format!("127.0.0.11/8:{}", net.port);
    let mut arguments = vec![at, "1101".to_owned()];
    arguments.extend(asks.then(|| "--asks".to_owned()));
    let bp3 = Peer::start(test, "bacnet_operate.py", &arguments)?;
    let port = net.port.to_string();
    let arguments = ["127.0.0.13", "1103", "--port", &port].map(str::to_owned);
    let mut arguments = arguments.to_vec();
    arguments.extend((!asks).then(|| "--lost".to_owned()));
    let rb = Peer::start(test, "bacnet_operate_rusty.py", &arguments)?;
    let device = |key: &str, instance: u32| {
        format!(
            "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninstance = {instance}\nprobe_interval_ms = 300\n{rest}\n[[device.point]]\nkey = \"flow\"\nobject = \"ai:1\"\ninterval_ms = 500\n"
        )
    };
    let config = net.lane("timeout_ms = 500\npart_timeout_ms = 400\ntime_zone = \"Europe/Berlin\"")
        + &device("bp3", 1101)
        + &device("rb", 1103);
    Some((bp3, rb, config))
}

async fn start(config: &str) -> Running {
    let mut running = Running::start(&riser_bacnet::KIND, config);
    found(&mut running).await;
    running
}

async fn found(running: &mut Running) {
    for device in ["bp3", "rb"] {
        running
            .wait_value(&format!("{device}/flow"), &Value::Float(21.5))
            .await;
    }
}

async fn done(running: &Running, name: &str, parameters: &str) -> Table {
    tried(running, name, parameters).await.expect(name)
}

async fn tried(running: &Running, name: &str, parameters: &str) -> Result<Table, String> {
    let operate = running.operate.as_ref().expect("it has operations");
    let offered = operate.operations();
    let operation = offered
        .iter()
        .find(|o| o.name == name)
        .expect("it is offered");
    let parameters: Table = parameters.parse().expect("parameters are TOML");
    let known = |key: &String| operation.fields.iter().any(|f| f.name == *key);
    assert!(
        parameters.keys().all(known),
        "{name} has no such field: {parameters}"
    );
    let outcome = operate.operate(name, parameters).await;
    outcome.map_err(|error| error.to_string())
}

fn text<'a>(answer: &'a Table, key: &str) -> &'a str {
    assert!(answer.contains_key(key), "{key} in {answer}");
    answer[key].as_str().expect("it is a text")
}

fn rows(answer: &Table, key: &str) -> Vec<String> {
    assert!(answer.contains_key(key), "{key} in {answer}");
    let rows = answer[key].as_array().expect("it is a list");
    let texts = rows
        .iter()
        .map(|row| row.as_str().expect("a text").to_owned());
    texts.collect()
}

#[tokio::test]
async fn schedules_of_both_stacks_are_shown_and_changed() {
    let net = Net::new();
    let test = "schedules_of_both_stacks_are_shown_and_changed";
    let Some((_bp3, _rb, config)) = both(test, &net, false, "learn = true") else {
        return;
    };
    let mut running = start(&config).await;
    for device in ["bp3", "rb"] {
        // What it shows now is a point of the kind its values have.
        let path = format!("{device}/sch-1");
        let shows = |r: &Running| {
            let shown = r.latest.get(&path);
            shown.is_some_and(|o| o.quality.is_good() && matches!(o.value, Some(Value::Float(_))))
        };
        running.wait_until("a schedule's value", shows).await;
        let whole = done(&running, "schedule_read", &format!("device = '{device}'")).await;
        assert!(rows(&whole, "schedules").contains(&"schedule:1 Wochenprogramm".to_owned()));
        assert_eq!(rows(&whole, "calendars"), ["calendar:1 Feiertage"]);
        let one = format!("device = '{device}'\nobject = 'schedule:1'\n");
        let shown = done(&running, "schedule_read", &one).await;
        assert_eq!(
            text(&shown, "weekly"),
            "Mon-Sun 00:00 17, 06:00 21, 20:00 17",
            "{device}"
        );
        assert_eq!(text(&shown, "exceptions"), "none");
        let changed = done(
            &running,
            "schedule_write",
            &(one.clone()
                + "weekly = 'Sat-Sun 08:00 19.5, 22:00 16'\n\
                   exceptions = '2026-12-24..2026-12-26 priority 5 at 00:00 15; calendar:1 priority 3 at 00:00 16, 12:00 release'\n\
                   period = '2026-01-01..2027-12-31'\ndefault = '18'\ntargets = 'analog-value:1'"),
        )
        .await;
        assert_eq!(
            text(&changed, "weekly"),
            "Mon-Fri 00:00 17, 06:00 21, 20:00 17; Sat-Sun 08:00 19.5, 22:00 16"
        );
        // What another question shows is what was written.
        let again = done(&running, "schedule_read", &one).await;
        for key in ["weekly", "exceptions", "period", "default", "targets"] {
            assert_eq!(again.get(key), changed.get(key), "{device} {key}");
        }
        assert_eq!(
            text(&again, "exceptions"),
            "2026-12-24..2026-12-26 priority 5 at 00:00 15; calendar:1 priority 3 at 00:00 16, 12:00 release"
        );
        assert_eq!(text(&again, "period"), "2026-01-01..2027-12-31");
        assert_eq!(text(&again, "default"), "18");
        assert_eq!(text(&again, "targets"), "analog-value:1");
    }
    running.stop().await;
}

/// It is a point from the beginning, of the kind of what is in its week.
#[tokio::test]
async fn a_schedule_that_shows_nothing_yet_is_learned() {
    let net = Net::new();
    let test = "a_schedule_that_shows_nothing_yet_is_learned";
    let Some((_bp3, _rb, config)) = both(test, &net, false, "learn = true") else {
        return;
    };
    let mut running = start(&config).await;
    let nothing = |r: &Running| {
        let shown = r.latest.get("rb/sch-3");
        shown.is_some_and(|o| o.value.is_none() && o.quality == Quality::bad(Reason::NotAvailable))
    };
    running
        .wait_until("a schedule without a value", nothing)
        .await;
    let again = "device = 'rb'\nobject = 'schedule:3'\nperiod = '2020-01-01..2099-12-31'\n\
                 weekly = 'Mon-Sun 00:00 19.5'";
    done(&running, "schedule_write", again).await;
    running.wait_value("rb/sch-3", &Value::Float(19.5)).await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_said_before_anything_is_sent() {
    let net = Net::new();
    let test = "what_is_wrong_with_a_schedule_is_said_before_anything_is_sent";
    let Some((_bp3, _rb, config)) = both(test, &net, false, "") else {
        return;
    };
    let mut running = start(&config).await;
    for device in ["bp3", "rb"] {
        let one = format!("device = '{device}'\nobject = '1'\n");
        let before = done(&running, "schedule_read", &one).await;
        for (wrong, says) in [
            ("weekly = 'Mon 06:00 warm'", "'warm' is no number"),
            ("weekly = 'Mon 20:00 21, 06:00 17'", "each later"),
            (
                "weekly = 'Mon 06:00 21'\nexceptions = 'calendar:9 at 00:00 1'",
                "the device has no calendar:9",
            ),
            (
                "weekly = 'Mon 06:00 21'\ntargets = 'av:9'",
                "the device has no analog-value:9",
            ),
            (
                "weekly = 'Mon 06:00 21'\nperiod = '2027-01-01..2026-01-01'",
                "before the first",
            ),
            ("", "nothing to change"),
        ] {
            let why = tried(&running, "schedule_write", &(one.clone() + wrong))
                .await
                .unwrap_err();
            assert!(why.contains(says), "{device} {wrong}: {why}");
        }
        let after = done(&running, "schedule_read", &one).await;
        assert_eq!(before.get("weekly"), after.get("weekly"));
        let gone = format!("device = '{device}'\nobject = 'schedule:77'");
        let why = tried(&running, "schedule_read", &gone).await.unwrap_err();
        assert!(why.contains("the device has no schedule:77"), "{why}");
    }
    // A schedule that switches nothing yet takes the type that is said.
    let empty = "device = 'rb'\nobject = 'schedule:2'\nweekly = 'Mon-Fri 07:00 on, 18:00 off'\n";
    let why = tried(&running, "schedule_write", empty).await.unwrap_err();
    assert!(why.contains("type of its values is not known"), "{why}");
    let filled = done(
        &running,
        "schedule_write",
        &(empty.to_owned() + "values = 'on/off'"),
    )
    .await;
    assert_eq!(
        text(&filled, "weekly"),
        "Mon-Fri 07:00 on, 18:00 off; Sat-Sun none"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_device_that_keeps_another_week_is_found_out() {
    let net = Net::new();
    let test = "a_device_that_keeps_another_week_is_found_out";
    let Some((mut bp3, _rb, config)) = both(test, &net, false, "") else {
        return;
    };
    let mut running = start(&config).await;
    // A device that says yes and keeps what it has.
    bp3.order("stubborn");
    let one = "device = 'bp3'\nobject = 'schedule:1'\nweekly = 'Mon 05:00 22'";
    let mut why = String::new();
    for _ in 0..50 {
        match tried(&running, "schedule_write", one).await {
            Err(said) => {
                why = said;
                break;
            }
            // The order had not arrived yet; another week, so that the device has to change it.
            Ok(_) => _ = tried(&running, "schedule_write", &one.replace("22", "23")).await,
        }
    }
    assert!(
        why.contains("took the week and keeps another: Mon"),
        "{why}"
    );
    running.stop().await;
}

#[tokio::test]
async fn calendars_of_both_stacks_are_shown_and_replaced() {
    let net = Net::new();
    let test = "calendars_of_both_stacks_are_shown_and_replaced";
    let Some((_bp3, _rb, config)) = both(test, &net, false, "") else {
        return;
    };
    let mut running = start(&config).await;
    for device in ["bp3", "rb"] {
        let one = format!("device = '{device}'\nobject = 'calendar:1'\n");
        let shown = done(&running, "calendar_read", &one).await;
        assert_eq!(text(&shown, "days"), "2026-12-25", "{device}");
        assert_eq!(text(&shown, "name"), "Feiertage");
        let days = "2026-12-25; *-01-01; 2026-07-01..2026-08-15; weekday Mon week last month 12";
        let changed = done(&running, "calendar_write", &format!("{one}days = '{days}'")).await;
        assert_eq!(text(&changed, "days"), days, "{device}");
        let why = tried(
            &running,
            "calendar_write",
            &format!("{one}days = '2026-02-30'"),
        )
        .await
        .unwrap_err();
        assert!(why.contains("there is no such day"), "{why}");
        let emptied = done(&running, "calendar_write", &format!("{one}days = 'none'")).await;
        assert_eq!(text(&emptied, "days"), "none");
    }
    running.stop().await;
}

/// The system's clock, said to be synchronised.
struct Synchronised;

impl Clock for Synchronised {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn state(&self) -> ClockState {
        ClockState::Synchronised
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_set_when_the_gateway_knows_the_time() {
    let net = Net::new();
    let test = "clocks_are_set_when_the_gateway_knows_the_time";
    let Some((bp3, _rb, config)) = both(test, &net, false, "") else {
        return;
    };
    let mut running = start(&config).await;
    let why = tried(&running, "time_sync", "device = 'bp3'")
        .await
        .unwrap_err();
    assert!(why.contains("own clock is not synchronised"), "{why}");
    running.stop().await;
    let mut running = Running::start_timed(&riser_bacnet::KIND, &config, Arc::new(Synchronised));
    found(&mut running).await;
    // Both are told: the one says how wrong it was, the other shows what it took.
    let set = done(&running, "time_sync", "device = 'bp3'\ntime = 'local'").await;
    let was = set["was_off_by_s"].as_float().unwrap();
    let is = set["is_off_by_s"].as_float().unwrap();
    assert!(was < -3000.0 && is.abs() <= 2.0, "{set}");
    assert!(bp3.wait("TOLD").starts_with("TimeSynchronizationRequest"));
    let set = done(&running, "time_sync", "device = 'rb'\ntime = 'UTC'").await;
    assert!(set["is_off_by_s"].as_float().unwrap().abs() <= 2.0, "{set}");
    done(&running, "time_sync", "lane = 'main'\ntime = 'UTC'").await;
    assert!(
        bp3.wait("TOLD")
            .starts_with("UTCTimeSynchronizationRequest")
    );
    let why = tried(&running, "time_sync", "lane = 'main'\ndevice = 'rb'")
        .await
        .unwrap_err();
    assert!(why.contains("either a device or a lane"), "{why}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_kept_and_a_device_that_takes_no_time_is_found_out() {
    let net = Net::new();
    let test = "clocks_are_kept_and_a_device_that_takes_no_time_is_found_out";
    let at = |last: u8| format!("127.0.0.{last}/8:{}", net.port);
    let Some(kept) = Peer::start(test, "bacnet_operate.py", &[at(14), "1104".into()]) else {
        return;
    };
    let deaf = [at(15), "1105".into(), "--deaf".into()];
    let Some(_deaf) = Peer::start(test, "bacnet_operate.py", &deaf) else {
        return;
    };
    let device = |key: &str, instance: u32| {
        format!(
            "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninstance = {instance}\n[[device.point]]\nkey = \"flow\"\nobject = \"ai:1\"\n"
        )
    };
    let config = net.lane("timeout_ms = 500\ntime_sync_hours = 24")
        + &device("kept", 1104)
        + &device("deaf", 1105);
    let mut running = Running::start_timed(&riser_bacnet::KIND, &config, Arc::new(Synchronised));
    running.wait_value("deaf/flow", &Value::Float(21.5)).await;
    // By itself, once the device is found; and UTC, as no zone is known.
    let told = kept.wait("TOLD");
    assert!(told.starts_with("UTCTimeSynchronizationRequest"), "{told}");
    let why = tried(&running, "time_sync", "device = 'deaf'\ntime = 'UTC'")
        .await
        .unwrap_err();
    assert!(why.contains("does not take the time"), "{why}");
    let why = tried(&running, "time_sync", "device = 'deaf'\ntime = 'local'")
        .await
        .unwrap_err();
    assert!(why.contains("write the zone into the lane"), "{why}");
    running.stop().await;
}

/// Puts the gateway into the recipient lists of both.
async fn recipients(running: &Running) {
    for device in ["bp3", "rb"] {
        let classes = done(running, "event_recipient", &format!("device = '{device}'")).await;
        assert!(
            rows(&classes, "notification-class:1 Alarme").is_empty(),
            "{classes}"
        );
        assert!(
            text(&classes, "would_be_added").starts_with("127.0.0.1:"),
            "{classes}"
        );
        let one = format!("device = '{device}'\nclass = '1'\n");
        let shown = done(running, "event_recipient", &one).await;
        assert_eq!(shown["gateway_is_told"].as_bool(), Some(false));
        let add = format!("{one}action = 'add'\nconfirmed = {}", device == "bp3");
        let added = done(running, "event_recipient", &add).await;
        assert_eq!(rows(&added, "told_now").len(), 1, "{added}");
        let again = tried(running, "event_recipient", &add).await;
        let why = again.expect_err("it is there");
        assert!(why.contains("already"), "{why}");
    }
}

async fn wait_latest(running: &mut Running, device: &str, words: &str) {
    let latest = format!("{device}/events-latest");
    let shows = |r: &Running| {
        let shown = r.latest.get(&latest).and_then(|o| o.value.clone());
        shown.is_some_and(|v| v.to_string().contains(words))
    };
    running.wait_until("the alarm in words", shows).await;
}

/// Both devices have told of one alarm.
async fn told_and_shown(running: &mut Running) {
    for device in ["bp3", "rb"] {
        running
            .wait_value(&format!("{device}/events-active"), &Value::Int(1))
            .await;
        wait_latest(running, device, "high limit").await;
        let shown = done(running, "events", &format!("device = '{device}'")).await;
        let standing = &rows(&shown, "standing")[0];
        assert!(
            standing.contains("Vorlauf (analog-input:1) high limit"),
            "{shown}"
        );
        let told = &rows(&shown, "told_last")[0];
        assert!(
            told.contains("alarm analog-input:1 normal to high limit"),
            "{told}"
        );
    }
    let known = done(running, "events", "").await;
    assert!(
        known.contains_key("bp3") && known.contains_key("rb"),
        "{known}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_of_both_stacks_are_told_shown_and_acknowledged() {
    let net = Net::new();
    let test = "alarms_of_both_stacks_are_told_shown_and_acknowledged";
    let Some((mut bp3, mut rb, config)) = both(test, &net, true, "events_s = 60") else {
        return;
    };
    let mut running = start(&config).await;
    recipients(&running).await;
    for device in ["bp3", "rb"] {
        running
            .wait_value(&format!("{device}/events-active"), &Value::Int(0))
            .await;
    }
    bp3.order("set 40");
    rb.order("set 40");
    told_and_shown(&mut running).await;
    // Over before anybody acknowledged it: the state it had been in is known from what was told.
    bp3.order("set 21.5");
    rb.order("set 21.5");
    for device in ["bp3", "rb"] {
        running
            .wait_value(&format!("{device}/events-active"), &Value::Int(0))
            .await;
    }
    running
        .wait_value("bp3/events-unacknowledged", &Value::Int(1))
        .await;
    let said = done(
        &running,
        "event_acknowledge",
        "device = 'bp3'\nby = 'Maria'",
    )
    .await;
    assert_eq!(
        rows(&said, "acknowledged"),
        ["analog-input:1 to off normal", "analog-input:1 to normal"]
    );
    assert_eq!(bp3.wait("ACKNOWLEDGED"), "high-limit Maria");
    assert_eq!(bp3.wait("ACKNOWLEDGED"), "normal Maria");
    // rusty-bacnet asks nobody to acknowledge.
    for device in ["bp3", "rb"] {
        let again = format!("device = '{device}'\nby = 'Maria'");
        let why = tried(&running, "event_acknowledge", &again)
            .await
            .unwrap_err();
        assert!(why.contains("nothing to acknowledge"), "{why}");
        let remove = format!("device = '{device}'\nclass = '1'\naction = 'remove'");
        let removed = done(&running, "event_recipient", &remove).await;
        assert!(rows(&removed, "told_now").is_empty(), "{removed}");
    }
    running.stop().await;
}

#[tokio::test]
async fn devices_that_answer_no_question_about_events_are_heard_all_the_same() {
    let net = Net::new();
    let test = "devices_that_answer_no_question_about_events_are_heard_all_the_same";
    let Some((mut bp3, mut rb, config)) = both(test, &net, false, "events_s = 60") else {
        return;
    };
    let mut running = start(&config).await;
    recipients(&running).await;
    // Refuses GetEventInformation, and answers GetAlarmSummary.
    running.wait_value("rb/events-active", &Value::Int(0)).await;
    rb.order("set 40");
    running.wait_value("rb/events-active", &Value::Int(1)).await;
    let shown = done(&running, "events", "device = 'rb'").await;
    assert!(
        rows(&shown, "standing")[0].contains("high limit"),
        "{shown}"
    );
    // Knows neither.
    bp3.order("set 40");
    running
        .wait_value("bp3/events-active", &Value::Int(1))
        .await;
    let shown = done(&running, "events", "device = 'bp3'").await;
    assert!(text(&shown, "remark").contains("by itself"), "{shown}");
    assert!(
        rows(&shown, "standing")[0].contains("high limit"),
        "{shown}"
    );
    running.stop().await;
}

#[tokio::test]
async fn alarms_of_a_device_that_is_gone_are_marked_down() {
    let net = Net::new();
    let test = "alarms_of_a_device_that_is_gone_are_marked_down";
    let Some((_bp3, rb, config)) = both(test, &net, true, "events_s = 1") else {
        return;
    };
    let mut running = start(&config).await;
    running.wait_value("rb/events-active", &Value::Int(0)).await;
    drop(rb);
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality("rb/events-active", down).await;
    running.stop().await;
}
