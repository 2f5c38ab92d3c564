//! What a device says instead of an answer: error, reject, abort (clauses 18 and 20.1.7 to 20.1.9).
//! Owns the words for them and what each is a sign of.

use crate::codec::tag::{DecodeError, Reader, Tag, number, put_tag, shortest};
use std::fmt;

/// An error, a reject or an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Class and code.
    Error {
        /// What it is about: 1 object, 2 property, 5 services …
        class: u32,
        /// What is wrong.
        code: u32,
    },
    /// The request was not understood.
    Reject(u8),
    /// The exchange was given up.
    Abort(u8),
}

/// Codes Riser answers with or looks for.
pub mod code {
    /// Class "device".
    pub const DEVICE: u32 = 0;
    /// Class "object".
    pub const OBJECT: u32 = 1;
    /// Class "property".
    pub const PROPERTY: u32 = 2;
    /// Class "resources".
    pub const RESOURCES: u32 = 3;
    /// Class "services".
    pub const SERVICES: u32 = 5;
    /// Code "other".
    pub const OTHER: u32 = 0;
    /// Code "invalid data type".
    pub const INVALID_DATA_TYPE: u32 = 9;
    /// Code "no space to add list element" and its like for subscriptions.
    pub const NO_SPACE_FOR_OBJECT: u32 = 18;
    /// Code "no space to add list element".
    pub const NO_SPACE_TO_ADD: u32 = 19;
    /// Code "operational problem".
    pub const OPERATIONAL_PROBLEM: u32 = 25;
    /// Code "unknown object".
    pub const UNKNOWN_OBJECT: u32 = 31;
    /// Code "unknown property".
    pub const UNKNOWN_PROPERTY: u32 = 32;
    /// Code "value out of range".
    pub const VALUE_OUT_OF_RANGE: u32 = 37;
    /// Code "write access denied".
    pub const WRITE_ACCESS_DENIED: u32 = 40;
    /// Code "invalid array index".
    pub const INVALID_ARRAY_INDEX: u32 = 42;
    /// Code "optional functionality not supported".
    pub const NOT_SUPPORTED: u32 = 45;
    /// Code "invalid event state".
    pub const INVALID_EVENT_STATE: u32 = 73;
    /// Code "property is not an array".
    pub const NOT_AN_ARRAY: u32 = 50;
    /// Code "value not initialised".
    pub const VALUE_NOT_INITIALISED: u32 = 72;
}

/// Reject "unrecognised service".
pub const UNRECOGNISED_SERVICE: u8 = 9;
/// Reject "invalid tag".
pub const INVALID_TAG: u8 = 4;
/// Reject "buffer overflow".
const REJECT_OVERFLOW: u8 = 1;
/// Reject "missing required parameter".
pub const MISSING_PARAMETER: u8 = 5;
/// Abort "buffer overflow".
pub const BUFFER_OVERFLOW: u8 = 1;
/// Abort "out of resources".
pub const OUT_OF_RESOURCES: u8 = 9;
/// Abort "segmentation not supported".
pub const SEGMENTATION_NOT_SUPPORTED: u8 = 4;

