//! A backlog as a long time without the cloud leaves it, put into a gateway's store in a fraction of
//! that time: the same calls as the gateway makes, with the stamps of then. Owns the numbers in it.

use crate::building::Building;
use riser_e2e::numbered::Numbered;
use riser_model::{
    Access, ClockState, Limits, Point, Quality, Reading, ScanBatch, Slot, Timestamp, Value,
    ValueKind,
};
use riser_store::{Now, Store, StoreConfig};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The gateway commits so often, in milliseconds.
const COMMIT: i64 = 500;
/// Samples that may wait for the disk while filling; the store drops the oldest beyond 500,000.
const QUEUED: u64 = 200_000;
/// What follows the number in a value, so that values differ as measured ones do.
const NOISE: u64 = 1_000;

/// What was put in.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Scans of each device: their numbers are 1 to this.
    pub scans: u64,
    /// Samples in all.
    pub samples: u64,
    /// Time of the first scan, in milliseconds since 1970.
    pub from: i64,
}

/// The number of a scan in a value of it; 0 is none.
#[must_use]
pub fn number(value: f64) -> i64 {
    let whole: i64 = value.to_string().parse().unwrap_or(0);
    whole / 1_000
}

/// Fills the store in `dir`, which nobody has open, with `seconds` of a building's samples from
/// `from` on, read as fast as the building is.
///
/// # Panics
/// When the store does not take it.
pub async fn fill(
    dir: &Path,
    (building, devices): (Building, &[Numbered]),
    from: i64,
    seconds: u32,
) -> Backlog {
    let clock = Arc::new(AtomicI64::new(from));
    let shown = Arc::clone(&clock);
    let now: Now = Arc::new(move || Timestamp(shown.load(Ordering::Relaxed)));
    let (store, _) = Store::open(StoreConfig::new(dir), now).expect("a store nobody has open");
    let (slots, dictionary) = declare(&store, building, devices).await;
    let interval = i64::from(building.interval);
    let many = i64::try_from(building.devices).unwrap_or(1);
    let scans = u64::from(seconds) * 1_000 / u64::from(building.interval);
    let (mut waiting, mut due, mut samples) = (Vec::new(), from + COMMIT, 0);
    for scan in 0..scans {
        for (device, slots) in (0_i64..).zip(&slots) {
            // Devices are read one after the other, not all at once.
            let part = interval * device / many;
            let at = from + i64::try_from(scan).unwrap_or(0) * interval + part;
            if at >= due {
                clock.store(at, Ordering::Relaxed);
                append(&store, std::mem::take(&mut waiting), dictionary).await;
                due = at + COMMIT;
            }
            let batch = read(slots, Timestamp(at), scan + 1);
            samples += batch.readings.len() as u64;
            store.collected(&batch);
            waiting.push(batch);
        }
    }
    append(&store, waiting, dictionary).await;
    store.settle().await.expect("what was appended is stored");
    assert_eq!(store.stats().committed_samples, samples, "all is stored");
    store.close(Duration::from_secs(60)).await.expect("it ends");
    Backlog {
        scans,
        samples,
        from,
    }
}

fn read(slots: &[Slot], at: Timestamp, number: u64) -> ScanBatch {
    let reading = |slot: &Slot| {
        // Looks random, is the same each time.
        let noise = (number * 2_654_435_761 + u64::from(slot.0) * 40_503) >> 7;
        let value = number * NOISE + noise % NOISE;
        Reading {
            slot: *slot,
            value: Some(Value::Int(i64::try_from(value).unwrap_or(i64::MAX))),
            quality: Quality::GOOD,
        }
    };
    ScanBatch {
        at,
        readings: slots.iter().map(reading).collect(),
    }
}

async fn append(store: &Store, scans: Vec<ScanBatch>, dictionary: u32) {
    while store.stats().queued_samples > QUEUED {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    store
        .append(scans, ClockState::Synchronised, dictionary)
        .expect("the queue has room");
}

/// Slots of each device's numbered points, by their lanes, and the version of the directory.
async fn declare(store: &Store, building: Building, devices: &[Numbered]) -> (Vec<Vec<Slot>>, u32) {
    let points: Vec<Point> = (0..building.devices)
        .flat_map(|device| (0..building.points).map(move |point| described(device, point)))
        .collect();
    let declared = store.declare_points(points).await.expect("points");
    let slots: Vec<Vec<Slot>> = declared
        .slots
        .chunks(building.points)
        .map(<[Slot]>::to_vec)
        .collect();
    let mut places = Vec::new();
    for (device, slots) in devices.iter().zip(&slots) {
        let lane: Arc<str> = format!("tcp 127.0.0.1:{}", device.port).into();
        places.extend(slots.iter().map(|slot| (*slot, Arc::clone(&lane))));
    }
    store.assign_lanes(places).await.expect("lanes");
    (slots, declared.version)
}

fn described(device: usize, point: usize) -> Point {
    let path = format!("num{device}/n{point}");
    Point {
        path: path.parse().expect("a path"),
        name: format!("n{point}"),
        device_name: format!("Numbered {device}"),
        kind: ValueKind::Integer,
        unit: None,
        access: Access::Read,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 10_000,
    }
}
