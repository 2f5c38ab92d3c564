//! A day without the cloud: the backlog drains many times faster than it came about, while what is
//! read meanwhile and alarms go first, in steady memory, and nothing is lost.

use riser_e2e::committed::Committed;
use riser_e2e::lab::GATEWAY;
use riser_e2e::{Lab, until};
use riser_faults::backlog::{self, Backlog};
use riser_faults::{Building, Rig, alone, proc, rig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Times real time.
const PACE: f64 = 20.0;
/// 99 of 100 values read while the backlog drains must be durable in the cloud so soon after.
const LIVE: i64 = 2_000;
/// An alarm must be in the cloud so soon after it was raised.
const ALARM: i64 = 500;
/// Memory the draining may take, in kilobytes: buffers and caches, whatever the backlog.
const GROWTH: u64 = 48 * 1024;

/// Ages of live values as they become durable, looked at by a task of its own until told to end.
fn ages(lab: &Path, since: i64, over: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<i64>> {
    let (mut seen, over) = (Committed::open(lab, "n0").since(since), Arc::clone(over));
    tokio::spawn(async move {
        let mut ages = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let found = seen.look_at_all();
            let now = rig::now();
            ages.extend(found.iter().map(|(at, _)| now - at));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ages.sort_unstable();
        ages
    })
}

/// Raises and clears an alarm again and again while it drains; answers how old each word of it was
/// in the cloud.
async fn alarms(rig: &Rig, over: &AtomicBool) -> Vec<i64> {
    let mut live = rig.cloud.live(GATEWAY, &[]).await;
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        for word in [1, 0] {
            rig.devices[0].set_plain(1, word);
            let told = tokio::time::timeout(Duration::from_secs(20), async {
                loop {
                    let message = live.next().await.unwrap_or(Value::Null);
                    let alarm = &message["alarm"];
                    if message["type"] == "alarm" && alarm["cleared_at"].is_null() == (word == 1) {
                        let key = if word == 1 { "raised_at" } else { "cleared_at" };
                        return (rig::now(), alarm[key].as_i64().unwrap_or(0));
                    }
                }
            });
            let Ok((now, at)) = told.await else {
                rig.give_up("an alarm does not reach the cloud while the backlog drains");
            };
            // An alarm raised again before anybody acknowledged it keeps the time of its first raise.
            if word == 0 || took.is_empty() {
                took.push(now - at);
            }
        }
    }
    took.sort_unstable();
    took
}

/// Watches the backlog until it is gone; answers how long that took and the most memory, in
/// kilobytes, at first and after.
async fn drained(rig: &Rig, limit: Duration) -> (Duration, u64, u64) {
    let start = Instant::now();
    let (mut first, mut most) = (0, 0);
    loop {
        let size = proc::resident(&rig.lab.gateway);
        if start.elapsed() < Duration::from_secs(3) {
            first = first.max(size);
        }
        most = most.max(size);
        let left = rig.link().await["backlog_batches"].as_u64();
        if left.is_some_and(|left| left <= 12) {
            return (start.elapsed(), first, most);
        }
        if start.elapsed() > limit {
            rig.give_up(&format!("{left:?} batches wait after {limit:?}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fails unless every scan of the backlog is in the cloud once and in its place.
async fn there(rig: &Rig, backlog: &Backlog) {
    let interval = i64::from(rig.building.interval);
    for path in ["num0/n0", "num9/n49"] {
        let samples = rig.cloud.samples(GATEWAY, path).await;
        let mut times: BTreeMap<i64, i64> = BTreeMap::new();
        for (at, value) in samples.iter().filter(|(_, value)| *value >= 1_000.0) {
            let expected = backlog.from + (backlog::number(*value) - 1) * interval;
            assert!(
                (0..interval).contains(&(at - expected)),
                "{path}: {value} at {at}"
            );
            *times.entry(expected).or_default() += 1;
        }
        assert_eq!(times.len() as u64, backlog.scans, "{path}: none is missing");
        assert!(times.values().all(|n| *n == 1), "{path}: none came twice");
    }
}

/// The ledger of the gateway as a whole.
async fn ledger(rig: &Rig, backlog: &Backlog) {
    let path = format!("/api/v1/ledger?from={}", backlog.from - 1);
    let adds_up = until("the ledger adds up", Duration::from_secs(60), || async {
        let body = rig.local.get(&path).await.1;
        let rows = body["rows"].as_array()?.clone();
        let sum = |key: &str| rows.iter().filter_map(|r| r[key].as_u64()).sum::<u64>();
        let dropped = rows.iter().flat_map(|r| r["dropped"].as_object());
        let dropped: u64 = dropped
            .flat_map(|d| d.values())
            .filter_map(Value::as_u64)
            .sum();
        assert_eq!((dropped, sum("unexplained")), (0, 0), "{body}");
        (sum("durable") >= backlog.samples).then(|| (rows.len(), sum("collected"), sum("durable")))
    });
    let (rows, collected, durable) = adds_up.await;
    assert!(
        collected >= durable,
        "{collected} collected, {durable} durable"
    );
    eprintln!(
        "ledger: {rows} rows, {collected} collected, {durable} durable so far, none dropped, none unexplained"
    );
}

async fn offline(seconds: u32) {
    let building = Building::STEADY;
    let devices = building.devices().await;
    let configuration = building.configuration(&devices).replace(
        "message = \"Door open\"",
        "message = \"Door open\", flap_raises = 250, flap_window_ms = 1000",
    );
    let mut lab = Lab::prepare(&configuration).await;
    let filling = Instant::now();
    let from = rig::now() - i64::from(seconds) * 1_000 - 5_000;
    let dir = lab.folder.join("gateway");
    let backlog = backlog::fill(&dir, (building, &devices), from, seconds).await;
    eprintln!("{backlog:?} filled in {:.0?}", filling.elapsed());
    lab.cloud.start();
    let cloud = lab.operator().await;
    // The link opens once everything watches.
    lab.link.set(riser_e2e::proxy::Mode::Cut);
    lab.gateway.start();
    let local = lab.technician().await;
    let rig = Rig {
        lab,
        devices,
        building,
        local,
        cloud,
        outages: Vec::new(),
    };
    let before = rig.link().await["backlog_batches"].clone();
    let started = rig::now();
    rig.lab.link.set(riser_e2e::proxy::Mode::Pass);
    until(
        "the cloud knows the points",
        Duration::from_secs(30),
        || async { rig.cloud.point(GATEWAY, "num9/n49").await },
    )
    .await;
    let over = Arc::new(AtomicBool::new(false));
    let ages = ages(&rig.lab.folder, started, &over);
    let limit = Duration::from_secs(u64::from(seconds) / 10 + 60);
    let (drained, alarms) = tokio::join!(
        async {
            let drained = drained(&rig, limit).await;
            over.store(true, Ordering::Relaxed);
            drained
        },
        alarms(&rig, &over)
    );
    let ages = ages.await.expect("the task that looks");
    report((before, seconds), drained, (&ages, &alarms));
    rig.caught_up().await;
    there(&rig, &backlog).await;
    ledger(&rig, &backlog).await;
}

fn report(
    (before, seconds): (Value, u32),
    (took, first, most): (Duration, u64, u64),
    (ages, alarms): (&[i64], &[i64]),
) {
    let pace = f64::from(seconds) / took.as_secs_f64();
    let p99 = ages.get(ages.len() * 99 / 100).copied().unwrap_or(i64::MAX);
    let slowest = alarms.last().copied().unwrap_or(i64::MAX);
    eprintln!(
        "{:.1} h offline at {} samples/s: {before} batches drained in {took:.1?}, {pace:.0} times real time; \
         live p99 {p99} ms of {}, alarm {slowest} ms at most of {}; {first} -> {most} kB resident",
        f64::from(seconds) / 3_600.0,
        500,
        ages.len(),
        alarms.len()
    );
    assert!(pace >= PACE, "drained at {pace:.1} times real time");
    assert!(p99 <= LIVE, "live p99 is {p99} ms");
    assert!(slowest <= ALARM, "an alarm took {slowest} ms: {alarms:?}");
    assert!(most < first + GROWTH, "memory has grown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hours_offline_drain_fast_and_hold_nothing_up() {
    let _turn = alone().await;
    offline(2 * 3_600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_day_offline() {
    let _turn = alone().await;
    offline(24 * 3_600).await;
}
