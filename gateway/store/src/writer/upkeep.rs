//! What is done now and then: durable marks, complete minutes, retention, opening anew after damage.
//! Owns the schedule; every job may run at any time and twice.

use super::Writer;
use crate::error::Doing;
use crate::files;
use crate::intake::{Ready, Reply};
use crate::recover;
use crate::retention::{Drop, day_path};
use crate::stats::count;
use crate::{Position, StoreError};
use riser_model::{DiskStage, Event, Timestamp};
use riser_wire::Stream;
use std::time::{Duration, Instant};

/// Pause between writings of durable marks; what is lost of them only causes repeats.
const MARKS: Duration = Duration::from_secs(5);
/// Pause between looks at retention.
const RETENTION: Duration = Duration::from_secs(60);
/// Pause between looks at the disk.
const DISK: Duration = Duration::from_secs(5);
/// Events kept for a cloud that never answers.
const MAX_EVENTS: u64 = 500_000;
/// Events kept where no cloud is configured.
const MAX_EVENTS_ALONE: u64 = 1_000;

/// When each job was last done.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    marks: Option<Instant>,
    retention: Option<Instant>,
    disk: Option<Instant>,
}

fn due(last: &mut Option<Instant>, pause: Duration, now: bool) -> bool {
    let due = now || last.is_none_or(|at| at.elapsed() >= pause);
    if due {
        *last = Some(Instant::now());
    }
    due
}

impl Writer {
    /// Does what is due; all of it when somebody waits for it.
    pub(super) fn look_after(&mut self, settles: Vec<Reply>) {
        let all = !settles.is_empty();
        if all {
            self.drain();
            self.shared.ledger.hurry();
        }
        if self.state.is_none() && self.state_retry.is_due() {
            self.open_anew();
        }
        if self.shared.marks().take_beyond_head() {
            self.begin_epoch("the cloud has confirmed numbers that were never given out here");
        }
        if due(&mut self.upkeep.marks, MARKS, all) && (all || self.state_retry.is_due()) {
            self.write_marks();
        }
        let now = (self.shared.now)();
        self.probe(now);
        if self.history_retry.is_due()
            && let Some(day) = self.day.as_mut()
            && let Err(error) = day.keep_up(now)
        {
            self.history_failed(error);
        }
        if due(&mut self.upkeep.disk, DISK, all) {
            self.look_at_disk();
        }
        if due(&mut self.upkeep.retention, RETENTION, all) {
            self.tidy_up(now);
            self.look_at_disk();
        }
        self.show_disk();
        self.answer(settles);
    }

    /// Tries a disk that refused, though nothing waits to be written, so that it is not called
    /// failing for longer than it is.
    fn probe(&mut self, now: Timestamp) {
        if self.state_retry.is_waiting() && self.state_retry.is_due() {
            self.transact(Vec::new());
        }
        if self.history_retry.is_waiting() && self.history_retry.is_due() && self.day.is_none() {
            match self.change_over(now) {
                Ok(()) => self.history_retry.worked(),
                Err(error) => self.history_failed(error),
            }
        }
    }

    /// Writes all samples that are queued.
    pub(super) fn drain(&mut self) {
        loop {
            let ready = Ready {
                state: false,
                history: true,
            };
            let work = self.shared.intake.take(ready, Instant::now());
            if work.data.is_empty() {
                return;
            }
            self.append(work.data);
            if self.history_retry.is_waiting() {
                return;
            }
        }
    }

