//! Against independent stacks: bacpypes3 and rusty-bacnet as devices. A missing one skips loudly, or
//! fails under `CI`.

use crate::foreign::Net;
use riser_adapter::{DiscoverRequest, WriteResult};
use riser_adapter_testkit::{Observed, Running};
use riser_bacnet::client::{Address, Answer, Ask, Client, Heard, Patience};
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::service::{self, device};
use riser_bacnet::codec::{Datum, ObjectId, ObjectType, PropertyId};
use riser_model::{DeviceState, Quality, Reason, Value};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn devices_of_both_stacks_present_themselves_and_are_read() {
    let net = Net::new();
    let test = "devices_of_both_stacks_present_themselves_and_are_read";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101), (12, 1102)]) else {
        return;
    };
    let Some(_rb) = net.rusty(test, &["--seg"], 13, 1103) else {
        return;
    };
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let mut heard = client.listen();
    client
        .tell_all(service::WHO_IS, &device::who_is(None))
        .await
        .unwrap();
    let mut found = Vec::new();
    while found.len() < 3 {
        let next = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await;
        if let Heard::Device(from, i_am) = next.expect("three devices answer").unwrap() {
            found.push((i_am.instance, from));
        }
    }
    found.sort();
    let expected: Vec<_> = [(1101, 11), (1102, 12), (1103, 13)]
        .map(|(instance, last)| (instance, net.address(last)))
        .into();
    assert_eq!(found, expected);
    for (instance, address) in found {
        let wanted = Reference::new(ObjectId::device(instance), PropertyId::OBJECT_LIST);
        let body = property::read(&wanted);
        let ask = Ask {
            to: &address,
            service: service::READ_PROPERTY,
            body: &body,
            max_apdu: 1476,
            parts: false,
            retry: true,
        };
        let Answer::Octets(answer) = client.ask(ask).await.unwrap() else {
            panic!("an object list is an answer");
        };
        let (got, value) = property::decode_read_answer(&answer).unwrap();
        assert_eq!(got, wanted);
        let list = Datum::decode_all(value).unwrap();
        let ai = Datum::Object(ObjectId::new(ObjectType::ANALOG_INPUT, 1));
        assert!(list.contains(&ai) && list.len() >= 13, "{list:?}");
    }
}

fn device(key: &str, rest: &str) -> String {
    format!(
        "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninterval_ms = 200\nprobe_interval_ms = 300\n{rest}\n"
    )
}

const NAMED: &str = r#"
[[device.point]]
key = "supply"
object = "ai:1"
unit = "°C"

[[device.point]]
key = "valve"
object = "ao:1"
access = "read_write"

[[device.point]]
key = "setpoint"
object = "av:1"
access = "read_write"

[[device.point]]
key = "pump"
object = "bo:1"
access = "read_write"

[[device.point]]
key = "stage"
object = "mo:1"
states = ["Aus", "Stufe 1", "Stufe 2"]
access = "read_write"

[[device.point]]
key = "increment"
object = "ai:1"
property = "cov-increment"
type = "float"

[[device.point]]
key = "nothing"
object = "ai:999"
"#;

/// Starts both stacks and an adapter that reads both.
fn both(
    test: &str,
    net: &Net,
    rest: &str,
) -> Option<(crate::foreign::Peer, crate::foreign::Peer, Running)> {
    let bp3 = net.bacpypes3(test, &[], &[(11, 1101)])?;
    let rb = net.rusty(test, &["--seg"], 13, 1103)?;
    let config = net.lane("timeout_ms = 500")
        + &device("bp3", &format!("instance = 1101\n{rest}"))
        + NAMED
        + &device(
            "rb",
            &format!("address = \"127.0.0.13:{}\"\n{rest}", net.port),
        )
        + NAMED;
    Some((bp3, rb, Running::start(&riser_bacnet::KIND, &config)))
}

