//! The loss ledger against the devices' own record: after an outage with kills, and after a queue
//! that ran over, each lane and hour must add up to exactly what was given out, on the gateway, in
//! `riserd ledger` and in the cloud's completeness.

use crate::full::disk_is;
use riser_e2e::lab::{GATEWAY, OPERATOR, OPERATOR_PASSWORD, tool};
use riser_e2e::proxy::Mode;
use riser_e2e::{Lab, until};
use riser_faults::disk::{self, Disk};
use riser_faults::hours::Counted;
use riser_faults::{Building, Clock, Rig, Tally, alone, rig};
use riser_model::ledger::HOUR;
use serde_json::Value;
use std::time::Duration;

/// Plain registers read within one outage of a device: they carry no number, so a lost one is in
/// the ledger and not in the device's record.
const PLAIN: u64 = 8;
/// How long the telling and counting of closed hours may take.
const TOLD: Duration = Duration::from_secs(150);

/// Ends both processes and starts them an hour later.
async fn an_hour_later(rig: &mut Rig, clock: &mut Clock) {
    rig.lab.gateway.stop().await;
    rig.lab.cloud.stop().await;
    clock.an_hour_later(rig::now(), &mut rig.lab);
    rig.lab.cloud.start();
    rig.lab.serving_cloud(&rig.cloud).await;
    let (status, body) = rig.cloud.login(OPERATOR, OPERATOR_PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    rig.start_gateway().await;
}

pub(crate) fn rows(body: &Value) -> Vec<Value> {
    body["rows"].as_array().cloned().unwrap_or_default()
}

pub(crate) fn n(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or(u64::MAX)
}

/// The cloud's ledger of a range with so many lanes and hours, once everything in it is told and
/// counted.
pub(crate) async fn told(rig: &mut Rig, (range, lanes): (&str, usize)) -> Vec<Value> {
    let path = format!("/api/v1/gateways/{GATEWAY}/ledger?{range}");
    let complete = |body: &Value| {
        let rows = rows(body);
        let settled = |row: &Value| {
            let dropped = row["dropped"].as_object();
            let dropped: u64 = dropped.map_or(0, |d| d.values().filter_map(Value::as_u64).sum());
            n(row, "collected") == n(row, "durable") + dropped
        };
        let all = rows.len() == lanes;
        (all && rows.iter().all(settled)).then_some(())
    };
    until("the cloud is told of all hours", TOLD, || async {
        complete(&rig.cloud.get(&path).await.1)
    })
    .await;
    // It counts as it starts, and else once a minute.
    rig.lab.cloud.stop().await;
    rig.lab.cloud.start();
    rig.lab.serving_cloud(&rig.cloud).await;
    until("the cloud has counted", TOLD, || async {
        let rows = rows(&rig.cloud.get(&path).await.1);
        rows.iter()
            .all(|row| row["received"].is_u64())
            .then_some(rows)
    })
    .await
}

/// Fails unless a row says what is there and what is not; `reason` is the only one for loss.
fn check(row: &Value, truth: &Counted, reason: &str) {
    let said = format!("{row}\nby the devices' record: {truth:?}");
    for key in ["stored", "sent", "durable"] {
        assert_eq!(n(row, key), truth.stored, "{key}: {said}");
    }
    let dropped = row["dropped"].as_object().expect("a ledger row");
    for (key, count) in dropped.iter().filter(|(key, _)| *key != reason) {
        assert_eq!(count, 0, "{key}: {said}");
    }
    let dropped = n(&row["dropped"], reason);
    assert_eq!(n(row, "collected"), truth.stored + dropped, "{said}");
    assert!(dropped >= truth.lost - truth.untold, "{reason}: {said}");
    let plain = if truth.lost > 0 { PLAIN * 16 } else { 0 };
    assert!(dropped <= truth.lost + plain, "{reason}: {said}");
}

pub(crate) fn find<'a>(rows: &'a [Value], hour: i64, lane: &str) -> &'a Value {
    let row = rows.iter().find(|r| r["hour"] == hour && r["lane"] == lane);
    row.expect("each hour of each lane has its row")
}

