//! The way in under load: bounded, counted, nothing silently lost.

use crate::fake::Device;
use crate::support::{Bench, START, Setup, eventually, path, point};
use riser_model::{Access, Event, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_runtime::RuntimeConfig;
use riser_store::{Position, Stream};
use std::time::Duration;

const POINTS: usize = 125;
const SCANS: i64 = 8000;
const SAMPLES: u64 = 1_000_000;

fn scan(slots: &[Slot], n: i64) -> ScanBatch {
    let reading = |slot: &Slot| Reading {
        slot: *slot,
        value: Some(Value::Int(n + i64::from(slot.0))),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(START + n),
        readings: slots.iter().map(reading).collect(),
    }
}

async fn flood(setup: Setup) -> Bench {
    let points = (0..POINTS).map(|n| {
        let mut point = point(&format!("d/p{n}"), Access::Read);
        point.kind = riser_model::ValueKind::Integer;
        point
    });
    let bench = Bench::over(Device::new("fake", points.collect()), setup).await;
    let (sink, slots) = bench.device.up().await;
    for n in 0..SCANS {
        assert!(sink.send(scan(&slots, n)).await);
    }
    eventually("all are taken in", || {
        bench.runtime.stats().readings == SAMPLES
    })
    .await;
    bench
}

#[tokio::test]
async fn a_million_samples_pass_with_bounded_queues_and_all_arrive() {
    // Faster than any disk: the store must hold what it has not written yet.
    let bench = flood(Setup {
        queue_samples: 1_500_000,
        ..Setup::default()
    })
    .await;
    bench.runtime.shutdown(Duration::from_secs(10)).await;
    bench.store.settle().await.unwrap();
    let stats = bench.runtime.stats();
    assert_eq!(stats.samples_appended, SAMPLES);
    assert_eq!(stats.samples_lost, 0);
    assert!(stats.intake_waits > 0, "the way in is not bounded");
    let stored = bench.store.stats();
    assert_eq!(stored.dropped_samples, 0);
    assert_eq!(stored.committed_samples, SAMPLES);
    let (from, to) = (Timestamp(START), Timestamp(START + SCANS));
    let one = bench
        .runtime
        .samples(&path("d/p7"), from, to, 10_000)
        .await
        .unwrap();
    assert_eq!(one.len(), 8000);
    assert!(one.is_sorted_by(|a, b| a.at < b.at && a.value != b.value));
    assert_eq!(bench.runtime.quality_counts().good, POINTS as u64);
}

#[tokio::test]
async fn what_the_store_cannot_take_is_counted_and_told() {
    // A batch larger than everything the store may hold is refused as a whole.
    let bench = flood(Setup {
        queue_samples: 2_000,
        config: RuntimeConfig {
            commit_interval: Duration::from_secs(3600),
            batch_samples: 4096,
            ..RuntimeConfig::default()
        },
        ..Setup::default()
    })
    .await;
    bench.runtime.shutdown(Duration::from_secs(10)).await;
    bench.store.settle().await.unwrap();
    let stats = bench.runtime.stats();
    assert!(stats.samples_lost > 900_000, "{stats:?}");
    assert_eq!(stats.samples_appended + stats.samples_lost, SAMPLES);
    let mut told = 0;
    let start = Position {
        epoch: bench.store.epoch(),
        seq: 0,
    };
    let events = bench.store.outbox().claim_events(start, 100).await.unwrap();
    for batch in events {
        assert_eq!(batch.stream, Stream::Event);
        if let Ok((_, Event::Loss { samples, lane, .. })) = riser_wire::decode_event(&batch.frame) {
            assert_eq!(lane, "history");
            told += samples;
        }
    }
    assert_eq!(told, stats.samples_lost);
}
