//! What a store needs to be told. Owns the defaults and the reason for each.

use riser_model::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tells the time. Injected, so tests decide what day it is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Tells the free octets of the file system a path lies on; `None` where that is unknown.
pub type FreeSpace = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// Settings of a store.
#[derive(Clone)]
pub struct StoreConfig {
    /// The folder everything lies in; made when missing.
    pub dir: PathBuf,
    /// Day files older than this are dropped, once everything in them is durable in the cloud or
    /// no cloud is configured ([`StoreConfig::keep_unsent`]).
    pub retention_days: u32,
    /// Above this many octets of history the oldest day files go, unsent ones last; `None` for no
    /// such bound.
    pub history_max_bytes: Option<u64>,
    /// Whether finished days are reduced and compacted by themselves; else by [`crate::Store::compact`]
    /// only.
    pub compact: bool,
    /// Below this many free octets the oldest day files go, unsent ones last.
    pub min_free_bytes: u64,
    /// Whether batches the cloud has not called durable hold their day file against its age.
    /// False on a gateway without a cloud: nothing there ever becomes durable.
    pub keep_unsent: bool,
    /// Name of the assumed line of time the stamps are on, while the time is not known: what is
    /// appended waits for [`crate::Store::release`] and is not sent. The same name after a restart
    /// goes on waiting.
    pub hold_back: Option<String>,
    /// Samples that may wait for the disk; beyond, the oldest go and are counted as lost.
    pub queue_samples: usize,
    /// Events and small writes that may wait for the disk; beyond, callers are told to try later.
    pub queue_events: usize,
    /// Octets of recently committed batches kept in memory for the link's live lane.
    pub recent_bytes: usize,
    /// Threads that answer trends, lists and logins.
    pub readers: usize,
    /// Folder in which the kernel shows block devices.
    pub blocks: PathBuf,
    /// Source of the free space.
    pub free_space: FreeSpace,
}

impl StoreConfig {
    /// Defaults for a folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            retention_days: 90,
            history_max_bytes: None,
            compact: true,
            min_free_bytes: 256 << 20,
            keep_unsent: true,
            hold_back: None,
            queue_samples: 500_000,
            queue_events: 4_096,
            recent_bytes: 8 << 20,
            readers: 2,
            blocks: "/sys/block".into(),
            free_space: Arc::new(free_space),
        }
    }

    pub(crate) fn history_dir(&self) -> PathBuf {
        self.dir.join("history")
    }

    pub(crate) fn held_file(&self) -> PathBuf {
        self.dir.join("held.db")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.dir.join("state.db")
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("dir", &self.dir)
            .field("retention_days", &self.retention_days)
            .field("min_free_bytes", &self.min_free_bytes)
            .finish_non_exhaustive()
    }
}

/// What unprivileged processes may still write, after `statvfs(3)`.
fn free_space(path: &Path) -> Option<u64> {
    let s = rustix::fs::statvfs(path).ok()?;
    s.f_bavail.checked_mul(s.f_frsize)
}

/// The least size of a block, in octets, on which a full disk cannot end the process: SQLite keeps the
/// index of its journal in memory-mapped pages of this size, and a page of several blocks may find no
/// room for the last of them when it is written to (SIGBUS).
pub const LEAST_BLOCK: u64 = 4096;

/// The size of the blocks of the file system that holds a path, in octets, after `statvfs(3)`.
#[must_use]
pub fn block_size(path: &Path) -> Option<u64> {
    Some(rustix::fs::statvfs(path).ok()?.f_frsize)
}
