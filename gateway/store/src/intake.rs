//! What waits for the writer: samples, and before them events and small writes. Owns the bounds and
//! the rule for overflow: the oldest samples go and are counted, events never.

use crate::compact::Adopt;
use crate::held::Correction;
use crate::state::StateTx;
use crate::{StoreError, StoreFull};
use riser_model::{ClockState, Event, ScanBatch, Timestamp};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Told once the transaction a task ran in is committed, or has failed.
pub(crate) type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Told the number of an event once it is committed.
pub(crate) type EventReply = Box<dyn FnOnce(Result<u64, StoreError>) + Send>;
/// A small write of `state.db`.
pub(crate) type Task = Box<dyn FnOnce(&mut StateTx<'_>) -> Reply + Send>;

/// An event on its way, with where whoever caused it was, for the audit log.
pub(crate) struct Filed {
    pub(crate) event: Event,
    pub(crate) from: Option<String>,
}

/// What goes before samples.
pub(crate) enum Urgent {
    /// An event; kept and repeated until the disk takes it.
    Event(Box<Filed>, EventReply),
    /// A small write; tried once, whoever asked hears of a failure.
    Task(Task),
    /// The time is known, or nobody waits for it any more: what is held back may go.
    Release(Correction),
    /// Do all housekeeping now, then answer.
    Settle(Reply),
    /// Put a rewritten day file in the place of the old one, then answer.
    Adopt(Adopt, Reply),
    /// A day file was found damaged by a reader.
    Damaged(String, StoreError),
}

/// One append.
#[derive(Debug, Clone)]
pub(crate) struct Append {
    pub(crate) scans: Vec<ScanBatch>,
    pub(crate) clock: ClockState,
    pub(crate) dictionary: u32,
    pub(crate) samples: u64,
    /// Whether its stamps wait for the time to be known.
    pub(crate) held: bool,
}

#[derive(Default)]
struct Waiting {
    urgent: VecDeque<Urgent>,
    data: VecDeque<Append>,
    /// Samples in `data`.
    queued: u64,
    /// Samples the writer has taken and not yet committed, and the oldest stamp among them.
    held: u64,
    held_from: Option<Timestamp>,
    /// Samples dropped and not yet reported in an event.
    lost: u64,
    nudged: bool,
    closing: bool,
}

/// What the writer may take now; what is not ready stays until its back-off is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) state: bool,
    pub(crate) history: bool,
}

/// What the writer got.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) urgent: Vec<Urgent>,
    pub(crate) data: Vec<Append>,
    pub(crate) closing: bool,
}

/// The queue in front of the writer.
pub(crate) struct Intake {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    max_samples: u64,
    max_urgent: usize,
}

/// Samples of one transaction; bounds the memory the encoded frames take.
const SAMPLES_PER_COMMIT: u64 = 65_536;

impl Intake {
    pub(crate) fn new(max_samples: usize, max_urgent: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            max_samples: max_samples as u64,
            max_urgent,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues samples. Returns the older ones that had to go for them.
    pub(crate) fn append(&self, append: Append) -> Result<Vec<Append>, StoreFull> {
        let refuse = |append: Append, reason| {
            Err(StoreFull {
                samples: append.samples,
                scans: append.scans,
                reason,
            })
        };
        let mut waiting = self.lock();
        if waiting.closing {
            return refuse(append, "it is closed");
        }
        if waiting.held + append.samples > self.max_samples {
            return refuse(append, "its queue is full and the disk does not keep up");
        }
        let mut dropped = Vec::new();
        while waiting.held + waiting.queued + append.samples > self.max_samples {
            let Some(oldest) = waiting.data.pop_front() else {
                break;
            };
            waiting.queued -= oldest.samples;
            waiting.lost += oldest.samples;
            dropped.push(oldest);
        }
        waiting.queued += append.samples;
        waiting.data.push_back(append);
        drop(waiting);
        self.wake.notify_one();
        Ok(dropped)
    }

    /// Queues something that goes before samples; an event that finds no room is told itself.
    pub(crate) fn urgent(&self, urgent: Urgent) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        let error = if waiting.closing {
            StoreError::Closed
        } else if waiting.urgent.len() >= self.max_urgent {
            StoreError::Busy {
                what: "events and writes",
                limit: self.max_urgent,
            }
        } else {
            waiting.urgent.push_back(urgent);
            drop(waiting);
            self.wake.notify_one();
            return Ok(());
        };
        drop(waiting);
        if let Urgent::Event(_, reply) = urgent {
            reply(Err(error.clone()));
        }
        Err(error)
    }

