//! Figures of the store since it was opened. Owns the counters; every drop is in one of them.

use riser_model::{DiskStage, Timestamp, Wear};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether the disk takes what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DiskState {
    /// The last write worked.
    #[default]
    Ok,
    /// Writes fail; samples wait in memory and the write is repeated.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What was tried and what came back, in words.
        error: String,
    },
}

/// Figures of the store. Counts are since the store was opened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StoreStats {
    /// Name of the numbering in use.
    pub epoch: String,
    /// Last committed sequence number of the event stream.
    pub event_head: u64,
    /// Last committed sequence number of the data stream.
    pub data_head: u64,
    /// Samples taken into the queue.
    pub appended_samples: u64,
    /// Samples on disk.
    pub committed_samples: u64,
    /// Batches on disk.
    pub committed_batches: u64,
    /// Events on disk.
    pub committed_events: u64,
    /// Octets of the frames written.
    pub frame_bytes: u64,
    /// Samples dropped because the disk did not keep up.
    pub dropped_samples: u64,
    /// Samples dropped with their day file before the cloud had them.
    pub shed_samples: u64,
    /// Batches the cloud refused.
    pub refused_batches: u64,
    /// Samples waiting for the disk.
    pub queued_samples: u64,
    /// How many may wait.
    pub queue_limit: u64,
    /// Samples that wait for the time to be known.
    pub held_samples: u64,
    /// Octets of their frames.
    pub held_bytes: u64,
    /// Events and small writes waiting.
    pub queued_events: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Transactions that failed and were repeated.
    pub failed_commits: u64,
    /// Duration of all commits in microseconds; divided by `commits`, the mean.
    pub commit_micros: u64,
    /// The slowest commit in microseconds.
    pub slowest_commit_micros: u64,
    /// Day files.
    pub history_files: u64,
    /// Octets of the frames in them.
    pub history_bytes: u64,
    /// Octets the history takes on the disk: day files with their logs, and rollups. At the last
    /// look.
    pub history_disk_bytes: u64,
    /// Days compacted.
    pub compacted_files: u64,
    /// Octets this process has had written to disks, as the kernel counts them, since the store was
    /// opened; over [`StoreStats::committed_samples`] this is the write amplification. `None` where
    /// the kernel does not say.
    pub written_bytes: Option<u64>,
    /// Damaged files set aside, at opening or later.
    pub files_set_aside: u64,
    /// Free octets on the disk at the last look.
    pub free_bytes: Option<u64>,
    /// Whether the disk takes what it is given.
    pub disk: DiskState,
    /// What has been given up because it fills.
    pub stage: DiskStage,
    /// How worn it is, where it is an eMMC.
    pub wear: Option<Wear>,
}

/// The counters behind [`StoreStats`]; relaxed, each stands for itself.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appended_samples: AtomicU64,
    pub(crate) committed_samples: AtomicU64,
    pub(crate) committed_batches: AtomicU64,
    pub(crate) committed_events: AtomicU64,
    pub(crate) frame_bytes: AtomicU64,
    pub(crate) dropped_samples: AtomicU64,
    pub(crate) shed_samples: AtomicU64,
    pub(crate) refused_batches: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) commit_micros: AtomicU64,
    pub(crate) slowest_commit_micros: AtomicU64,
    pub(crate) files_set_aside: AtomicU64,
    pub(crate) history_disk_bytes: AtomicU64,
    pub(crate) compacted_files: AtomicU64,
    /// Octets written by the process before the store was opened.
    pub(crate) written_before: Option<u64>,
    /// Octets plus one; 0 where unknown.
    pub(crate) free_bytes_plus_one: AtomicU64,
    /// [`crate::DiskStage`] as a number.
    pub(crate) stage: AtomicU64,
}

/// Octets this process has had written to disks (`proc(5)`, `write_bytes` of `/proc/self/io`).
pub(crate) fn written_bytes() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    let written = io.lines().find_map(|l| l.strip_prefix("write_bytes: "))?;
    written.parse().ok()
}

pub(crate) fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            written_before: written_bytes(),
            ..Self::default()
        }
    }

    pub(crate) fn commit_took(&self, took: std::time::Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        count(&self.commits, 1);
        count(&self.commit_micros, micros);
        self.slowest_commit_micros
            .fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> StoreStats {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        StoreStats {
            appended_samples: get(&self.appended_samples),
            committed_samples: get(&self.committed_samples),
            committed_batches: get(&self.committed_batches),
            committed_events: get(&self.committed_events),
            frame_bytes: get(&self.frame_bytes),
            dropped_samples: get(&self.dropped_samples),
            shed_samples: get(&self.shed_samples),
            refused_batches: get(&self.refused_batches),
            commits: get(&self.commits),
            failed_commits: get(&self.failed_commits),
            commit_micros: get(&self.commit_micros),
            slowest_commit_micros: get(&self.slowest_commit_micros),
            files_set_aside: get(&self.files_set_aside),
            history_disk_bytes: get(&self.history_disk_bytes),
            compacted_files: get(&self.compacted_files),
            free_bytes: get(&self.free_bytes_plus_one).checked_sub(1),
            ..StoreStats::default()
        }
    }
}
