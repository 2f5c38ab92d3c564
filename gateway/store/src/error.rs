//! Why the store could not do something. Owns the classes callers act upon: wait and repeat, give
//! the caller a different answer, or tell a person.

use riser_model::ScanBatch;
use riser_wire::WireError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was tried, on which file, and what came back. Cheap to clone: one failed group commit is
/// reported to everybody who waits for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("could not {doing} in {}", file.display())]
    Database {
        /// What was tried.
        doing: &'static str,
        /// The database file.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The file system said no.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A stored frame cannot be read: the file is damaged.
    #[error("could not read a stored batch of {}", file.display())]
    Frame {
        /// The database file.
        file: PathBuf,
        /// What is wrong with the frame.
        #[source]
        source: WireError,
    },
    /// A stored record cannot be read: the file is damaged, or was written by a newer version.
    #[error("could not read a stored {what}: {detail}")]
    Record {
        /// What kind of record.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Compaction would have changed something, or met something it cannot read. The file it was to
    /// replace stays as it is.
    #[error("could not compact a day: {detail}")]
    Compaction {
        /// What was found.
        detail: String,
    },
    /// The file was written by a newer version of Riser.
    #[error(
        "{} has schema version {found}, this version of Riser knows up to {known}: install the newer Riser again or restore a backup",
        file.display()
    )]
    Newer {
        /// The database file.
        file: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version this program knows.
        known: i64,
    },
    /// Another process works in the same folder.
    #[error("{} is in use by another riserd: stop it first", dir.display())]
    InUse {
        /// The store's folder.
        dir: PathBuf,
    },
    /// A bounded queue is full: try again later.
    #[error("too much is waiting for the store ({limit} {what}): try again in a moment")]
    Busy {
        /// What is waiting.
        what: &'static str,
        /// How many may wait.
        limit: usize,
    },
    /// The answer would take longer than a person waits.
    #[error("could not {doing} within {seconds} s: ask for a shorter time range")]
    TooSlow {
        /// What was tried.
        doing: &'static str,
        /// The bound in seconds.
        seconds: u64,
    },
    /// A record with this name is there already.
    #[error("{what} '{name}' exists already")]
    Exists {
        /// What kind of record.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is no record with this name.
    #[error("there is no {what} '{name}'")]
    Missing {
        /// What kind of record.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The store has been closed, or its thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// True where the disk has no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// True where the octets of the file contradict its format: repeating cannot help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            Self::Frame { .. } | Self::Record { .. } => true,
            _ => false,
        }
    }

    /// True where this database file is what the error is about.
    pub(crate) fn is_of(&self, path: &Path) -> bool {
        matches!(self, Self::Database { file, .. } if file == path)
    }

    /// True where the disk cannot give back what was written to it.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Database { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
            }
            _ => false,
        }
    }

    /// The error with all its causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        riser_model::chain(self)
    }
}

/// Adds what was tried and on which file to what SQLite said.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, file: &Path) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, doing: &'static str, file: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database {
            doing,
            file: file.to_owned(),
            source: Arc::new(source),
        })
    }
}

impl<T> Doing<T> for Result<T, std::io::Error> {
    fn doing(self, doing: &'static str, file: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::File {
            doing,
            path: file.to_owned(),
            source: Arc::new(source),
        })
    }
}

/// The queue cannot take this append. The samples come back; whoever appends counts the loss.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot take {samples} more samples: {reason}")]
pub struct StoreFull {
    /// What was to be appended.
    pub scans: Vec<ScanBatch>,
    /// How many samples that is.
    pub samples: u64,
    /// Why not.
    pub reason: &'static str,
}
