//! Figures of the link since start, beyond what `LinkStatus` shows. Every drop is here.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Messages from the cloud dropped because the inbox was full.
    pub inbox_dropped: u64,
    /// Messages from the cloud that could not be read.
    pub unreadable: u64,
    /// Watch samples dropped: no connection, or the connection did not keep up.
    pub watch_dropped: u64,
    /// Watch samples sent.
    pub watch_sent: u64,
    /// Batches sent again.
    pub resent: u64,
    /// PUBACKs that said the message was not taken.
    pub refused: u64,
    /// Batches sent in parts, because the broker takes no packet that long.
    pub split: u64,
    /// Seconds in which the bandwidth budget held data back.
    pub held_seconds: u64,
    /// Live batches left to the backfill because the budget could not carry all of them.
    pub deferred: u64,
    /// Rollups the cloud has taken, a stretch of time each.
    pub rollups: u64,
    /// Times the cloud has asked this gateway to come back later.
    pub postponed: u64,
}

/// The counters behind [`LinkCounts`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) inbox_dropped: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) watch_dropped: AtomicU64,
    pub(crate) watch_sent: AtomicU64,
    pub(crate) resent: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) split: AtomicU64,
    pub(crate) held_seconds: AtomicU64,
    pub(crate) deferred: AtomicU64,
    pub(crate) rollups: AtomicU64,
    pub(crate) postponed: AtomicU64,
}

impl Counters {
    /// All of them now.
    pub(crate) fn snapshot(&self) -> LinkCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkCounts {
            inbox_dropped: read(&self.inbox_dropped),
            unreadable: read(&self.unreadable),
            watch_dropped: read(&self.watch_dropped),
            watch_sent: read(&self.watch_sent),
            resent: read(&self.resent),
            refused: read(&self.refused),
            split: read(&self.split),
            held_seconds: read(&self.held_seconds),
            deferred: read(&self.deferred),
            rollups: read(&self.rollups),
            postponed: read(&self.postponed),
        }
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
