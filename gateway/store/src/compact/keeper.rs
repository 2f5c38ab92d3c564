//! When finished days are reduced and compacted. Owns the thread for it: one day at a time, at the
//! lowest priority, with pauses, so that no commit waits for it.

use super::{Outcome, Step, rewrite, temporary};
use crate::catalog::DayFile;
use crate::intake::Urgent;
use crate::readers::{Reader, Readers};
use crate::shared::Shared;
use crate::stats::count;
use crate::{Store, StoreError};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How much longer than the work the pause after it is.
const REST: u32 = 3;
/// Longest pause.
const LONGEST: Duration = Duration::from_millis(200);

/// The thread's queue and what it is told while it works.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) queue: Readers,
    busy: AtomicBool,
    /// Grows when a day file is taken up again: what is being rewritten may be that one.
    turn: AtomicU64,
    stop: Mutex<bool>,
    wake: Condvar,
    /// Days that could not be compacted; tried again after the next start.
    failed: Mutex<HashSet<String>>,
}

/// A rewritten day the writer is to put in the place of the old one.
#[derive(Debug, Clone)]
pub(crate) struct Adopt {
    pub(crate) name: String,
    /// The catalog's number of the file as it was rewritten.
    pub(crate) opened: u64,
}

impl Keeper {
    /// Ends the thread soon.
    pub(crate) fn close(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
        self.queue.close();
    }

    /// Ends the work on whatever is being rewritten.
    pub(crate) fn interrupt(&self) {
        self.turn.fetch_add(1, Ordering::AcqRel);
    }

    fn is_stopped(&self) -> bool {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, or less when it is to end; answers whether it may go on.
    fn rest(&self, pause: Duration) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(stop, pause, |stop| !*stop);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn fails(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much the work may get in the way of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Gentle,
    Fast,
}

/// Begins a round of work unless one is going on.
pub(crate) fn begin(shared: &Arc<Shared>) {
    if shared.keeper.busy.swap(true, Ordering::AcqRel) {
        return;
    }
    let asked = shared.keeper.queue.ask(Box::new(|reader: &mut Reader| {
        // On Linux this is the calling thread's own priority.
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            tracing::debug!(%error, "compaction runs at the usual priority");
        }
        if let Err(error) = work(&reader.shared, Pace::Gentle) {
            tracing::warn!(
                error = error.chain(),
                "history could not be compacted; it is tried again"
            );
        }
        reader.shared.keeper.busy.store(false, Ordering::Release);
    }));
    if asked.is_err() {
        shared.keeper.busy.store(false, Ordering::Release);
    }
}

impl Store {
    /// Reduces and compacts every finished day now and without pauses, and answers how many days
    /// were compacted. It happens by itself, slowly; this is for tests and for measuring.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub async fn compact(&self) -> Result<u64, StoreError> {
        let (done, answer) = oneshot::channel();
        let question = move |reader: &mut Reader| drop(done.send(work(&reader.shared, Pace::Fast)));
        self.shared.keeper.queue.ask(Box::new(question))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn work(shared: &Arc<Shared>, pace: Pace) -> Result<u64, StoreError> {
    crate::coarse::keep_up(shared, &mut |_| {
        may_go_on(shared, pace, Duration::from_millis(20))
    })?;
    let mut compacted = 0;
    for day in ripe(shared) {
        if !has_room(shared, &day) {
            continue;
        }
        match one(shared, &day, pace) {
            Ok(true) => compacted += 1,
            Ok(false) => {}
            Err(error) if error.is_damage() => {
                let damaged = Urgent::Damaged(day.name.clone(), error);
                drop(shared.intake.urgent(damaged));
            }
            Err(error @ StoreError::Compaction { .. }) => {
                tracing::error!(
                    day = day.name,
                    error = error.chain(),
                    "the day stays as it is"
                );
                shared.keeper.fails().insert(day.name.clone());
            }
            Err(error) => return Err(error),
        }
        if shared.keeper.is_stopped() {
            break;
        }
    }
    Ok(compacted)
}

/// Days that are over and wait for nothing, oldest first.
fn ripe(shared: &Shared) -> Vec<DayFile> {
    let today = (shared.now)().day();
    let failed = shared.keeper.fails().clone();
    let catalog = shared.catalog();
    let marks = shared.marks();
    let all = catalog.files().iter();
    all.filter(|f| f.sealed && !f.compacted && f.samples > 0 && !failed.contains(&f.name))
        .filter(|f| crate::retention::day_number(&f.name).is_some_and(|day| day < today))
        .filter(|f| !shared.config.keep_unsent || f.is_settled(&marks))
        .cloned()
        .collect()
}

/// Both files must fit while the new one is made.
fn has_room(shared: &Shared, day: &DayFile) -> bool {
    let config = &shared.config;
    let size = std::fs::metadata(&day.path).map_or(0, |m| m.len());
    let wanted = crate::files::floor(config).saturating_add(size);
    (config.free_space)(&config.dir).is_none_or(|free| free >= wanted)
}

fn may_go_on(shared: &Shared, pace: Pace, worked: Duration) -> bool {
    match pace {
        Pace::Fast => !shared.keeper.is_stopped(),
        Pace::Gentle => shared.keeper.rest((worked * REST).min(LONGEST)),
    }
}

/// Rewrites one day and has the writer take it over.
fn one(shared: &Arc<Shared>, day: &DayFile, pace: Pace) -> Result<bool, StoreError> {
    let turn = shared.keeper.turn.load(Ordering::Acquire);
    let mut begun = Instant::now();
    let mut go_on = |_: Step| {
        let going = may_go_on(shared, pace, begun.elapsed());
        begun = Instant::now();
        going && shared.keeper.turn.load(Ordering::Acquire) == turn
    };
    let outcome = rewrite(&day.path, (shared.now)(), &mut go_on);
    let adopted = match &outcome {
        Ok(Outcome::Smaller { before, after }) => {
            tracing::info!(day = day.name, before, after, "a day was compacted");
            adopt(shared, day)
        }
        Ok(Outcome::Pointless) => {
            if let Some(file) = shared.catalog().get_mut(&day.name) {
                file.compacted = true;
            }
            Ok(false)
        }
        Ok(Outcome::Stopped) => Ok(false),
        Err(_) => Ok(false),
    };
    // Nothing is left of it when it was adopted.
    crate::files::remove(&temporary(&day.path))?;
    outcome.and(adopted)
}

fn adopt(shared: &Arc<Shared>, day: &DayFile) -> Result<bool, StoreError> {
    let (done, answer) = sync_channel(1);
    let adopt = Adopt {
        name: day.name.clone(),
        opened: day.opened,
    };
    let reply = Box::new(move |result| drop(done.send(result)));
    shared.intake.urgent(Urgent::Adopt(adopt, reply))?;
    loop {
        match answer.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(())) => {
                count(&shared.counters.compacted_files, 1);
                return Ok(true);
            }
            Ok(Err(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) if !shared.keeper.is_stopped() => {}
            Err(_) => return Ok(false),
        }
    }
}
