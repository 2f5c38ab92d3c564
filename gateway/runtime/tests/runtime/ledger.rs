//! The loss ledger behind the way in: what adapters hand over is counted, by lane, and nothing twice.

use crate::fake::Device;
use crate::support::{Bench, START, Setup, eventually, point};
use riser_model::ledger::hour_of;
use riser_model::{Access, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::LedgerFilter;
use std::time::Duration;

fn scan(slots: &[Slot], n: i64) -> ScanBatch {
    let reading = |slot: &Slot| Reading {
        slot: *slot,
        value: Some(Value::Float(1.0)),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(START + n),
        readings: slots.iter().map(reading).collect(),
    }
}

#[tokio::test]
async fn what_is_collected_and_stored_is_in_the_ledger_under_its_lane() {
    let quiet = ["d/a", "d/b", "d/c"].map(|path| {
        let mut point = point(path, Access::Read);
        point.stale_after_ms = 0;
        point
    });
    let bench = Bench::over(Device::new("fake", quiet.to_vec()), Setup::default()).await;
    let (sink, slots) = bench.device.up().await;
    for n in 0..100 {
        assert!(sink.send(scan(&slots, n)).await);
    }
    eventually("all are taken in", || bench.runtime.stats().readings == 300).await;
    let now = bench.runtime.ledger(LedgerFilter::default()).await.unwrap();
    assert_eq!(now.rows[0].counts.collected, 300);
    bench.runtime.shutdown(Duration::from_secs(10)).await;
    bench.store.settle().await.unwrap();
    let ledger = bench.store.ledger(LedgerFilter::default()).await.unwrap();
    let [row] = &ledger.rows[..] else {
        panic!("{ledger:?}");
    };
    // The fake names no lanes: its own name stands for them.
    assert_eq!(
        (row.lane.as_str(), row.hour),
        ("fake", hour_of(Timestamp(START)))
    );
    assert_eq!((row.counts.collected, row.counts.stored), (300, 300));
    assert_eq!((row.waiting_disk, row.counts.dropped.total()), (0, 0));
}

#[tokio::test]
async fn what_the_queue_cannot_hold_is_dropped_with_its_reason() {
    let points: Vec<_> = (0..100)
        .map(|n| {
            let mut point = point(&format!("d/p{n}"), Access::Read);
            point.stale_after_ms = 0;
            point
        })
        .collect();
    let setup = Setup {
        // Less than one batch: every hand-over is refused.
        queue_samples: 50,
        ..Setup::default()
    };
    let bench = Bench::over(Device::new("fake", points), setup).await;
    let (sink, slots) = bench.device.up().await;
    assert!(sink.send(scan(&slots, 0)).await);
    eventually("it is refused", || {
        bench.runtime.stats().samples_lost == 100
    })
    .await;
    bench.runtime.shutdown(Duration::from_secs(10)).await;
    let ledger = bench.store.ledger(LedgerFilter::default()).await.unwrap();
    let counts = ledger.rows[0].counts;
    assert_eq!((counts.collected, counts.stored), (100, 0));
    assert_eq!(counts.dropped.queue_full, 100);
    assert_eq!(ledger.rows[0].waiting_disk, 0);
}
