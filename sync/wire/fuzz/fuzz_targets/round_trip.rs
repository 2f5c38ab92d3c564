//! Any scans: what goes in comes out, whole and point by point.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use riser_model::{ClockState, Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Value};
use riser_wire::{BatchHeader, Epoch, Stream, decode_data, encode_data, read_point};

#[derive(Arbitrary, Debug)]
enum AnyValue {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Narrow(f32),
    Decimal(i16, u8),
    Text(String),
}

#[derive(Arbitrary, Debug)]
struct AnyReading {
    slot: u8,
    far: bool,
    value: AnyValue,
    quality: u8,
}

fuzz_target!(|scans: Vec<(i64, Vec<AnyReading>)>| {
    let scans: Vec<ScanBatch> = scans.into_iter().map(scan).collect();
    let header = BatchHeader {
        epoch: Epoch(Default::default()),
        stream: Stream::Data,
        seq: 1,
        first_at: Timestamp(1_000),
        last_at: Timestamp(2_000),
        dictionary: 1,
        clock: ClockState::Synchronised,
        samples: 0,
    };
    let frame = encode_data(&header, &scans);
    let Ok((_, mut samples)) = decode_data(&frame) else {
        // Only texts can make a batch too large to be taken.
        assert!(frame.len() > 1_000_000);
        return;
    };
    samples.sort_by_key(|s| s.slot);
    let mut expected: Vec<_> = scans
        .iter()
        .flat_map(|s| {
            s.readings
                .iter()
                .map(|r| (r.slot, s.at, r.value.clone(), r.quality))
        })
        .collect();
    expected.sort_by_key(|e| (e.0, e.1));
    let found: Vec<_> = samples
        .into_iter()
        .map(|s| (s.slot, s.at, s.value, s.quality))
        .collect();
    assert_eq!(found, expected);
    if let Some((slot, ..)) = expected.first() {
        let mut alone = Vec::new();
        let read = read_point(&frame, *slot, &mut |at, value, quality| {
            alone.push((*slot, at, value.cloned(), quality));
        });
        assert!(read.is_ok());
        assert_eq!(alone, expected[..alone.len()]);
        assert!(expected.get(alone.len()).is_none_or(|next| next.0 != *slot));
    }
});

fn scan((at, readings): (i64, Vec<AnyReading>)) -> ScanBatch {
    ScanBatch {
        at: Timestamp(at),
        readings: readings.into_iter().map(reading).collect(),
    }
}

fn reading(any: AnyReading) -> Reading {
    let slot = if any.far {
        u32::MAX - u32::from(any.slot)
    } else {
        u32::from(any.slot)
    };
    let value = match any.value {
        AnyValue::None => None,
        AnyValue::Bool(on) => Some(Value::Bool(on)),
        AnyValue::Int(integer) => Some(Value::Int(integer)),
        AnyValue::Float(real) => Some(Value::Float(real)),
        AnyValue::Narrow(real) => Some(Value::Float(f64::from(real))),
        AnyValue::Decimal(digits, scale) => {
            let tens = 10_f64.powi(i32::from(scale % 8));
            Some(Value::Float(f64::from(digits) / tens))
        }
        AnyValue::Text(text) => Some(Value::text(&text)),
    };
    let reason = Reason::ALL[usize::from(any.quality) % Reason::ALL.len()];
    let quality = match any.quality % 3 {
        0 => Quality::GOOD,
        1 => Quality::uncertain(reason),
        _ => Quality::bad(reason),
    };
    Reading {
        slot: Slot(slot),
        value,
        quality,
    }
}
