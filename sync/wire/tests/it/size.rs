//! What a sample costs on the link and on the disk. Sizes are exact and asserted; times are
//! printed for whoever asks with `--nocapture`.

use crate::generate::header;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use riser_model::{
    Access, Event, Key, Limits, Point, PointDirectory, PointPath, Quality, Reading, ScanBatch,
    Slot, Timestamp, Unit, Value, ValueKind,
};
use riser_wire::{decode_data, encode_data, encode_event, limits, read_point};
use std::time::Instant;

fn reading(slot: u32, value: Value) -> Reading {
    Reading {
        slot: Slot(slot),
        value: Some(value),
        quality: Quality::GOOD,
    }
}

/// Octets per sample; prints the time of encoding, decoding and reading one point.
fn cost(name: &str, scans: &[ScanBatch]) -> f64 {
    let samples: usize = scans.iter().map(|s| s.readings.len()).sum();
    let rounds = 50;
    let per_sample = |from: Instant| from.elapsed().as_nanos() as f64 / (rounds * samples) as f64;
    let mut frame = Vec::new();
    let start = Instant::now();
    for _ in 0..rounds {
        frame = encode_data(&header(), scans);
    }
    let encode = per_sample(start);
    let start = Instant::now();
    for _ in 0..rounds {
        assert_eq!(decode_data(&frame).unwrap().1.len(), samples);
    }
    let decode = per_sample(start);
    let start = Instant::now();
    for _ in 0..rounds {
        read_point(&frame, scans[0].readings[0].slot, &mut |_, _, _| {}).unwrap();
    }
    let point = per_sample(start);
    let size = frame.len() as f64 / samples as f64;
    println!(
        "{name}: {samples} samples, {size:.2} octets each; encode {encode:.0} ns, \
         decode {decode:.0} ns, one point {point:.1} ns per sample of the frame"
    );
    size
}

/// 1,000 points once each, in 10 scans of 100 neighbours.
fn ten_scans(mut value: impl FnMut(u32) -> Value) -> Vec<ScanBatch> {
    (0..10)
        .map(|scan| ScanBatch {
            at: Timestamp(1_760_000_000_000 + i64::from(scan) * 37),
            readings: (0..100)
                .map(|n| reading(scan * 100 + n, value(n)))
                .collect(),
        })
        .collect()
}

#[test]
fn a_batch_of_registers_is_small() {
    let mut rng = StdRng::seed_from_u64(1);
    let noise = cost(
        "noisy registers",
        &ten_scans(|_| Value::Int(i64::from(rng.random::<u16>()))),
    );
    assert!(noise < 2.3, "{noise}");
    let scaled = cost(
        "noisy registers scaled by 0.1",
        &ten_scans(|_| Value::Float(f64::from(rng.random::<u16>()) * 0.1)),
    );
    assert!(scaled < 2.4, "{scaled}");
    let mixed = cost(
        "meters with mixed scales",
        &ten_scans(|n| {
            let raw = f64::from(rng.random_range(0..5_000_u16));
            Value::Float(raw / [1.0, 10.0, 100.0, 1_000.0][n as usize % 4])
        }),
    );
    assert!(mixed < 4.0, "{mixed}");
    let f32s = cost(
        "f32 of full precision",
        &ten_scans(|_| Value::Float(f64::from(rng.random_range(0.0..50.0_f32)))),
    );
    assert!(f32s < 4.2, "{f32s}");
    let f64s = cost(
        "f64 of full precision",
        &ten_scans(|_| Value::Float(rng.random_range(0.0..50.0_f64))),
    );
    assert!(f64s < 8.3, "{f64s}");
    let bools = cost(
        "two-state points",
        &ten_scans(|_| Value::Bool(rng.random_bool(0.2))),
    );
    assert!(bools < 0.4, "{bools}");
}

#[test]
fn one_point_many_times_is_small() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut level = 210_i32;
    let walk: Vec<_> = (0..4_000)
        .map(|n| {
            level += rng.random_range(-2..=2);
            ScanBatch {
                at: Timestamp(1_760_000_000_000 + n * 1_000 + rng.random_range(0..3)),
                readings: vec![reading(77, Value::Float(f64::from(level) / 10.0))],
            }
        })
        .collect();
    let size = cost("one point, random walk", &walk);
    assert!(size < 0.9, "{size}");
}

#[test]
fn scattered_changes_are_small() {
    let mut rng = StdRng::seed_from_u64(3);
    let scans: Vec<_> = (0..1_000)
        .map(|n| ScanBatch {
            at: Timestamp(1_760_000_000_000 + n * 17 + rng.random_range(0..9)),
            readings: vec![reading(
                rng.random_range(0..2_000),
                Value::Float(f64::from(rng.random_range(150..300_i32)) / 10.0),
            )],
        })
        .collect();
    let size = cost("single changes here and there", &scans);
    assert!(size < 6.0, "{size}");
}

#[test]
fn a_minute_of_a_building_is_small() {
    let mut rng = StdRng::seed_from_u64(4);
    let mut levels: Vec<i32> = (0..2_000).map(|_| rng.random_range(150..300)).collect();
    let mut scans = Vec::new();
    for second in 0..4 {
        for device in 0..40_u32 {
            let readings = (device * 50..device * 50 + 50).map(|slot| {
                let level = &mut levels[slot as usize];
                *level += rng.random_range(-1..=1);
                reading(slot, Value::Float(f64::from(*level) / 10.0))
            });
            scans.push(ScanBatch {
                at: Timestamp(1_760_000_000_000 + second * 1_000 + i64::from(device) * 11),
                readings: readings.collect(),
            });
        }
    }
    let size = cost("2,000 points four times", &scans);
    assert!(size < 1.0, "{size}");
}

#[test]
fn a_directory_of_a_hundred_thousand_points_fits_a_frame() {
    let mut rng = StdRng::seed_from_u64(5);
    let words = [
        "supply", "return", "outdoor", "zone", "valve", "fan", "pump", "filter",
    ];
    let mut points = Vec::new();
    for slot in 0..100_000_u32 {
        let (device, n) = (slot / 100, slot % 100);
        let word = words[rng.random_range(0..words.len())];
        let point = Point {
            path: PointPath::new(
                Key::slug(&format!("meter-{device}")),
                Key::slug(&format!("{word}_temperature_{n}")),
            ),
            name: format!("{word} temperature {n}"),
            device_name: format!("Energy meter {device}, floor {}", device / 40),
            kind: ValueKind::Float,
            unit: Unit::parse("°C").ok(),
            access: Access::Read,
            limits: Limits {
                min: Some(-50.0),
                max: Some(150.0),
                step: Some(0.1),
            },
            labels: vec![],
            deadband: Some(0.1),
            stale_after_ms: 15_000,
        };
        points.push((Slot(slot), point));
    }
    let start = Instant::now();
    let event = Event::Directory(PointDirectory { version: 1, points });
    let frame = encode_event(&header(), &event);
    println!(
        "directory: {} octets, encoded in {:?}",
        frame.len(),
        start.elapsed()
    );
    assert!(frame.len() < limits::MAX_FRAME, "{}", frame.len());
    assert_eq!(riser_wire::decode_event(&frame).unwrap().1, event);
}
