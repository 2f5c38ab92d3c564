//! Time as Riser keeps it: UTC milliseconds, and how far a clock is to be trusted. Owns no clock;
//! whoever needs "now" gets one injected (`riser_adapter::Clock`).

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z. In JSON a number.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// One minute in milliseconds.
    pub const MINUTE: i64 = 60_000;
    /// One day in milliseconds.
    pub const DAY: i64 = 86_400_000;

    /// Days since the epoch (UTC), the number a history file is named after.
    #[must_use]
    pub fn day(self) -> i64 {
        self.0.div_euclid(Self::DAY)
    }

    /// This instant plus a duration, saturating.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Milliseconds from `earlier` to this instant; negative when this one is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How far the wall clock could be trusted when something was stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// Not known to be synchronised.
    #[default]
    Unsynchronised,
    /// Synchronised by a time source.
    Synchronised,
}
