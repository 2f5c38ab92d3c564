//! What the handle, the writer and the readers share. Owns the locks; each guards one thing and is
//! held for memory work only, never across the disk.

use crate::catalog::Catalog;
use crate::compact::Keeper;
use crate::intake::Intake;
use crate::ledger::Ledger;
use crate::marks::Marks;
use crate::readers::Readers;
use crate::recent::Recent;
use crate::stats::{Counters, DiskState};
use crate::{Now, Position, Recovery, StoreConfig, StoreError, StoreStats};
use riser_model::Wear;
use riser_wire::{Epoch, Stream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    pub(crate) now: Now,
    pub(crate) intake: Intake,
    /// Trends, lists, logins.
    pub(crate) readers: Readers,
    /// Claims of the link, so that no trend holds up an alarm.
    pub(crate) outbox_reader: Readers,
    /// Reducing and compacting finished days.
    pub(crate) keeper: Keeper,
    pub(crate) counters: Counters,
    pub(crate) ledger: Ledger,
    marks: Mutex<Marks>,
    recent: Mutex<Recent>,
    catalog: Mutex<Catalog>,
    disk: Mutex<DiskState>,
    wear: Mutex<Option<Wear>>,
    event_head: watch::Sender<Position>,
    data_head: watch::Sender<Position>,
    directory: AtomicU32,
    generation: AtomicU64,
    /// Whether what is appended waits until the time is known.
    pub(crate) holding: AtomicBool,
    /// Events after this number wait, too.
    pub(crate) event_gate: AtomicU64,
    pub(crate) held_samples: AtomicU64,
    pub(crate) held_bytes: AtomicU64,
    ended: watch::Sender<bool>,
}

/// What is found at opening and then shared.
pub(crate) struct Found {
    pub(crate) marks: Marks,
    pub(crate) catalog: Catalog,
    pub(crate) epoch: Epoch,
    pub(crate) event_head: u64,
    pub(crate) data_head: u64,
    pub(crate) directory: u32,
}

/// Closes the store when the last handle is gone.
pub(crate) struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Opens the files and starts the threads.
pub(crate) fn start(
    config: StoreConfig,
    now: Now,
) -> Result<(Arc<Shared>, Owner, Recovery), StoreError> {
    let lock = crate::lock::take(&config)?;
    let opened = match crate::recover::open(&config, now()) {
        Err(error) if error.is_full() && crate::files::give_reserve(&config.dir) => {
            crate::recover::open(&config, now())
        }
        other => other,
    };
    let (found, mut state, recovery) = opened?;
    let ledger = crate::ledger::begin(&mut state, &found, &config, now());
    let shared = Arc::new(Shared::new((config, now), found, ledger));
    crate::stats::count(
        &shared.counters.files_set_aside,
        recovery.set_aside.len() as u64,
    );
    crate::writer::start(Arc::clone(&shared), state, lock)?;
    if recovery.unclean {
        shared.readers.ask(Box::new(check_newest))?;
    }
    Ok((Arc::clone(&shared), Owner(shared), recovery))
}