    fn tidy_up(&mut self, now: Timestamp) {
        let dir = self.shared.config.dir.clone();
        let free = (self.shared.config.free_space)(&dir);
        if free.is_none_or(|f| f >= files::floor(&self.shared.config))
            && let Err(error) = files::keep_reserve(&dir)
        {
            tracing::debug!(error = error.chain(), "there is no room for the reserve");
        }
        self.seal_finished(now);
        self.measure();
        // Compaction leaves no batches to count by.
        self.write_ledger();
        if self.shared.config.compact && self.shared.stage() < DiskStage::Scarce {
            crate::compact::begin(&self.shared);
        }
        let tidied = self.retain(now).and_then(|()| self.prune(now));
        if let Err(error) = tidied.and_then(|()| self.tell_ledger(now)) {
            // Dropping a file takes a little room to write down that it goes.
            if error.is_full() && files::give_reserve(&dir) {
                self.upkeep.retention = None;
            }
            tracing::warn!(
                error = error.chain(),
                "tidying up failed; it is tried again"
            );
        }
    }

    /// Seals files of days that are over and that a crash left open.
    fn seal_finished(&mut self, now: Timestamp) {
        let open = self.day.as_ref().map(|d| d.name.clone());
        let today = crate::retention::day_name(now);
        let finished = {
            let catalog = self.shared.catalog();
            let mut files = catalog.files().iter();
            let unsealed = files
                .find(|f| !f.sealed && f.name != today && Some(f.name.as_str()) != open.as_deref());
            unsealed.map(|f| (f.name.clone(), f.path.clone()))
        };
        let Some((name, path)) = finished else { return };
        match crate::dayfile::DayWriter::open(&name, &path, self.committed_head()) {
            Ok(day) => self.seal(day, now),
            Err(error) if error.is_damage() => self.day_is_damaged(&name, &error),
            Err(error) => tracing::warn!(error = error.chain(), "a day file is not sealed yet"),
        }
    }

    /// Forgets records that are over and events nobody will fetch.
    fn prune(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let keep = if self.shared.config.keep_unsent {
            MAX_EVENTS
        } else {
            MAX_EVENTS_ALONE
        };
        let head = *self.shared.head(Stream::Event).borrow();
        let last = head.seq.saturating_sub(keep);
        let gone = self
            .shared
            .marks()
            .missing((head.epoch, Stream::Event), 1, last);
        let Some(state) = self.state.as_mut() else {
            return Ok(());
        };
        let mut tx = state.begin(now)?;
        crate::records::prune(&tx)?;
        if gone > 0 && self.shared.config.keep_unsent {
            let reason = format!("{gone} events waited for the cloud, more than are kept");
            tx.emit(&Event::Loss {
                at: now,
                lane: "event".to_owned(),
                samples: 0,
                reason,
            })?;
        }
        let numbers = tx.numbers;
        let emitted = tx.commit()?;
        let newest = Position {
            epoch: numbers.epoch,
            seq: numbers.event_head,
        };
        self.publish_events(emitted, newest);
        if gone > 0 {
            self.shared
                .marks()
                .settle((head.epoch, Stream::Event), 1, last);
        }
        Ok(())
    }

    /// Drops a day file: first said, then done, so that a crash in between is finished later.
    pub(crate) fn drop_day(&mut self, drop: &Drop, now: Timestamp) -> Result<(), StoreError> {
        let lost = self.ledger_of(&drop.name, drop.loses);
        let Some(state) = self.state.as_mut() else {
            return Err(StoreError::Closed);
        };
        tracing::info!(
            file = drop.name,
            reason = drop.reason,
            "a day file is dropped"
        );
        let mut tx = state.begin(now)?;
        let sql = "UPDATE history_file SET dropping = 1 WHERE name = ?1";
        tx.execute("drop a day file", sql, [&drop.name])?;
        crate::ledger::add(&tx, &lost)?;
        if drop.loses > 0 {
            let reason = format!("day {} was dropped: {}", drop.name, drop.reason);
            let (samples, lane) = (drop.loses, "history".to_owned());
            tx.emit(&Event::Loss {
                at: now,
                lane,
                samples,
                reason,
            })?;
        }
        let numbers = tx.numbers;
        let emitted = tx.commit()?;
        self.publish_events(
            emitted,
            Position {
                epoch: numbers.epoch,
                seq: numbers.event_head,
            },
        );
        count(&self.shared.counters.shed_samples, drop.loses);
        let file = self.shared.catalog().remove(&drop.name);
        self.forget_batches(file.as_ref().map_or(&[], |f| &f.segments));
        files::remove(&day_path(&self.shared.config, &drop.name))?;
        let Some(state) = self.state.as_mut() else {
            return Ok(());
        };
        let sql = "DELETE FROM history_file WHERE name = ?1";
        state
            .conn
            .execute(sql, [&drop.name])
            .doing("drop a day file", &state.file)
            .map(std::mem::drop)
    }

