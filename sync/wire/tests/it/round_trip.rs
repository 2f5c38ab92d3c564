//! What goes in comes out: frames, events and messages over generated content.

use crate::generate::{any_event, any_scans, flatten, header, sorted};
use proptest::prelude::*;
use riser_model::{Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_wire::{decode_data, decode_event, encode_data, encode_event, peek, read_point};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_scans_survive(scans in any_scans()) {
        let frame = encode_data(&header(), &scans);
        let (head, samples) = decode_data(&frame).unwrap();
        let expected = flatten(&scans);
        prop_assert_eq!(head.samples as usize, expected.len());
        prop_assert_eq!(head, peek(&frame).unwrap());
        prop_assert_eq!(sorted(samples), expected);
    }

    #[test]
    fn one_point_reads_as_in_the_whole(scans in any_scans(), pick in any::<prop::sample::Index>()) {
        let frame = encode_data(&header(), &scans);
        let (_, samples) = decode_data(&frame).unwrap();
        let mut slots: Vec<Slot> = samples.iter().map(|s| s.slot).collect();
        slots.push(Slot(u32::MAX - 7));
        let slot = slots[pick.index(slots.len())];
        let expected: Vec<_> = samples
            .into_iter()
            .filter(|s| s.slot == slot)
            .map(|s| (s.at, s.value, s.quality))
            .collect();
        let mut seen = Vec::new();
        read_point(&frame, slot, &mut |at, value, quality| {
            seen.push((at, value.cloned(), quality));
        })
        .unwrap();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn any_event_survives(event in any_event()) {
        let frame = encode_event(&header(), &event);
        let (head, back) = decode_event(&frame).unwrap();
        prop_assert_eq!(back, event);
        prop_assert_eq!(head, peek(&frame).unwrap());
    }
}

#[test]
fn nothing_is_a_frame_too() {
    for scans in [
        vec![],
        vec![ScanBatch {
            at: Timestamp(5),
            readings: vec![],
        }],
    ] {
        let frame = encode_data(&header(), &scans);
        assert_eq!(decode_data(&frame).unwrap().1, vec![]);
    }
}

#[test]
fn values_of_one_series_may_change_kind() {
    let values = [
        Some(Value::Bool(true)),
        None,
        Some(Value::Int(i64::MIN)),
        Some(Value::Float(-0.0)),
        Some(Value::text("Zuluft ✓")),
        Some(Value::Float(f64::NAN)),
    ];
    let scans: Vec<_> = (0..)
        .zip(values)
        .map(|(at, value)| ScanBatch {
            at: Timestamp(at),
            readings: vec![Reading {
                slot: Slot(9),
                value,
                quality: Quality::GOOD,
            }],
        })
        .collect();
    let (_, samples) = decode_data(&encode_data(&header(), &scans)).unwrap();
    assert_eq!(samples, flatten(&scans));
}
