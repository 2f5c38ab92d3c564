//! The octets of a rollup row: up to 256 neighbouring points over one stretch of time. Owns the
//! layout, which the gateway's history and the link share; the decoder is total and bounded.
//!
//! ```text
//! row    := zstd( 1, count n, offsets, counts, bads, tags, last_at, values )
//! offset := gap to the offset before              one octet a cell, ascending
//! count, bad                                      varint a cell
//! tag    := 0..3 decimal scale 10^tag, 4 floats   one octet a cell with count > 0
//! last_at := milliseconds into the stretch        varint a cell with count > 0
//! values := zigzag min, then for count > 1: max-min, zigzag last-min, zigzag sum-count*min
//!         | 8 octets min, then for count > 1: 8 octets each of max, last, sum
//! ```
//!
//! Scaled whole numbers are used only where min, max and last come back bit by bit and the sum to
//! nine digits; they compress four times better than floats.

use crate::WireError;
use crate::varint::{Cursor, put, zigzag};
use zstd::bulk::{Compressor, Decompressor};

/// Neighbouring points that share a row.
pub const GROUP: u32 = 256;

/// One point in one minute, or in the wider stretch a cell stands for. Without samples of a usable
/// value (`count` 0) the figures mean nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Sum of the values.
    pub sum: f64,
    /// Last value.
    pub last: f64,
    /// Milliseconds into the stretch of `last`.
    pub last_at: u32,
    /// Samples with a usable value.
    pub count: u32,
    /// Samples of bad quality or without a value.
    pub bad: u32,
}

impl Cell {
    /// No sample at all.
    pub const EMPTY: Self = Self {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
        last: 0.0,
        last_at: 0,
        count: 0,
        bad: 0,
    };

    /// Takes one sample; `None` is one without a usable value.
    pub fn add(&mut self, last_at: u32, value: Option<f64>) {
        let Some(x) = value else {
            self.bad = self.bad.saturating_add(1);
            return;
        };
        self.min = self.min.min(x);
        self.max = self.max.max(x);
        self.sum += x;
        self.count = self.count.saturating_add(1);
        if last_at >= self.last_at {
            (self.last, self.last_at) = (x, last_at);
        }
    }

    /// Takes what was added later to another cell of the same point and minute.
    pub fn merge(&mut self, later: &Self) {
        self.bad = self.bad.saturating_add(later.bad);
        if later.count == 0 {
            return;
        }
        if self.count == 0 || later.last_at >= self.last_at {
            (self.last, self.last_at) = (later.last, later.last_at);
        }
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.sum += later.sum;
        self.count = self.count.saturating_add(later.count);
    }
}

const VERSION: u8 = 1;
const FLOATS: u8 = 4;
const SCALES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
/// No row of 256 cells is longer than this before compression.
const MAX_ROW: usize = 32 * 1024;

/// `v * scale` as a whole number, where that loses nothing, not even the sign of zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded to 53 bits just before"
)]
fn scaled(v: f64, scale: f64) -> Option<i64> {
    let n = (v * scale).round();
    let whole = (n.abs() < 9e15).then_some(n as i64)?;
    (unscaled(whole, scale).to_bits() == v.to_bits()).then_some(whole)
}

/// The sum as a whole number, where nine digits of it survive.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded to 62 bits just before"
)]
fn scaled_sum(sum: f64, scale: f64) -> Option<i64> {
    let n = (sum * scale).round();
    (n.abs() < 4e18 && (n / scale - sum).abs() <= sum.abs() * 1e-9).then_some(n as i64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "written from numbers below 2^53, sums to 9 digits"
)]
fn unscaled(n: i64, scale: f64) -> f64 {
    n as f64 / scale
}

fn tag(cell: &Cell) -> u8 {
    let fits = |s: &f64| {
        [cell.min, cell.max, cell.last]
            .iter()
            .all(|v| scaled(*v, *s).is_some())
            && scaled_sum(cell.sum, *s).is_some()
    };
    let found = SCALES.iter().position(fits);
    found.and_then(|i| u8::try_from(i).ok()).unwrap_or(FLOATS)
}

