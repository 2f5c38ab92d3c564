//! How far a value is to be trusted, after OPC UA Part 8: good, uncertain or bad, with a closed
//! set of reasons. Owns the one-octet code used by the wire and the store.

use serde::{Deserialize, Serialize};

/// Coarse trust in a value.
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
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The value is what the device reported, in range and in time.
    Good,
    /// Usable with care; the reason says why.
    Uncertain,
    /// Not to be used; a value beside it is the last one known.
    Bad,
}

/// Why a value is not plainly good. The set is closed: every edge must handle each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// Not read since the gateway started; the value is from before.
    Initial = 1,
    /// Older than the point's stale time.
    Stale = 2,
    /// The device does not answer.
    DeviceDown = 3,
    /// The device answered with an error for this point.
    Fault = 4,
    /// Outside the limits of the point, or not representable in its type.
    OutOfRange = 5,
    /// Someone holds the value by hand at the device.
    Overridden = 6,
    /// The device says the point does not exist.
    NotConfigured = 7,
    /// The device marks the value as "not available" (SunSpec sentinel, sensor break).
    NotAvailable = 8,
    /// The answer could not be decoded.
    Undecodable = 9,
    /// Clamped to a limit of the point.
    Clamped = 10,
}

impl Reason {
    /// Every reason, in code order.
    pub const ALL: [Self; 10] = [
        Self::Initial,
        Self::Stale,
        Self::DeviceDown,
        Self::Fault,
        Self::OutOfRange,
        Self::Overridden,
        Self::NotConfigured,
        Self::NotAvailable,
        Self::Undecodable,
        Self::Clamped,
    ];
}

/// Trust in a value: a level and, unless good, the reason. In JSON `{"level":"bad","reason":"stale"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quality {
    /// Coarse trust.
    pub level: Level,
    /// Why, unless good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Quality {
    /// Plainly good.
    pub const GOOD: Self = Self {
        level: Level::Good,
        reason: None,
    };

    /// Usable with care.
    #[must_use]
    pub const fn uncertain(reason: Reason) -> Self {
        Self {
            level: Level::Uncertain,
            reason: Some(reason),
        }
    }

    /// Not to be used.
    #[must_use]
    pub const fn bad(reason: Reason) -> Self {
        Self {
            level: Level::Bad,
            reason: Some(reason),
        }
    }

    /// True for plainly good.
    #[must_use]
    pub fn is_good(self) -> bool {
        self.level == Level::Good
    }

    /// One octet: 0 good, 64 + reason uncertain, 128 + reason bad.
    #[must_use]
    pub fn code(self) -> u8 {
        let reason = self.reason.map_or(0, |r| r as u8);
        match self.level {
            Level::Good => 0,
            Level::Uncertain => 64 + reason,
            Level::Bad => 128 + reason,
        }
    }

    /// The inverse of [`Quality::code`]; `None` for a code no version has defined.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        if code == 0 {
            return Some(Self::GOOD);
        }
        let level = match code & 0b1100_0000 {
            64 => Level::Uncertain,
            128 => Level::Bad,
            _ => return None,
        };
        let reason = Reason::ALL
            .into_iter()
            .find(|r| *r as u8 == code & 0b0011_1111)?;
        Some(Self {
            level,
            reason: Some(reason),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quality_survives_its_code() {
        for code in 0..=u8::MAX {
            if let Some(q) = Quality::from_code(code) {
                assert_eq!(q.code(), code);
            }
        }
        for r in Reason::ALL {
            assert_eq!(
                Quality::from_code(Quality::bad(r).code()),
                Some(Quality::bad(r))
            );
            assert_eq!(
                Quality::from_code(Quality::uncertain(r).code()),
                Some(Quality::uncertain(r))
            );
        }
    }
}
