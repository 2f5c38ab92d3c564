//! The way of held batches to the day files, in the writer. Owns that each arrives once, and that
//! values which are collected meanwhile do not wait for them.

use super::file::{HeldFrame, MovingBatches};
use super::{Correction, Mark, correct_events, read_mark, write_mark};
use crate::StoreError;
use crate::intake::Append;
use crate::ledger::of_scans;
use crate::writer::Writer;
use riser_model::{Reading, Sample, ScanBatch, Slot};
use riser_wire::{BatchHeader, Epoch, Stream};
use std::sync::atomic::Ordering;

/// Batches moved in one go.
const AT_ONCE: usize = 16;

impl Writer {
    /// Takes up what a process before has left, before anything is claimed or appended.
    pub(crate) fn take_up_held(&mut self) -> Result<(), StoreError> {
        let file = self.shared.config.held_file();
        let line = self.shared.config.hold_back.clone();
        if line.is_some() || file.exists() {
            let held = self.open_held(&file)?;
            let (samples, bytes) = held.totals()?;
            self.shared.count_held(samples, bytes);
            self.held = Some(held);
            self.moving = samples > 0;
        }
        match self.finish_moving() {
            Err(error) if error.is_damage() => self.held_is_damaged(&error),
            other => other?,
        }
        let Some(state) = self.state_mut() else {
            return Ok(());
        };
        let mark = read_mark(&state.conn, &state.file)?;
        match (mark, line) {
            (Some(mark), Some(line)) if mark.line == line => self.shared.gate_events(mark.after),
            (left, line) => {
                if let Some(left) = left {
                    self.correct_left(&left)?;
                }
                if let Some(line) = line {
                    self.hold_events(line)?;
                }
            }
        }
        Ok(())
    }

    /// Events of a line that ended while nobody looked.
    fn correct_left(&mut self, mark: &Mark) -> Result<(), StoreError> {
        let known = match &self.held {
            Some(held) => held.outcome(&mark.line)?,
            None => None,
        };
        let correction = known.unwrap_or(Correction::NONE);
        self.in_state(|tx| correct_events(tx, mark, &correction).map(drop))
    }

    fn hold_events(&mut self, line: String) -> Result<(), StoreError> {
        let head = *self.shared.head(Stream::Event).borrow();
        let mark = Mark {
            line,
            epoch: head.epoch.0,
            after: head.seq,
        };
        self.in_state(|tx| write_mark(tx, Some(&mark)))?;
        self.shared.gate_events(head.seq);
        Ok(())
    }

