//! The database: one writer thread with group commit, a pool of readers, the commit log. Owns
//! every table and every row; nothing above sees SQL rows, only model types.
//!
//! Constraints: a write is answered after its commit with `synchronous=FULL`, never before; the
//! writer is the only one that writes, so there is no lock to wait for; every queue is bounded.

mod alarms;
mod append;
mod commands;
mod directory;
mod durable;
mod error;
mod events;
mod gateways;
mod inbox;
mod latest;
mod log;
mod migrate;
mod quarantine;
mod read_fleet;
mod read_history;
mod read_records;
mod readers;
mod scope;
mod text;
mod tokens;
mod users;
mod writer;

pub use alarms::Taken;
pub use commands::Issued;
pub use durable::{GAPS_MAX, RangeSet};
pub use error::DbError;
pub use events::{CloudEvent, GatewayChange, Origin, SLOT_MAX, SlotPaths, ValueBatch, ValueLane};
pub use log::{Batch, Commit, CommitLog, Committed, Content};
pub use migrate::VERSION;
pub use quarantine::{Poison, PoisonNote};
pub use read_fleet::{GatewayState, LatestRow, PointQuery, TenantRow};
pub use read_history::{Observed, PointRef, SamplePage, Span};
pub use read_records::AlarmQuery;
pub use scope::Sought;
pub use text::{quality_from_column, value_from_columns};
pub use tokens::{Renewed, TokenHash};
pub use users::{Account, NewUser, Settled};

use append::Parts;
use directory::Directories;
use inbox::Inbox;
use rusqlite::{Connection, OpenFlags};
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
    _lock: File,
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
    /// Opens or makes the database in a folder of its own.
    ///
    /// # Errors
    /// When the folder cannot be used, another service has it open, or the file is of a newer
    /// version.
    pub fn open(dir: &Path) -> Result<Self, DbError> {
        let file_error = |path: &Path, error: &std::io::Error| DbError::File {
            path: path.display().to_string(),
            message: format!(
                "{error}; the folder must exist or be makeable, and belong to the service"
            ),
        };
        std::fs::create_dir_all(dir).map_err(|e| file_error(dir, &e))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(|e| file_error(&lock_path, &e))?;
        lock.try_lock().map_err(|_| DbError::File {
            path: lock_path.display().to_string(),
            message: "another riser-cloud has this folder open; stop it first".to_owned(),
        })?;
        let path = dir.join("cloud.db");
        let mut connection = connect(
            &path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        )?;
        migrate::migrate(&mut connection)?;
        // Nothing is connected to a service that has just started.
        connection
            .execute(
                "UPDATE gateway SET connected = 0, connected_since = NULL WHERE connected = 1",
                [],
            )
            .map_err(DbError::sqlite("reset connections"))?;
        let mut reading = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            reading.push(connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?);
        }
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
            .map_err(|e| file_error(&path, &e))?;
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

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, DbError> {
    let opened = || -> rusqlite::Result<Connection> {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(128);
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        }
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "cache_size", -32 * 1024)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    opened().map_err(|error| DbError::File {
        path: path.display().to_string(),
        message: format!("cannot be opened as a database: {error}"),
    })
}
