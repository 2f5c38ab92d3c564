//! What the cloud has not called durable: claimed by the link, confirmed by durable ranges. Owns
//! the order of claiming; nothing leaves before it is durable, and losing a confirmation only
//! causes a harmless repeat.

use crate::shared::Shared;
use crate::{Position, StoreError};
use riser_model::Timestamp;
use riser_wire::{Epoch, Stream};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// One batch or event as it goes up the link.
#[derive(Debug, Clone)]
pub struct OutboxBatch {
    /// Numbering and number; backfill may carry an older numbering.
    pub position: Position,
    /// Event or data.
    pub stream: Stream,
    /// The octets, encoded when they were stored.
    pub frame: Arc<[u8]>,
    /// Samples in it; 0 for an event.
    pub samples: u32,
    /// Source time of its oldest sample, or when the event was stored.
    pub at: Timestamp,
}

/// Durable ranges as known here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurableRanges {
    /// Everything up to and including this number is durable (or refused, or dropped).
    pub contiguous: u64,
    /// Ranges above it, inclusive, ascending.
    pub ranges: Vec<(u64, u64)>,
}

/// How much waits for the cloud, both streams together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Occupancy {
    /// Batches and events.
    pub batches: u64,
    /// Their octets; within an hour of data an even size is assumed.
    pub bytes: u64,
    /// When the oldest of them was stored; within an hour of data an even pace is assumed.
    pub oldest_at: Option<Timestamp>,
    /// Batches put aside since opening: refused by the cloud, or damaged here. Not waiting.
    pub put_aside: u64,
}

/// Handle on the outbox. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

impl Outbox {
    /// The newest committed position of a stream.
    #[must_use]
    pub fn head(&self, stream: Stream) -> Position {
        *self.shared.head(stream).borrow()
    }

    /// What of the numbering in use is settled: durable in the cloud, refused by it, or dropped.
    #[must_use]
    pub fn durable(&self, stream: Stream) -> DurableRanges {
        self.shared.marks().ranges(self.head(stream).epoch, stream)
    }

    /// Data batches after a position that are not settled, ascending, at most `max`: the live lane. From memory as long
    /// as the link keeps up, else from disk. A position of another epoch means "from the first".
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn claim_live(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<OutboxBatch>, StoreError> {
        self.claim_after(Stream::Data, after, max).await
    }

    /// Events after a position that are not settled, ascending, at most `max`. A position of another epoch means "from
    /// the first": undelivered events are renumbered into a new epoch.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn claim_events(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<OutboxBatch>, StoreError> {
        self.claim_after(Stream::Event, after, max).await
    }

    /// Data batches of any epoch that are not durable: newest hour first, ascending inside the
    /// hour, at most `max`. Left out: those in flight, and those of `below.epoch` numbered
    /// `below.seq` or higher (they belong to the live lane).
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn claim_backfill(
        &self,
        in_flight: HashSet<Position>,
        below: Position,
        max: usize,
    ) -> Result<Vec<OutboxBatch>, StoreError> {
        self.ask(move |shared| crate::claim::backfill(shared, &in_flight, below, max))
            .await
    }

    /// Takes over what the cloud calls durable: everything up to `contiguous` and the inclusive
    /// `ranges`. Events are deleted, data stays as history. Unknown epochs are ignored.
    pub fn confirm(&self, epoch: Epoch, stream: Stream, contiguous: u64, ranges: &[(u64, u64)]) {
        self.shared.confirm(epoch, stream, contiguous, ranges);
    }

    /// The link has sent a data batch; the loss ledger counts it once, however often it is said.
    pub fn sent(&self, position: Position) {
        self.shared.ledger.sent(position.epoch, position.seq);
    }

    /// Puts aside a batch the cloud refuses, so the rest flows. It stays in the local history and
    /// is listed with its reason. It is queued by the call; the future answers once it is on disk.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub fn quarantine(
        &self,
        stream: Stream,
        position: Position,
        reason: String,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + 'static + use<> {
        crate::claim::quarantine(&self.shared, stream, position, reason)
    }

    /// How much waits for the cloud.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        crate::claim::occupancy(&self.shared)
    }

    /// What comes after a position and is not settled.
    async fn claim_after(
        &self,
        stream: Stream,
        mut after: Position,
        max: usize,
    ) -> Result<Vec<OutboxBatch>, StoreError> {
        loop {
            let mut found = self.next_after(stream, after, max).await?;
            let Some(last) = found.last().map(|b| b.position) else {
                return Ok(found);
            };
            {
                let marks = self.shared.marks();
                let settled = |p: Position| marks.covers((p.epoch, stream), p.seq, p.seq);
                let gate = self.shared.event_gate.load(Ordering::Acquire);
                let held = |p: Position| stream == Stream::Event && p.seq > gate;
                found.retain(|b| !settled(b.position) && !held(b.position));
            }
            if !found.is_empty() {
                return Ok(found);
            }
            after = last;
        }
    }

    async fn next_after(
        &self,
        stream: Stream,
        after: Position,
        max: usize,
    ) -> Result<Vec<OutboxBatch>, StoreError> {
        if let Some(found) = self.shared.recent().after(stream, after, max) {
            return Ok(found);
        }
        self.ask(move |reader| crate::claim::after(reader, stream, after, max))
            .await
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut crate::readers::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.shared
            .outbox_reader
            .ask(Box::new(move |reader| drop(done.send(work(reader)))))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}