impl Refusal {
    /// Class and code of an Error APDU's body, bare or in the group some services put them in.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if let Ok(Tag::Opening(group)) = reader.peek().map(|e| e.tag) {
            reader = Reader::new(reader.group(group, "an error")?);
        }
        Ok(Self::Error {
            class: number(reader.application(9, "an error class")?, "an error class")?,
            code: number(reader.application(9, "an error code")?, "an error code")?,
        })
    }

    /// How a request is refused that cannot be read (clause 18.9).
    #[must_use]
    pub fn of_request(error: DecodeError) -> Self {
        Self::Reject(match error {
            DecodeError::Missing(_) | DecodeError::Short(_) => MISSING_PARAMETER,
            // The one parameter with bounds of its own.
            DecodeError::Invalid("a priority") => 6,
            DecodeError::Invalid("a tag") => 4,
            DecodeError::Invalid(_) => 3,
            DecodeError::Extra(_) => 7,
            DecodeError::Deep => REJECT_OVERFLOW,
        })
    }

    /// Writes class and code; nothing for reject and abort, which have no body.
    pub fn encode(self, out: &mut Vec<u8>) {
        let Self::Error { class, code } = self else {
            return;
        };
        for value in [class, code] {
            let octets = u64::from(value).to_be_bytes();
            let content = shortest(&octets);
            put_tag(out, false, 9, content.len());
            out.extend(content);
        }
    }

    /// The answer, or the request, was too long in some way: to be asked in smaller pieces. Any abort
    /// may mean that, as devices choose among the reasons freely.
    #[must_use]
    pub fn is_about_size(self) -> bool {
        match self {
            Self::Abort(_) | Self::Reject(REJECT_OVERFLOW) => true,
            Self::Reject(_) | Self::Error { .. } => false,
        }
    }

    /// The device was told to be silent.
    #[must_use]
    pub fn is_about_communication(self) -> bool {
        matches!(self, Self::Error { code: 83, .. })
    }

    /// The device does not do this service at all.
    #[must_use]
    pub fn is_about_service(self) -> bool {
        match self {
            Self::Reject(reason) => reason == UNRECOGNISED_SERVICE,
            Self::Error { class, code } => class == code::SERVICES && code == code::NOT_SUPPORTED,
            Self::Abort(_) => false,
        }
    }

    /// There is no such object or property.
    #[must_use]
    pub fn is_about_absence(self) -> bool {
        matches!(
            self,
            Self::Error {
                class: code::OBJECT,
                code: code::UNKNOWN_OBJECT
            } | Self::Error {
                class: code::PROPERTY,
                code: code::UNKNOWN_PROPERTY
            }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { class, code } => {
                let classes = [
                    "device",
                    "object",
                    "property",
                    "resources",
                    "security",
                    "services",
                    "vt",
                    "communication",
                ];
                let class_name = usize::try_from(*class).ok().and_then(|c| classes.get(c));
                let code_name = CODES.iter().find(|(number, _)| number == code);
                match (class_name, code_name) {
                    (_, Some((_, name))) => write!(f, "error '{name}'"),
                    (Some(class), None) => write!(f, "error {code} of class {class}"),
                    (None, None) => write!(f, "error {code} of class {class}"),
                }
            }
            Self::Reject(reason) => match REJECTS.get(usize::from(*reason)) {
                Some(name) => write!(f, "reject '{name}'"),
                None => write!(f, "reject {reason}"),
            },
            Self::Abort(reason) => match ABORTS.get(usize::from(*reason)) {
                Some(name) => write!(f, "abort '{name}'"),
                None => write!(f, "abort {reason}"),
            },
        }
    }
}

const REJECTS: &[&str] = &[
    "other",
    "buffer overflow",
    "inconsistent parameters",
    "invalid parameter data type",
    "invalid tag",
    "missing required parameter",
    "parameter out of range",
    "too many arguments",
    "undefined enumeration",
    "unrecognised service",
];

const ABORTS: &[&str] = &[
    "other",
    "buffer overflow",
    "invalid APDU in this state",
    "preempted by higher priority task",
    "segmentation not supported",
    "security error",
    "insufficient security",
    "window size out of range",
    "application exceeded reply time",
    "out of resources",
    "TSM timeout",
    "APDU too long",
];

const CODES: &[(u32, &str)] = &[
    (0, "other"),
    (2, "configuration in progress"),
    (3, "device busy"),
    (9, "invalid data type"),
    (16, "missing required parameter"),
    (18, "no space for object"),
    (19, "no space to add list element"),
    (20, "no space to write property"),
    (25, "operational problem"),
    (26, "password failure"),
    (27, "read access denied"),
    (29, "service request denied"),
    (30, "timeout"),
    (31, "unknown object"),
    (32, "unknown property"),
    (35, "unsupported object type"),
    (37, "value out of range"),
    (40, "write access denied"),
    (41, "character set not supported"),
    (42, "invalid array index"),
    (43, "COV subscription failed"),
    (44, "not COV property"),
    (45, "optional functionality not supported"),
    (47, "datatype not supported"),
    (48, "duplicate name"),
    (50, "property is not an array"),
    (72, "value not initialised"),
    (73, "invalid event state"),
    (83, "communication disabled"),
    (112, "value too long"),
    (126, "too many references"),
    (132, "property is not a list"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_codes_beyond_an_octet_and_come_out_of_their_group() {
        let error = Refusal::Error {
            class: 2,
            code: 512,
        };
        let mut bare = Vec::new();
        error.encode(&mut bare);
        assert_eq!(bare, [0x91, 2, 0x92, 2, 0]);
        assert_eq!(Refusal::decode(&bare), Ok(error));
        let grouped = [&[0x0e][..], &bare, &[0x0f], &[0x1e, 0x1f]].concat();
        assert_eq!(Refusal::decode(&grouped), Ok(error));
        assert!(Refusal::decode(&[0x91]).is_err());
    }
}
