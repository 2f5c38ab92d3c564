//! The database: one writer thread with group commit, a pool of readers, the commit log. Owns
//! every table and every row; nothing above sees SQL rows, only model types.
//!
//! Constraints: a write is answered after its commit with `synchronous=FULL`, never before; the
//! writer is the only one that writes, so there is no lock to wait for; every queue is bounded.

mod alarms;
mod append;
mod audit;
mod commands;
mod desired;
mod directory;
mod durable;
mod error;
mod events;
mod gateways;
mod inbox;
mod latest;
mod ledger;
mod log;
mod migrate;
mod open;
mod quarantine;
mod read_audit;
mod read_fleet;
mod read_history;
mod read_ledger;
mod read_quarantine;
mod read_records;
mod readers;
mod recount;
mod retention;
mod revoked;
mod rolled;
mod scope;
mod stretches;
mod text;
mod tokens;
mod users;
mod writer;

pub use alarms::Taken;
pub use commands::Issued;
pub use desired::{Desired, DesiredState, DesiredView};
pub use durable::{GAPS_MAX, RangeSet};
pub use error::DbError;
pub use events::{CloudEvent, GatewayChange, Origin, SLOT_MAX, SlotPaths, ValueBatch, ValueLane};
pub use log::{Batch, Commit, CommitLog, Committed, Content};
pub use migrate::VERSION;
pub use quarantine::{Poison, PoisonNote};
pub use read_audit::{AuditBreak, AuditPage, AuditQuery};
pub use read_fleet::{GatewayState, LatestRow, PointQuery, TenantRow};
pub use read_history::{Observed, PointRef, SamplePage, Span};
pub use read_ledger::{LedgerHour, LedgerLine, PointHour};
pub use read_quarantine::{QuarantineList, Quarantined};
pub use read_records::AlarmQuery;
pub use retention::Retention;
pub use rolled::{Minutes, Rollup};
pub use scope::Sought;
pub use text::{quality_from_column, value_from_columns};
pub use tokens::{Renewed, TokenHash};
pub use users::{Account, NewUser, Settled};

use append::Parts;
use directory::Directories;
use inbox::Inbox;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use writer::{Closure, Order, Writer};

/// News waiting for a slow listener; it is told how many it lost.
const EVENTS: usize = 4096;
/// Threads that read.
const READERS: usize = 4;

/// The database. Cheap to clone; it ends with [`Db::close`].
#[derive(Clone)]
pub struct Db(Arc<Shared>);

struct Shared {
    writer: mpsc::Sender<Order>,
    readers: mpsc::Sender<readers::Read>,
    events: broadcast::Sender<CloudEvent>,
    directories: Arc<Directories>,
    figures: Arc<Figures>,
    path: PathBuf,
    /// Held for as long as the database is open: a second service on the same folder must not
    /// start. The system frees it when the process dies, however it dies.
    _lock: Option<File>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({})", self.0.path.display())
    }
}

/// Counters of the writer since start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Transactions, failed ones included.
    pub transactions: AtomicU64,
    /// Transactions that were not committed.
    pub failed: AtomicU64,
    /// Jobs in them.
    pub jobs: AtomicU64,
    /// Time spent in transactions, in microseconds.
    pub busy_us: AtomicU64,
    /// Batches stored for the first time.
    pub batches: AtomicU64,
    /// Batches that were there already.
    pub duplicates: AtomicU64,
    /// Samples in the batches stored.
    pub samples: AtomicU64,
    /// Octets of the frames stored.
    pub bytes: AtomicU64,
    /// Frames put into quarantine.
    pub quarantined: AtomicU64,
}

impl Figures {
    fn count(&self, jobs: usize, busy: Duration) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
        let us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
        self.busy_us.fetch_add(us, Ordering::Relaxed);
    }
}

impl Db {
    /// Opens or makes the database in a folder of its own, for the service.
    ///
    /// # Errors
    /// When the folder cannot be used, another service has it open, or the file is of a newer
    /// version.
    pub fn open(dir: &Path) -> Result<Self, DbError> {
        let opened = open::alone(dir)?;
        // Nothing is connected to a service that has just started.
        opened
            .connection
            .execute(
                "UPDATE gateway SET connected = 0, connected_since = NULL WHERE connected = 1",
                [],
            )
            .map_err(DbError::sqlite("reset connections"))?;
        Self::start(opened)
    }

    /// Opens the database for a single task, such as adding a person, whether or not the service
    /// is running beside it.
    ///
    /// # Errors
    /// As [`Db::open`]; and when a service of another version is running.
    pub fn open_beside(dir: &Path) -> Result<Self, DbError> {
        Self::start(open::beside(dir)?)
    }

    fn start(opened: open::Opened) -> Result<Self, DbError> {
        let open::Opened {
            connection,
            path,
            lock,
        } = opened;
        let reading = (0..READERS)
            .map(|_| open::reader(&path))
            .collect::<Result<_, _>>()?;
        let readers = readers::start(reading)?;
        let (events, _) = broadcast::channel(EVENTS);
        let figures = Arc::new(Figures::default());
        let (sender, queue) = mpsc::channel(writer::QUEUE);
        let writer = Writer {
            connection,
            inbox: Inbox::default(),
            figures: Arc::clone(&figures),
        };
        std::thread::Builder::new()
            .name("db-write".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|e| open::file_error(&path, &e))?;
        Ok(Self(Arc::new(Shared {
            writer: sender,
            readers,
            events,
            directories: Arc::default(),
            figures,
            path,
            _lock: lock,
        })))
    }

    /// Runs a closure on the writer thread, inside a transaction shared with whatever else has
    /// queued; answers after its commit. An error of the closure rolls back its own changes only.
    ///
    /// # Errors
    /// The closure's own, or why nothing was committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    {
        self.write_with(move |connection, _| work(connection)).await
    }

    /// As [`Db::write`], with what the writer keeps in memory.
    async fn write_with<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Inbox) -> Result<T, DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Closure::new(work, reply));
        let sent = self.0.writer.send(Order::Work(job)).await;
        sent.map_err(|_| DbError::Closed)?;
        answer.await.map_err(|_| DbError::Closed)?
    }

    fn parts(&self) -> Parts {
        Parts {
            events: self.0.events.clone(),
            directories: Arc::clone(&self.0.directories),
            figures: Arc::clone(&self.0.figures),
        }
    }

    /// Runs a closure on a reader thread. It sees everything committed before the call.
    ///
    /// # Errors
    /// The closure's own, or that the database is closed.
    pub async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: readers::Read = Box::new(move |connection| {
            let _ = reply.send(work(connection));
        });
        self.0
            .readers
            .send(job)
            .await
            .map_err(|_| DbError::Closed)?;
        answer.await.map_err(|_| DbError::Closed)?
    }

    /// News from now on. A listener that falls behind loses the oldest and is told how many.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<CloudEvent> {
        self.0.events.subscribe()
    }

    /// Tells a piece of news to whoever listens.
    pub(crate) fn announce(&self, event: CloudEvent) {
        // Without a listener there is nobody to tell.
        let _ = self.0.events.send(event);
    }

    /// Counters since start.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// Finishes what has queued, copies the write-ahead log back and closes. Later calls answer
    /// [`DbError::Closed`].
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.writer.send(Order::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}
