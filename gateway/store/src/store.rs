//! The handle everybody holds. Owns how a call reaches the writer or a reader; the tables behind
//! the calls live in the modules named after them.

use crate::intake::{Append, Filed, Urgent};
use crate::ledger::QUEUE_FULL;
use crate::readers::Reader;
use crate::shared::Shared;
use crate::state::StateTx;
use crate::{
    Correction, Outbox, Position, Recovery, StoreConfig, StoreError, StoreFull, StoreStats,
};
use riser_model::{ClockState, Event, ScanBatch};
use riser_wire::{Epoch, Stream};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The gateway's storage: one writing thread, a few reading ones. Cheap to clone; clones share it.
/// It works until [`Store::close`] or until the last clone is gone.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    _owner: Arc<crate::shared::Owner>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.shared.config.dir)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the store in `config.dir`, repairs what a crash or a bad disk left, and
    /// starts its threads.
    ///
    /// # Errors
    /// The folder cannot be written, another process has it, or a file is of a newer version.
    /// Damaged files are no error: they are set aside and named in [`Recovery`].
    pub fn open(config: StoreConfig, now: crate::Now) -> Result<(Self, Recovery), StoreError> {
        let (shared, owner, recovery) = crate::shared::start(config, now)?;
        Ok((
            Self {
                shared,
                _owner: Arc::new(owner),
            },
            recovery,
        ))
    }

    /// Queues what was read since the last call as one batch (split above 4,096 samples) and
    /// returns at once. `dictionary` is the directory version the slots belong to
    /// ([`Store::directory_version`]).
    ///
    /// When the disk does not keep up, the oldest queued samples go for these; the store counts
    /// them and reports them as [`Event::Loss`].
    ///
    /// # Errors
    /// [`StoreFull`] when even that makes no room or the store is closed: the samples come back
    /// and the caller counts the loss.
    pub fn append(
        &self,
        scans: Vec<ScanBatch>,
        clock: ClockState,
        dictionary: u32,
    ) -> Result<(), StoreFull> {
        let samples: u64 = scans.iter().map(|s| s.readings.len() as u64).sum();
        if samples == 0 {
            return Ok(());
        }
        let append = Append {
            scans,
            clock,
            dictionary,
            samples,
            held: self.is_holding(),
        };
        let held = append.held;
        let queued = self.shared.intake.append(append);
        let ledger = &self.shared.ledger;
        let gone = queued.inspect_err(|full| ledger.lost(QUEUE_FULL, (held, &full.scans)))?;
        for g in &gone {
            ledger.lost(QUEUE_FULL, (g.held, &g.scans));
        }
        let dropped = gone.iter().map(|g| g.samples).sum();
        crate::stats::count(&self.shared.counters.appended_samples, samples);
        crate::stats::count(&self.shared.counters.dropped_samples, dropped);
        Ok(())
    }

    /// Enters a scan in the loss ledger as collected. To be called once for every scan that is
    /// to be recorded, before it waits anywhere; never waits for the disk.
    pub fn collected(&self, scan: &ScanBatch) {
        // What is held back is counted when it goes, by its right hour.
        if !scan.readings.is_empty() && !self.is_holding() {
            self.shared.ledger.collected(scan);
        }
    }

    /// Whether what is appended waits until the time is known.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.shared.holding.load(Ordering::Acquire)
    }

    /// The time is known, or nobody waits for it any more: everything appended and filed until now
    /// is put right and goes its usual way, the oldest first. What is appended from now on does so
    /// at once.
    ///
    /// # Errors
    /// Too much waits, or the store is closed; it is held back as before.
    pub fn release(&self, correction: Correction) -> Result<(), StoreError> {
        if !self.is_holding() {
            return Ok(());
        }
        self.shared.intake.urgent(Urgent::Release(correction))?;
        self.shared.holding.store(false, Ordering::Release);
        Ok(())
    }

    /// Queues an event at once, before any samples; the future answers with its sequence number
    /// once it is on disk together with the alarm or command record it changes. Dropping the
    /// future does not drop the event. While the disk fails the event waits and is repeated.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when thousands wait already, [`StoreError::Closed`] after closing; the
    /// event is not stored then.
    pub fn append_event(
        &self,
        event: Event,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send + 'static + use<> {
        self.append_event_from(event, None)
    }

    /// As [`Self::append_event`]; the audit log also says from where whoever caused it came.
    ///
    /// # Errors
    /// As for [`Self::append_event`].
    pub fn append_event_from(
        &self,
        event: Event,
        from: Option<String>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send + 'static + use<> {
        let (done, answer) = oneshot::channel();
        let done = Box::new(move |result| drop(done.send(result)));
        let event = Urgent::Event(Box::new(Filed { event, from }), done);
        if let Err(error) = self.shared.intake.urgent(event) {
            tracing::debug!(%error, "an event is not taken");
        }
        async move { answer.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// The newest committed position of a stream; changes wake whoever waits on it.
    #[must_use]
    pub fn committed(&self, stream: Stream) -> watch::Receiver<Position> {
        self.shared.head(stream).subscribe()
    }

    /// What the cloud has not called durable yet.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The numbering in use.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared.head(Stream::Data).borrow().epoch
    }

    /// Figures since the store was opened.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    /// Does all housekeeping now: commits what is queued, writes complete minutes and durable
    /// marks, drops what retention says. It happens by itself all the time; this is for tests and
    /// for a clean end.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let done = Box::new(move |result| drop(done.send(result)));
        self.shared.intake.urgent(Urgent::Settle(done))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Whether anything can still be written: false once the store is closed, and when its writing
    /// thread has ended by a defect, which only a new start of the process heals.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !*self.shared.ended().borrow()
    }

    /// Takes nothing more, writes what is queued, ends the threads. Waits at most `grace`.
    ///
    /// # Errors
    /// How much was still queued when the grace was over.
    pub async fn close(&self, grace: Duration) -> Result<(), StoreLate> {
        self.shared.close();
        let mut ended = self.shared.ended();
        let over = tokio::time::timeout(grace, ended.wait_for(|ended| *ended)).await;
        let (samples, events) = self.shared.intake.occupancy();
        match over {
            Ok(_) if samples == 0 && events == 0 => Ok(()),
            _ => Err(StoreLate { samples, events }),
        }
    }

    /// Runs a small write on the writer, in a transaction, and answers once it is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut StateTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let task = Urgent::Task(Box::new(move |tx| {
            let result = tx.nested(work);
            Box::new(move |committed| drop(done.send(committed.and(result))))
        }));
        self.shared.intake.urgent(task)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Asks a reading thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.shared
            .readers
            .ask(Box::new(move |reader| drop(done.send(work(reader)))))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// Closing took longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store was closed with {samples} samples and {events} events still waiting for the disk"
)]
pub struct StoreLate {
    /// Samples not written.
    pub samples: u64,
    /// Events and small writes not written.
    pub events: u64,
}
