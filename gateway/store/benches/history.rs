//! What keeping costs: octets a sample before and after compaction, octets written to the disk,
//! processor time of compaction, and a year of one point as a trend. The samples are those of the
//! demo building, by the physics of its simulator. Prints one line a figure;
//! `cargo bench -p riser-store --bench history`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot run says so and prints"
)]

#[expect(dead_code, reason = "the simulator's own file, read here")]
#[path = "../../../tests/sim/src/physics.rs"]
mod physics;

use physics::{Building, Commands, ZONES};
use riser_model::{ClockState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::{Store, StoreConfig, StoreFull};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

struct Rig {
    dir: tempfile::TempDir,
    hands: Arc<AtomicI64>,
    store: Store,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or("/tmp".into())).unwrap();
    open(dir, START, false)
}

fn open(dir: tempfile::TempDir, at: i64, compact: bool) -> Rig {
    let hands = Arc::new(AtomicI64::new(at));
    let clock = Arc::clone(&hands);
    let now = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
    let config = StoreConfig {
        keep_unsent: false,
        compact,
        retention_days: 3_650,
        min_free_bytes: 0,
        ..StoreConfig::new(dir.path())
    };
    let (store, _) = Store::open(config, now).unwrap();
    Rig { dir, hands, store }
}

fn push(store: &Store, mut scans: Vec<ScanBatch>) {
    while let Err(StoreFull { scans: back, .. }) = store.append(scans, ClockState::Synchronised, 0)
    {
        scans = back;
        std::thread::yield_now();
    }
}

fn folder(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|e| e.unwrap().metadata().unwrap().len()).sum()
}

/// Highest resident memory, as the kernel says it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.unwrap().trim().to_owned()
}

/// What the registers of the demo building give: air handling unit, boiler, meter, then the zones.
fn registers(b: &Building) -> Vec<Vec<Value>> {
    let (ahu, boiler) = (air(b), heat(b));
    let mut meter: Vec<Value> = b.volts.iter().chain(&b.watts).map(|x| single(*x)).collect();
    meter.extend([single(b.hertz), single(b.power_factor), whole(b.energy_wh)]);
    let zone = |z: &physics::Zone| {
        let temperature = cent(z.temperature);
        let (airflow, damper) = (whole(z.airflow), tenth(z.damper));
        let (co2, reheat, occupied) = (whole(z.co2), tenth(z.reheat), Value::Bool(z.occupied));
        vec![
            temperature,
            airflow,
            damper,
            co2,
            reheat,
            occupied,
            Value::Float(21.0),
        ]
    };
    let mut groups = vec![ahu, boiler, meter];
    groups.extend(b.zones.iter().map(zone));
    groups
}

fn air(b: &Building) -> Vec<Value> {
    let tenths = [
        b.outdoor,
        b.supply,
        b.return_air,
        b.exhaust,
        b.humidity,
        b.fan,
        b.heating_valve,
        b.cooling_valve,
        b.recovery,
    ];
    let mut all: Vec<Value> = tenths.into_iter().map(tenth).collect();
    all.extend([
        whole(b.duct_pressure),
        whole(b.filter_drop),
        Value::Bool(b.fan > 5.0),
    ]);
    all.extend([Value::Float(18.0), Value::Int(3), Value::Int(800)]);
    all
}

fn heat(b: &Building) -> Vec<Value> {
    let mut all = [b.flow, b.return_water, b.modulation, b.flue]
        .map(tenth)
        .to_vec();
    all.extend([cent(b.pressure), Value::Bool(b.burning), Value::Float(60.0)]);
    all
}

fn tenth(x: f64) -> Value {
    Value::Float((x * 10.0).round() / 10.0)
}

fn cent(x: f64) -> Value {
    Value::Float((x * 100.0).round() / 100.0)
}

fn whole(x: f64) -> Value {
    Value::Int(x.round() as i64)
}

fn single(x: f64) -> Value {
    Value::Float(f64::from(x as f32))
}

