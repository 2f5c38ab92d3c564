//! What the bandwidth budget holds back. Owns the moment it has room again, and says in the log when
//! it begins and ends to hold data back.

use crate::counters::count;
use crate::session::Session;
use riser_store::OutboxBatch;
use riser_wire::Stream;
use riser_wire::topic::UpLane;
use std::time::Instant;

impl Session<'_> {
    /// The next batch that window and budget admit.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(UpLane, OutboxBatch)> {
        let budget = &mut self.link.budget;
        let next = self
            .lanes
            .next(&self.window, |lane| budget.admits(lane, now));
        if next.is_none() {
            self.hold(now);
        }
        next
    }

    /// Notes whether the budget holds something back and until when; a live lane that is held up
    /// goes on with the newest.
    pub(crate) fn hold(&mut self, now: Instant) {
        let lane = self.lanes.ready();
        let wait = lane.map(|lane| self.link.budget.wait(lane, now));
        let held = wait.filter(|wait| !wait.is_zero());
        if held.is_some() && lane == Some(UpLane::Live) {
            let deferred = self.lanes.thin(self.outbox.head(Stream::Data));
            count(&self.link.counters.deferred, deferred);
        }
        if held.is_some() {
            self.run_short(now);
        }
        if held.is_some() != self.held_until.is_some() {
            tracing::debug!(?lane, holds = held.is_some(), "bandwidth budget");
        }
        self.held_until = held.map(|wait| now + wait);
    }
}
