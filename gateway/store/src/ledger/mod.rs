//! The loss ledger on the gateway: what became of every sample, per lane and hour. Owns the counts
//! that are not on disk yet, and who adds to them.
//!
//! Constraints: no write of its own for a scan or a commit, and after a crash the equation
//! `collected = stored + dropped` holds again.
//!
//! * Counts are kept as changes in memory and added to `state.db` with the durable marks, every few
//!   seconds, in one transaction with the position up to which batches are counted (`flush`).
//! * What was collected since is also in a small file that is written and never synced (`journal`):
//!   it survives the end of the process, and mostly that of the power.
//! * At the start (`take_up`) batches after the position are counted from the day files; what was
//!   collected and is in none is dropped with the reason `crash`.
//! * What the cloud calls durable is counted batch by batch when its mark is written, in the same
//!   transaction (`settle`), so that a repeat counts nothing twice.
//! * What a batch counts for is written beside it when it is stored (`counts`): it does not change
//!   with a device that is moved or a frame that rots.

mod batches;
mod counts;
mod flush;
mod journal;
mod lanes;
mod read;
mod settle;
mod take_up;
mod tell;
mod upkeep;

pub(crate) use counts::{Count, FileLanes};
pub(crate) use counts::{
    are_of as counts_are_of, cell, encode as encode_counts, hour_number, of_scans,
};
pub(crate) use flush::{Flush, add, counted};
pub(crate) use journal::Journal;
pub(crate) use journal::start as start_journal;
pub(crate) use lanes::Lanes;
pub use read::{LedgerFilter, read_ledger};
pub(crate) use take_up::{Cause, note_lost, take_up};
pub(crate) use upkeep::begin;

use crate::ranges::RangeSet;
use riser_model::ledger::LedgerCounts;
use riser_model::{ScanBatch, Slot, Timestamp};
use riser_wire::Epoch;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Hour (begin, milliseconds) and number of the lane.
pub(crate) type Cell = (i64, u32);
/// Changes per cell.
pub(crate) type Changes = FxHashMap<Cell, LedgerCounts>;

/// Pause between two writings when nothing else is written.
const EVERY: Duration = Duration::from_secs(10);

/// What is counted and not on disk yet.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) lanes: Arc<Lanes>,
    /// How many times lanes were assigned.
    pub(crate) lane_turn: u64,
    pub(crate) changes: Changes,
    /// Number of the last writing.
    pub(crate) generation: u64,
    /// Batches up to this number are not counted: they are older than the ledger.
    pub(crate) begins: FxHashMap<Epoch, u64>,
    /// What is counted as settled, and as sent.
    pub(crate) settled: FxHashMap<Epoch, RangeSet>,
    pub(crate) counted_sent: FxHashMap<Epoch, RangeSet>,
    /// What the link has sent.
    pub(crate) sent: FxHashMap<Epoch, RangeSet>,
    pub(crate) sent_anew: bool,
    /// It could not be taken up: nothing is written until the next start, which counts it all.
    pub(crate) resting: bool,
    written: Option<Instant>,
    hurry: bool,
    journal_due: bool,
    closed: bool,
}

/// The ledger as handle, writer and readers share it. The lock is held for memory work only.
#[derive(Default)]
pub(crate) struct Ledger {
    inner: Mutex<Inner>,
    wake: Condvar,
}

/// Which figure a count belongs to.
pub(crate) type Column = fn(&mut LedgerCounts) -> &mut u64;

pub(crate) const COLLECTED: Column = |c| &mut c.collected;
pub(crate) const STORED: Column = |c| &mut c.stored;
pub(crate) const QUEUE_FULL: Column = |c| &mut c.dropped.queue_full;
pub(crate) const DISK: Column = |c| &mut c.dropped.disk;

impl Ledger {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Mutex::new(inner),
            wake: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts scans in one column.
    pub(crate) fn count<'a>(&self, column: Column, scans: impl IntoIterator<Item = &'a ScanBatch>) {
        let mut inner = self.lock();
        for scan in scans {
            inner.count_scan(column, scan);
        }
    }

    /// Counts scans that are lost before they are stored. What is held back was not collected yet.
    pub(crate) fn lost(&self, column: Column, (held, scans): (bool, &[ScanBatch])) {
        if held {
            self.count(COLLECTED, scans);
        }
        self.count(column, scans);
    }

    /// Counts what was counted beside a batch.
    pub(crate) fn count_hours(&self, column: Column, counts: &[Count]) {
        let mut inner = self.lock();
        for (hour, lane, samples) in counts {
            *column(inner.changes.entry(cell(*hour, *lane)).or_default()) += samples;
        }
    }

    /// Which lane a slot is on.
    pub(crate) fn lanes(&self) -> Arc<Lanes> {
        Arc::clone(&self.lock().lanes)
    }

    /// Counts a scan as collected and has it written down beside the transaction.
    pub(crate) fn collected(&self, scan: &ScanBatch) {
        let mut inner = self.lock();
        inner.count_scan(COLLECTED, scan);
        inner.journal_due = true;
        drop(inner);
        self.wake.notify_one();
    }

    /// The link has sent a batch.
    pub(crate) fn sent(&self, epoch: Epoch, seq: u64) {
        let mut inner = self.lock();
        inner.sent_anew |= inner.sent.entry(epoch).or_default().insert(seq, seq);
    }

    /// Has it to be written, though nothing else has?
    pub(crate) fn is_due(&self) -> bool {
        let inner = self.lock();
        let changed = !inner.changes.is_empty() || inner.sent_anew;
        let late = inner.written.is_none_or(|at| at.elapsed() >= EVERY);
        changed && !inner.resting && (late || inner.hurry)
    }

    /// Somebody waits for all of it to be on disk.
    pub(crate) fn hurry(&self) {
        self.lock().hurry = true;
    }

    /// Ends the thread of the journal.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Waits until the journal has to be written, at least `pause`; `None` once the store is closed.
    fn next_journal(&self, pause: Duration) -> Option<Vec<u8>> {
        let until = Instant::now() + pause;
        let mut inner = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if inner.closed || (inner.journal_due && left.is_zero()) {
                break;
            }
            inner = if inner.journal_due {
                let waited = self.wake.wait_timeout(inner, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.wake.wait(inner);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
        if inner.closed {
            return None;
        }
        inner.journal_due = false;
        Some(journal::encode(inner.generation, &inner.changes))
    }
}

impl Inner {
    fn count_scan(&mut self, column: Column, scan: &ScanBatch) {
        let hour = hour_number(scan.at.0);
        let lanes = Arc::clone(&self.lanes);
        lanes.runs(scan, &mut |lane, samples| {
            *column(self.changes.entry(cell(hour, lane)).or_default()) += samples;
        });
    }
}

/// The samples of a stored batch, by cell.
pub(crate) fn tally(lanes: &Lanes, frame: &[u8], visit: &mut dyn FnMut(Cell, u64)) {
    let samples = match riser_wire::decode_data(frame) {
        Ok((_, samples)) => samples,
        Err(error) => {
            tracing::warn!(%error, "a stored batch is damaged and left out of the ledger");
            return;
        }
    };
    let cell = |slot: Slot, at: Timestamp| cell(hour_number(at.0), lanes.of(slot, at));
    for run in samples.chunk_by(|a, b| cell(a.slot, a.at) == cell(b.slot, b.at)) {
        if let Some(first) = run.first() {
            visit(cell(first.slot, first.at), run.len() as u64);
        }
    }
}
