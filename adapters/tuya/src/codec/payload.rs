//! Payloads: what a version wraps around the text a frame carries. Owns telling a return code from
//! what is none: real firmware sends both, and the length and the first octets tell.

use super::Version;
use super::command;
use super::crypto::{BLOCK, LocalKey};
use super::frame::{Frame, FrameError, open};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// `3.3` and twelve octets that count messages.
const HEADER: usize = 15;
/// `3.1` and half an MD5.
const HEADER_31: usize = 19;

/// A message, deciphered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Sequence number.
    pub sequence: u32,
    /// Command.
    pub command: u32,
    /// Return code, where there was one.
    pub code: Option<u32>,
    /// The text.
    pub plain: Vec<u8>,
    /// It came unciphered though the version ciphers.
    pub clear: bool,
}

/// Why a frame was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The frame itself.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is in order, but this key does not decipher it.
    #[error("the key does not decipher what the frame carries")]
    Key,
}

/// Opens one whole frame and what it carries.
pub fn open_message(frame: &[u8], version: Version, key: &LocalKey) -> Result<Opened, OpenError> {
    let Frame {
        sequence,
        command,
        body,
    } = open(frame, version.framing(), key)?;
    let (code, rest) = split(&body, version);
    let plain = match version {
        Version::V31 => plain_31(rest, key),
        Version::V32 | Version::V33 => plain_33(rest, key),
        Version::V34 if rest.is_empty() => Some(Vec::new()),
        Version::V34 => key.decrypt(rest).map(|p| without_header(p, command)),
        Version::V35 => Some(without_header(rest.to_vec(), command)),
    };
    let plain = plain.ok_or(OpenError::Key)?;
    let clear =
        matches!(version, Version::V32 | Version::V33) && !plain.is_empty() && plain == rest;
    Ok(Opened {
        sequence,
        command,
        code,
        plain,
        clear,
    })
}

/// A return code is four octets of which three are zero. Cipher text is a multiple of a block long,
/// so its length tells whether four more octets stand before it.
fn split(body: &[u8], version: Version) -> (Option<u32>, &[u8]) {
    let whole = (None, body);
    let Some((four, rest)) = body.split_first_chunk::<4>() else {
        return whole;
    };
    if four[..3] != [0, 0, 0] {
        return whole;
    }
    let ciphered = match version {
        Version::V31 | Version::V35 => false,
        Version::V32 | Version::V33 => !headed(rest),
        Version::V34 => true,
    };
    if ciphered && body.len().is_multiple_of(BLOCK) {
        return whole;
    }
    (Some(u32::from_be_bytes(*four)), rest)
}

fn headed(octets: &[u8]) -> bool {
    octets.len() >= HEADER && octets.starts_with(b"3.") && octets[2].is_ascii_digit()
}

fn without_header(mut plain: Vec<u8>, command: u32) -> Vec<u8> {
    let negotiation = (command::NEGOTIATE_START..=command::NEGOTIATE_FINISH).contains(&command);
    if headed(&plain) && !negotiation {
        plain.drain(..HEADER);
    }
    plain
}

fn plain_31(rest: &[u8], key: &LocalKey) -> Option<Vec<u8>> {
    if !rest.starts_with(b"3.1") || rest.len() <= HEADER_31 {
        return Some(rest.to_vec());
    }
    let (head, text) = rest.split_at(HEADER_31);
    if key.sign_31(text).as_bytes() != &head[3..] {
        return None;
    }
    key.decrypt(&BASE64.decode(text).ok()?)
}

fn plain_33(rest: &[u8], key: &LocalKey) -> Option<Vec<u8>> {
    let secret = if headed(rest) { &rest[HEADER..] } else { rest };
    if secret.is_empty() {
        return Some(Vec::new());
    }
    // Some complaints come in the clear. Text under another key may pass for padded, but not for text.
    let readable = |t: &[u8]| std::str::from_utf8(t).is_ok_and(|t| !t.contains(char::is_control));
    match key.decrypt(secret) {
        Some(plain) if readable(&plain) => Some(plain),
        _ if readable(secret) => Some(secret.to_vec()),
        _ => None,
    }
}

/// The body of a message to a device; frames of 3.5 are enciphered as a whole.
#[must_use]
pub fn wrap(plain: &[u8], command: u32, version: Version, key: &LocalKey) -> Vec<u8> {
    let headed = matches!(
        command,
        command::CONTROL | command::CONTROL_NEW | command::STATUS
    );
    let mut header = version.text().as_bytes().to_vec();
    header.resize(HEADER, 0);
    match version {
        Version::V31 if headed => {
            let text = BASE64.encode(key.encrypt(plain));
            let mut out = b"3.1".to_vec();
            out.extend(key.sign_31(text.as_bytes()).bytes());
            out.extend(text.bytes());
            out
        }
        Version::V31 => plain.to_vec(),
        Version::V32 | Version::V33 if headed => {
            header.extend(key.encrypt(plain));
            header
        }
        Version::V32 | Version::V33 => key.encrypt(plain),
        Version::V34 if headed => {
            header.extend(plain);
            key.encrypt(&header)
        }
        Version::V34 => key.encrypt(plain),
        Version::V35 if headed => {
            header.extend(plain);
            header
        }
        Version::V35 => plain.to_vec(),
    }
}
