//! Time as an injected edge, so tests never wait and nothing stamps with a hidden clock.

use riser_model::{ClockState, Timestamp};
use std::time::SystemTime;

/// A change of the wall clock that is more than steering: from now on stamps are taken from another
/// line of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// The old line's time at the change.
    pub from: Timestamp,
    /// The new line's time at the change.
    pub to: Timestamp,
    /// Where the old line was only assumed, because the time was not known: when it began. Stamps
    /// from there to `from` are wrong by [`ClockStep::by_ms`].
    pub assumed_since: Option<Timestamp>,
    /// How far the new line is to be trusted.
    pub state: ClockState,
}

impl ClockStep {
    /// What has to be added to a stamp of the old line, in milliseconds.
    #[must_use]
    pub fn by_ms(&self) -> i64 {
        self.to.since(self.from)
    }

    /// A stamp of the assumed line on the new one; any other stamp as it is.
    #[must_use]
    pub fn corrected(&self, at: Timestamp) -> Timestamp {
        match self.assumed_since {
            Some(began) if (began..=self.from).contains(&at) => {
                Timestamp(at.0.saturating_add(self.by_ms()))
            }
            _ => at,
        }
    }
}

/// Source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Now, UTC. Between two steps it never goes back.
    fn now(&self) -> Timestamp;

    /// How far the wall clock is to be trusted.
    fn state(&self) -> ClockState {
        ClockState::Unsynchronised
    }

    /// Now on a line of time that is never stepped: what a time to live, a hold or a lease is
    /// reckoned by. The wall clock of the start of the process, run on.
    fn steady(&self) -> Timestamp {
        self.now()
    }

    /// Whether the time is not known and [`Clock::now`] is an assumption to be corrected later.
    fn is_assumed(&self) -> bool {
        false
    }

    /// Looks whether the wall clock was set, and follows it. Whoever calls must act on the answer;
    /// it comes once.
    fn look(&self) -> Option<ClockStep> {
        None
    }

    /// A stamp taken lately, moved to the present line of time if it was taken on the one before.
    fn settled(&self, at: Timestamp) -> Timestamp {
        at
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
