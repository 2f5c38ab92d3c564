//! What keeping costs, as figures: octets a sample before and after compaction, octets written to
//! the disk, a year of one point as a trend. The samples are those of the demo building, by the
//! physics of its simulator. Owns the loads; printing is the business of whoever asks: the bench of
//! this crate, and `riser-bench`.
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot run says so"
)]

use super::physics::{Building, Commands, ZONES, Zone};
use riser_model::{ClockState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::{Store, StoreConfig, StoreFull};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// 2026-01-01T00:00:00Z
pub(crate) const START: i64 = 1_767_225_600_000;

/// A store with a clock of its own.
pub(crate) struct Rig {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) hands: Arc<AtomicI64>,
    pub(crate) store: Store,
}

/// What a day of the demo building takes.
pub(crate) struct Day {
    pub(crate) samples: f64,
    /// Octets a sample of the day file as written, compacted, and of the rollups.
    pub(crate) written: f64,
    pub(crate) compacted: f64,
    pub(crate) rollups: f64,
    /// Processor and disk time of compaction, microseconds a sample.
    pub(crate) micros: f64,
}

/// What goes to the disk at 1,000 samples a second.
pub(crate) struct Writing {
    /// Octets a sample.
    pub(crate) octets: f64,
    /// Octets a sample if each commit were one page.
    pub(crate) page: f64,
    /// KiB a commit.
    pub(crate) commit_kib: f64,
}

/// A year as a trend.
pub(crate) struct Year {
    /// Milliseconds for each point, sorted.
    pub(crate) times: Vec<f64>,
    /// Buckets, and how long each is.
    pub(crate) buckets: usize,
    pub(crate) bucket_ms: i64,
    /// Octets a sample of the whole history.
    pub(crate) octets: f64,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or("/tmp".into())).unwrap();
    open(dir, START, false)
}

pub(crate) fn open(dir: tempfile::TempDir, at: i64, compact: bool) -> Rig {
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

pub(crate) fn push(store: &Store, mut scans: Vec<ScanBatch>) {
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

/// What the registers of the demo building give: air handling unit, boiler, meter, then the zones.
fn registers(b: &Building) -> Vec<Vec<Value>> {
    let (ahu, boiler) = (air(b), heat(b));
    let mut meter: Vec<Value> = b.volts.iter().chain(&b.watts).map(|x| single(*x)).collect();
    meter.extend([single(b.hertz), single(b.power_factor), whole(b.energy_wh)]);
    let zone = |z: &Zone| {
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
pub(crate) fn scans(b: &Building, at: i64) -> Vec<ScanBatch> {
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

pub(crate) fn commands() -> Commands {
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
pub(crate) async fn filled() -> Rig {
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
pub(crate) async fn demo_day() -> Day {
    let Rig { dir, store, .. } = filled().await;
    let samples = store.stats().committed_samples as f64;
    let day = dir.path().join("history/2026-01-01.db");
    let before = std::fs::metadata(&day).unwrap().len();
    let begun = Instant::now();
    assert_eq!(store.compact().await.unwrap(), 1);
    let took = begun.elapsed().as_secs_f64();
    let after = std::fs::metadata(&day).unwrap().len();
    let rollups = folder(&dir.path().join("rollup"));
    store.close(Duration::from_secs(30)).await.unwrap();
    Day {
        samples,
        written: before as f64 / samples,
        compacted: after as f64 / samples,
        rollups: rollups as f64 / samples,
        micros: took / samples * 1e6,
    }
}

/// Octets written to the disk at 1,000 samples a second, by pause between commits.
pub(crate) async fn writing(commit: Duration, seconds: i64) -> Writing {
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
    for n in 0..seconds * 1_000 / every {
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
    store.close(Duration::from_secs(30)).await.unwrap();
    drop(dir);
    Writing {
        octets: octets as f64 / samples,
        page: 4_096.0 * commits / samples,
        commit_kib: octets as f64 / commits / 1_024.0,
    }
}

/// A year of 20 points at one sample a minute; one of them as a trend.
pub(crate) async fn a_year() -> Year {
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
    let kept = folder(&dir.path().join("history")) + folder(&dir.path().join("rollup"));
    store.close(Duration::from_secs(30)).await.unwrap();
    Year {
        times,
        buckets: shape.0,
        bucket_ms: shape.1,
        octets: kept as f64 / (365.0 * 1_440.0 * 20.0),
    }
}
