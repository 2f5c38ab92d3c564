//! The eight kinds of APDU (clause 20.1). Owns their headers; bodies are for `service`. Total.

use super::tag::{DecodeError, octet};

/// One of several parts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its number, counted from 0 and round again at 256.
    pub number: u8,
    /// How many parts the sender would send before it waits.
    pub window: u8,
    /// Others follow.
    pub more: bool,
}

/// What somebody who asks can take as an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Answers in parts.
    pub segments: bool,
    /// How many parts, as coded in clause 20.1.2.4.
    pub max_segments: u8,
    /// How long a part, as coded in clause 20.1.2.5.
    pub max_apdu: u8,
}

impl Takes {
    /// Answers of any number of parts, each 1,476 octets at most.
    pub const EVERYTHING: Self = Self {
        segments: true,
        max_segments: 7,
        max_apdu: 5,
    };

    /// Octets of the longest APDU; the smallest the standard knows where the code is reserved.
    #[must_use]
    pub fn octets(self) -> usize {
        match self.max_apdu {
            1 => 128,
            2 => 206,
            3 => 480,
            4 => 1024,
            5 => 1476,
            _ => 50,
        }
    }
}

/// One APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apdu<'a> {
    /// Asks and waits.
    Confirmed {
        /// Which part of the request this is, if it comes in several.
        segment: Option<Segment>,
        /// What the answer may be.
        takes: Takes,
        /// Number the answer will carry.
        invoke: u8,
        /// Service choice.
        service: u8,
        /// Service parameters.
        body: &'a [u8],
    },
    /// Tells.
    Unconfirmed {
        /// Service choice.
        service: u8,
        /// Service parameters.
        body: &'a [u8],
    },
    /// Done, and nothing to say.
    SimpleAck {
        /// Number of the request.
        invoke: u8,
        /// Service choice.
        service: u8,
    },
    /// Done, and this is the answer.
    ComplexAck {
        /// Which part of the answer this is, if it comes in several.
        segment: Option<Segment>,
        /// Number of the request.
        invoke: u8,
        /// Service choice.
        service: u8,
        /// Service parameters.
        body: &'a [u8],
    },
    /// Parts up to here have come.
    SegmentAck {
        /// Not in order; to be sent again from the next on.
        negative: bool,
        /// Sent by the side that answers.
        server: bool,
        /// Number of the request.
        invoke: u8,
        /// Last part that came in order.
        number: u8,
        /// How many parts may follow before the next acknowledgement.
        window: u8,
    },
    /// Not done; the body says why.
    Error {
        /// Number of the request.
        invoke: u8,
        /// Service choice.
        service: u8,
        /// Class and code, perhaps more.
        body: &'a [u8],
    },
    /// Not understood.
    Reject {
        /// Number of the request.
        invoke: u8,
        /// Reason.
        reason: u8,
    },
    /// Given up.
    Abort {
        /// Sent by the side that answers.
        server: bool,
        /// Number of the request.
        invoke: u8,
        /// Reason.
        reason: u8,
    },
}

impl<'a> Apdu<'a> {
    fn confirmed(first: u8, mut rest: &'a [u8]) -> Result<Self, DecodeError> {
        let limits = octet(&mut rest, WHAT)?;
        let invoke = octet(&mut rest, WHAT)?;
        Ok(Self::Confirmed {
            segment: segment(first, &mut rest)?,
            takes: Takes {
                segments: first & 0x02 != 0,
                max_segments: (limits >> 4) & 0b111,
                max_apdu: limits & 0b1111,
            },
            invoke,
            service: octet(&mut rest, WHAT)?,
            body: rest,
        })
    }

    /// Reads one.
    pub fn decode(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = octets;
        let first = octet(&mut rest, WHAT)?;
        Ok(match first >> 4 {
            0 => Self::confirmed(first, rest)?,
            1 => Self::Unconfirmed {
                service: octet(&mut rest, WHAT)?,
                body: rest,
            },
            2 => Self::SimpleAck {
                invoke: octet(&mut rest, WHAT)?,
                service: octet(&mut rest, WHAT)?,
            },
            3 => {
                let invoke = octet(&mut rest, WHAT)?;
                Self::ComplexAck {
                    segment: segment(first, &mut rest)?,
                    invoke,
                    service: octet(&mut rest, WHAT)?,
                    body: rest,
                }
            }
            4 => Self::SegmentAck {
                negative: first & 0x02 != 0,
                server: first & 0x01 != 0,
                invoke: octet(&mut rest, WHAT)?,
                number: octet(&mut rest, WHAT)?,
                window: octet(&mut rest, WHAT)?,
            },
            5 => Self::Error {
                invoke: octet(&mut rest, WHAT)?,
                service: octet(&mut rest, WHAT)?,
                body: rest,
            },
            6 => Self::Reject {
                invoke: octet(&mut rest, WHAT)?,
                reason: octet(&mut rest, WHAT)?,
            },
            7 => Self::Abort {
                server: first & 0x01 != 0,
                invoke: octet(&mut rest, WHAT)?,
                reason: octet(&mut rest, WHAT)?,
            },
            _ => return Err(DecodeError::Invalid("the kind of an APDU")),
        })
    }

    /// Writes one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Confirmed {
                segment,
                takes,
                invoke,
                service,
                body,
            } => {
                let limits = ((takes.max_segments & 0b111) << 4) | (takes.max_apdu & 0b1111);
                out.push(part(&segment) | (u8::from(takes.segments) << 1));
                out.extend([limits, invoke]);
                out.extend(segment.iter().flat_map(|s| [s.number, s.window]));
                out.push(service);
                out.extend(body);
            }
            Self::Unconfirmed { service, body } => {
                out.extend([0x10, service]);
                out.extend(body);
            }
            Self::SimpleAck { invoke, service } => out.extend([0x20, invoke, service]),
            Self::ComplexAck {
                segment,
                invoke,
                service,
                body,
            } => {
                out.extend([0x30 | part(&segment), invoke]);
                out.extend(segment.iter().flat_map(|s| [s.number, s.window]));
                out.push(service);
                out.extend(body);
            }
            Self::SegmentAck {
                negative,
                server,
                invoke,
                number,
                window,
            } => out.extend([
                0x40 | (u8::from(negative) << 1) | u8::from(server),
                invoke,
                number,
                window,
            ]),
            Self::Error {
                invoke,
                service,
                body,
            } => {
                out.extend([0x50, invoke, service]);
                out.extend(body);
            }
            Self::Reject { invoke, reason } => out.extend([0x60, invoke, reason]),
            Self::Abort {
                server,
                invoke,
                reason,
            } => out.extend([0x70 | u8::from(server), invoke, reason]),
        }
    }
}

const WHAT: &str = "an APDU header";

/// The number and window of a part, where the header says that there are parts.
fn segment(first: u8, rest: &mut &[u8]) -> Result<Option<Segment>, DecodeError> {
    if first & 0x08 == 0 {
        return Ok(None);
    }
    Ok(Some(Segment {
        number: octet(rest, WHAT)?,
        window: octet(rest, WHAT)?,
        more: first & 0x04 != 0,
    }))
}

/// The bits of the first octet that say that there are parts.
fn part(segment: &Option<Segment>) -> u8 {
    match segment {
        Some(part) => 0x08 | (u8::from(part.more) << 2),
        None => 0,
    }
}
