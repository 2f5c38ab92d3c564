//! Samples: one transaction on the day file for all that wait. Owns numbering, splitting and
//! encoding of batches, and changing over to the next day's file.

use super::Writer;
use crate::catalog::Entry;
use crate::dayfile::{DayWriter, Encoded, Group};
use crate::error::Doing;
use crate::intake::Append;
use crate::ledger::{Lanes, hour_number, of_scans};
use crate::retention::{day_name, day_path};
use crate::stats::count;
use crate::{OutboxBatch, Position, StoreError};
use riser_model::{Reading, ScanBatch, Timestamp, Value};
use riser_wire::{BatchHeader, Epoch, Stream};
use rusqlite::params;
use std::time::Instant;

/// Samples of one batch, and octets of text in it: keeps a frame below its soft limit.
const MAX_SAMPLES: usize = riser_wire::limits::SOFT_SAMPLES;
const MAX_TEXT: usize = riser_wire::limits::SOFT_FRAME / 2;

impl Writer {
    /// Writes samples; what the disk refuses goes back to the queue in its order.
    pub(super) fn append(&mut self, appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let begun = Instant::now();
        let mut appends: Vec<Append> = appends.into_iter().flat_map(split).collect();
        // What is held back was appended before what is not.
        let held = appends.iter().take_while(|a| a.held).count();
        let written = match held {
            0 => Ok(()),
            n => self.hold(&appends[..n]).map(|()| drop(appends.drain(..n))),
        };
        let written = written.and_then(|()| match appends.is_empty() {
            true => Ok(()),
            false => self.try_append(&appends),
        });
        match written {
            Ok(()) => {
                self.shared.counters.commit_took(begun.elapsed());
                self.shared.intake.settle(Vec::new());
                self.history_retry.worked();
            }
            Err(error) => {
                count(&self.shared.counters.failed_commits, 1);
                self.shared.intake.settle(appends);
                self.history_failed(error);
            }
        }
        self.show_disk();
    }

    /// After a failed write the file is opened anew, so that nothing rests on what the operating
    /// system believes to have written.
    pub(crate) fn history_failed(&mut self, error: StoreError) {
        let open = self.day.take().map(|day| day.name);
        if error.is_damage() && error.is_of(&self.shared.config.state_file()) {
            self.state_is_damaged(&error);
        } else if error.is_damage() && error.is_of(&self.shared.config.held_file()) {
            self.held_is_damaged(&error);
        } else if error.is_damage() {
            // Without an open file it turned out when today's was to be opened.
            let name = open.unwrap_or_else(|| day_name((self.shared.now)()));
            self.day_is_damaged(&name, &error);
        }
        self.history_retry.failed(error);
    }

    pub(crate) fn try_append(&mut self, appends: &[Append]) -> Result<(), StoreError> {
        let now = (self.shared.now)();
        self.change_over(now)?;
        let epoch = self.shared.head(Stream::Data).borrow().epoch;
        let lanes = self.shared.ledger.lanes();
        let batches: Vec<Encoded> = (self.data_head + 1..)
            .zip(appends)
            .map(|(seq, append)| encode((epoch, seq), append, &lanes))
            .collect();
        let directory = self.directory_for_day()?;
        let Some(day) = self.day.as_mut() else {
            return Err(StoreError::Closed);
        };
        let group = Group {
            epoch,
            batches: &batches,
            directory,
            now,
            lanes: &lanes,
        };
        let entries = day.commit(&group)?;
        appends.iter().for_each(|append| day.reduce(&append.scans));
        for batch in &batches {
            let stored = crate::ledger::STORED;
            self.shared.ledger.count_hours(stored, &batch.counts);
        }
        let name = day.name.clone();
        if let (Some(state), Some(last)) = (self.state.as_mut(), appends.last()) {
            state.clock = last.clock;
        }
        self.committed(&name, epoch, (batches, &entries));
        Ok(())
    }

