//! What the tests of the ledger share: points on two lanes, batches that are collected and stored, and
//! the sums of its rows. Owns no assertion.

use super::{append, point};
use riser_model::{
    Ledger, LedgerCounts, LedgerRow, Quality, Reading, ScanBatch, Slot, Timestamp, Value,
};
use riser_store::{LedgerFilter, Store, Stream};
use std::path::Path;
use std::sync::Arc;

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const LANES: [&str; 2] = ["bus a", "bus b"];

/// Three points: two on the first lane, one on the second.
pub(crate) async fn declare(store: &Store) -> Vec<Slot> {
    let points = ["a/one", "a/two", "b/one"].map(point).to_vec();
    let slots = store.declare_points(points).await.unwrap().slots;
    let lanes = [0, 0, 1].map(|lane: usize| Arc::from(LANES[lane]));
    let places = slots.iter().copied().zip(lanes).collect();
    store.assign_lanes(places).await.unwrap();
    slots
}

pub(crate) fn scan(at: i64, slots: &[Slot]) -> ScanBatch {
    let reading = |slot: &Slot| Reading {
        slot: *slot,
        value: Some(Value::Float(1.5)),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(at),
        readings: slots.iter().map(reading).collect(),
    }
}

/// Collects and stores a scan as one batch; its number.
pub(crate) async fn batch(store: &Store, scan: ScanBatch) -> u64 {
    let mut heads = store.committed(Stream::Data);
    let next = heads.borrow().seq + 1;
    store.collected(&scan);
    append(store, vec![scan]);
    heads.wait_for(|head| head.seq >= next).await.unwrap();
    next
}

pub(crate) async fn ledger(store: &Store) -> Ledger {
    store.ledger(LedgerFilter::default()).await.unwrap()
}

pub(crate) fn row<'a>(ledger: &'a Ledger, hour: i64, lane: &str) -> &'a LedgerRow {
    let mut rows = ledger.rows.iter();
    rows.find(|r| r.hour.0 == hour && r.lane == lane).unwrap()
}

pub(crate) fn sum(ledger: &Ledger) -> LedgerCounts {
    let mut sum = LedgerCounts::default();
    ledger.rows.iter().for_each(|r| sum.add(&r.counts));
    sum
}

/// What a process that was killed now would leave.
pub(crate) fn leave(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            leave(&path, &target);
        } else {
            // A log may be folded in while the folder is walked.
            let _ = std::fs::copy(&path, &target);
        }
    }
}
