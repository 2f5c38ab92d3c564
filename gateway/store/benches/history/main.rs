//! What keeping costs: octets a sample before and after compaction, octets written to the disk,
//! processor time of compaction, and a year of one point as a trend. Prints one line a figure;
//! `cargo bench -p riser-store --bench history`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot run says so and prints"
)]

mod figures;
#[expect(
    dead_code,
    reason = "the simulator's own file, read here; a bench has no tests"
)]
#[path = "../../../../tests/sim/src/physics.rs"]
mod physics;

use figures::{Rig, START, a_year, commands, demo_day, filled, open, push, scans, writing};
use physics::Building;
use riser_model::Timestamp;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Highest resident memory, as the kernel says it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.unwrap().trim().to_owned()
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

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let day = demo_day().await;
        println!(
            "demo building, one day   {:.0} samples  day file {:.2} octets/sample, compacted {:.3} \
             (and {:.3} of rollups; target 3)  compaction {:.2} µs/sample, memory at its highest {}",
            day.samples, day.written, day.compacted, day.rollups, day.micros, memory(),
        );
        beside().await;
        for commit in [500, 1_000] {
            let figures = writing(Duration::from_millis(commit), 60).await;
            println!(
                "written at 1,000/s       commit each {commit} ms: {:.2} octets/sample to the disk (target \
                 40; one 4,096 octet page a commit would be {:.2}), {:.1} KiB a commit",
                figures.octets, figures.page, figures.commit_kib,
            );
        }
        let year = a_year().await;
        println!(
            "trend over a year        p50 {:.2} ms, slowest of {} points {:.2} ms (target 20)  {} buckets \
             of {} h  whole history {:.2} octets/sample",
            year.times[year.times.len() / 2],
            year.times.len(),
            year.times[year.times.len() - 1],
            year.buckets,
            year.bucket_ms / 3_600_000,
            year.octets,
        );
    });
}
