//! Columns of numbers. Owns the ways a column can be written; the writer tries those that may pay
//! and keeps the shortest, the reader takes any and is total and bounded.
//!
//! ```text
//! ints   := 0 value                               all alike
//!         | 1 first width block                   byte planes of zigzag differences, zstd
//!         | 2 least width block                   byte planes of distances from the least, zstd
//!         | 3 block                               pco
//! floats := 0 eight octets                        all alike, bit by bit
//!         | 1 scale ints                          value = integer / 10^scale, bit by bit
//!         | 2 block                               pco
//!         | 3 block                               the octets themselves, zstd
//! ```

use crate::octets::{Bad, Cursor, put, put_block, unzigzag, zigzag};
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// Both directions of zstd, kept because making one costs more than compressing a column.
pub(crate) struct Zip {
    pub(crate) zip: Compressor<'static>,
    pub(crate) unzip: Decompressor<'static>,
}

impl Zip {
    /// Level 6: on columns 3 % shorter than level 3, at the same speed here.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            zip: Compressor::new(6)?,
            unzip: Decompressor::new()?,
        })
    }
}

const SCALES: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// Columns shorter than an octet for this many numbers are left as they are: trying more costs
/// time and gains nothing.
const SHORT_ENOUGH: usize = 10;

/// `v * scale` as a whole number, where dividing gives back the same bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounded to 53 bits, and the bits are compared"
)]
fn whole(v: f64, scale: f64) -> Option<i64> {
    let n = (v * scale).round();
    let n = (n.abs() < 9e15).then_some(n as i64)?;
    ((n as f64 / scale).to_bits() == v.to_bits()).then_some(n)
}

/// Appends whole numbers.
pub(crate) fn put_ints(out: &mut Vec<u8>, values: &[i64], zip: &mut Zip) -> io::Result<()> {
    let Some(first) = values.first().copied() else {
        return Ok(());
    };
    if values.iter().all(|v| *v == first) {
        out.push(0);
        put(out, zigzag(first));
        return Ok(());
    }
    let steps: Vec<u64> = values
        .windows(2)
        .map(|w| zigzag(w[1].wrapping_sub(w[0])))
        .collect();
    let mut best = planes(1, first, &steps, zip)?;
    let least = values.iter().copied().min().unwrap_or(first);
    let above: Vec<u64> = values
        .iter()
        .map(|v| v.wrapping_sub(least).cast_unsigned())
        .collect();
    keep_shorter(&mut best, planes(2, least, &above, zip)?);
    if best.len() * SHORT_ENOUGH > values.len() {
        keep_shorter(&mut best, pco_column(3, values));
    }
    out.extend_from_slice(&best);
    Ok(())
}

/// Appends real numbers.
pub(crate) fn put_floats(out: &mut Vec<u8>, values: &[f64], zip: &mut Zip) -> io::Result<()> {
    let Some(first) = values.first().copied() else {
        return Ok(());
    };
    if values.iter().all(|v| v.to_bits() == first.to_bits()) {
        out.push(0);
        out.extend_from_slice(&first.to_le_bytes());
        return Ok(());
    }
    let mut best = scaled(values, zip)?;
    if best.len() * SHORT_ENOUGH > values.len() || best.is_empty() {
        keep_shorter(&mut best, pco_column(2, values));
    }
    if best.is_empty() || best.len() > values.len() * 8 {
        let octets: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut plain = vec![3];
        put_block(&mut plain, &zip.zip.compress(&octets)?);
        keep_shorter(&mut best, plain);
    }
    out.extend_from_slice(&best);
    Ok(())
}

/// The column as decimals; empty where they are none.
fn scaled(values: &[f64], zip: &mut Zip) -> io::Result<Vec<u8>> {
    for (code, scale) in (0u8..).zip(SCALES) {
        let wholes: Option<Vec<i64>> = values.iter().map(|v| whole(*v, scale)).collect();
        if let Some(wholes) = wholes {
            let mut out = vec![1, code];
            put_ints(&mut out, &wholes, zip)?;
            return Ok(out);
        }
    }
    Ok(Vec::new())
}

/// Takes the shorter of two columns; an empty one is none.
fn keep_shorter(best: &mut Vec<u8>, other: Vec<u8>) {
    if !other.is_empty() && (best.is_empty() || other.len() < best.len()) {
        *best = other;
    }
}

