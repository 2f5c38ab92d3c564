//! What was collected while the time was not known. Owns the file it waits in and the correction of
//! its stamps; when it may leave is decided by whoever knows the clock.
//!
//! Batches wait in `held.db`, unnumbered; events wait in `state.db` like all others, with their
//! records shown as they are, but behind a gate of the outbox. When the time is known both are
//! corrected by the same amount and go their usual way. A crash at any moment repeats nothing and
//! corrects nothing twice: the outcome is written before anything moves, batches on their way are
//! listed with the numbers they get, and events are corrected in one transaction with the end of
//! their waiting.

mod damage;
mod events;
mod file;
mod moving;

pub(crate) use events::{Mark, correct_events, read_mark, write_mark};
pub(crate) use file::{HeldBatch, HeldFile};

use riser_model::{ClockState, Timestamp};

/// What is wrong with the stamps of an assumed line of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// Stamps from here
    pub since: Timestamp,
    /// to here, inclusive, are on the line.
    pub until: Timestamp,
    /// What has to be added to them, in milliseconds.
    pub by_ms: i64,
    /// How far they are to be trusted afterwards.
    pub clock: ClockState,
}

impl Correction {
    /// Nothing is known: stamps stay, and stay doubtful.
    pub(crate) const NONE: Self = Self {
        since: Timestamp(0),
        until: Timestamp(-1),
        by_ms: 0,
        clock: ClockState::Unsynchronised,
    };

    /// Whether a stamp is on the line.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        (self.since..=self.until).contains(&at)
    }

    /// A stamp of the line put right; any other as it is.
    #[must_use]
    pub fn apply(&self, at: Timestamp) -> Timestamp {
        match self.covers(at) {
            true => Timestamp(at.0.saturating_add(self.by_ms)),
            false => at,
        }
    }
}
