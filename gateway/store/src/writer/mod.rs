//! The one thread that writes. Owns its loop: events and small writes first, then samples, then
//! housekeeping; what the disk refuses goes back to the queue and is tried again.

mod adopt;
mod data;
mod retry;
mod upkeep;
mod urgent;

use crate::StoreError;
use crate::dayfile::DayWriter;
use crate::held::HeldFile;
use crate::intake::{Ready, Reply};
use crate::shared::Shared;
use crate::state::State;
use crate::stats::DiskState;
pub(crate) use data::split;
use retry::Retry;
use std::fs::File;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The writing thread's own things.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    /// `None` only between losing the file and opening another.
    state: Option<State>,
    day: Option<DayWriter>,
    /// What waits until the time is known, where anything ever did.
    pub(crate) held: Option<HeldFile>,
    /// Whether some of it may go.
    pub(crate) moving: bool,
    /// Last number given to a batch.
    data_head: u64,
    state_retry: Retry,
    history_retry: Retry,
    upkeep: upkeep::Schedule,
    readers: Vec<JoinHandle<()>>,
    /// Held, never read: another process sees the folder as in use.
    _lock: File,
}

/// Starts the threads.
pub(crate) fn start(shared: Arc<Shared>, state: State, lock: File) -> Result<(), StoreError> {
    use crate::error::Doing;
    let dir = shared.config.dir.clone();
    let mut readers = Vec::new();
    for i in 0..shared.config.readers.max(1) {
        let name = format!("riser-read-{i}");
        let started = crate::readers::start(&name, Arc::clone(&shared), |s| &s.readers);
        readers.push(started.doing("start a reading thread for", &dir)?);
    }
    let started = crate::readers::start("riser-outbox", Arc::clone(&shared), |s| &s.outbox_reader);
    readers.push(started.doing("start a reading thread for", &dir)?);
    let started = crate::readers::start("riser-keep", Arc::clone(&shared), |s| &s.keeper.queue);
    readers.push(started.doing("start the thread that compacts", &dir)?);
    readers.push(crate::ledger::start_journal(Arc::clone(&shared))?);
    let data_head = shared.head(riser_wire::Stream::Data).borrow().seq;
    let mut writer = Writer {
        shared,
        state: Some(state),
        day: None,
        held: None,
        moving: false,
        data_head,
        state_retry: Retry::default(),
        history_retry: Retry::default(),
        upkeep: upkeep::Schedule::default(),
        readers,
        _lock: lock,
    };
    writer.take_up_held()?;
    std::thread::Builder::new()
        .name("riser-write".to_owned())
        .spawn(move || {
            // However it ends, whoever waits for its end hears of it.
            let _ended = Ended(Arc::clone(&writer.shared));
            writer.run();
        })
        .doing("start the writing thread for", &dir)
        .map(drop)
}

/// Tells of the end of the writing thread, also by a defect.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set_ended();
    }
}

impl Writer {
    fn run(mut self) {
        loop {
            let ready = Ready {
                state: self.state_retry.is_due(),
                history: self.history_retry.is_due(),
            };
            let work = self.shared.intake.take(ready, self.wake_at());
            if work.closing {
                break self.wind_up(work);
            }
            let settles = self.serve(work.urgent);
            self.append(work.data);
            self.move_some();
            self.look_after(settles);
        }
    }

    /// When to wake though nothing is queued.
    fn wake_at(&self) -> Instant {
        let pause = if self.is_idle() {
            Duration::from_secs(30)
        } else {
            Duration::from_secs(1)
        };
        let now = Instant::now();
        if self.moves() {
            return now;
        }
        let retries = [self.state_retry.due_at(), self.history_retry.due_at()];
        let due = retries.into_iter().flatten().filter(|at| *at > now).min();
        let pause = now + pause;
        due.map_or(pause, |due| due.min(pause))
    }

    /// The connection to `state.db`, where it is open.
    pub(crate) fn state_mut(&mut self) -> Option<&mut State> {
        self.state.as_mut()
    }

    /// Whether the disk is not known to refuse.
    pub(crate) fn can_append(&self) -> bool {
        self.history_retry.is_due()
    }

    /// Whether the last write was refused for want of room.
    pub(crate) fn refused_for_room(&self) -> bool {
        let errors = [self.state_retry.error(), self.history_retry.error()];
        errors.into_iter().flatten().any(StoreError::is_full)
    }

    fn is_idle(&self) -> bool {
        self.day.is_none()
            && !self.shared.marks().is_dirty()
            && !self.state_retry.is_waiting()
            && !self.history_retry.is_waiting()
    }

    /// Writes what is left; what the disk refuses twice now is lost with the process.
    fn wind_up(mut self, mut work: crate::intake::Work) {
        let ready = Ready {
            state: true,
            history: true,
        };
        let mut refusals = 0;
        loop {
            let settles = self.serve(work.urgent);
            self.append(work.data);
            self.answer(settles);
            let refused = self.state_retry.is_waiting() || self.history_retry.is_waiting();
            refusals += u32::from(refused);
            if refusals > 1 {
                break;
            }
            work = self.shared.intake.take(ready, Instant::now());
            if work.urgent.is_empty() && work.data.is_empty() {
                break;
            }
        }
        self.write_marks();
        self.count_left_over();
        self.shared.readers.close();
        self.shared.outbox_reader.close();
        self.shared.keeper.close();
        for reader in std::mem::take(&mut self.readers) {
            if reader.join().is_err() {
                tracing::error!("a reading thread of the store has panicked");
            }
        }
        // Connections fold their logs in when they close; the folder is free after that.
        self.day = None;
        self.held = None;
        self.state = None;
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.set_ended();
    }

    fn answer(&mut self, settles: Vec<Reply>) {
        let result = match (self.state_retry.error(), self.history_retry.error()) {
            (Some(error), _) | (_, Some(error)) => Err(error.clone()),
            _ => Ok(()),
        };
        settles.into_iter().for_each(|done| done(result.clone()));
    }

    /// Shows whether the disk takes what it is given.
    fn show_disk(&self) {
        let error = self.state_retry.error().or(self.history_retry.error());
        let mut disk = self.shared.disk();
        match (error, &*disk) {
            (None, DiskState::Ok) => {}
            (None, DiskState::Failing { .. }) => {
                tracing::info!("the disk takes what it is given again");
                *disk = DiskState::Ok;
            }
            (Some(error), DiskState::Ok) => {
                let text = error.chain();
                tracing::error!(error = text, "the disk refuses; samples wait in memory");
                *disk = DiskState::Failing {
                    since: (self.shared.now)(),
                    error: text,
                };
            }
            (Some(error), DiskState::Failing { since, .. }) => {
                *disk = DiskState::Failing {
                    since: *since,
                    error: error.chain(),
                };
            }
        }
    }
}