fn put_values(out: &mut Vec<u8>, cell: &Cell, tag: u8) {
    let Some(scale) = SCALES.get(usize::from(tag)) else {
        out.extend(cell.min.to_le_bytes());
        if cell.count > 1 {
            for v in [cell.max, cell.last, cell.sum] {
                out.extend(v.to_le_bytes());
            }
        }
        return;
    };
    let of = |v| scaled(v, *scale).unwrap_or(0);
    let min = of(cell.min);
    put(out, zigzag(min));
    if cell.count > 1 {
        let sum = scaled_sum(cell.sum, *scale).unwrap_or(0);
        let base = min.wrapping_mul(i64::from(cell.count));
        put(out, of(cell.max).wrapping_sub(min).cast_unsigned());
        put(out, zigzag(of(cell.last).wrapping_sub(min)));
        put(out, zigzag(sum.wrapping_sub(base)));
    }
}

/// Encodes cells in ascending order of their offset.
///
/// # Errors
/// When zstd fails.
pub fn encode(cells: &[(u8, Cell)], zip: &mut Compressor<'_>) -> std::io::Result<Vec<u8>> {
    let mut out = vec![VERSION];
    put(&mut out, cells.len() as u64);
    let mut before = 0;
    for (offset, _) in cells {
        out.push(offset.wrapping_sub(before));
        before = *offset;
    }
    cells
        .iter()
        .for_each(|(_, c)| put(&mut out, u64::from(c.count)));
    cells
        .iter()
        .for_each(|(_, c)| put(&mut out, u64::from(c.bad)));
    let full: Vec<(&Cell, u8)> = cells
        .iter()
        .filter(|(_, c)| c.count > 0)
        .map(|(_, c)| (c, tag(c)))
        .collect();
    full.iter().for_each(|(_, tag)| out.push(*tag));
    full.iter()
        .for_each(|(c, _)| put(&mut out, u64::from(c.last_at)));
    full.iter()
        .for_each(|(c, tag)| put_values(&mut out, c, *tag));
    zip.compress(&out)
}

fn read_values(c: &mut Cursor<'_>, cell: &mut Cell, tag: u8) -> Result<(), WireError> {
    let mut float = || {
        let octets = c.take(8)?.first_chunk().copied();
        octets
            .map(f64::from_le_bytes)
            .ok_or(WireError::Truncated("row of cells"))
    };
    let Some(scale) = SCALES.get(usize::from(tag)) else {
        cell.min = float()?;
        [cell.max, cell.last, cell.sum] = match cell.count {
            1 => [cell.min; 3],
            _ => [float()?, float()?, float()?],
        };
        return Ok(());
    };
    let min = c.signed()?;
    cell.min = unscaled(min, *scale);
    [cell.max, cell.last, cell.sum] = [cell.min; 3];
    if cell.count > 1 {
        let base = min.wrapping_mul(i64::from(cell.count));
        cell.max = unscaled(min.wrapping_add(c.unsigned()?.cast_signed()), *scale);
        cell.last = unscaled(min.wrapping_add(c.signed()?), *scale);
        cell.sum = unscaled(base.wrapping_add(c.signed()?), *scale);
    }
    Ok(())
}

