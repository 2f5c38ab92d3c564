//! What a disk makes known: how full it is and how worn. Owns the words for people; what decides
//! them, and what is given up, is the store's.

use serde::{Deserialize, Serialize};

/// How far a filling disk has made the store give things up.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DiskStage {
    /// There is room.
    #[default]
    Ample,
    /// Less is free than must be: the oldest history goes.
    Low,
    /// Hardly anything is free and there is no history left to drop.
    Scarce,
    /// Nothing more can be written but events, alarms and the audit log.
    Full,
}

impl DiskStage {
    /// The stage of a number made by `as u64`; the last one for any other.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Ample,
            1 => Self::Low,
            2 => Self::Scarce,
            _ => Self::Full,
        }
    }

    /// What a person should know and do; `None` while there is room.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Ample => None,
            Self::Low => Some(
                "The disk fills up: the oldest history is being dropped, what the cloud has first. \
                 Remove what does not belong there, or lower retention_days in [storage].",
            ),
            Self::Scarce => Some(
                "The disk is nearly full and no history is left to drop. Remove what does not \
                 belong there soon; values will be lost when it is full.",
            ),
            Self::Full => Some(
                "The disk is full: values wait in memory and the oldest are lost, counted in the \
                 loss ledger. Alarms and the audit log are still written. Remove what does not \
                 belong there now; recording goes on by itself.",
            ),
        }
    }
}

/// How worn an eMMC is, as it says itself (JEDEC JESD84-B51, 7.4.61 to 7.4.63).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Wear {
    /// Life used up, at most so many percent, of its worse area; above 100 when it is exceeded.
    pub used_percent: u8,
    /// 1 while there are spare blocks, 2 when eight of ten are used, 3 when nine are; 0 where the
    /// device does not say.
    pub spare: u8,
}

impl Wear {
    /// What a person should know and do; `None` while there is nothing.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match (self.used_percent, self.spare) {
            (101.., _) | (_, 3) => Some(
                "The flash has reached the end of its life: replace it. Back up the gateway first.",
            ),
            (90.., _) | (_, 2) => Some(
                "The flash has used up nine tenths of its life: plan to replace it, and back up \
                 the gateway.",
            ),
            _ => None,
        }
    }
}