    /// Wakes the writer though nothing was queued.
    pub(crate) fn nudge(&self) {
        self.lock().nudged = true;
        self.wake.notify_one();
    }

    /// Ends the queue: what is in it is still written, nothing is taken any more.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_all();
    }

    /// Waits until there is something ready, or `until`.
    pub(crate) fn take(&self, ready: Ready, until: Instant) -> Work {
        let mut waiting = self.lock();
        loop {
            let some = ready.state && !waiting.urgent.is_empty()
                || ready.history && !waiting.data.is_empty();
            let left = until.saturating_duration_since(Instant::now());
            if some || waiting.closing || left.is_zero() || waiting.nudged {
                waiting.nudged = false;
                return waiting.take(ready);
            }
            waiting = self.wait(waiting, left);
        }
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        left: Duration,
    ) -> MutexGuard<'a, Waiting> {
        self.wake
            .wait_timeout(waiting, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// The writer is done with what it took: committed, or given back in the same order.
    pub(crate) fn settle(&self, given_back: Vec<Append>) {
        let mut waiting = self.lock();
        (waiting.held, waiting.held_from) = (0, None);
        for append in given_back.into_iter().rev() {
            waiting.queued += append.samples;
            waiting.data.push_front(append);
        }
    }

    /// Puts events back in front, in their order.
    pub(crate) fn give_back(&self, urgent: Vec<Urgent>) {
        let mut waiting = self.lock();
        for u in urgent.into_iter().rev() {
            waiting.urgent.push_front(u);
        }
    }

    /// Samples lost and not yet reported; they count as reported from now on.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }

    /// Any loss to report?
    pub(crate) fn has_lost(&self) -> bool {
        self.lock().lost > 0
    }

    /// Counts samples as lost, to be reported in an event.
    pub(crate) fn add_lost(&self, samples: u64) {
        self.lock().lost += samples;
    }

    /// The oldest source time among the samples that wait.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let waiting = self.lock();
        let queued = waiting.data.iter().filter_map(Append::oldest);
        queued.chain(waiting.held_from).min()
    }

    /// What is still queued when nothing is written any more.
    pub(crate) fn left_over(&self) -> Vec<Append> {
        self.lock().data.iter().map(Append::clone).collect()
    }

    /// Samples and urgent things waiting.
    pub(crate) fn occupancy(&self) -> (u64, u64) {
        let waiting = self.lock();
        (waiting.queued + waiting.held, waiting.urgent.len() as u64)
    }
}

impl Append {
    /// The oldest stamp in it. What is held back has none yet.
    fn oldest(&self) -> Option<Timestamp> {
        let stamps = self.scans.iter().map(|s| s.at);
        stamps.min().filter(|_| !self.held)
    }
}

impl Waiting {
    fn take(&mut self, ready: Ready) -> Work {
        let mut work = Work {
            closing: self.closing,
            ..Work::default()
        };
        if ready.state {
            work.urgent = self.urgent.drain(..).collect();
        }
        while ready.history
            && let Some(next) = self.data.front()
        {
            if !work.data.is_empty() && self.held + next.samples > SAMPLES_PER_COMMIT {
                break;
            }
            self.held += next.samples;
            self.held_from = self.held_from.into_iter().chain(next.oldest()).min();
            self.queued -= next.samples;
            work.data.extend(self.data.pop_front());
        }
        work
    }
}
