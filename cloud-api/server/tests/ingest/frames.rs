//! Frames and events as a gateway makes them.

use riser_model::{
    Access, Alarm, AlarmId, AlarmPriority, AlarmState, ClockState, Event, Key, Point,
    PointDirectory, Quality, Reading, ScanBatch, Slot, Timestamp, Value, ValueKind,
};
use riser_wire::{BatchHeader, Epoch, Hello, Stream, StreamHead, Up, encode_data, encode_event};
use uuid::Uuid;

/// Start of all times in the tests.
pub(crate) const T0: i64 = 1_790_000_000_000;

pub(crate) fn epoch(n: u128) -> Epoch {
    Epoch(Uuid::from_u128(0x4000_8000_0000_0000_0000 + n))
}

pub(crate) fn header(stream: Stream, seq: u64) -> BatchHeader {
    BatchHeader {
        epoch: epoch(1),
        stream,
        seq,
        first_at: Timestamp(T0 + i64::try_from(seq).unwrap() * 1000),
        last_at: Timestamp(T0 + i64::try_from(seq).unwrap() * 1000),
        dictionary: 1,
        clock: ClockState::Synchronised,
        samples: 0,
    }
}

pub(crate) fn scan(at: i64, slot: u32, value: f64) -> ScanBatch {
    let reading = Reading {
        slot: Slot(slot),
        value: Some(Value::Float(value)),
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(at),
        readings: vec![reading],
    }
}

/// Data batch `seq`: slot 0 has the value `seq` at `T0 + seq` seconds.
pub(crate) fn data(seq: u64) -> Up {
    let header = header(Stream::Data, seq);
    #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
    let scan = scan(header.first_at.0, 0, seq as f64);
    Up::Batch(encode_data(&header, &[scan]))
}

pub(crate) fn event(seq: u64, event: &Event) -> Up {
    Up::Batch(encode_event(&header(Stream::Event, seq), event))
}

pub(crate) fn point(path: &str) -> Point {
    Point {
        path: path.parse().unwrap(),
        name: "Supply temperature".into(),
        device_name: "AHU 1".into(),
        kind: ValueKind::Float,
        unit: None,
        access: Access::ReadWrite,
        limits: riser_model::Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 10_000,
    }
}

/// Slot 0 is `ahu-1/supply_temp`.
pub(crate) fn directory(version: u32) -> Event {
    Event::Directory(PointDirectory {
        version,
        points: vec![(Slot(0), point("ahu-1/supply_temp"))],
    })
}

pub(crate) fn alarm(state: AlarmState) -> Alarm {
    Alarm {
        id: AlarmId(Uuid::from_u128(7)),
        rule: Key::new("too-hot").unwrap(),
        path: "ahu-1/supply_temp".parse().unwrap(),
        priority: AlarmPriority::High,
        message: "too hot".into(),
        state,
        raised_at: Timestamp(T0),
        value: Some(Value::Float(60.0)),
        limit: Some(50.0),
        cleared_at: None,
        acknowledged: None,
    }
}

pub(crate) fn hello(n: u128) -> Up {
    let streams = Stream::ALL
        .map(|stream| StreamHead { stream, head: 0 })
        .to_vec();
    Up::Hello(Hello {
        rollups: false,
        version: "0.1.0".into(),
        epoch: epoch(n),
        boot: Uuid::from_u128(9),
        name: "Main building".into(),
        streams,
    })
}
