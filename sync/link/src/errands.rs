//! What a session has the store do, without waiting for it: claims and quarantine.

use crate::lanes::Claim;
use crate::session::Session;
use crate::window::Key;
use riser_store::{OutboxBatch, Position, RolledUp, StoreError};
use riser_wire::Stream;
use riser_wire::topic::UpLane;
use std::time::Instant;

/// Answers of the store.
pub(crate) enum Done {
    /// Batches for a lane.
    Claimed(UpLane, Result<Vec<OutboxBatch>, StoreError>),
    /// A rollup, if there is one to send.
    Rolled(Result<Option<RolledUp>, StoreError>),
    /// A batch was kept aside.
    Aside(Key, Result<(), StoreError>),
}

impl Session<'_> {
    /// Asks the outbox.
    pub(crate) fn ask(&mut self, claim: Claim) {
        let outbox = self.outbox.clone();
        let aside: Vec<Position> = self
            .aside
            .iter()
            .filter(|(stream, _)| *stream == Stream::Data)
            .map(|(_, position)| *position)
            .collect();
        self.work.push(Box::pin(async move {
            match claim {
                Claim::Events { after, max } => {
                    Done::Claimed(UpLane::Event, outbox.claim_events(after, max).await)
                }
                Claim::Live { after, max } => {
                    Done::Claimed(UpLane::Live, outbox.claim_live(after, max).await)
                }
                Claim::Backfill {
                    mut in_flight,
                    below,
                    max,
                } => {
                    in_flight.extend(aside);
                    let claimed = outbox.claim_backfill(in_flight, below, max).await;
                    Done::Claimed(UpLane::Backfill, claimed)
                }
            }
        }));
    }

    /// Keeps a batch aside that will never be taken, so that the rest flows.
    pub(crate) fn put_aside(&mut self, key: Key, reason: String) {
        let (stream, position) = key;
        tracing::warn!(?stream, seq = position.seq, reason, "batch kept aside");
        self.aside.insert(key);
        let aside = self.outbox.quarantine(stream, position, reason);
        self.work
            .push(Box::pin(async move { Done::Aside(key, aside.await) }));
    }

    /// Acts on an answer of the store.
    pub(crate) fn done(&mut self, done: Done, now: Instant) {
        match done {
            Done::Claimed(lane, Ok(batches)) => self.lanes.claimed(lane, batches),
            Done::Claimed(lane, Err(error)) => {
                self.lanes.failed(lane, now);
                self.link
                    .reporter
                    .error(&format!("the outbox does not answer: {}", error.chain()));
            }
            Done::Rolled(answer) => self.rolled(answer, now),
            Done::Aside(key, result) => {
                self.aside.remove(&key);
                if let Err(error) = result {
                    self.link.reporter.error(&error.chain());
                }
            }
        }
    }
}
