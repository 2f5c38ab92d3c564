//! Versions of the local protocol and what each does differently.

use serde::Deserialize;
use std::fmt;

/// A version of the local protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Version {
    /// 3.1: reading in the clear, writing enciphered and signed.
    V31,
    /// 3.2: as 3.3, data points are read by name.
    V32,
    /// 3.3: AES-ECB under the local key, checked by CRC.
    V33,
    /// 3.4: AES-ECB under a session key, checked by HMAC.
    V34,
    /// 3.5: AES-GCM under a session key, other frames.
    V35,
}

/// How frames of a version are laid out and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `000055aa`, CRC-32.
    Crc,
    /// `000055aa`, HMAC-SHA256.
    Hmac,
    /// `00006699`, AES-GCM.
    Gcm,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 5] = [Self::V31, Self::V32, Self::V33, Self::V34, Self::V35];

    /// As devices write it: `3.4`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V32 => "3.2",
            Self::V33 => "3.3",
            Self::V34 => "3.4",
            Self::V35 => "3.5",
        }
    }

    /// The version of a text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.text() == text.trim())
    }

    /// How its frames are checked.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::V31 | Self::V32 | Self::V33 => Framing::Crc,
            Self::V34 => Framing::Hmac,
            Self::V35 => Framing::Gcm,
        }
    }

    /// Whether both ends first agree on a session key.
    #[must_use]
    pub fn negotiates(self) -> bool {
        self >= Self::V34
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl TryFrom<String> for Version {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!(
                "'{text}' is no version of the local protocol; there are 3.1, 3.2, 3.3, 3.4 and 3.5"
            )
        })
    }
}
