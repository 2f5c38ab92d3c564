//! Columns of integers as byte planes: all lowest octets, then all second octets, and so on, as
//! many planes as the largest value needs. Any value can be read without touching its
//! neighbours, and planes of equal octets vanish in the compressor.

use crate::WireError;
use crate::varint::{Cursor, put_signed};

/// Appends the width and the planes of `values`.
pub(crate) fn put_column(out: &mut Vec<u8>, values: &[u64]) {
    let all = values.iter().fold(0, |bits, v| bits | v);
    let width = 8 - all.leading_zeros() / 8;
    out.push(width.to_le_bytes()[0]);
    for plane in 0..width {
        out.extend(values.iter().map(|v| (v >> (8 * plane)).to_le_bytes()[0]));
    }
}

/// Appends signed values as their smallest and the distances from it. Empties nothing; `values`
/// are left as they are.
pub(crate) fn put_based(out: &mut Vec<u8>, values: &[i64], scratch: &mut Vec<u64>) {
    let least = values.iter().copied().min().unwrap_or(0);
    put_signed(out, least);
    scratch.clear();
    scratch.extend(values.iter().map(|v| v.wrapping_sub(least).cast_unsigned()));
    put_column(out, scratch);
}

/// A column where it lies in the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    planes: &'a [u8],
    count: usize,
    width: usize,
}

impl<'a> Column<'a> {
    /// Reads a column of `count` values off the cursor.
    pub(crate) fn read(cursor: &mut Cursor<'a>, count: usize) -> Result<Self, WireError> {
        let width = usize::from(cursor.octet()?);
        if width > 8 {
            return Err(WireError::Malformed("a column is wider than 8 octets"));
        }
        let len = count
            .checked_mul(width)
            .ok_or(WireError::Malformed("a column is too long"))?;
        Ok(Self {
            planes: cursor.take(len)?,
            count,
            width,
        })
    }

    /// The value at `index`; 0 beyond the end, which callers rule out by construction.
    pub(crate) fn get(&self, index: usize) -> u64 {
        let mut value = 0;
        for plane in 0..self.width {
            let octet = self
                .planes
                .get(plane * self.count + index)
                .copied()
                .unwrap_or(0);
            value |= u64::from(octet) << (8 * plane);
        }
        value
    }
}

/// A column of signed values above their smallest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Based<'a> {
    least: i64,
    column: Column<'a>,
}

impl<'a> Based<'a> {
    /// Reads a based column of `count` values off the cursor.
    pub(crate) fn read(cursor: &mut Cursor<'a>, count: usize) -> Result<Self, WireError> {
        Ok(Self {
            least: cursor.signed()?,
            column: Column::read(cursor, count)?,
        })
    }

    /// The value at `index`.
    pub(crate) fn get(&self, index: usize) -> i64 {
        self.least
            .wrapping_add(self.column.get(index).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_survive_at_every_width() {
        for values in [
            vec![],
            vec![0, 0, 0],
            vec![1, 255, 0],
            vec![256, 3, 70_000],
            vec![u64::MAX, 0, 1 << 40],
        ] {
            let mut out = Vec::new();
            put_column(&mut out, &values);
            let mut cursor = Cursor::new(&out, "test");
            let column = Column::read(&mut cursor, values.len()).unwrap();
            assert!(cursor.is_empty());
            let back: Vec<u64> = (0..values.len()).map(|i| column.get(i)).collect();
            assert_eq!(back, values);
        }
    }

    #[test]
    fn based_columns_survive_the_extremes() {
        let values = [i64::MIN, i64::MAX, 0, -1];
        let mut out = Vec::new();
        put_based(&mut out, &values, &mut Vec::new());
        let column = Based::read(&mut Cursor::new(&out, "test"), 4).unwrap();
        assert_eq!([0, 1, 2, 3].map(|i| column.get(i)), values);
    }
}
