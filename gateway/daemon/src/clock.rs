//! The gateway's clock. Owns how it is known whether the time can be trusted: by a file the time
//! service leaves once it has set the clock.

use riser_adapter::{Clock, SystemClock};
use riser_model::{ClockState, Timestamp};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where systemd-timesyncd says so (systemd-timesyncd.service(8)).
pub(crate) const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// The system's clock with its trust, as last looked up.
#[derive(Debug)]
pub(crate) struct GatewayClock {
    marker: PathBuf,
    synchronised: AtomicBool,
}

impl GatewayClock {
    /// A clock that is trusted while the file exists.
    pub(crate) fn new(marker: PathBuf) -> Self {
        let clock = Self {
            marker,
            synchronised: AtomicBool::new(false),
        };
        clock.look();
        clock
    }

    /// Looks again; says so when something has changed.
    pub(crate) fn look(&self) {
        let now = self.marker.exists();
        let before = self.synchronised.swap(now, Ordering::Relaxed);
        if before != now {
            tracing::info!(synchronised = now, "the clock");
        }
    }
}

impl Clock for GatewayClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn state(&self) -> ClockState {
        if self.synchronised.load(Ordering::Relaxed) {
            ClockState::Synchronised
        } else {
            ClockState::Unsynchronised
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_follows_the_file_of_the_time_service() {
        let dir = tempfile::tempdir().unwrap();
        let marker = dir.path().join("synchronized");
        let clock = GatewayClock::new(marker.clone());
        assert_eq!(clock.state(), ClockState::Unsynchronised);
        std::fs::write(&marker, "").unwrap();
        clock.look();
        assert_eq!(clock.state(), ClockState::Synchronised);
    }
}
