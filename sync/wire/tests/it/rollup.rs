//! Rollups survive, are read point by point, and no octets harm their reader.

use proptest::prelude::*;
use riser_model::Slot;
use riser_wire::cells::{self, Cell, GROUP};
use riser_wire::{Epoch, RollupHeader, encode_rollup, peek_rollup, read_rollup, read_rollup_point};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;
use zstd::bulk::Compressor;

fn header() -> RollupHeader {
    RollupHeader {
        epoch: Epoch(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
        dictionary: 3,
        minute: 29_333_325,
        minutes: 15,
        piece: 1,
        pieces: 2,
    }
}

fn rows(cells: &BTreeMap<u32, Cell>) -> Vec<(u32, Vec<u8>)> {
    let mut zip = Compressor::new(3).unwrap();
    let all: Vec<(u32, Cell)> = cells.iter().map(|(s, c)| (*s, *c)).collect();
    all.chunk_by(|a, b| a.0 / GROUP == b.0 / GROUP)
        .map(|row| {
            let offset = |slot: u32| u8::try_from(slot % GROUP).unwrap();
            let row_cells: Vec<(u8, Cell)> = row.iter().map(|(s, c)| (offset(*s), *c)).collect();
            (
                row[0].0 / GROUP,
                cells::encode(&row_cells, &mut zip).unwrap(),
            )
        })
        .collect()
}

fn reduced(samples: &[(u32, Option<f64>)]) -> Cell {
    let mut cell = Cell::EMPTY;
    samples.iter().for_each(|(at, value)| cell.add(*at, *value));
    cell
}

fn any_cells() -> impl Strategy<Value = BTreeMap<u32, Cell>> {
    let number = prop_oneof![
        (-100_000_i32..100_000).prop_map(f64::from),
        (-100_000_i32..100_000).prop_map(|n| f64::from(n) / 10.0),
        any::<f64>().prop_filter("samples are finite", |x| x.is_finite() && x.abs() < 1e300),
    ];
    let samples = prop::collection::vec((0_u32..900_000, prop::option::of(number)), 1..6);
    let slot = prop_oneof![0_u32..1_000, any::<u32>()];
    prop::collection::btree_map(slot, samples.prop_map(|s| reduced(&s)), 0..60)
}

fn read(frame: &[u8]) -> BTreeMap<u32, Cell> {
    let mut found = BTreeMap::new();
    read_rollup(frame, &mut |slot, cell| {
        found.insert(slot.0, *cell);
    })
    .unwrap();
    found
}

fn same(a: &Cell, b: &Cell) -> bool {
    (a.count, a.bad) == (b.count, b.bad)
        && (a.count == 0
            || ((a.min, a.max, a.last, a.last_at) == (b.min, b.max, b.last, b.last_at)
                && (a.sum - b.sum).abs() <= a.sum.abs() * 1e-9))
}

/// Runs every reader over the octets; that there is an answer is all that counts.
fn swallow(octets: &[u8]) {
    _ = peek_rollup(octets);
    _ = read_rollup(octets, &mut |_, cell| {
        assert!(cell.count == 0 || cell.sum.is_finite());
    });
    for slot in [0, 255, 256, u32::MAX] {
        _ = read_rollup_point(octets, Slot(slot));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_rollup_survives(cells in any_cells(), missing in any::<u32>()) {
        let frame = encode_rollup(&header(), &rows(&cells));
        prop_assert_eq!(peek_rollup(&frame).unwrap(), header());
        let back = read(&frame);
        prop_assert_eq!(back.len(), cells.len());
        for (slot, cell) in &cells {
            prop_assert!(same(cell, &back[slot]));
            let alone = read_rollup_point(&frame, Slot(*slot)).unwrap();
            prop_assert!(alone.is_some_and(|alone| same(cell, &alone)));
        }
        let alone = read_rollup_point(&frame, Slot(missing)).unwrap();
        prop_assert_eq!(alone.is_some(), cells.contains_key(&missing));
    }

    #[test]
    fn damage_is_noticed_and_any_octets_are_swallowed(
        cells in any_cells(),
        place in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let frame = encode_rollup(&header(), &rows(&cells));
        let mut damaged = frame.clone();
        let at = place.index(damaged.len());
        damaged[at] = octet;
        if damaged != frame {
            prop_assert!(peek_rollup(&damaged).is_err());
        }
        crate::bytes::resign(&mut damaged);
        swallow(&damaged);
        swallow(&noise);
        swallow(&encode_rollup(&header(), &[(7, noise)]));
    }
}

#[test]
fn what_no_gateway_sends_is_refused() {
    let whole = rows(&BTreeMap::from([(5, reduced(&[(10, Some(1.5))]))]));
    for wrong in [
        RollupHeader {
            minutes: 0,
            ..header()
        },
        RollupHeader {
            minutes: 7,
            ..header()
        },
        RollupHeader {
            minutes: 120,
            ..header()
        },
        RollupHeader {
            minute: 29_333_326,
            ..header()
        },
        RollupHeader {
            piece: 2,
            ..header()
        },
        RollupHeader {
            pieces: 1_000_000,
            ..header()
        },
    ] {
        assert!(
            peek_rollup(&encode_rollup(&wrong, &whole)).is_err(),
            "{wrong:?}"
        );
    }
    let late = rows(&BTreeMap::from([(5, reduced(&[(900_000, Some(1.5))]))]));
    let infinite = rows(&BTreeMap::from([(5, reduced(&[(0, Some(f64::INFINITY))]))]));
    let twice = [whole.clone(), whole].concat();
    for rows in [late, infinite, twice] {
        assert!(read_rollup(&encode_rollup(&header(), &rows), &mut |_, _| {}).is_err());
    }
}

/// The first rollup ever written decodes for ever, and is still written so.
#[test]
fn the_first_rollup_decodes() {
    let cells = BTreeMap::from([
        (
            0,
            reduced(&[(0, Some(21.5)), (60_000, Some(21.7)), (899_999, Some(21.4))]),
        ),
        (3, reduced(&[(5, None)])),
        (300, reduced(&[(1_000, Some(1.0 / 3.0)), (2_000, None)])),
    ]);
    let frame = encode_rollup(&header(), &rows(&cells));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rollup.bin");
    if !path.exists() && std::env::var_os("GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, &frame).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(peek_rollup(&golden).unwrap(), header());
    let back = read(&golden);
    assert!(back.len() == 3 && cells.iter().all(|(slot, cell)| same(cell, &back[slot])));
}
