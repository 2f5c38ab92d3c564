//! What went wrong with a device, told apart and said in words with what to do. Owns the judgement:
//! what was seen on the wire, together with what was known before, makes one of these.

use crate::codec::Version;
use std::fmt;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No address is configured and no announcement was heard.
    NotSeen,
    /// No connection could be made.
    Unreachable(String),
    /// The device serves somebody else.
    Busy,
    /// The key is not the device's.
    WrongKey(Version),
    /// The key was the device's, and is not any more.
    KeyChanged(Version),
    /// The device speaks another version than it was spoken to in.
    WrongVersion {
        /// What was spoken.
        tried: Version,
        /// What the device announces or answers in, where that is known.
        spoken: Option<Version>,
    },
    /// It takes the connection and answers nothing.
    Silent(Vec<Version>),
    /// It sent a frame whose check is wrong; the frame was not used.
    BadCheck,
    /// The connection ended.
    Lost(String),
    /// The key was exchanged here; no trouble at all.
    Rekeyed,
}

impl Trouble {
    /// Whether another key would help.
    #[must_use]
    pub fn is_key(&self) -> bool {
        matches!(self, Self::WrongKey(_) | Self::KeyChanged(_))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSeen => f.write_str(
                "not seen: no address is configured and no announcement of the device was heard; is it powered, on this network, and not kept apart by the access point? Otherwise write its 'host'",
            ),
            Self::Unreachable(why) => write!(f, "not reachable: {why}; is the device powered, and is this still its address?"),
            Self::Busy => f.write_str(
                "busy: the device closed the connection before it was asked anything, as it does while others hold all of its few connections; close the vendor's app and other gateways that use it",
            ),
            Self::WrongKey(version) => write!(
                f,
                "wrong key: the device speaks {version} and does not answer under this local key; fetch the key again with the key tool and update it here"
            ),
            Self::KeyChanged(version) => write!(
                f,
                "key changed: this local key worked before and the device (version {version}) does not answer under it any more, as after it was paired anew; fetch the key again and update it here, nothing has to be added again"
            ),
            Self::WrongVersion { tried, spoken: Some(spoken) } => write!(
                f,
                "wrong version: the device was spoken to in {tried} and speaks {spoken}; write version = \"{spoken}\", or leave it out"
            ),
            Self::WrongVersion { tried, spoken: None } => write!(
                f,
                "wrong version: the device was spoken to in {tried} and answers in frames of another version; leave 'version' out"
            ),
            Self::Silent(tried) => {
                let tried: Vec<&str> = tried.iter().map(|v| v.text()).collect();
                write!(
                    f,
                    "no answer: the device takes the connection and answers nothing in {}; wrong version or wrong key, and no announcement was heard that would tell which",
                    tried.join(", ")
                )
            }
            Self::BadCheck => f.write_str(
                "bad check: the device sent a frame whose check (HMAC, tag or CRC) is wrong; the frame was refused and the connection closed",
            ),
            Self::Lost(why) => write!(f, "connection lost: {why}"),
            Self::Rekeyed => f.write_str("the local key was exchanged"),
        }
    }
}

/// What an attempt to talk in one version showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing came.
    Nothing,
    /// The device closed the connection after the question.
    Closed,
    /// Something came that this key does not decipher or prove.
    NotOurKey,
    /// A frame of another layout came.
    OtherFraming,
}

/// What was known before the attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// The version the device announces.
    pub announced: Option<Version>,
    /// The version it was talked to in before.
    pub proven: Option<Version>,
    /// This very key has worked before.
    pub key_worked: bool,
    /// Attempts in a row, this one included, that ended without a word.
    pub silences: u32,
}

/// Makes a judgement of the attempts on one connection.
#[must_use]
pub fn judge(seen: &[(Version, Evidence)], known: &Known) -> Trouble {
    let tried: Vec<Version> = seen.iter().map(|(v, _)| *v).collect();
    let Some((last, evidence)) = seen.last().copied() else {
        return Trouble::Lost("the device closed it at once".to_owned());
    };
    if let Some(spoken) = known.announced.filter(|a| !tried.contains(a)) {
        return Trouble::WrongVersion {
            tried: last,
            spoken: Some(spoken),
        };
    }
    if let Some((version, _)) = seen.iter().find(|(_, e)| *e == Evidence::NotOurKey) {
        return key_trouble(*version, known);
    }
    if evidence == Evidence::OtherFraming {
        let spoken = (!last.negotiates() || last == Version::V34).then_some(Version::V35);
        return Trouble::WrongVersion {
            tried: last,
            spoken,
        };
    }
    // The version is right, the device is there, and it does not answer: what is left is the key.
    match known
        .announced
        .or(known.proven)
        .filter(|v| tried.contains(v))
    {
        Some(version)
            if evidence == Evidence::Closed || !known.key_worked || known.silences > 1 =>
        {
            key_trouble(version, known)
        }
        _ => Trouble::Silent(tried),
    }
}

fn key_trouble(version: Version, known: &Known) -> Trouble {
    if known.key_worked {
        Trouble::KeyChanged(version)
    } else {
        Trouble::WrongKey(version)
    }
}
