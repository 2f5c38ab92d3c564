//! What is around the header and body of everything that is kept as it was sent: magic, version,
//! checksum. Owns no header.
//!
//! ```text
//! envelope := magic(2) version(1) header-length(u16 LE) header body crc32c(u32 LE, of all before it)
//! ```

use crate::WireError;
use crate::limits::MAX_EVENT_FRAME;
use prost::Message;

const VERSION: u8 = 1;
/// Octets before the header.
const PREFIX: usize = 5;
/// Octets of the checksum.
const SUFFIX: usize = 4;

/// Puts header and body into an envelope.
pub(crate) fn seal(magic: [u8; 2], header: &impl Message, body: &[u8]) -> Vec<u8> {
    let header_length = header.encoded_len();
    let mut sealed = Vec::with_capacity(PREFIX + header_length + body.len() + SUFFIX);
    sealed.extend_from_slice(&magic);
    sealed.push(VERSION);
    // A header is some 60 octets; its only field of variable length is the epoch of 16.
    let length = u16::try_from(header_length).unwrap_or(u16::MAX);
    sealed.extend_from_slice(&length.to_le_bytes());
    header.encode_raw(&mut sealed);
    sealed.extend_from_slice(body);
    let checksum = crc32c::crc32c(&sealed);
    sealed.extend_from_slice(&checksum.to_le_bytes());
    sealed
}

/// Header and body of an envelope whose checksum is right; `stranger` is said of other octets.
pub(crate) fn unseal<'a>(
    magic: [u8; 2],
    sealed: &'a [u8],
    stranger: &'static str,
) -> Result<(&'a [u8], &'a [u8]), WireError> {
    WireError::check("length of a frame", sealed.len(), MAX_EVENT_FRAME)?;
    let (signed, stated) = sealed
        .split_last_chunk::<SUFFIX>()
        .ok_or(WireError::Truncated("frame"))?;
    let (prefix, rest) = signed
        .split_first_chunk::<PREFIX>()
        .ok_or(WireError::Truncated("frame"))?;
    let [m0, m1, version, l0, l1] = *prefix;
    if [m0, m1] != magic {
        return Err(WireError::Malformed(stranger));
    }
    if version != VERSION {
        return Err(WireError::Unknown {
            what: "frame version",
            code: i64::from(version),
        });
    }
    let (found, stated) = (crc32c::crc32c(signed), u32::from_le_bytes(*stated));
    if found != stated {
        return Err(WireError::Checksum { found, stated });
    }
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    rest.split_at_checked(length)
        .ok_or(WireError::Truncated("frame header"))
}