#[tokio::test]
async fn values_of_both_stacks_are_read_with_their_qualities() {
    let net = Net::new();
    let test = "values_of_both_stacks_are_read_with_their_qualities";
    let Some((_bp3, _rb, mut running)) = both(test, &net, "") else {
        return;
    };
    for device in ["bp3", "rb"] {
        let path = |point: &str| format!("{device}/{point}");
        let warm = |o: &Observed| matches!(&o.value, Some(Value::Float(t)) if (19.0..=24.0).contains(t) && o.quality.is_good());
        let supply = path("supply");
        running
            .wait_until("a supply temperature", |r| {
                r.latest.get(&supply).is_some_and(warm)
            })
            .await;
        running.wait_value(&path("valve"), &Value::Float(0.0)).await;
        running.wait_value(&path("pump"), &Value::Bool(false)).await;
        running.wait_value(&path("stage"), &Value::Int(1)).await;
        let absent = Quality::bad(Reason::NotConfigured);
        running.wait_quality(&path("nothing"), absent).await;
    }
    running
        .wait_value("bp3/increment", &Value::Float(0.5))
        .await;
    let online = |r: &Running| {
        let devices = r.health.devices();
        devices.len() == 2 && devices.iter().all(|d| d.state == DeviceState::Online)
    };
    running.wait_until("both devices online", online).await;
    running.stop().await;
}

#[tokio::test]
async fn writes_are_confirmed_and_released_on_both_stacks() {
    let net = Net::new();
    let test = "writes_are_confirmed_and_released_on_both_stacks";
    let Some((_bp3, _rb, mut running)) = both(test, &net, "") else {
        return;
    };
    for device in ["bp3", "rb"] {
        let path = |point: &str| format!("{device}/{point}");
        running.wait_value(&path("valve"), &Value::Float(0.0)).await;
        for (point, value) in [
            ("valve", Value::Float(42.5)),
            ("setpoint", Value::Float(21.5)),
            ("pump", Value::Bool(true)),
            ("stage", Value::Int(3)),
        ] {
            let result = running.write(&path(point), value.clone()).await;
            assert_eq!(
                result,
                WriteResult::Applied(Some(value)),
                "{device} {point}"
            );
        }
        let released = running
            .send_write(&path("valve"), None)
            .await
            .await
            .unwrap();
        assert_eq!(
            released,
            WriteResult::Applied(Some(Value::Float(0.0))),
            "{device}"
        );
        match running.write(&path("supply"), Value::Float(1.0)).await {
            WriteResult::Refused(why) => assert!(why.contains("read-only"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    running.stop().await;
}

fn subscribed(net: &Net, rest: &str, terms: &str) -> String {
    net.lane("timeout_ms = 500")
        + &format!(
            "[[device]]\nkey = \"bp3\"\nlane = \"main\"\ninstance = 1101\nprobe_interval_ms = 300\ncov = true\n{terms}\n{rest}\n"
        )
        + "[[device.point]]\nkey = \"supply\"\nobject = \"ai:1\"\n[[device.point]]\nkey = \"alarm\"\nobject = \"bi:1\"\n"
}

const SELDOM: &str = "interval_ms = 60000\ncov_lifetime_s = 600";

#[tokio::test]
async fn changes_are_told_confirmed_and_unconfirmed() {
    for confirmed in ["cov_confirmed = true", "cov_confirmed = false"] {
        let net = Net::new();
        let test = "changes_are_told_confirmed_and_unconfirmed";
        let Some(mut peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
            return;
        };
        let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, confirmed, SELDOM));
        running.wait_value("bp3/supply", &Value::Float(21.5)).await;
        for value in ["23.5", "25.5"] {
            peer.order(&format!("set ai:1 {value}"));
            let value = Value::Float(value.parse().unwrap());
            running.wait_value("bp3/supply", &value).await;
        }
        peer.order("set bi:1 1");
        running.wait_value("bp3/alarm", &Value::Bool(true)).await;
        assert_eq!(peer.number("subscriptions"), 2);
        running.stop().await;
        // The same again after a restart: replaced in the device, and not added.
        let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, confirmed, SELDOM));
        running.wait_value("bp3/supply", &Value::Float(25.5)).await;
        peer.order("set ai:1 27.5");
        running.wait_value("bp3/supply", &Value::Float(27.5)).await;
        assert_eq!(peer.number("subscriptions"), 2);
        running.stop().await;
    }
}

