//! What storing costs: processor time of the writing thread, octets to the disk, duration of a
//! commit, time of a trend. Prints one line a figure; `cargo bench -p riser-store`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot run says so and prints"
)]

use riser_model::{ClockState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::{Store, StoreConfig, StoreFull};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const NOON: i64 = 1_795_262_400_000;

/// Processor time of the threads with a name, and octets this process has sent to the disk.
fn costs(thread: &str) -> (f64, u64) {
    let mut seconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else {
            continue;
        };
        let Some((name, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        if name.split_once('(').is_some_and(|n| n.1 == thread) {
            let fields: Vec<&str> = rest.split(' ').collect();
            let ticks: f64 = fields[11..13]
                .iter()
                .map(|t| t.parse::<f64>().unwrap())
                .sum();
            seconds += ticks / 100.0;
        }
    }
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let written = io
        .lines()
        .find_map(|l| l.strip_prefix("write_bytes: "))
        .unwrap();
    (seconds, written.parse().unwrap())
}

fn scan(at: i64, first: u32, count: u32, n: i64) -> ScanBatch {
    // A slow wave with two digits of noise, as an analogue sensor gives.
    let value = |slot: u32| {
        let mut seed =
            (u64::from(slot) << 32 | n.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ seed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let noise = i64::from((seed >> 58) as u8);
        2_000 + i64::from(slot % 700) + (n / 60) % 300 + noise
    };
    let reading = |slot: u32| Reading {
        slot: Slot(slot),
        value: Some(Value::Float(value(slot) as f64 / 10.0)),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(at),
        readings: (first..first + count).map(reading).collect(),
    }
}

struct Rig {
    dir: tempfile::TempDir,
    hands: Arc<AtomicI64>,
    store: Store,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or("/tmp".into())).unwrap();
    let hands = Arc::new(AtomicI64::new(NOON));
    let clock = Arc::clone(&hands);
    let now = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
    let (store, _) = Store::open(StoreConfig::new(dir.path()), now).unwrap();
    Rig { dir, hands, store }
}

fn push(store: &Store, mut scans: Vec<ScanBatch>) {
    while let Err(StoreFull { scans: back, .. }) = store.append(scans, ClockState::Synchronised, 0)
    {
        scans = back;
        std::thread::yield_now();
    }
}

/// `per_second` samples in scans of `size`, in appends of at most 4,096 samples or half a second.
async fn steady(name: &str, (per_second, size): (u32, u32), seconds: i64) {
    let Rig { dir, hands, store } = rig();
    let per_append = (per_second / 2).clamp(size.min(per_second), 4_096) / size * size;
    let appends = i64::from(per_second / per_append);
    let mut tick = tokio::time::interval(Duration::from_millis(
        1_000 / u64::from(per_second / per_append),
    ));
    // Making the files and the reserve is not what is measured.
    push(&store, vec![scan(NOON, 0, size, 0)]);
    store.settle().await.unwrap();
    let before = store.stats();
    let (cpu, octets) = costs("riser-write");
    let begun = Instant::now();
    let mut slot = 0;
    for n in 0..seconds * appends {
        tick.tick().await;
        let at = NOON + n * 1_000 / appends;
        hands.store(at, Ordering::Relaxed);
        let scans = (0..per_append / size)
            .map(|_| {
                let first = slot;
                slot = (slot + size) % per_second;
                scan(at, first, size, n / appends)
            })
            .collect();
        push(&store, scans);
    }
    store.settle().await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    let after = costs("riser-write");
    let stats = store.stats();
    let samples = (stats.committed_samples - before.committed_samples) as f64;
    let commits = (stats.commits - before.commits) as f64;
    println!(
        "{name:<24} {:>8.0} samples/s  writer {:>5.1} % of a core  {:>5.2} µs/sample  \
         frames {:>5.2} octets/sample  disk {:>6.2} octets/sample  {:>5.1} KiB/commit  \
         commit mean {:>6.0} µs max {:>7.0} µs",
        samples / took,
        (after.0 - cpu) / took * 100.0,
        (after.0 - cpu) / samples * 1e6,
        (stats.frame_bytes - before.frame_bytes) as f64 / samples,
        (after.1 - octets) as f64 / samples,
        (after.1 - octets) as f64 / commits / 1024.0,
        (stats.commit_micros - before.commit_micros) as f64 / commits,
        stats.slowest_commit_micros as f64,
    );
    store.close(Duration::from_secs(30)).await.unwrap();
    drop(dir);
}

/// Half seconds in twelve hours.
const STEPS: i64 = 12 * 7_200;

async fn filled(rig: &Rig) -> u64 {
    let store = &rig.store;
    let begun = Instant::now();
    for n in 0..STEPS {
        let at = NOON + n * 500;
        rig.hands.store(at, Ordering::Relaxed);
        push(
            store,
            (0..4)
                .map(|i| {
                    scan(
                        at + i64::from(i),
                        u32::from(n % 2 == 0) * 500 + i * 125,
                        125,
                        n / 2,
                    )
                })
                .collect(),
        );
        if n % 600 == 0 {
            store.settle().await.unwrap();
        }
    }
    store.settle().await.unwrap();
    let took = begun.elapsed();
    let samples = store.stats().committed_samples;
    println!(
        "filling                  {:>8.0} samples/s as fast as it goes ({samples} samples in {took:.1?})",
        samples as f64 / took.as_secs_f64()
    );
    samples
}

/// As fast as it goes: twelve hours of 1,000 points each second in two commits, then trends.
async fn trends() {
    let rig = rig();
    let samples = filled(&rig).await;
    let Rig { dir, store, .. } = rig;
    let end = NOON + STEPS * 500;
    for (name, minutes) in [("10 min", 10), ("1 h", 60), ("4 h", 240), ("12 h", 720)] {
        let begun = Instant::now();
        let from = Timestamp(end - minutes * 60_000);
        let trend = store
            .trend(Slot(500), from, Timestamp(end), 1_000)
            .await
            .unwrap();
        println!(
            "trend over {name:<14} {:>8.1} ms  {} buckets of {} ms",
            begun.elapsed().as_secs_f64() * 1e3,
            trend.buckets.len(),
            trend.bucket_ms
        );
    }
    let octets: u64 = std::fs::read_dir(dir.path().join("history"))
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "on disk                  {:>8.2} octets/sample, rollups included",
        octets as f64 / samples as f64
    );
    store.close(Duration::from_secs(30)).await.unwrap();
    let begun = Instant::now();
    let now = Arc::new(move || Timestamp(end));
    let (store, _) = Store::open(StoreConfig::new(dir.path()), now).unwrap();
    println!(
        "opening                  {:>8.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    store.close(Duration::from_secs(30)).await.unwrap();
}

/// One event at a time: what an alarm waits for.
async fn events() {
    let Rig { store, dir, .. } = rig();
    let mut times = Vec::new();
    for n in 0..500u64 {
        let begun = Instant::now();
        let event = riser_model::Event::Loss {
            at: Timestamp(NOON),
            lane: "bench".into(),
            samples: n,
            reason: "none".into(),
        };
        store.append_event(event).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "an event on disk         p50 {:?}  p99 {:?}",
        times[250], times[495]
    );
    store.close(Duration::from_secs(30)).await.unwrap();
    drop(dir);
}

/// Resident memory of this process at its highest, as the kernel says it.
fn highest_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.unwrap().trim().to_owned()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        steady("100 points each second", (100, 10), 20).await;
        steady("1,000 points each second", (1_000, 100), 20).await;
        steady("100,000 each second", (100_000, 125), 70).await;
        println!("memory at its highest    {}", highest_memory());
        events().await;
        trends().await;
    });
}
