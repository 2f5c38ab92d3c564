//! Variable-length integers (LEB128) and the checked cursor every decoder reads with.

use crate::WireError;

/// Appends an unsigned integer, 7 bits an octet, lowest first.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_octet(value) | 0x80);
        value >>= 7;
    }
    out.push(low_octet(value));
}

/// Appends a signed integer, zig-zagged.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, zigzag(value));
}

/// Appends a length or count.
pub(crate) fn put_len(out: &mut Vec<u8>, value: usize) {
    put(out, value as u64);
}

fn low_octet(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Maps small magnitudes of either sign to small numbers.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Reads octets from the front, never past the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// A cursor over `octets`, named `what` in errors.
    pub(crate) fn new(octets: &'a [u8], what: &'static str) -> Self {
        Self { rest: octets, what }
    }

    /// True when nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next octet.
    pub(crate) fn octet(&mut self) -> Result<u8, WireError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(WireError::Truncated(self.what))?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next `len` octets.
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(WireError::Truncated(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned integer.
    pub(crate) fn unsigned(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Malformed("an integer is longer than 64 bits"))
    }

    /// A signed integer.
    pub(crate) fn signed(&mut self) -> Result<i64, WireError> {
        Ok(unzigzag(self.unsigned()?))
    }

    /// A 32-bit number.
    pub(crate) fn number(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.unsigned()?)
            .map_err(|_| WireError::Malformed("a number does not fit into 32 bits"))
    }

    /// A count or length of at most `limit`.
    pub(crate) fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, WireError> {
        let given = self.unsigned()?;
        match usize::try_from(given) {
            Ok(count) if count <= limit => Ok(count),
            _ => Err(WireError::TooLarge {
                what,
                given,
                limit: limit as u64,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_survive() {
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN, 1 << 40] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            let mut cursor = Cursor::new(&out, "test");
            assert_eq!(cursor.signed(), Ok(value));
            assert!(cursor.is_empty());
        }
    }

    #[test]
    fn overlong_and_cut_integers_are_refused() {
        assert!(Cursor::new(&[0xff; 10], "test").unsigned().is_err());
        assert!(Cursor::new(&[0x80; 11], "test").unsigned().is_err());
        assert!(matches!(
            Cursor::new(&[0x80], "test").unsigned(),
            Err(WireError::Truncated(_))
        ));
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new(&most, "test").unsigned(), Ok(u64::MAX));
    }
}