    /// Makes what was committed visible: to the backlog, to the live lane, to whoever waits.
    fn committed(
        &mut self,
        name: &str,
        epoch: Epoch,
        (batches, entries): (Vec<Encoded>, &[Entry]),
    ) {
        if let Some(file) = self.shared.catalog().get_mut(name) {
            entries.iter().for_each(|entry| file.add(entry));
        }
        let counters = &self.shared.counters;
        count(&counters.committed_batches, batches.len() as u64);
        let mut recent = self.shared.recent();
        for batch in batches {
            count(&counters.committed_samples, batch.samples);
            count(&counters.frame_bytes, batch.frame.len() as u64);
            self.data_head = batch.seq;
            recent.push(OutboxBatch {
                position: Position {
                    epoch,
                    seq: batch.seq,
                },
                stream: Stream::Data,
                frame: batch.frame.into(),
                samples: u32::try_from(batch.samples).unwrap_or(u32::MAX),
                at: batch.first_at,
            });
        }
        drop(recent);
        let head = Position {
            epoch,
            seq: self.data_head,
        };
        self.shared.head(Stream::Data).send_replace(head);
    }

    /// The directory, where the day file does not carry the newest one yet.
    fn directory_for_day(&self) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
        let version = self.shared.directory_version();
        let (Some(day), Some(state)) = (&self.day, &self.state) else {
            return Ok(None);
        };
        if !day.lacks_directory(version) {
            return Ok(None);
        }
        let packed = crate::points::pack(&state.conn, &state.file)?;
        Ok(Some((version, packed)))
    }

    /// Sees to it that the open file is the one of today.
    pub(super) fn change_over(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let name = day_name(now);
        if let Some(open) = &self.day
            && !open.path.exists()
        {
            let (name, path) = (open.name.clone(), open.path.clone());
            self.day_has_vanished(&name, &path);
        }
        if self.day.as_ref().is_some_and(|day| day.name == name) {
            return Ok(());
        }
        let path = day_path(&self.shared.config, &name);
        // It may be this day that is being rewritten: the clock was set back.
        self.shared.keeper.interrupt();
        // The file is made before it is listed: one that is listed and not there is a loss.
        let next = DayWriter::open(&name, &path, self.committed_head())?;
        let newest = self.shared.catalog().files().last().map(|f| f.name.clone());
        if newest.as_deref() != Some(name.as_str()) {
            self.list_day(&name)?;
        } else if let Some(file) = self.shared.catalog().get_mut(&name) {
            (file.sealed, file.compacted) = (false, false);
        }
        if let Some(before) = self.day.replace(next) {
            self.seal(before, now);
        }
        Ok(())
    }

    /// The last batch known to be committed.
    pub(crate) fn committed_head(&self) -> Position {
        Position {
            epoch: self.shared.head(Stream::Data).borrow().epoch,
            seq: self.data_head,
        }
    }

    fn list_day(&mut self, name: &str) -> Result<(), StoreError> {
        let Some(state) = self.state.as_mut() else {
            return Err(StoreError::Closed);
        };
        let path = day_path(&self.shared.config, name);
        let opened = self.shared.catalog().next_opened();
        let sql = "INSERT INTO history_file (name, opened) VALUES (?1, ?2) \
                   ON CONFLICT (name) DO UPDATE SET opened = ?2";
        state
            .conn
            .execute(sql, params![name, opened])
            .doing("list a day file", &state.file)?;
        self.shared.catalog().begin(name, path);
        Ok(())
    }

    /// Ends a day file. What cannot be done now is done when the store is next opened.
    pub(super) fn seal(&mut self, day: DayWriter, now: Timestamp) {
        let name = day.name.clone();
        let Some(sums) = self.shared.catalog().get(&name).cloned() else {
            return;
        };
        match day.seal(&sums, now) {
            Ok(()) => {
                if let Some(file) = self.shared.catalog().get_mut(&name) {
                    file.sealed = true;
                }
            }
            Err(error) => tracing::warn!(error = error.chain(), "a day file is not sealed yet"),
        }
    }
}

fn encode((epoch, seq): (Epoch, u64), append: &Append, lanes: &Lanes) -> Encoded {
    let times = || {
        append
            .scans
            .iter()
            .filter(|s| !s.readings.is_empty())
            .map(|s| s.at)
    };
    let header = BatchHeader {
        epoch,
        stream: Stream::Data,
        seq,
        first_at: times().min().unwrap_or_default(),
        last_at: times().max().unwrap_or_default(),
        dictionary: append.dictionary,
        clock: append.clock,
        samples: u32::try_from(append.samples).unwrap_or(u32::MAX),
    };
    Encoded {
        seq,
        first_at: header.first_at,
        last_at: header.last_at,
        samples: append.samples,
        frame: riser_wire::encode_data(&header, &append.scans),
        counts: of_scans(lanes, &append.scans, hour_number),
    }
}

