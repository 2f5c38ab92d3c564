//! What the store's tests share: a clock that is set by hand, points and scans. Owns no assertion.

pub(crate) mod ledger;

use riser_model::{
    Access, Alarm, AlarmId, AlarmPriority, AlarmState, AuditHash, ClockState, Event, Limits, Point,
    Quality, Reading, ScanBatch, Slot, Timestamp, Value, ValueKind,
};
use riser_store::{NewConfiguration, Now, OutboxBatch, Position, Recovery, Store, StoreConfig};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// 2026-11-21T12:00:00Z
pub(crate) const NOON: i64 = 1_795_262_400_000;
pub(crate) const MINUTE: i64 = Timestamp::MINUTE;
pub(crate) const DAY: i64 = Timestamp::DAY;

/// A clock somebody sets.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn new(at: i64) -> Self {
        Self(Arc::new(AtomicI64::new(at)))
    }
    pub(crate) fn set(&self, at: i64) {
        self.0.store(at, Ordering::SeqCst);
    }
    pub(crate) fn forward(&self, ms: i64) -> i64 {
        self.0.fetch_add(ms, Ordering::SeqCst) + ms
    }
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    pub(crate) fn now(&self) -> Now {
        let hands = self.0.clone();
        Arc::new(move || Timestamp(hands.load(Ordering::SeqCst)))
    }
}

pub(crate) fn config(dir: &Path) -> StoreConfig {
    StoreConfig {
        min_free_bytes: 0,
        compact: false,
        ..StoreConfig::new(dir)
    }
}

pub(crate) fn open(dir: &Path, hands: &Hands) -> (Store, Recovery) {
    Store::open(config(dir), hands.now()).unwrap()
}

pub(crate) async fn close(store: Store) {
    store.close(Duration::from_secs(20)).await.unwrap();
}

pub(crate) fn point(name: &str) -> Point {
    Point {
        path: name.parse().unwrap(),
        name: name.to_owned(),
        device_name: "Device".to_owned(),
        kind: ValueKind::Float,
        unit: None,
        access: Access::Read,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 60_000,
    }
}

/// One scan at a time: `values` for slots 1, 2, ….
pub(crate) fn scan(at: i64, values: &[f64]) -> ScanBatch {
    let reading = |(i, v): (usize, &f64)| Reading {
        slot: Slot(u32::try_from(i).unwrap() + 1),
        value: Some(Value::Float(*v)),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(at),
        readings: values.iter().enumerate().map(reading).collect(),
    }
}

pub(crate) fn append(store: &Store, scans: Vec<ScanBatch>) {
    store
        .append(scans, ClockState::Synchronised, store.directory_version())
        .unwrap();
}

pub(crate) fn alarm(n: u128) -> Event {
    Event::Alarm(Alarm {
        id: AlarmId(uuid::Uuid::from_u128(n)),
        rule: "frost".parse().unwrap(),
        path: "ahu-1/supply_temp".parse().unwrap(),
        priority: AlarmPriority::High,
        message: format!("alarm {n}"),
        state: AlarmState::ActiveUnacknowledged,
        raised_at: Timestamp(NOON + i64::try_from(n).unwrap()),
        value: Some(Value::Float(1.5)),
        limit: Some(5.0),
        cleared_at: None,
        acknowledged: None,
    })
}

/// Damages a file at an offset.
pub(crate) fn flip(path: &Path, offset: usize) {
    let mut octets = std::fs::read(path).unwrap();
    octets[offset] ^= 0x5a;
    std::fs::write(path, octets).unwrap();
}

/// The events that wait for the cloud, with their numbers.
pub(crate) async fn events_waiting(store: &Store) -> Vec<(u64, Event)> {
    let outbox = store.outbox();
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let claimed = outbox.claim_events(from, 9_999).await.unwrap();
    let decode = |b: OutboxBatch| {
        let (_, event) = riser_wire::decode_event(&b.frame).unwrap();
        (b.position.seq, event)
    };
    claimed.into_iter().map(decode).collect()
}

/// How many batches of samples wait for the cloud, while none of the events is durable.
pub(crate) async fn data_waiting(store: &Store) -> u64 {
    let events = events_waiting(store).await.len() as u64;
    store.outbox().occupancy().batches - events
}

/// A document that counts at once; its hash is made of its first octet.
pub(crate) fn document(body: &str) -> NewConfiguration {
    NewConfiguration {
        sha256: AuditHash([body.as_bytes()[0]; 32]),
        body: body.to_owned(),
        note: String::new(),
        until: None,
        before: String::new(),
        differences: Vec::new(),
    }
}