/// Checks the day file that was being written when the process before ended; the start does not
/// wait for it.
fn check_newest(reader: &mut crate::readers::Reader) {
    let shared = Arc::clone(&reader.shared);
    let newest = shared.catalog().files().last().cloned();
    let Some(file) = newest else { return };
    let checked = crate::sqlite::open_reader(&file.path)
        .and_then(|conn| crate::sqlite::quick_check(&conn, &file.path));
    let error = match checked {
        Ok(None) => return,
        Ok(Some(detail)) => StoreError::Record {
            what: "day file",
            detail,
        },
        Err(error) => error,
    };
    if error.is_damage() {
        drop(
            shared
                .intake
                .urgent(crate::intake::Urgent::Damaged(file.name, error)),
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn new((config, now): (StoreConfig, Now), found: Found, ledger: Ledger) -> Self {
        let Found {
            marks,
            catalog,
            epoch,
            event_head,
            data_head,
            directory,
        } = found;
        let head = |seq| watch::Sender::new(Position { epoch, seq });
        Self {
            intake: Intake::new(config.queue_samples, config.queue_events),
            readers: Readers::default(),
            outbox_reader: Readers::default(),
            keeper: Keeper::default(),
            counters: Counters::new(),
            ledger,
            marks: Mutex::new(marks),
            recent: Mutex::new(Recent::new(
                epoch,
                event_head,
                data_head,
                config.recent_bytes,
            )),
            catalog: Mutex::new(catalog),
            disk: Mutex::default(),
            wear: Mutex::default(),
            event_head: head(event_head),
            data_head: head(data_head),
            directory: AtomicU32::new(directory),
            generation: AtomicU64::new(1),
            holding: AtomicBool::new(config.hold_back.is_some()),
            event_gate: AtomicU64::new(u64::MAX),
            held_samples: AtomicU64::new(0),
            held_bytes: AtomicU64::new(0),
            ended: watch::Sender::new(false),
            config,
            now,
        }
    }

    pub(crate) fn head(&self, stream: Stream) -> &watch::Sender<Position> {
        match stream {
            Stream::Event => &self.event_head,
            Stream::Data => &self.data_head,
        }
    }

    pub(crate) fn marks(&self) -> MutexGuard<'_, Marks> {
        lock(&self.marks)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        lock(&self.recent)
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        lock(&self.catalog)
    }

    pub(crate) fn disk(&self) -> MutexGuard<'_, DiskState> {
        lock(&self.disk)
    }

    pub(crate) fn wear(&self) -> MutexGuard<'_, Option<Wear>> {
        lock(&self.wear)
    }

    pub(crate) fn directory_version(&self) -> u32 {
        self.directory.load(Ordering::Acquire)
    }

    pub(crate) fn set_directory_version(&self, version: u32) {
        self.directory.store(version, Ordering::Release);
    }

    /// Grows when `state.db` is replaced by another file.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(crate) fn set_ended(&self) {
        self.ended.send_replace(true);
    }

    pub(crate) fn close(&self) {
        self.intake.close();
    }

    /// Merges what the cloud calls durable; it is written down with the next housekeeping.
    pub(crate) fn confirm(
        &self,
        epoch: Epoch,
        stream: Stream,
        contiguous: u64,
        ranges: &[(u64, u64)],
    ) {
        let head = *self.head(stream).borrow();
        let in_use = head.epoch == epoch;
        let last = if in_use {
            head.seq
        } else {
            self.catalog().last(epoch)
        };
        let mut marks = self.marks();
        if !marks.knows((epoch, stream)) {
            tracing::debug!(%epoch, "the cloud confirmed a numbering that is not known here");
            return;
        }
        let all = std::iter::once((1, contiguous)).chain(ranges.iter().copied());
        if marks.confirm((epoch, stream), (last, in_use), all) {
            self.intake.nudge();
        }
    }

    /// Takes over what was found when the files were opened again after damage.
    pub(crate) fn replace(&self, found: Found) {
        let Found {
            marks,
            catalog,
            epoch,
            event_head,
            data_head,
            directory,
        } = found;
        *self.catalog() = catalog;
        *self.marks() = marks;
        *self.recent() = Recent::new(epoch, event_head, data_head, self.config.recent_bytes);
        self.set_directory_version(directory);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.event_head.send_replace(Position {
            epoch,
            seq: event_head,
        });
        self.data_head.send_replace(Position {
            epoch,
            seq: data_head,
        });
    }

    pub(crate) fn stats(&self) -> StoreStats {
        let (event, data) = (*self.event_head.borrow(), *self.data_head.borrow());
        let (queued_samples, queued_events) = self.intake.occupancy();
        let (history_files, history_bytes) = self.catalog().totals();
        let written_bytes = crate::stats::written_bytes()
            .zip(self.counters.written_before)
            .map(|(now, before)| now.saturating_sub(before));
        StoreStats {
            epoch: data.epoch.to_string(),
            event_head: event.seq,
            data_head: data.seq,
            queued_samples,
            held_samples: self.held_samples.load(Ordering::Relaxed),
            held_bytes: self.held_bytes.load(Ordering::Relaxed),
            queue_limit: self.config.queue_samples as u64,
            queued_events,
            history_files,
            history_bytes,
            written_bytes,
            disk: self.disk().clone(),
            stage: self.stage(),
            wear: *self.wear(),
            ..self.counters.snapshot()
        }
    }
}