#[tokio::test]
#[ignore = "waits for half a lifetime; tests/cov.rs has it on an advanced clock"]
async fn lost_notifications_are_made_good_within_half_a_lifetime() {
    let net = Net::new();
    let test = "lost_notifications_are_made_good_within_half_a_lifetime";
    let Some(mut peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let terms = "interval_ms = 60000\ncov_lifetime_s = 10";
    let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, "", terms));
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    peer.order("mute 30");
    peer.order("set ai:1 26.5");
    let began = Instant::now();
    running.wait_value("bp3/supply", &Value::Float(26.5)).await;
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    running.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_device_is_noticed_and_subscribed_to_anew() {
    let net = Net::new();
    let test = "a_restart_of_the_device_is_noticed_and_subscribed_to_anew";
    let Some(mut peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    // Nothing is read or renewed for minutes: only the I-Am of the start tells.
    let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, "", SELDOM));
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    running.pump_for(Duration::from_secs(6)).await;
    peer.order("restart");
    running.pump_for(Duration::from_secs(1)).await;
    peer.order("set ai:1 28.5");
    running.wait_value("bp3/supply", &Value::Float(28.5)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_power_cycle_marks_the_device_down_and_notifications_come_again() {
    let net = Net::new();
    let test = "a_power_cycle_marks_the_device_down_and_notifications_come_again";
    let Some(peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let terms = "interval_ms = 60000\ncov_lifetime_s = 20\ncov_verify_s = 1";
    let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, "", terms));
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    drop(peer);
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality("bp3/supply", down).await;
    let Some(mut peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    running.pump_for(Duration::from_millis(500)).await;
    peer.order("set ai:1 22.5");
    running.wait_value("bp3/supply", &Value::Float(22.5)).await;
    assert_eq!(peer.number("subscriptions"), 2);
    running.stop().await;
}

#[tokio::test]
#[ignore = "waits for a lifetime; tests/cov.rs has it on an advanced clock"]
async fn refused_subscriptions_fall_back_to_polling_and_return() {
    let net = Net::new();
    let test = "refused_subscriptions_fall_back_to_polling_and_return";
    let Some(mut peer) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    peer.order("refuse 8");
    let terms = "interval_ms = 200\ncov_lifetime_s = 10\ncov_verify_s = 60";
    let mut running = Running::start(&riser_bacnet::KIND, &subscribed(&net, "", terms));
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    peer.order("set ai:1 24.5");
    running.wait_value("bp3/supply", &Value::Float(24.5)).await;
    let told = |r: &Running| {
        r.health.devices().iter().any(|d| {
            d.last_error
                .as_ref()
                .is_some_and(|e| e.contains("are not told") && e.contains("no space"))
        })
    };
    running.wait_until("the refusal in words", told).await;
    assert_eq!(peer.number("subscriptions"), 0);
    // Asked again after a lifetime.
    running
        .wait_until("subscriptions", |_| peer.number("subscriptions") == 2)
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_write_under_a_held_level_says_who_holds() {
    let net = Net::new();
    let test = "a_write_under_a_held_level_says_who_holds";
    let Some((_bp3, _rb, mut running)) = both(test, &net, "") else {
        return;
    };
    for (device, last) in [("bp3", 11), ("rb", 13)] {
        let path = format!("{device}/valve");
        running.wait_value(&path, &Value::Float(0.0)).await;
        // Somebody else holds level 3; the test kit writes at 8.
        let other = Client::open(&net.binding(), Patience::default()).unwrap();
        hold(&other, &net.address(last), Datum::Real(77.0)).await;
        running.wait_value(&path, &Value::Float(77.0)).await;
        match running.write(&path, Value::Float(10.0)).await {
            WriteResult::NotEffective { read_back, detail } => {
                assert_eq!(read_back, Some(Value::Float(77.0)));
                assert!(
                    detail.starts_with("accepted, not effective: level 3 holds 77"),
                    "{detail}"
                );
            }
            other => panic!("{device}: {other:?}"),
        }
        hold(&other, &net.address(last), Datum::Null).await;
        running.wait_value(&path, &Value::Float(10.0)).await;
        let released = running.send_write(&path, None).await.await.unwrap();
        assert_eq!(
            released,
            WriteResult::Applied(Some(Value::Float(0.0))),
            "{device}"
        );
    }
    running.stop().await;
}

/// Writes the valve at level 3.
async fn hold(client: &Client, to: &Address, value: Datum) {
    let body = property::Write {
        reference: Reference::new(
            ObjectId::new(ObjectType::ANALOG_OUTPUT, 1),
            PropertyId::PRESENT_VALUE,
        ),
        value: value.encoded(),
        priority: Some(3),
    }
    .encoded();
    let ask = Ask {
        to,
        service: service::WRITE_PROPERTY,
        body: &body,
        max_apdu: 1024,
        parts: false,
        retry: true,
    };
    assert_eq!(client.ask(ask).await, Ok(Answer::Done));
}

#[tokio::test]
async fn discovery_names_devices_and_offers_a_configuration_that_works() {
    let net = Net::new();
    let test = "discovery_names_devices_and_offers_a_configuration_that_works";
    // 1101 twice: a duplicate device id.
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101), (12, 1101)]) else {
        return;
    };
    let Some(_rb) = net.rusty(test, &["--seg"], 13, 1103) else {
        return;
    };
    let text = format!(
        "seconds = 4\n[lane]\nkey = \"main\"\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\n",
        net.port
    );
    let options = text.parse().unwrap();
    let (found, mut finds) = mpsc::channel(64);
    let discover = (riser_bacnet::KIND.discover.unwrap())();
    let request = DiscoverRequest { options };
    let search = discover.discover(request, found, CancellationToken::new());
    search.await.unwrap();
    let mut all = Vec::new();
    while let Some(find) = finds.recv().await {
        all.push(find);
    }
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(
        all.iter()
            .filter(|f| f.remark.contains("duplicate device id"))
            .count(),
        1
    );
    let rb = all
        .iter()
        .find(|f| f.address.ends_with("instance 1103"))
        .unwrap();
    assert!(
        rb.identity.contains(&("name".into(), "RB-1103".into())),
        "{:?}",
        rb.identity
    );
    assert!(
        rb.identity.iter().any(|(title, _)| title == "objects"),
        "{:?}",
        rb.identity
    );
    let mut running = Running::start(&riser_bacnet::KIND, &rb.config.to_string());
    let warm = |r: &Running| {
        r.latest.get("bacnet-1103/ai-1").is_some_and(|o| {
            o.quality.is_good() && matches!(o.value, Some(Value::Float(t)) if t > 15.0)
        })
    };
    running.wait_until("a learned temperature", warm).await;
    running.stop().await;
}