/// Decodes a row; any octets give cells or an error.
///
/// # Errors
/// When it is damaged.
pub fn decode(row: &[u8], unzip: &mut Decompressor<'_>) -> Result<Vec<(u8, Cell)>, WireError> {
    let plain = unzip
        .decompress(row, MAX_ROW)
        .map_err(|e| WireError::Compression(e.to_string()))?;
    let mut c = Cursor::new(&plain, "row of cells");
    if c.octet()? != VERSION {
        return Err(WireError::Malformed(
            "the version of a row of cells is unknown",
        ));
    }
    let n = c.count("cells in a row", GROUP as usize)?;
    let mut cells = vec![(0u8, Cell::EMPTY); n];
    let mut before = 0u8;
    for (offset, _) in &mut cells {
        before = before.wrapping_add(c.octet()?);
        *offset = before;
    }
    for (_, cell) in &mut cells {
        cell.count = c.number()?;
    }
    for (_, cell) in &mut cells {
        cell.bad = c.number()?;
    }
    let full = || 0..n;
    let mut tags = vec![0; n];
    for i in full().filter(|i| cells[*i].1.count > 0) {
        tags[i] = c.octet()?;
    }
    for i in full() {
        if cells[i].1.count > 0 {
            cells[i].1.last_at = c.number()?;
        }
    }
    for i in full() {
        if cells[i].1.count > 0 {
            read_values(&mut c, &mut cells[i].1, tags[i])?;
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells() -> impl Strategy<Value = Vec<(u8, Cell)>> {
        let number = prop_oneof![
            (-100_000i32..100_000).prop_map(f64::from),
            (-100_000i32..100_000).prop_map(|n| f64::from(n) / 10.0),
            any::<f64>().prop_filter("samples are finite", |x| x.is_finite() && x.abs() < 1e300),
            Just(-0.0),
        ];
        let samples = prop::collection::vec((0u32..60_000, prop::option::of(number)), 1..6);
        prop::collection::btree_map(any::<u8>(), samples, 0..40).prop_map(|map| {
            let cell = |samples: Vec<(u32, Option<f64>)>| {
                let mut cell = Cell::EMPTY;
                samples.into_iter().for_each(|(at, v)| cell.add(at, v));
                cell
            };
            map.into_iter().map(|(o, s)| (o, cell(s))).collect()
        })
    }

    fn round_trip(cells: &[(u8, Cell)]) -> Vec<(u8, Cell)> {
        let row = encode(cells, &mut Compressor::new(3).unwrap()).unwrap();
        decode(&row, &mut Decompressor::new().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn cells_survive(cells in cells()) {
            let back = round_trip(&cells);
            prop_assert_eq!(cells.len(), back.len());
            for ((offset, a), (offset2, b)) in cells.iter().zip(&back) {
                prop_assert_eq!(offset, offset2);
                prop_assert_eq!((a.count, a.bad), (b.count, b.bad));
                if a.count > 0 {
                    prop_assert_eq!(a.last_at, b.last_at);
                    for (x, y) in [(a.min, b.min), (a.max, b.max), (a.last, b.last)] {
                        prop_assert_eq!(x.to_bits(), y.to_bits());
                    }
                    prop_assert!((a.sum - b.sum).abs() <= a.sum.abs() * 1e-9);
                }
            }
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut unzip = Decompressor::new().unwrap();
            let _ = decode(&octets, &mut unzip);
            let zipped = Compressor::new(1).unwrap().compress(&octets).unwrap();
            let _ = decode(&zipped, &mut unzip);
            let mut marked = vec![VERSION];
            marked.extend(octets);
            let zipped = Compressor::new(1).unwrap().compress(&marked).unwrap();
            let _ = decode(&zipped, &mut unzip);
        }

        #[test]
        fn merging_is_adding(
            a in prop::collection::vec((0u32..60_000, prop::option::of(-1000i32..1000)), 0..9),
            b in prop::collection::vec((0u32..60_000, prop::option::of(-1000i32..1000)), 0..9),
        ) {
            let cell = |parts: &[&[(u32, Option<i32>)]]| {
                let mut cell = Cell::EMPTY;
                parts.iter().copied().flatten().for_each(|(at, v)| cell.add(*at, v.map(f64::from)));
                cell
            };
            let mut merged = cell(&[&a]);
            merged.merge(&cell(&[&b]));
            prop_assert_eq!(merged, cell(&[&a, &b]));
        }
    }

    #[test]
    fn even_decimals_take_few_octets() {
        let cells: Vec<(u8, Cell)> = (0..=255u8)
            .map(|i| {
                let mut cell = Cell::EMPTY;
                for s in 0..60u32 {
                    cell.add(
                        s * 1000,
                        Some(f64::from(200 + i32::from(i % 7) + (s % 5).cast_signed()) / 10.0),
                    );
                }
                (i, cell)
            })
            .collect();
        let row = encode(&cells, &mut Compressor::new(3).unwrap()).unwrap();
        assert!(row.len() < 256 * 8, "{} octets for 256 points", row.len());
    }
}