/// One second of scans, each group some milliseconds after the one before; counters each ten
/// seconds.
fn scans(b: &Building, at: i64) -> Vec<ScanBatch> {
    let mut groups = registers(b);
    if at % 10_000 == 0 {
        groups.push(vec![
            whole(b.ahu_hours),
            whole(b.burner_hours),
            whole(b.starts),
            single(b.gas),
        ]);
    }
    let mut jitter = (at / 1_000).cast_unsigned();
    (0u32..)
        .zip(groups)
        .map(|(group, values)| {
            jitter = jitter.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
            let late = i64::from(jitter as u8 % 12) + i64::from(group) * 9;
            let reading = |(i, value)| Reading {
                slot: Slot(group * 20 + i + 1),
                value: Some(value),
                quality: Quality::GOOD,
            };
            let readings = (0u32..).zip(values).map(reading).collect();
            ScanBatch {
                at: Timestamp(at + late),
                readings,
            }
        })
        .collect()
}

fn commands() -> Commands {
    Commands {
        ahu_enable: true,
        fan_mode: 3,
        supply_setpoint: 18.0,
        co2_setpoint: 800.0,
        boiler_enable: true,
        flow_setpoint: 60.0,
        zone_setpoint: [21.0; ZONES],
        zone_override: [false; ZONES],
    }
}

/// One day of the demo building, committed each half second, and the first second of the next.
async fn filled() -> Rig {
    let Rig { dir, hands, store } = rig();
    let mut building = Building::new();
    let commands = commands();
    for second in 0..86_400i64 {
        let at = START + second * 1_000;
        building.step(1.0, &commands);
        hands.store(at, Ordering::Relaxed);
        push(&store, scans(&building, at));
        if second % 20 == 0 {
            store.settle().await.unwrap();
        }
    }
    store.settle().await.unwrap();
    hands.store(START + Timestamp::DAY + 60_000, Ordering::Relaxed);
    push(&store, scans(&building, START + Timestamp::DAY + 60_000));
    store.settle().await.unwrap();
    Rig { dir, hands, store }
}

/// A day compacted as fast as it goes: how small it gets and what that costs.
async fn demo_day() {
    let Rig { dir, store, .. } = filled().await;
    let samples = store.stats().committed_samples as f64;
    let day = dir.path().join("history/2026-01-01.db");
    let before = std::fs::metadata(&day).unwrap().len();
    let begun = Instant::now();
    assert_eq!(store.compact().await.unwrap(), 1);
    let took = begun.elapsed().as_secs_f64();
    let after = std::fs::metadata(&day).unwrap().len();
    let rollups = folder(&dir.path().join("rollup"));
    println!(
        "demo building, one day   {samples:.0} samples  day file {:.2} octets/sample, compacted {:.3} \
         (and {:.3} of rollups; target 3)  compaction {:.2} µs/sample, memory at its highest {}",
        before as f64 / samples,
        after as f64 / samples,
        rollups as f64 / samples,
        took / samples * 1e6,
        memory(),
    );
    store.close(Duration::from_secs(30)).await.unwrap();
}

/// Commits at 1,000 samples a second while the same day is compacted by itself, and after.
async fn beside() {
    let Rig { dir, store, .. } = filled().await;
    store.close(Duration::from_secs(30)).await.unwrap();
    let at = START + Timestamp::DAY + 120_000;
    let Rig { dir, hands, store } = open(dir, at, true);
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut building = Building::new();
    let mut times = [Vec::new(), Vec::new()];
    let begun = Instant::now();
    let mut took = None;
    for n in 0.. {
        tick.tick().await;
        let now = at + n * 50;
        hands.store(now, Ordering::Relaxed);
        building.step(0.05, &commands());
        let head = store.outbox().head(riser_store::Stream::Data).seq;
        let mut heads = store.committed(riser_store::Stream::Data);
        let sent = Instant::now();
        push(&store, scans(&building, now));
        heads.wait_for(|now| now.seq > head).await.unwrap();
        let compacted = store.stats().compacted_files > 0;
        times[usize::from(compacted)].push(sent.elapsed().as_secs_f64() * 1e3);
        if compacted && took.is_none() {
            took = Some(begun.elapsed());
        }
        if took.is_some() && times[1].len() >= times[0].len().max(20) {
            break;
        }
    }
    for (name, times) in ["while compacting", "after"].into_iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!(
            "append to commit, {name:<16} p50 {:.2} ms, p95 {:.2} ms, slowest {:.2} ms ({} commits)",
            times[times.len() / 2],
            times[times.len() * 95 / 100],
            times[times.len() - 1],
            times.len(),
        );
    }
    println!("compaction by itself     {:.1?} for the day", took.unwrap());
    store.close(Duration::from_secs(30)).await.unwrap();
    drop(dir);
}