#[tokio::test]
async fn devices_are_browsed_with_names_units_and_states() {
    let net = Net::new();
    let test = "devices_are_browsed_with_names_units_and_states";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let config = net.lane("") + &device("bp3", "instance = 1101\nlearn = true\nwritable = true");
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    let browse = running.browse.clone().unwrap();
    running.wait_value("bp3/ai-1", &Value::Float(21.5)).await;
    running.wait_value("bp3/mi-1", &Value::Int(1)).await;
    let root = browse.browse(String::new()).await.unwrap();
    assert_eq!(root.len(), 1);
    let objects = browse.browse("bp3".into()).await.unwrap();
    assert!(objects.len() >= 13, "{objects:?}");
    let find = |path: &str| objects.iter().find(|n| n.path == path).unwrap();
    let supply = find("bp3/analog-input:1");
    assert_eq!(supply.name, "ZuluftTemp (Zulufttemperatur)");
    let point = supply.point.as_ref().unwrap();
    assert_eq!(point.unit.map(|u| u.symbol()), Some("°C"));
    assert!(!point.access.writable());
    let states = find("bp3/multi-state-value:1").point.as_ref().unwrap();
    let texts: Vec<&str> = states.labels.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(texts, ["Aus", "Stufe 1", "Stufe 2"]);
    assert!(states.access.writable());
    let result = running.write("bp3/ao-1", Value::Float(33.0)).await;
    assert_eq!(result, WriteResult::Applied(Some(Value::Float(33.0))));
    let properties = browse.browse("bp3/analog-output:1".into()).await.unwrap();
    let held = properties
        .iter()
        .find(|n| n.name.starts_with("priority-array"))
        .unwrap();
    assert_eq!(held.name, "priority-array = 8: 33");
    running.stop().await;
}

