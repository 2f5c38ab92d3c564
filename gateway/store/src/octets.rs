//! Small building stones of stored rows: variable-length numbers, a bounded cursor, a checksum at
//! the end. Owns no layout.

/// What is wrong with stored octets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored octets cannot be read: {0}")]
pub(crate) struct Bad(pub(crate) &'static str);

const SHORT: Bad = Bad("they end too early");

/// Appends a number, seven bits an octet.
pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push((n & 0x7f) as u8);
}

/// Appends octets behind their number.
pub(crate) fn put_block(out: &mut Vec<u8>, octets: &[u8]) {
    put(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

/// Small numbers of either sign as small numbers.
pub(crate) fn zigzag(n: i64) -> u64 {
    (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

/// Appends the CRC-32C of everything before it.
pub(crate) fn sign(out: &mut Vec<u8>) {
    let sum = crc32c::crc32c(out);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// The octets before a checksum that is right.
pub(crate) fn signed(octets: &[u8]) -> Result<&[u8], Bad> {
    let (before, sum) = octets.split_last_chunk::<4>().ok_or(SHORT)?;
    if crc32c::crc32c(before) == u32::from_le_bytes(*sum) {
        Ok(before)
    } else {
        Err(Bad("the checksum is wrong"))
    }
}

/// Reads from the front; never beyond the end.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, Bad> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Bad> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            n |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(Bad("a number is too long"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Bad> {
        self.varint().map(unzigzag)
    }

    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Bad> {
        T::try_from(self.varint()?).map_err(|_| Bad("a number is too large"))
    }

    pub(crate) fn eight(&mut self) -> Result<[u8; 8], Bad> {
        let (first, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Bad> {
        let (first, rest) = self.0.split_at_checked(n).ok_or(SHORT)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn block(&mut self) -> Result<&'a [u8], Bad> {
        let n = self.small()?;
        self.take(n)
    }
}
