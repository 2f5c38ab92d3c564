//! Held batches that cannot be read any more: counted in the ledger, told as a loss, and out of the
//! way of the others. Owns that a crash in between counts none of them twice.

use super::{Correction, HeldBatch, HeldFile};
use crate::error::Doing;
use crate::ledger::{Cell, Changes, Lanes, cell, hour_number};
use crate::stats::count;
use crate::writer::Writer;
use crate::{Position, StoreError, files};
use riser_model::Event;
use rusqlite::{OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::Ordering;

/// The damaged batches that were counted last, while they may still be in the file.
const COUNTED: &str = "held_damaged";

/// What is lost, as it is to be counted and told.
struct Lost {
    /// The batches, where they are known one by one.
    ids: Vec<i64>,
    cells: Vec<(Cell, u64)>,
    reason: String,
}

impl Lost {
    fn samples(&self) -> u64 {
        self.cells.iter().map(|(_, n)| n).sum()
    }
}

impl Writer {
    /// Opens `held.db`; a damaged one is set aside with all that waited in it.
    pub(super) fn open_held(&mut self, file: &Path) -> Result<HeldFile, StoreError> {
        match HeldFile::open(file) {
            Err(error) if error.is_damage() => {
                self.set_held_aside(&error, None)?;
                HeldFile::open(file)
            }
            other => other,
        }
    }

    /// `held.db` turned out to be damaged: what waited in it is lost, what comes waits in a new one.
    pub(crate) fn held_is_damaged(&mut self, error: &StoreError) {
        self.held = None;
        let waited = self.shared.held_samples.load(Ordering::Relaxed);
        let file = self.shared.config.held_file();
        let anew = self.set_held_aside(error, Some(waited));
        match anew.and_then(|()| HeldFile::open(&file)) {
            Ok(held) => self.held = Some(held),
            Err(error) => {
                let error = error.chain();
                tracing::error!(error, "samples cannot be held back");
            }
        }
    }

    fn set_held_aside(
        &mut self,
        error: &StoreError,
        waited: Option<u64>,
    ) -> Result<(), StoreError> {
        let now = (self.shared.now)();
        let file = self.shared.config.held_file();
        files::set_aside(&file, &error.chain(), now)?;
        count(&self.shared.counters.files_set_aside, 1);
        self.shared.count_held(0, 0);
        let unknown = match waited {
            Some(_) => "",
            None => "; how many samples waited in it is not known",
        };
        let what = file.display();
        self.tell_lost(&Lost {
            ids: Vec::new(),
            cells: vec![(cell(hour_number(now.0), 0), waited.unwrap_or(0))],
            reason: format!("{what} was damaged: {}{unknown}", error.chain()),
        })
    }

    /// Counts batches whose frames cannot be read, by what is written beside them.
    pub(super) fn count_damaged(
        &mut self,
        lanes: &Lanes,
        damaged: &[(&HeldBatch, Correction)],
    ) -> Result<(), StoreError> {
        let (Some(held), false) = (&self.held, damaged.is_empty()) else {
            return Ok(());
        };
        let names = held.lanes().translation(lanes);
        let now = hour_number((self.shared.now)().0);
        let mut lost = Lost {
            ids: damaged.iter().map(|(batch, _)| batch.id).collect(),
            cells: Vec::new(),
            reason: "batches that waited for the time to be known were damaged".to_owned(),
        };
        for (batch, correction) in damaged {
            match names.read(batch.counts.as_deref(), batch.samples) {
                Some(counts) => lost.cells.extend(counts.iter().map(|(at, lane, n)| {
                    let at = correction.apply(riser_model::Timestamp(*at));
                    (cell(hour_number(at.0), *lane), *n)
                })),
                None => lost.cells.push((cell(now, 0), batch.samples)),
            }
        }
        self.tell_lost(&lost)
    }

    fn tell_lost(&mut self, lost: &Lost) -> Result<(), StoreError> {
        let now = (self.shared.now)();
        let Some(state) = self.state_mut() else {
            return Err(StoreError::Closed);
        };
        let mut tx = state.begin(now)?;
        if !lost.ids.is_empty() {
            let ids = crate::records::to_json("list of batches", &lost.ids)?.into_bytes();
            let sql = "SELECT value FROM kv WHERE key = ?1";
            let known: Option<Vec<u8>> = tx
                .conn()
                .query_row(sql, [COUNTED], |r| r.get(0))
                .optional()
                .doing("read what was counted", tx.file())?;
            if known.as_ref() == Some(&ids) {
                return Ok(());
            }
            let sql = "INSERT OR REPLACE INTO kv VALUES (?1, ?2)";
            tx.execute("note what is counted", sql, params![COUNTED, ids])?;
        }
        let mut changes = Changes::default();
        for (cell, n) in lost.cells.iter().filter(|(_, n)| *n > 0) {
            let counts = changes.entry(*cell).or_default();
            counts.collected += n;
            counts.stored += n;
            counts.dropped.damaged += n;
        }
        crate::ledger::add(&tx, &changes)?;
        tracing::error!(
            samples = lost.samples(),
            reason = lost.reason,
            "samples are lost"
        );
        tx.emit(&Event::Loss {
            at: now,
            lane: "held".to_owned(),
            samples: lost.samples(),
            reason: lost.reason.clone(),
        })?;
        let numbers = tx.numbers;
        let emitted = tx.commit()?;
        let head = Position {
            epoch: numbers.epoch,
            seq: numbers.event_head,
        };
        self.publish_events(emitted, head);
        Ok(())
    }
}