    fn in_state(
        &mut self,
        work: impl FnOnce(&crate::state::StateTx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let now = (self.shared.now)();
        let Some(state) = self.state_mut() else {
            return Err(StoreError::Closed);
        };
        let tx = state.begin(now)?;
        work(&tx)?;
        tx.commit().map(drop)
    }

    /// Lets batches wait.
    pub(crate) fn hold(&mut self, appends: &[Append]) -> Result<(), StoreError> {
        if self.held.is_none() {
            self.held = Some(self.open_held(&self.shared.config.held_file())?);
        }
        let (Some(held), Some(line)) = (&mut self.held, &self.shared.config.hold_back) else {
            return Err(StoreError::Closed);
        };
        let lanes = self.shared.ledger.lanes();
        let epoch = self.shared.head(Stream::Data).borrow().epoch;
        let frames: Vec<HeldFrame> = appends
            .iter()
            .map(|append| {
                let first = append.scans.iter().map(|s| s.at).min().unwrap_or_default();
                let last = append.scans.iter().map(|s| s.at).max().unwrap_or_default();
                let header = BatchHeader {
                    epoch,
                    stream: Stream::Data,
                    seq: 0,
                    first_at: first,
                    last_at: last,
                    dictionary: append.dictionary,
                    clock: append.clock,
                    samples: 0,
                };
                HeldFrame {
                    samples: append.samples,
                    frame: riser_wire::encode_data(&header, &append.scans),
                    counts: of_scans(&lanes, &append.scans, |at| at),
                }
            })
            .collect();
        held.push((line, &lanes), &frames)?;
        let octets = frames.iter().map(|f| f.frame.len() as u64).sum::<u64>();
        let samples = frames.iter().map(|f| f.samples).sum::<u64>();
        self.shared.add_held(samples, octets);
        Ok(())
    }

    /// The line is over: what waits may go, put right.
    pub(crate) fn release(&mut self, correction: &Correction) -> Result<(), StoreError> {
        let Some(line) = self.shared.config.hold_back.clone() else {
            return Ok(());
        };
        if let Some(held) = &self.held {
            held.settle(&line, correction)?;
        }
        let mark = match self.state_mut() {
            Some(state) => read_mark(&state.conn, &state.file)?,
            None => return Err(StoreError::Closed),
        };
        if let Some(mark) = mark {
            let mut corrected = 0;
            self.in_state(|tx| {
                corrected = correct_events(tx, &mark, correction)?;
                Ok(())
            })?;
            tracing::info!(events = corrected, by_ms = correction.by_ms, "events go");
        }
        self.shared.recent().forget(Stream::Event);
        self.shared.open_events();
        self.moving = true;
        Ok(())
    }

    /// Moves some of what may go; called as long as there is something.
    pub(crate) fn move_some(&mut self) {
        if !self.moving || !self.can_append() {
            return;
        }
        if let Err(error) = self.try_move() {
            self.history_failed(error);
        }
    }

    fn try_move(&mut self) -> Result<(), StoreError> {
        let waits = self.waiting_line();
        let Some(held) = &self.held else {
            self.moving = false;
            return Ok(());
        };
        let free = held.free(waits.as_deref(), AT_ONCE)?;
        if free.is_empty() {
            self.moving = false;
            held.tidy(waits.as_deref())?;
            let (samples, bytes) = held.totals()?;
            self.shared.count_held(samples, bytes);
            return Ok(());
        }
        let (mut appends, mut damaged) = (Vec::new(), Vec::new());
        for batch in &free {
            let correction = held.outcome(&batch.line)?.unwrap_or(Correction::NONE);
            match riser_wire::decode_data(&batch.frame) {
                Ok((header, samples)) => {
                    appends.extend(crate::writer::split(append(&header, samples, &correction)));
                }
                Err(error) => {
                    tracing::error!(%error, "a held batch is damaged and left out");
                    damaged.push((batch, correction));
                }
            }
        }
        self.count_damaged(&self.shared.ledger.lanes(), &damaged)?;
        let Some(held) = &self.held else {
            return Ok(());
        };
        let ids: Vec<i64> = free.iter().map(|b| b.id).collect();
        let (epoch, head) = self.data_position();
        held.begin_moving(&MovingBatches {
            epoch,
            seq: head + appends.len() as u64,
            ids: ids.clone(),
        })?;
        if !appends.is_empty() {
            let scans = || appends.iter().flat_map(|a| &a.scans);
            self.try_append(&appends)?;
            let counted = crate::ledger::COLLECTED;
            self.shared.ledger.count(counted, scans());
        }
        match &mut self.held {
            Some(held) => held.arrived(&ids),
            None => Ok(()),
        }
    }

    /// The line that still waits, if one does.
    fn waiting_line(&self) -> Option<String> {
        let line = self.shared.config.hold_back.clone();
        line.filter(|_| self.shared.events_gated())
    }

    /// Batches that were on their way when the process before ended: they have arrived, all of
    /// them or none.
    fn finish_moving(&mut self) -> Result<(), StoreError> {
        let position = self.data_position();
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        if let Some(MovingBatches { epoch, seq, ids }) = held.moving()? {
            let here = epoch == position.0 && seq > 0 && position.1 >= seq;
            held.arrived(if here { &ids } else { &[] })?;
        }
        Ok(())
    }

    fn data_position(&self) -> (Epoch, u64) {
        let head = self.committed_head();
        (head.epoch, head.seq)
    }

    /// Whether anything may still be moved.
    pub(crate) fn moves(&self) -> bool {
        self.moving && self.can_append()
    }
}

impl crate::shared::Shared {
    /// Holds events after a number back.
    fn gate_events(&self, after: u64) {
        self.event_gate.store(after, Ordering::Release);
    }

    /// Holds no event back any more, and wakes whoever waits for one.
    fn open_events(&self) {
        self.event_gate.store(u64::MAX, Ordering::Release);
        self.head(Stream::Event).send_modify(|_| ());
    }

    fn events_gated(&self) -> bool {
        self.event_gate.load(Ordering::Acquire) != u64::MAX
    }

    pub(super) fn count_held(&self, samples: u64, bytes: u64) {
        self.held_samples.store(samples, Ordering::Relaxed);
        self.held_bytes.store(bytes, Ordering::Relaxed);
    }

    fn add_held(&self, samples: u64, bytes: u64) {
        self.held_samples.fetch_add(samples, Ordering::Relaxed);
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn last(scan: &ScanBatch) -> Option<Slot> {
    scan.readings.last().map(|r| r.slot)
}

/// A batch put right. Its samples come point by point and go scan by scan again.
fn append(header: &BatchHeader, mut samples: Vec<Sample>, c: &Correction) -> Append {
    let count = samples.len() as u64;
    samples.sort_by_key(|s| s.at);
    let mut scans: Vec<ScanBatch> = Vec::new();
    for sample in samples {
        let at = c.apply(sample.at);
        let reading = Reading {
            slot: sample.slot,
            value: sample.value,
            quality: sample.quality,
        };
        // A point read twice in one millisecond needs a scan of its own.
        match scans.last_mut() {
            Some(scan) if scan.at == at && last(scan) != Some(reading.slot) => {
                scan.readings.push(reading);
            }
            _ => scans.push(ScanBatch {
                at,
                readings: vec![reading],
            }),
        }
    }
    Append {
        scans,
        clock: c.clock,
        dictionary: header.dictionary,
        samples: count,
        held: false,
    }
}
