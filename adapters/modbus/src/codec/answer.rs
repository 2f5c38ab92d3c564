//! What a device may answer, and every way in which an answer can fail to be one.

use std::fmt;

/// What a device answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Bits, eight to an octet from the lowest up, or registers, two octets each, high one first.
    Data(&'a [u8]),
    /// A write was taken.
    Written,
    /// The inside of an identification answer, for [`super::identity::parse`].
    Identity(&'a [u8]),
    /// The device said no.
    Exception(Exception),
}

/// Why an answer does not answer the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// No function code.
    #[error("the answer is empty")]
    Empty,
    /// Octet 0.
    #[error("the answer is for function {got}, the request was function {expected}")]
    Function {
        /// Function of the request.
        expected: u8,
        /// Function of the answer.
        got: u8,
    },
    /// Octet 1 of an answer with data.
    #[error("the answer announces {got} data octets, the request asked for {expected}")]
    OctetCount {
        /// What the request asked for.
        expected: usize,
        /// What the answer announces.
        got: usize,
    },
    /// The whole PDU.
    #[error("the answer is {got} octets long instead of {expected}")]
    Length {
        /// Octets a fitting answer has.
        expected: usize,
        /// Octets there are.
        got: usize,
    },
    /// A write answers by repeating what it was asked.
    #[error("octet {at} of the answer does not repeat the request")]
    Echo {
        /// First differing octet of the PDU.
        at: usize,
    },
}

/// An exception code (clause 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception(pub u8);

impl Exception {
    /// 1 to 3: the request itself is not for this device; asking again changes nothing.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.0, 1..=3)
    }

    /// 5 and 6: working on it, or busy; ask again later.
    #[must_use]
    pub const fn is_later(self) -> bool {
        matches!(self.0, 5 | 6)
    }

    /// 10 and 11: a gateway speaks, the device itself did not.
    #[must_use]
    pub const fn is_gateway(self) -> bool {
        matches!(self.0, 10 | 11)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            1 => "illegal function",
            2 => "illegal data address",
            3 => "illegal data value",
            4 => "server device failure",
            5 => "acknowledge, still working",
            6 => "server device busy",
            8 => "memory parity error",
            10 => "gateway path unavailable",
            11 => "gateway target device failed to respond",
            _ => "not in the specification",
        };
        write!(f, "exception {} ({text})", self.0)
    }
}
