//! Quarters of an hour, hours and whole days of every point, in one file a year. Owns the layout of
//! a stretch of cells and where it lies; all of it is derived from the day files and made again
//! when it is lost, damaged or outdated.
//!
//! ```text
//! stretch := ( number of the first unit since 1970, row of cells )*, crc32c
//! ```
//!
//! A row of cells is laid out as a minute rollup's (`cells`), with a unit in the place of a point.

mod build;
mod read;

use crate::cells::{self, Cell};
use crate::octets::{Bad, Cursor, put, put_block, sign, signed, zigzag};
pub(crate) use build::keep_up;
pub(crate) use read::{Days, parts, year_problems};
use riser_model::{Slot, Timestamp};
use std::io;
use std::path::{Path, PathBuf};
use zstd::bulk::{Compressor, Decompressor};

/// A width of which whole stretches are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Quarter,
    Hour,
    Day,
}

impl Unit {
    pub(crate) fn ms(self) -> i64 {
        match self {
            Self::Quarter => 15 * Timestamp::MINUTE,
            Self::Hour => 60 * Timestamp::MINUTE,
            Self::Day => Timestamp::DAY,
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Quarter => "quarters",
            Self::Hour => "hours",
            Self::Day => "whole",
        }
    }
}

/// Cells with the number of their unit since 1970, ascending.
type Stretch = Vec<(i64, Cell)>;

/// Bits of the day in a key.
const DAY_BITS: u32 = 20;

/// Key of a point's day; days no file can have are none.
fn row_id(slot: Slot, day: i64) -> Option<i64> {
    (0..1 << DAY_BITS)
        .contains(&day)
        .then_some(i64::from(slot.0) << DAY_BITS | day)
}

/// Folder of the years.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join("rollup")
}

/// The year in the name of a day.
pub(crate) fn year_of(day: &str) -> Option<&str> {
    day.rsplitn(3, '-').nth(2)
}

fn year_path(dir: &Path, year: &str) -> PathBuf {
    folder(dir).join(format!("{year}.db"))
}

/// A cell moved into a wider one that begins `later_by` milliseconds before it.
pub(crate) fn shifted(cell: &Cell, later_by: i64) -> Cell {
    let by = u32::try_from(later_by).unwrap_or(0);
    Cell {
        last_at: cell.last_at.saturating_add(by),
        ..*cell
    }
}

/// Cells of one width reduced to those of a wider one.
fn widen(cells: &[(i64, Cell)], from: i64, to: i64) -> Stretch {
    let mut wide: Stretch = Vec::new();
    for (no, cell) in cells {
        let at = no * from;
        let unit = at.div_euclid(to);
        let moved = shifted(cell, at - unit * to);
        match wide.last_mut() {
            Some((last, sum)) if *last == unit => sum.merge(&moved),
            _ => {
                let mut sum = Cell::EMPTY;
                sum.merge(&moved);
                wide.push((unit, sum));
            }
        }
    }
    wide
}

fn encode(stretch: &[(i64, Cell)], zip: &mut Compressor<'_>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = stretch;
    while let Some((base, _)) = rest.first().copied() {
        let n = rest.partition_point(|(no, _)| no - base < 256);
        let (near, far) = rest.split_at(n);
        let row: Vec<(u8, Cell)> = near
            .iter()
            .map(|(no, cell)| ((no - base).to_le_bytes()[0], *cell))
            .collect();
        put(&mut out, zigzag(base));
        put_block(&mut out, &cells::encode(&row, zip)?);
        rest = far;
    }
    sign(&mut out);
    Ok(out)
}

fn decode(octets: &[u8], unzip: &mut Decompressor<'_>) -> Result<Stretch, Bad> {
    let mut c = Cursor(signed(octets)?);
    let mut stretch = Vec::new();
    while !c.0.is_empty() {
        let base = c.signed()?;
        for (offset, cell) in
            cells::decode(c.block()?, unzip).map_err(|_| Bad("its cells are damaged"))?
        {
            let no = base.checked_add(i64::from(offset));
            stretch.push((no.ok_or(Bad("a unit is too large"))?, cell));
        }
    }
    Ok(stretch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wider_cells_are_what_their_samples_give(
            mut sorted in prop::collection::vec((0i64..400_000_000, prop::option::of(-500i32..500)), 1..80),
        ) {
            sorted.sort_by_key(|s| s.0);
            let reduce = |unit: i64| {
                let mut cells: Stretch = Vec::new();
                for (at, value) in &sorted {
                    let no = at.div_euclid(unit);
                    if cells.last().is_none_or(|c| c.0 != no) {
                        cells.push((no, Cell::EMPTY));
                    }
                    let ms = u32::try_from(at - no * unit).unwrap();
                    cells.last_mut().unwrap().1.add(ms, value.map(f64::from));
                }
                cells
            };
            let minutes = reduce(60_000);
            let quarters = widen(&minutes, 60_000, Unit::Quarter.ms());
            let hours = widen(&quarters, Unit::Quarter.ms(), Unit::Hour.ms());
            prop_assert_eq!(&quarters, &reduce(Unit::Quarter.ms()));
            prop_assert_eq!(&hours, &reduce(Unit::Hour.ms()));
            prop_assert_eq!(widen(&hours, Unit::Hour.ms(), Unit::Day.ms()), reduce(Unit::Day.ms()));
            let octets = encode(&quarters, &mut Compressor::new(3).unwrap()).unwrap();
            let back = decode(&octets, &mut Decompressor::new().unwrap()).unwrap();
            prop_assert_eq!(back.len(), quarters.len());
            for (a, b) in back.iter().zip(&quarters) {
                prop_assert_eq!((a.0, a.1.count, a.1.bad), (b.0, b.1.count, b.1.bad));
                if b.1.count > 0 {
                    prop_assert_eq!((a.1.min, a.1.max, a.1.last, a.1.last_at),
                                    (b.1.min, b.1.max, b.1.last, b.1.last_at));
                }
            }
        }
    }
}