fn text_len(reading: &Reading) -> usize {
    match &reading.value {
        Some(Value::Text(text)) => text.len(),
        _ => 0,
    }
}

/// Cuts an append into batches that fit a frame; nearly always it is one already.
pub(crate) fn split(append: Append) -> Vec<Append> {
    let text: usize = append
        .scans
        .iter()
        .flat_map(|s| &s.readings)
        .map(text_len)
        .sum();
    if append.samples <= MAX_SAMPLES as u64 && text <= MAX_TEXT {
        return vec![append];
    }
    let Append {
        scans,
        clock,
        dictionary,
        held,
        ..
    } = append;
    let mut parts: Vec<Append> = Vec::new();
    let (mut room, mut text_room) = (0, 0);
    for scan in scans {
        let mut readings = scan.readings.into_iter().peekable();
        while let Some(next) = readings.peek() {
            let text = text_len(next);
            if room == 0 || text > text_room {
                parts.push(Append {
                    scans: Vec::new(),
                    clock,
                    dictionary,
                    samples: 0,
                    held,
                });
                (room, text_room) = (MAX_SAMPLES, MAX_TEXT.max(text));
            }
            let mut taken = Vec::new();
            while room > 0
                && let Some(r) = readings.next_if(|r| text_len(r) <= text_room)
            {
                (room, text_room) = (room - 1, text_room - text_len(&r));
                taken.push(r);
            }
            if let Some(part) = parts.last_mut() {
                part.samples += taken.len() as u64;
                part.scans.push(ScanBatch {
                    at: scan.at,
                    readings: taken,
                });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use riser_model::{ClockState, Quality, Slot};

    fn append(scans: &[(i64, Vec<usize>)]) -> Append {
        let mut slot = 0;
        let mut reading = |text: usize| {
            slot += 1;
            let value = match text {
                0 => Value::Int(7),
                n => Value::text(&"x".repeat(n)),
            };
            Reading {
                slot: Slot(slot),
                value: Some(value),
                quality: Quality::GOOD,
            }
        };
        let scans: Vec<ScanBatch> = scans
            .iter()
            .map(|(at, texts)| ScanBatch {
                at: Timestamp(*at),
                readings: texts.iter().map(|t| reading(*t)).collect(),
            })
            .collect();
        let samples = scans.iter().map(|s| s.readings.len() as u64).sum();
        Append {
            scans,
            clock: ClockState::Synchronised,
            dictionary: 1,
            samples,
            held: false,
        }
    }

    fn flat(appends: &[Append]) -> Vec<(Timestamp, Slot)> {
        let scans = appends.iter().flat_map(|a| &a.scans);
        scans
            .flat_map(|s| s.readings.iter().map(|r| (s.at, r.slot)))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn splitting_keeps_every_sample_in_order(
            scans in prop::collection::vec(
                (0i64..100, prop::collection::vec(prop_oneof![9 => Just(0usize), 1 => 1usize..5000], 0..3000)),
                0..6,
            ),
        ) {
            let whole = append(&scans);
            let all = flat(std::slice::from_ref(&whole));
            let parts = split(whole);
            prop_assert_eq!(flat(&parts), all);
            for part in &parts {
                let text: usize = part.scans.iter().flat_map(|s| &s.readings).map(text_len).sum();
                prop_assert!(part.samples <= MAX_SAMPLES as u64 && text <= MAX_TEXT);
                prop_assert_eq!(part.samples, flat(std::slice::from_ref(part)).len() as u64);
            }
        }
    }

    #[test]
    fn a_batch_that_fits_is_left_alone() {
        assert_eq!(split(append(&[(1, vec![0; MAX_SAMPLES])])).len(), 1);
        let parts = split(append(&[(1, vec![0; 2 * MAX_SAMPLES + 1])]));
        assert_eq!(
            parts.iter().map(|p| p.samples).collect::<Vec<_>>(),
            [4096, 4096, 1]
        );
    }
}
