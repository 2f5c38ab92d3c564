//! The one thread that writes. Owns group commit: what has queued up goes into one transaction,
//! nothing is ever held back to make a group bigger. Every job sits in a savepoint of its own, so
//! one that fails takes no other with it.

use super::inbox::Inbox;
use super::{DbError, Figures};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Jobs waiting for the writer; whoever has more waits.
pub(super) const QUEUE: usize = 1024;
/// Jobs in one transaction at most.
const GROUP_JOBS: usize = 512;
/// A transaction takes no further job after this long, so that nobody waits for a stranger's
/// work much longer than for a commit.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Pages in the write-ahead log before it is copied back (16 MiB).
const CHECKPOINT_PAGES: i64 = 4096;

/// A unit of writing.
pub(super) trait Job: Send {
    /// Does the work inside the open transaction. `false` rolls this job back.
    fn run(&mut self, connection: &Connection, inbox: &mut Inbox) -> bool;
    /// Told once, after the commit or with the reason why there was none.
    fn tell(self: Box<Self>, failure: Option<&DbError>);
}

/// What goes to the thread.
pub(super) enum Order {
    /// Do this.
    Work(Box<dyn Job>),
    /// Finish, and say so.
    Close(oneshot::Sender<()>),
}

/// A closure as a job.
pub(super) struct Closure<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, DbError>>,
    reply: oneshot::Sender<Result<T, DbError>>,
}

impl<T, F> Closure<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T, DbError>>) -> Self {
        Self {
            work: Some(work),
            outcome: None,
            reply,
        }
    }
}

impl<T, F> Job for Closure<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Inbox) -> Result<T, DbError> + Send,
{
    fn run(&mut self, connection: &Connection, inbox: &mut Inbox) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let outcome = guarded(|| work(connection, inbox));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn tell(mut self: Box<Self>, failure: Option<&DbError>) {
        let outcome = match (self.outcome.take(), failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure.clone()),
            (Some(ok), None) => ok,
            (None, None) => Err(DbError::Closed),
        };
        // Nobody waits any more: the work is done all the same.
        let _ = self.reply.send(outcome);
    }
}

/// Turns a panic of a job into its error, so that it harms nobody else.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, DbError>) -> Result<T, DbError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(DbError::Panicked(panic_text(panic.as_ref()))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The thread's state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) inbox: Inbox,
    pub(super) figures: Arc<Figures>,
}

impl Writer {
    /// Works until told to close or until nobody can send any more.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        let limit = self
            .connection
            .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES);
        if let Err(error) = limit {
            tracing::warn!(%error, "the write-ahead log keeps SQLite's own checkpoint interval");
        }
        let mut closing = None;
        while closing.is_none() {
            let Some(order) = queue.blocking_recv() else {
                break;
            };
            match order {
                Order::Work(job) => closing = self.group(job, &mut queue),
                Order::Close(reply) => closing = Some(reply),
            }
        }
        self.finish();
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// One transaction with everything that is waiting.
    fn group(
        &mut self,
        first: Box<dyn Job>,
        queue: &mut mpsc::Receiver<Order>,
    ) -> Option<oneshot::Sender<()>> {
        let started = Instant::now();
        let mut closing = None;
        let mut done: Vec<Box<dyn Job>> = Vec::new();
        let mut failure = self.execute("BEGIN IMMEDIATE").err();
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            if failure.is_none() {
                failure = self.step(job.as_mut()).err();
            }
            done.push(job);
            if done.len() < GROUP_JOBS && started.elapsed() < GROUP_TIME {
                match queue.try_recv() {
                    Ok(Order::Work(job)) => next = Some(job),
                    Ok(Order::Close(reply)) => closing = Some(reply),
                    Err(_) => {}
                }
            }
        }
        if failure.is_none() {
            failure = self.execute("COMMIT").err();
        }
        if let Some(error) = &failure {
            self.abandon(error, done.len());
        }
        self.figures.count(done.len(), started.elapsed());
        for job in done {
            job.tell(failure.as_ref());
        }
        closing
    }

    /// One job in its savepoint. An error here is one of the whole transaction.
    fn step(&mut self, job: &mut dyn Job) -> Result<(), DbError> {
        self.execute("SAVEPOINT job")?;
        self.inbox.begin();
        if job.run(&self.connection, &mut self.inbox) {
            return self.execute("RELEASE job");
        }
        // What the job had changed in memory is not known: read it again when needed.
        self.inbox.forget_job();
        self.execute("ROLLBACK TO job")?;
        self.execute("RELEASE job")
    }

    fn abandon(&mut self, error: &DbError, jobs: usize) {
        self.figures.failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, jobs, "a transaction was not committed; nothing of it was kept");
        self.inbox.forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "the failed transaction could not be rolled back");
        }
    }

    fn execute(&self, sql: &'static str) -> Result<(), DbError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(DbError::sqlite(sql))
    }

    fn finish(&self) {
        let flushed = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = flushed {
            tracing::warn!(%error, "the write-ahead log was not copied back; the next start does");
        }
    }
}
