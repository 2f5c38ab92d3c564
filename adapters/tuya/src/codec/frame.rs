//! Frames: where one begins and ends in a stream, whether its check is right, and how one is made.
//!
//! ```text
//! 000055aa seq cmd len body crc32|hmac 0000aa55        len counts from after itself to the end
//! 00006699 0000 seq cmd len nonce(12) body+tag(16) 00009966   the header without its prefix is signed
//! ```

use super::crypto::LocalKey;
use super::version::Framing;

/// Longest frame believed in; real ones stay far below 8 KiB.
pub const FRAME_MAX: usize = 64 * 1024;
const OLD: [u8; 4] = [0, 0, 0x55, 0xaa];
const OLD_END: [u8; 4] = [0, 0, 0xaa, 0x55];
const OLD_HEADER: usize = 16;
const NEW: [u8; 4] = [0, 0, 0x66, 0x99];
const NEW_END: [u8; 4] = [0, 0, 0x99, 0x66];
const NEW_HEADER: usize = 18;
const NONCE: usize = 12;
const TAG: usize = 16;
const SIGNATURE: usize = 32;

/// What the front of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peel {
    /// Not enough octets yet.
    More,
    /// So many octets that belong to no frame.
    Stray(usize),
    /// A whole frame of so many octets.
    Frame(usize),
}

/// Looks at the front of a stream.
#[must_use]
pub fn peel(stream: &[u8]) -> Peel {
    let begins = |w: &[u8]| w == OLD || w == NEW;
    match stream.windows(4).position(begins) {
        Some(0) => {}
        Some(at) => return Peel::Stray(at),
        None if stream.len() < 4 => return Peel::More,
        // The last three octets may be the beginning of a prefix.
        None => return Peel::Stray(stream.len() - 3),
    }
    let header = if stream.starts_with(&NEW) {
        NEW_HEADER
    } else {
        OLD_HEADER
    };
    let Some(length) = word(stream, header - 4) else {
        return Peel::More;
    };
    let Some(whole) = usize::try_from(length)
        .ok()
        .and_then(|l| l.checked_add(header))
    else {
        return Peel::Stray(4);
    };
    // 6699 does not count its four closing octets.
    let whole = if header == NEW_HEADER {
        whole.saturating_add(4)
    } else {
        whole
    };
    match whole {
        w if w > FRAME_MAX || w < header + 8 => Peel::Stray(4),
        w if w > stream.len() => Peel::More,
        w => Peel::Frame(w),
    }
}

/// A frame whose check was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Sequence number.
    pub sequence: u32,
    /// Command.
    pub command: u32,
    /// What is between header and check; deciphered for 6699.
    pub body: Vec<u8>,
}

/// Why a frame is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is laid out as another version does.
    #[error("the frame is one of another protocol version")]
    OtherFraming,
    /// Its check does not fit.
    #[error("the check of the frame is wrong")]
    Check,
    /// It is cut short or has no end.
    #[error("the frame is malformed")]
    Malformed,
}

/// Checks and opens one whole frame.
pub fn open(frame: &[u8], framing: Framing, key: &LocalKey) -> Result<Frame, FrameError> {
    let new = frame.starts_with(&NEW);
    if new != (framing == Framing::Gcm) {
        return Err(FrameError::OtherFraming);
    }
    let end = if new { NEW_END } else { OLD_END };
    if !frame.ends_with(&end) {
        return Err(FrameError::Malformed);
    }
    let inner = &frame[..frame.len() - 4];
    if new {
        open_new(inner, key)
    } else {
        open_old(inner, framing, key)
    }
}

fn open_old(inner: &[u8], framing: Framing, key: &LocalKey) -> Result<Frame, FrameError> {
    let check = if framing == Framing::Hmac {
        SIGNATURE
    } else {
        4
    };
    let signed = inner.len().checked_sub(check).filter(|l| *l >= OLD_HEADER);
    let (signed, check) = inner.split_at(signed.ok_or(FrameError::Malformed)?);
    let right = match framing {
        Framing::Hmac => key.verify(signed, check),
        _ => check == crc32fast::hash(signed).to_be_bytes(),
    };
    if !right {
        let plain = inner
            .split_last_chunk::<4>()
            .filter(|_| framing == Framing::Hmac);
        let crc = plain.is_some_and(|(signed, crc)| *crc == crc32fast::hash(signed).to_be_bytes());
        return Err(if crc {
            FrameError::OtherFraming
        } else {
            FrameError::Check
        });
    }
    let (Some(sequence), Some(command)) = (word(signed, 4), word(signed, 8)) else {
        return Err(FrameError::Malformed);
    };
    Ok(Frame {
        sequence,
        command,
        body: signed[OLD_HEADER..].to_vec(),
    })
}

fn open_new(inner: &[u8], key: &LocalKey) -> Result<Frame, FrameError> {
    if inner.len() < NEW_HEADER + NONCE + TAG {
        return Err(FrameError::Malformed);
    }
    let (header, rest) = inner.split_at(NEW_HEADER);
    let (nonce, secret) = rest.split_at(NONCE);
    let nonce = nonce.try_into().map_err(|_| FrameError::Malformed)?;
    let body = key
        .open(nonce, &header[4..], secret)
        .ok_or(FrameError::Check)?;
    let (Some(sequence), Some(command)) = (word(header, 6), word(header, 10)) else {
        return Err(FrameError::Malformed);
    };
    Ok(Frame {
        sequence,
        command,
        body,
    })
}

/// Makes a frame. `nonce` is used by [`Framing::Gcm`] only and must never come twice for one key.
#[must_use]
pub fn seal(frame: &Frame, framing: Framing, key: &LocalKey, nonce: [u8; 12]) -> Vec<u8> {
    let body = &frame.body;
    let mut out = Vec::with_capacity(body.len() + 64);
    if framing == Framing::Gcm {
        out.extend(NEW);
        out.extend([0, 0]);
    } else {
        out.extend(OLD);
    }
    out.extend(frame.sequence.to_be_bytes());
    out.extend(frame.command.to_be_bytes());
    let check = match framing {
        Framing::Crc => 4 + 4,
        Framing::Hmac => SIGNATURE + 4,
        Framing::Gcm => NONCE + TAG,
    };
    out.extend(
        u32::try_from(body.len() + check)
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    match framing {
        Framing::Gcm => {
            let sealed = key.seal(nonce, &out[4..NEW_HEADER], body);
            out.extend(nonce);
            out.extend(sealed);
            out.extend(NEW_END);
        }
        Framing::Hmac => {
            out.extend(body);
            let signature = key.sign(&out);
            out.extend(signature);
            out.extend(OLD_END);
        }
        Framing::Crc => {
            out.extend(body);
            let crc = crc32fast::hash(&out);
            out.extend(crc.to_be_bytes());
            out.extend(OLD_END);
        }
    }
    out
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    let four = octets.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}
