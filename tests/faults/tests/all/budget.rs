//! A line that carries far less than is collected: rollups arrive in place of what has to wait, alarms
//! do not wait, and once the line is wide enough every sample is in the cloud once.

use riser_e2e::lab::GATEWAY;
use riser_e2e::{Lab, until};
use riser_faults::backlog::{self, Backlog};
use riser_faults::{Building, Rig, alone, rig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A scan of two devices each second, with noise in every value.
const BUILDING: Building = Building {
    devices: 2,
    points: 30,
    interval: 1_000,
};
/// Kilobits a second: of what waits it carries a small part while the test runs.
const BUDGET: u32 = 16;
/// Minutes that wait.
const MINUTES: i64 = 20;
const MINUTE: i64 = 60_000;
/// An alarm must be in the cloud so soon, however narrow the line.
const ALARM: Duration = Duration::from_secs(2);

/// A gateway with a backlog and a budget, its cloud, and the whole minutes of the backlog.
async fn squeezed() -> (Rig, Backlog, (i64, i64)) {
    let devices = BUILDING.devices().await;
    let budget = format!("max_kbit_s = {BUDGET}\n");
    let mut lab = Lab::prepare(&(budget + &BUILDING.configuration(&devices))).await;
    let last = rig::now() / MINUTE * MINUTE;
    let from = last - MINUTES * MINUTE;
    let dir = lab.folder.join("gateway");
    let seconds = u32::try_from(MINUTES * 60).expect("some minutes");
    let backlog = backlog::fill(&dir, (BUILDING, &devices), from, seconds).await;
    lab.cloud.start();
    let cloud = lab.operator().await;
    lab.gateway.start();
    let local = lab.technician().await;
    let rig = Rig {
        lab,
        devices,
        building: BUILDING,
        local,
        cloud,
        outages: Vec::new(),
    };
    (rig, backlog, (from, last))
}

async fn trend(rig: &Rig, point: &str, (from, to): (i64, i64)) -> Value {
    let minutes = (to - from) / MINUTE;
    let path = format!(
        "/api/v1/gateways/{GATEWAY}/points/{point}/trend?from={from}&to={to}&buckets={minutes}"
    );
    rig.cloud.get(&path).await.1
}

/// Minutes of a trend that are there whole: a sample a second, each once.
fn whole(trend: &Value) -> i64 {
    let buckets = trend["buckets"].as_array().into_iter().flatten();
    let whole = buckets
        .inspect(|b| assert!(b["count"].as_u64() <= Some(60), "counted twice: {trend}"))
        .filter(|b| b["count"] == 60)
        .count();
    i64::try_from(whole).expect("some buckets")
}

/// Milliseconds of a trend that are rolled up.
fn rolled_up(trend: &Value) -> i64 {
    let stretches = trend["rolled_up"].as_array().into_iter().flatten();
    let ends = stretches.filter_map(|s| Some((s["from"].as_i64()?, s["to"].as_i64()?)));
    ends.map(|(from, to)| to - from).sum()
}

/// Every minute is drawn though nearly all of its samples wait.
async fn rollups_arrive(rig: &Rig, minutes: (i64, i64)) {
    let start = Instant::now();
    for point in ["num0/n0", "num1/n29"] {
        let drawn = until("all minutes are drawn", Duration::from_secs(60), || async {
            let trend = trend(rig, point, minutes).await;
            (whole(&trend) == MINUTES).then_some(trend)
        })
        .await;
        let coarse = rolled_up(&drawn);
        let first = &drawn["buckets"][0];
        // The first value of the backlog has the number 1, the last of its minute 60.
        let number = |v: &Value| backlog::number(v.as_f64().unwrap_or(0.0));
        assert_eq!(
            (number(&first["min"]), number(&first["max"])),
            (1, 60),
            "{first}"
        );
        assert_eq!(number(&first["last"]), 60, "{first}");
        assert!(
            coarse >= (MINUTES - 5) * MINUTE,
            "{coarse} ms are rolled up"
        );
    }
    let waiting = rig.link().await["backlog_batches"].clone();
    let metrics = rig.cloud.samples(GATEWAY, "num0/n0").await.len();
    let metrics = i64::try_from(metrics).expect("some samples");
    eprintln!(
        "{MINUTES} minutes drawn after {:.1?}; {waiting} batches wait, {metrics} single samples of \
         one point are there",
        start.elapsed()
    );
    assert!(waiting.as_u64() > Some(1_000), "raw waits: {waiting}");
    assert!(metrics < MINUTES * 30, "nor is it there: {metrics}");
}

async fn an_alarm_does_not_wait(rig: &Rig) {
    let raised = Instant::now();
    rig.devices[0].set_plain(1, 1);
    until(
        "the alarm is in the cloud",
        Duration::from_secs(20),
        || async {
            let (_, body) = rig.cloud.get("/api/v1/alarms?state=open").await;
            let alarms = body["alarms"].as_array()?;
            alarms
                .iter()
                .any(|a| a["path"] == "num0/door")
                .then_some(())
        },
    )
    .await;
    let took = raised.elapsed();
    eprintln!("an alarm took {took:.2?}, from the register to the cloud");
    // Up to a second of it until the register is read.
    assert!(took < ALARM, "the alarm took {took:?}");
}

async fn lift_the_budget(rig: &Rig) {
    let shown = rig.local.get("/api/v1/config").await.1;
    let document = shown["document"].as_str().expect("a document");
    let wide = document.replace(&format!("max_kbit_s = {BUDGET}\n"), "");
    assert_ne!(document, wide);
    let request = json!({"document": wide, "note": "a better line"});
    let (status, answer) = rig.local.post("/api/v1/config", &request).await;
    assert_eq!(
        (status, &answer["effects"]["link"]),
        (200, &json!(true)),
        "{answer}"
    );
}

/// Every scan of the backlog is there once, and what is drawn is drawn from them.
async fn raw_replaces_rollups(rig: &Rig, backlog: &Backlog, minutes: (i64, i64)) {
    for point in ["num0/n0", "num1/n29"] {
        let mut scans: BTreeMap<i64, u32> = BTreeMap::new();
        for (_, value) in rig.cloud.samples(GATEWAY, point).await {
            if value >= 1_000.0 {
                *scans.entry(backlog::number(value)).or_default() += 1;
            }
        }
        assert_eq!(
            scans.len() as u64,
            backlog.scans,
            "{point}: none is missing"
        );
        assert!(scans.values().all(|n| *n == 1), "{point}: none came twice");
        let trend = trend(rig, point, minutes).await;
        assert_eq!((whole(&trend), rolled_up(&trend)), (MINUTES, 0), "{trend}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_too_narrow_carries_rollups_and_later_everything() {
    let _turn = alone().await;
    let (rig, backlog, minutes) = squeezed().await;
    rollups_arrive(&rig, minutes).await;
    an_alarm_does_not_wait(&rig).await;
    lift_the_budget(&rig).await;
    rig.caught_up().await;
    raw_replaces_rollups(&rig, &backlog, minutes).await;
    rig.complete("after the budget was lifted").await;
}
