//! What devices announce of themselves by datagram every few seconds, under keys everybody knows:
//! identity, address and version. Owns reading it, and the question 3.5 devices answer.

use super::Version;
use super::command;
use super::crypto::LocalKey;
use super::frame::{Frame, open, seal};
use super::version::Framing;
use serde_json::Value as Json;
use std::net::IpAddr;

/// MD5 of `yGAdlopoPVldABfn`, the key of every announcement.
const KEY: LocalKey = LocalKey::new([
    0x6c, 0x1e, 0xc8, 0xe2, 0xbb, 0x9b, 0xb5, 0x9a, 0xb5, 0x0b, 0x0d, 0xaf, 0x64, 0x9b, 0x41, 0x0a,
]);

/// An announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// Identity of the device.
    pub id: String,
    /// Where it says it is; the datagram's own sender where it does not say.
    pub address: Option<IpAddr>,
    /// Version it speaks.
    pub version: Option<Version>,
    /// Key of its product, the same for all devices of a model.
    pub product: Option<String>,
}

/// Reads a datagram; `None` when it is none of ours.
#[must_use]
pub fn read(datagram: &[u8]) -> Option<Beacon> {
    let text = match open(datagram, Framing::Gcm, &KEY) {
        Ok(frame) => without_code(frame.body),
        Err(_) => old(&open(datagram, Framing::Crc, &KEY).ok()?.body)?,
    };
    let json: Json = serde_json::from_slice(&text).ok()?;
    let word = |key: &str| Some(json.get(key)?.as_str()?.to_owned());
    let id = word("gwId")
        .or_else(|| word("devId"))
        .or_else(|| word("id"))?;
    if !is_id(&id) {
        return None;
    }
    Some(Beacon {
        id,
        address: word("ip").and_then(|ip| ip.parse().ok()),
        version: word("version").and_then(|v| Version::parse(&v)),
        product: word("productKey").filter(|p| is_id(p)),
    })
}

/// Device ids, nodes and product keys: short, and nothing in them that needs escaping.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fine = |o: u8| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'_' | b':');
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

fn old(body: &[u8]) -> Option<Vec<u8>> {
    let without = without_code(body.to_vec());
    for candidate in [body, &without] {
        if candidate.first() == Some(&b'{') {
            return Some(candidate.to_vec());
        }
        if let Some(plain) = KEY.decrypt(candidate).filter(|p| p.first() == Some(&b'{')) {
            return Some(plain);
        }
    }
    None
}

fn without_code(mut body: Vec<u8>) -> Vec<u8> {
    if body.starts_with(&[0, 0, 0]) && body.len() > 4 {
        body.drain(..4);
    }
    body
}

/// The question to which 3.5 devices announce themselves at once, with the address to answer to.
#[must_use]
pub fn question(answer_to: IpAddr, nonce: [u8; 12]) -> Vec<u8> {
    let body = format!(r#"{{"from":"app","ip":"{answer_to}"}}"#).into_bytes();
    let frame = Frame {
        sequence: 0,
        command: command::WHO_IS_THERE,
        body,
    };
    seal(&frame, Framing::Gcm, &KEY, nonce)
}