/// Octets written to the disk at 1,000 samples a second, by pause between commits.
async fn writing(commit: Duration) {
    let Rig { dir, store, hands } = rig();
    let every = i64::try_from(commit.as_millis()).unwrap();
    let mut tick = tokio::time::interval(commit);
    let scan = |at: i64, n: i64| ScanBatch {
        at: Timestamp(at),
        readings: (0..100)
            .map(|i| {
                let noise = (n * 7_919 + i * 104_729) % 13;
                let value = Value::Float((2_000 + i + n % 40 + noise) as f64 / 10.0);
                Reading {
                    slot: Slot(i as u32 + 1),
                    value: Some(value),
                    quality: Quality::GOOD,
                }
            })
            .collect(),
    };
    push(&store, vec![scan(START, 0)]);
    store.settle().await.unwrap();
    let before = store.stats();
    for n in 0..60_000 / every {
        tick.tick().await;
        let at = START + n * every;
        hands.store(at, Ordering::Relaxed);
        push(
            &store,
            (0..every / 100)
                .map(|i| scan(at + i * 100, n * 10 + i))
                .collect(),
        );
    }
    store.settle().await.unwrap();
    let stats = store.stats();
    let samples = (stats.committed_samples - before.committed_samples) as f64;
    let commits = (stats.commits - before.commits) as f64;
    let octets = stats.written_bytes.unwrap_or(0) - before.written_bytes.unwrap_or(0);
    println!(
        "written at 1,000/s       commit each {every} ms: {:.2} octets/sample to the disk (target 40; \
         one 4,096 octet page a commit would be {:.2}), {:.1} KiB a commit",
        octets as f64 / samples,
        4_096.0 * commits / samples,
        octets as f64 / commits / 1_024.0,
    );
    store.close(Duration::from_secs(30)).await.unwrap();
    drop(dir);
}

/// A year of 20 points at one sample a minute; one of them as a trend.
async fn a_year() {
    let Rig { dir, hands, store } = rig();
    let days = 365;
    for day in 0..days {
        for hour in 0..24i64 {
            let at = START + day * Timestamp::DAY + hour * 3_600_000;
            hands.store(at, Ordering::Relaxed);
            let scan = |m: i64| {
                let at = at + m * 60_000;
                let n = at / 60_000;
                let reading = |slot: u32| {
                    let wave = ((n % 1_440) as f64 / 229.2).sin() * 40.0;
                    let noise = (n * 7_919 + i64::from(slot) * 31) % 9;
                    let value = Value::Float((200.0 + wave + noise as f64).round() / 10.0);
                    Reading {
                        slot: Slot(slot),
                        value: Some(value),
                        quality: Quality::GOOD,
                    }
                };
                ScanBatch {
                    at: Timestamp(at),
                    readings: (1..=20).map(reading).collect(),
                }
            };
            push(&store, (0..60).map(scan).collect());
        }
        store.settle().await.unwrap();
        store.compact().await.unwrap();
    }
    let end = START + days * Timestamp::DAY;
    hands.store(end, Ordering::Relaxed);
    let mut times = Vec::new();
    let mut shape = (0, 0);
    for slot in 1..=20 {
        let begun = Instant::now();
        let trend = store
            .trend(Slot(slot), Timestamp(START), Timestamp(end), 1_000)
            .await
            .unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        shape = (trend.buckets.len(), trend.bucket_ms);
        let count: u64 = trend.buckets.iter().map(|b| u64::from(b.count)).sum();
        assert_eq!(count, 365 * 1_440);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "trend over a year        p50 {:.2} ms, slowest of {} points {:.2} ms (target 20)  {} buckets of \
         {} h  whole history {:.2} octets/sample",
        times[times.len() / 2],
        times.len(),
        times[times.len() - 1],
        shape.0,
        shape.1 / 3_600_000,
        (folder(&dir.path().join("history")) + folder(&dir.path().join("rollup"))) as f64
            / (365.0 * 1_440.0 * 20.0),
    );
    store.close(Duration::from_secs(30)).await.unwrap();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        demo_day().await;
        beside().await;
        writing(Duration::from_millis(500)).await;
        writing(Duration::from_secs(1)).await;
        a_year().await;
    });
}