/// Compares gateway, its command line and the cloud with the devices' record; answers all of it
/// together.
async fn proven(rig: &mut Rig, clock: &Clock, reason: &str) -> Counted {
    rig.caught_up().await;
    // It tells of closed hours as it starts, and else once a minute.
    rig.lab.gateway.stop().await;
    rig.start_gateway().await;
    let tally = Tally::take(rig, clock).await;
    let (first, last) = (
        tally.hours.keys().map(|(h, _)| *h).min().expect("an hour"),
        tally.hours.keys().map(|(h, _)| *h).max().expect("an hour"),
    );
    let range = format!("from={first}&to={}", last + HOUR);
    let there = told(rig, (&range, tally.hours.len())).await;
    let here = rows(&rig.local.get(&format!("/api/v1/ledger?{range}")).await.1);
    let (config, end) = (rig.lab.folder.join("riser.toml"), (last + HOUR).to_string());
    let config = config.to_string_lossy();
    let ledger = ["ledger", "--json", "--to", &end, "--config", &config];
    let printed = tool("riserd", &ledger, "").await;
    let printed = rows(&serde_json::from_str(&printed).expect("JSON"));
    let mut sum = Counted::default();
    let mut collected = 0;
    for ((hour, lane), truth) in &tally.hours {
        for list in [&here, &printed] {
            let row = find(list, *hour, lane);
            check(row, truth, reason);
            for key in ["waiting_disk", "waiting_cloud", "unexplained"] {
                assert_eq!(row[key], 0, "{key}: {row}");
            }
        }
        let row = find(&there, *hour, lane);
        check(row, truth, reason);
        assert_eq!(truth.received, truth.stored, "in the cloud: {row}");
        collected += n(row, "collected");
        sum.stored += truth.stored;
        sum.received += truth.received;
        sum.lost += truth.lost;
        sum.untold += truth.untold;
    }
    complete(rig, &tally, (&range, collected)).await;
    eprintln!(
        "ledger: {} rows of lanes and hours, {collected} collected, {} stored and in the cloud, {} dropped ({reason}); \
         by the devices' record {} numbered ones are missing, {} of them given out within 250 ms before a kill or in it",
        tally.hours.len(),
        sum.stored,
        collected - sum.stored,
        sum.lost,
        sum.untold
    );
    sum
}

/// The cloud's completeness is the same account in per cent.
async fn complete(rig: &Rig, tally: &Tally, (range, collected): (&str, u64)) {
    let path = format!("/api/v1/gateways/{GATEWAY}/completeness?{range}");
    let body = rig.cloud.get(&path).await.1;
    let days = body["days"].as_array().cloned().unwrap_or_default();
    let over = |key: &str| days.iter().map(|day| n(day, key)).sum::<u64>();
    let received: u64 = tally.points.values().sum();
    assert_eq!(over("collected"), collected, "{body}");
    assert_eq!(over("received"), received, "{body}");
    assert_eq!(over("unexplained"), 0, "{body}");
    for day in &days {
        let share = n(day, "received") as f64 * 100.0 / n(day, "collected") as f64;
        let said = day["completeness"].as_f64().unwrap_or(-1.0);
        assert!((said - share).abs() < 1e-6, "{day}");
    }
    let points = body["points"].as_array().cloned().unwrap_or_default();
    assert_eq!(points.len(), tally.points.len(), "{body}");
    for point in &points {
        let path = point["path"].as_str().unwrap_or_default();
        assert_eq!(
            Some(&n(point, "received")),
            tally.points.get(path),
            "{point}"
        );
    }
}

/// The ledger adds up after an outage and kills.
pub(crate) async fn kills() {
    let Some(mut clock) = Clock::at_twenty_past(rig::now()) else {
        return;
    };
    let building = Building::BUSY;
    let devices = building.devices().await;
    let mut lab = Lab::prepare(&building.configuration(&devices)).await;
    clock.give(&mut lab);
    let mut rig = Rig::with(lab, devices, building).await;
    rig.lab.link.set(Mode::Cut);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1_800)).await;
        rig.kill_gateway(None).await;
        rig.start_gateway().await;
    }
    rig.lab.link.set(Mode::Pass);
    rig.caught_up().await;
    an_hour_later(&mut rig, &mut clock).await;
    rig.flowing(Duration::from_secs(60)).await;
    rig.lab.cloud.kill().await;
    rig.kill_gateway(None).await;
    rig.lab.cloud.start();
    rig.start_gateway().await;
    rig.caught_up().await;
    an_hour_later(&mut rig, &mut clock).await;
    let sum = proven(&mut rig, &clock, "crash").await;
    assert!(sum.lost > 0, "three kills lose something: {sum:?}");
    crate::completeness::only_what_nobody_explains_is_an_alarm(&mut rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_adds_up_after_a_queue_that_ran_over() {
    let _turn = alone().await;
    let Some(mut clock) = Clock::at_twenty_past(rig::now()) else {
        return;
    };
    if !disk::possible() {
        return;
    }
    // A queue of two seconds: it runs over between two attempts to write, however often one of them
    // finds room before the stranger does.
    let building = Building {
        interval: 20,
        ..Building::BUSY
    };
    let devices = building.devices().await;
    let configuration = building.configuration(&devices);
    let configuration = configuration.replace("[storage]", "[storage]\nqueue_samples = 12000");
    let mut lab = Lab::prepare(&configuration).await;
    clock.give(&mut lab);
    let disk = Disk::under(&lab.folder.join("gateway"), 96);
    let mut rig = Rig::with(lab, devices, building).await;
    let greed = disk.greed();
    until("the queue runs over", Duration::from_secs(60), || async {
        let dropped = rig.store().await["dropped_samples"].as_u64()?;
        (dropped > 5_000).then_some(())
    })
    .await;
    drop(greed);
    disk_is(&rig, "ok", Duration::from_secs(60)).await;
    rig.caught_up().await;
    let dropped = rig.store().await["dropped_samples"].as_u64();
    an_hour_later(&mut rig, &mut clock).await;
    let sum = proven(&mut rig, &clock, "queue_full").await;
    assert!(
        Some(sum.lost) <= dropped && sum.lost > 4_500,
        "{sum:?} of {dropped:?}"
    );
}