    /// A day file turned out to be damaged: it goes aside and everything is opened anew.
    pub(super) fn day_is_damaged(&mut self, name: &str, error: &StoreError) {
        if self.shared.catalog().get(name).is_none() {
            return;
        }
        self.write_ledger();
        if self.day.as_ref().is_some_and(|d| d.name == name) {
            self.day = None;
        }
        let path = day_path(&self.shared.config, name);
        if path.exists() {
            self.set_aside(&path, error);
        } else {
            tracing::error!(file = %path.display(), "a day file has vanished");
            self.open_anew();
        }
    }

    /// A day file that is not where it was, whoever took it away, is lost as a damaged one is.
    pub(super) fn day_has_vanished(&mut self, name: &str, path: &std::path::Path) {
        let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
        if let Err(error) = Err::<(), _>(gone).doing("find", path) {
            self.day_is_damaged(name, &error);
        }
    }

    /// `state.db` turned out to be damaged.
    pub(super) fn state_is_damaged(&mut self, error: &StoreError) {
        self.state = None;
        let path = self.shared.config.state_file();
        self.set_aside(&path, error);
    }

    fn set_aside(&mut self, path: &std::path::Path, error: &StoreError) {
        match files::set_aside(path, &error.chain(), (self.shared.now)()) {
            Ok(_) => count(&self.shared.counters.files_set_aside, 1),
            Err(error) => tracing::error!(error = error.chain(), "a damaged file stays in place"),
        }
        self.open_anew();
    }

    /// Opens all files again, with the same repairs as at the start.
    fn open_anew(&mut self) {
        self.day = None;
        self.state = None;
        match recover::open(&self.shared.config, (self.shared.now)()) {
            Ok((found, mut state, recovery)) => {
                self.ledger_anew(&mut state, &found);
                let aside = recovery.set_aside.len() as u64;
                count(&self.shared.counters.files_set_aside, aside);
                self.data_head = found.data_head;
                self.state = Some(state);
                self.shared.replace(found);
                self.state_retry.worked();
            }
            Err(error) => self.state_retry.failed(error),
        }
    }

    /// Begins a new numbering while running.
    fn begin_epoch(&mut self, reason: &str) {
        self.write_ledger();
        let Some(state) = self.state.as_mut() else {
            return;
        };
        let begun = state.begin((self.shared.now)()).and_then(|mut tx| {
            let epoch = crate::epoch::begin(&mut tx, reason)?;
            // With it, so that a crash finds its batches counted from the first.
            crate::ledger::counted(&tx, Position { epoch, seq: 0 })?;
            let numbers = tx.numbers;
            Ok((epoch, numbers, tx.commit()?))
        });
        match begun {
            Ok((epoch, numbers, emitted)) => {
                for stream in Stream::ALL {
                    self.shared.marks().begin((epoch, stream));
                }
                self.shared.ledger.begin_epoch(epoch);
                self.data_head = 0;
                self.shared.recent().begin(epoch);
                self.shared
                    .head(Stream::Data)
                    .send_replace(Position { epoch, seq: 0 });
                self.publish_events(
                    emitted,
                    Position {
                        epoch,
                        seq: numbers.event_head,
                    },
                );
            }
            Err(error) => {
                self.shared.marks().set_beyond_head();
                self.state_retry.failed(error);
            }
        }
    }
}
