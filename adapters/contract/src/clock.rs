//! Time as an injected edge, so tests never wait and nothing stamps with a hidden clock.

use riser_model::{ClockState, Timestamp};
use std::time::SystemTime;

/// Source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;

    /// How far the wall clock is to be trusted.
    fn state(&self) -> ClockState {
        ClockState::Unsynchronised
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
