//! Names and numbers that identify things. Owns their syntax: a [`Key`] is safe in a URL, a
//! file name, an MQTT topic level and a SQL literal, so no edge needs to escape it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest accepted [`Key`], in octets.
pub const KEY_MAX: usize = 64;

/// A name that failed validation: what was given and which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a valid {what}: {rule}")]
pub struct InvalidId {
    /// What kind of name was expected, such as `key` or `point path`.
    pub what: &'static str,
    /// The text as given (cut to 80 characters).
    pub given: String,
    /// The rule that is broken, in words.
    pub rule: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        Self {
            what,
            given: given.chars().take(80).collect(),
            rule,
        }
    }
}

/// A lower-case name: `[a-z0-9]` then `[a-z0-9_-]`, 1 to 64 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// Checks and takes over a name.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() || text.len() > KEY_MAX {
            return Err(InvalidId::new(
                "key",
                text,
                "it must be 1 to 64 characters long",
            ));
        }
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        if !ok(bytes[0]) || !bytes.iter().all(|b| ok(*b) || matches!(b, b'_' | b'-')) {
            return Err(InvalidId::new(
                "key",
                text,
                "use a-z, 0-9, '_' and '-', beginning with a letter or digit",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Makes a key out of any text: lower-cased, other characters become `-`.
    #[must_use]
    pub fn slug(text: &str) -> Self {
        let mut out = String::new();
        for c in text.chars() {
            let c = c.to_ascii_lowercase();
            if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
            if out.len() == KEY_MAX {
                break;
            }
        }
        let trimmed = out.trim_matches(['-', '_']);
        Self(if trimmed.is_empty() {
            "x".into()
        } else {
            trimmed.into()
        })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        Self::new(s)
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidId;
    fn try_from(s: String) -> Result<Self, InvalidId> {
        Self::new(&s)
    }
}

impl From<Key> for String {
    fn from(k: Key) -> Self {
        k.0.as_ref().to_owned()
    }
}

/// The gateway's name within its tenant; also its MQTT client id.
pub type GatewayId = Key;
/// The name of one customer of the cloud.
pub type TenantId = Key;

/// Where a point lives: `device/point`, both [`Key`]s. Unique within one gateway and stable
/// across restarts; history, alarms and rules refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PointPath {
    /// The device that holds the point.
    pub device: Key,
    /// The point within the device.
    pub point: Key,
}

impl PointPath {
    /// Joins a device and a point.
    #[must_use]
    pub fn new(device: Key, point: Key) -> Self {
        Self { device, point }
    }
}

impl fmt::Display for PointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.point)
    }
}

impl FromStr for PointPath {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let (device, point) = s
            .split_once('/')
            .ok_or_else(|| InvalidId::new("point path", s, "write it as device/point"))?;
        Ok(Self {
            device: Key::new(device)?,
            point: Key::new(point)?,
        })
    }
}

impl TryFrom<String> for PointPath {
    type Error = InvalidId;
    fn try_from(s: String) -> Result<Self, InvalidId> {
        s.parse()
    }
}

impl From<PointPath> for String {
    fn from(p: PointPath) -> Self {
        p.to_string()
    }
}

/// Dense number of a point within one gateway and epoch. The store gives it out once and never
/// again for another point, so batches may refer to it for ever.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot as an index into dense tables.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_refuses_what_an_edge_would_have_to_escape() {
        for bad in [
            "",
            "A",
            "a b",
            "a/b",
            "a.b",
            "-a",
            "a+",
            "#",
            "$sys",
            &"a".repeat(65),
        ] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Key::new("ahu-1").map(|k| k.to_string()),
            Ok("ahu-1".to_owned())
        );
    }

    #[test]
    fn slug_always_yields_a_valid_key() {
        for text in [
            "",
            "Wohnzimmer Süd",
            "0x00158d/x",
            "--",
            "__",
            &"ä".repeat(200),
        ] {
            let key = Key::slug(text);
            assert_eq!(Key::new(key.as_str()), Ok(key.clone()), "{text}");
        }
    }

    #[test]
    fn point_path_survives_text() {
        let path: PointPath = "ahu-1/supply_temp".parse().unwrap();
        assert_eq!(path.to_string().parse::<PointPath>().unwrap(), path);
        assert!("ahu-1".parse::<PointPath>().is_err());
        assert!("a/b/c".parse::<PointPath>().is_err());
    }
}
