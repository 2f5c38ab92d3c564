//! Waiting for the time. Owns how long values are held back for it: never beyond what a person or a
//! disk can bear.

use crate::clock::GatewayClock;
use riser_model::{LinkState, LinkStatus};
use riser_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest wait once the cloud is reached: a network that lets the cloud through and no time
/// service will not do so later.
const CONNECTED: Duration = Duration::from_secs(600);
/// Octets held back at most.
const MOST: u64 = 256 << 20;

/// Looks after the clock, and ends a wait that is too long.
pub(super) struct Waiting {
    clock: Arc<GatewayClock>,
    store: Store,
    link: watch::Receiver<LinkStatus>,
    longest: Duration,
    since: Instant,
    connected: Option<Instant>,
}

impl Waiting {
    pub(super) fn new(
        (clock, store): (&Arc<GatewayClock>, &Store),
        link: watch::Receiver<LinkStatus>,
        hours: u32,
    ) -> Self {
        Self {
            clock: Arc::clone(clock),
            store: store.clone(),
            link,
            longest: Duration::from_secs(3_600 * u64::from(hours)),
            since: Instant::now(),
            connected: None,
        }
    }

    /// To be called every few seconds.
    pub(super) fn look(&mut self) {
        self.clock.keep_now_and_then();
        if !self.store.is_holding() {
            return;
        }
        if let Some(why) = self.too_long() {
            tracing::warn!(
                why,
                "the time is not known; values go on with assumed stamps, marked"
            );
            self.clock.give_up();
        }
    }

    fn too_long(&mut self) -> Option<&'static str> {
        let state = self.link.borrow().state;
        let reached = matches!(state, LinkState::Live | LinkState::CatchingUp);
        let connected = reached.then(|| *self.connected.get_or_insert_with(Instant::now));
        if self.since.elapsed() >= self.longest {
            Some("clock_hold_hours are over")
        } else if connected.is_some_and(|since| since.elapsed() >= CONNECTED) {
            Some("the cloud is reached and no time service")
        } else if self.store.stats().held_bytes >= MOST {
            Some("too much waits")
        } else {
            None
        }
    }
}