fn planes(tag: u8, start: i64, values: &[u64], zip: &mut Zip) -> io::Result<Vec<u8>> {
    let all = values.iter().fold(0, |bits, v| bits | v);
    let width = 8 - all.leading_zeros() / 8;
    let mut octets = Vec::with_capacity(values.len() * width as usize);
    for plane in 0..width {
        octets.extend(values.iter().map(|v| (v >> (8 * plane)).to_le_bytes()[0]));
    }
    let mut out = vec![tag];
    put(&mut out, zigzag(start));
    out.push(width.to_le_bytes()[0]);
    put_block(&mut out, &zip.zip.compress(&octets)?);
    Ok(out)
}

/// The column by pco; empty where it refuses.
fn pco_column<T: pco::data_types::Number>(tag: u8, values: &[T]) -> Vec<u8> {
    let packed = pco::standalone::simple_compress(values, &pco::ChunkConfig::default());
    packed.map_or_else(
        |_| Vec::new(),
        |packed| {
            let mut out = vec![tag];
            put_block(&mut out, &packed);
            out
        },
    )
}

fn unplane(cursor: &mut Cursor<'_>, n: usize, zip: &mut Zip) -> Result<(i64, Vec<u64>), Bad> {
    let start = cursor.signed()?;
    let width = usize::from(cursor.byte()?);
    if width > 8 {
        return Err(Bad("a column is wider than 8 octets"));
    }
    let octets = unzip(cursor.block()?, n * width, zip)?;
    let value = |i: usize| {
        (0..width).fold(0, |v, plane| {
            v | u64::from(octets.get(plane * n + i).copied().unwrap_or(0)) << (8 * plane)
        })
    };
    Ok((start, (0..n).map(value).collect()))
}

/// Exactly `len` octets out of a zstd block.
pub(super) fn unzip(block: &[u8], len: usize, zip: &mut Zip) -> Result<Vec<u8>, Bad> {
    let octets = zip
        .unzip
        .decompress(block, len)
        .map_err(|_| Bad("a column cannot be decompressed"))?;
    if octets.len() == len {
        Ok(octets)
    } else {
        Err(Bad("a column is too short"))
    }
}

fn unpco<T: pco::data_types::Number + Default>(
    cursor: &mut Cursor<'_>,
    n: usize,
) -> Result<Vec<T>, Bad> {
    let mut values = vec![T::default(); n];
    let done = pco::standalone::simple_decompress_into(cursor.block()?, &mut values)
        .map_err(|_| Bad("a column cannot be decompressed"))?;
    if done.n_processed == n {
        Ok(values)
    } else {
        Err(Bad("a column is too short"))
    }
}

/// Reads `n` whole numbers.
pub(crate) fn read_ints(c: &mut Cursor<'_>, n: usize, zip: &mut Zip) -> Result<Vec<i64>, Bad> {
    if n == 0 {
        return Ok(Vec::new());
    }
    match c.byte()? {
        0 => Ok(vec![c.signed()?; n]),
        1 => {
            let (first, steps) = unplane(c, n - 1, zip)?;
            let mut values = Vec::with_capacity(n);
            let mut value = first;
            values.push(value);
            for step in steps {
                value = value.wrapping_add(unzigzag(step));
                values.push(value);
            }
            Ok(values)
        }
        2 => {
            let (least, above) = unplane(c, n, zip)?;
            Ok(above
                .into_iter()
                .map(|v| least.wrapping_add(v.cast_signed()))
                .collect())
        }
        3 => unpco(c, n),
        _ => Err(Bad("a column of whole numbers is of an unknown kind")),
    }
}

/// Reads `n` real numbers.
#[expect(
    clippy::cast_precision_loss,
    reason = "the writer compared the bits of the quotient"
)]
pub(crate) fn read_floats(c: &mut Cursor<'_>, n: usize, zip: &mut Zip) -> Result<Vec<f64>, Bad> {
    if n == 0 {
        return Ok(Vec::new());
    }
    match c.byte()? {
        0 => Ok(vec![f64::from_le_bytes(c.eight()?); n]),
        1 => {
            let scale = SCALES
                .get(usize::from(c.byte()?))
                .ok_or(Bad("a scale is unknown"))?;
            let wholes = read_ints(c, n, zip)?;
            Ok(wholes.into_iter().map(|v| v as f64 / scale).collect())
        }
        2 => unpco(c, n),
        3 => {
            let octets = unzip(c.block()?, n * 8, zip)?;
            let (eights, _) = octets.as_chunks::<8>();
            Ok(eights.iter().map(|e| f64::from_le_bytes(*e)).collect())
        }
        _ => Err(Bad("a column of real numbers is of an unknown kind")),
    }
}