#[tokio::test]
async fn a_foreign_device_finds_what_is_behind_the_bbmd() {
    let net = Net::new();
    let test = "a_foreign_device_finds_what_is_behind_the_bbmd";
    let Some(_bbmd) = net.rusty(test, &["--bbmd", ""], 21, 2101) else {
        return;
    };
    // Another port: broadcasts of loopback do not reach it, only the BBMD does.
    let config = format!(
        "[[lane]]\nkey = \"main\"\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\nbbmd = \"127.0.0.21:{}\"\nbbmd_lifetime_s = 5\ntimeout_ms = 500\n",
        crate::foreign::free_port(),
        net.port
    ) + &device("rb", "instance = 2101")
        + "[[device.point]]\nkey = \"supply\"\nobject = \"ai:1\"\n";
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    running
        .wait_until("a value through the BBMD", |r| {
            r.good_count("rb/supply") > 0
        })
        .await;
    // Longer than one registration lasts.
    let lane = |r: &Running| r.health.lanes().iter().all(|l| l.last_error.is_none());
    running.pump_for(Duration::from_secs(6)).await;
    assert!(lane(&running), "{:?}", running.health.lanes());
    running.stop().await;
}

#[tokio::test]
async fn a_trend_log_becomes_history_once() {
    let net = Net::new();
    let test = "a_trend_log_becomes_history_once";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let config = net.lane("")
        + &device("bp3", "instance = 1101\ntrend_logs = true")
        + "[[device.point]]\nkey = \"supply\"\nobject = \"ai:1\"\n";
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    let mut before = Vec::new();
    for _ in 0..2 {
        let slot = |r: &Running| r.registry.slot("bp3/supply");
        running
            .wait_until("the records of the log", |r| {
                slot(r).is_some_and(|s| r.past.samples(s).len() >= 96)
            })
            .await;
        running.pump_for(Duration::from_secs(1)).await;
        let samples = running.past.samples(slot(&running).unwrap());
        // The peer logs a quarter of an hour apart, its sine in steps of a seventh.
        assert_eq!(samples.len(), 96);
        for (nth, pair) in samples.windows(2).enumerate() {
            assert_eq!(pair[1].at.0 - pair[0].at.0, 900_000, "record {nth}");
        }
        let Some(Value::Float(third)) = samples[3].value else {
            panic!("{:?}", samples[3]);
        };
        assert!(
            (third - (20.0 + (3.0_f64 / 7.0).sin())).abs() < 1e-5,
            "{third}"
        );
        assert!(before.is_empty() || before == samples);
        before = samples;
        running.stop().await;
        running = Running::start_after(&riser_bacnet::KIND, &config, &running);
    }
    running.stop().await;
}
