//! Events and small writes: one transaction on `state.db` for all that wait. Owns who is answered
//! what, and that an event is repeated until it is on disk.

use super::Writer;
use crate::StoreError;
use crate::intake::{EventReply, Filed, Reply, Urgent};
use crate::marks::Numbering;
use crate::ranges::RangeSet;
use crate::shared::Shared;
use crate::state::StateTx;
use crate::stats::count;
use crate::{OutboxBatch, Position};
use riser_model::Event;
use riser_wire::Stream;
use rusqlite::params;
use std::time::Instant;

/// What waits for the commit.
enum Done {
    Event(Box<Filed>, EventReply, u64),
    Task(Reply),
}

/// A transaction that did not work, with everything that was to be in it.
struct Refusal {
    error: StoreError,
    done: Vec<Done>,
    rest: Vec<Urgent>,
}

/// What one transaction did besides.
struct Extra {
    lost: u64,
    marks: Vec<(Numbering, RangeSet)>,
    ledger: Option<crate::ledger::Flush>,
}

impl Writer {
    /// Writes all of it in one transaction and answers. Gives back who wants to know when all
    /// housekeeping is done.
    pub(super) fn serve(&mut self, urgent: Vec<Urgent>) -> Vec<Reply> {
        let mut settles = Vec::new();
        let (mut work, mut releases) = (Vec::new(), Vec::new());
        for u in urgent {
            match u {
                Urgent::Settle(done) => settles.push(done),
                Urgent::Damaged(name, error) => self.day_is_damaged(&name, &error),
                Urgent::Adopt(adopt, reply) => reply(self.adopt(&adopt)),
                Urgent::Release(correction) => releases.push(correction),
                other => work.push(other),
            }
        }
        if !work.is_empty() {
            self.transact(work);
        }
        for correction in releases {
            self.let_go(correction);
        }
        settles
    }

    /// Everything appended before it is written first, so that all of it is put right.
    fn let_go(&mut self, correction: crate::Correction) {
        self.drain();
        let refused = self.history_retry.error().or(self.state_retry.error());
        let released = match refused.cloned() {
            Some(error) => Err(error),
            None => self.release(&correction),
        };
        if let Err(error) = released {
            tracing::warn!(error = error.chain(), "what is held back cannot go yet");
            if error.is_damage() && error.is_of(&self.shared.config.held_file()) {
                self.held_is_damaged(&error);
            }
            // A disk that refuses is tried again with whatever comes next.
            drop(self.shared.intake.urgent(Urgent::Release(correction)));
            self.state_retry.failed(error);
        }
    }

    /// Writes marks and losses though no event takes them along.
    pub(crate) fn write_marks(&mut self) {
        let dirty = self.shared.marks().is_dirty();
        if dirty || self.shared.intake.has_lost() || self.shared.ledger.is_due() {
            self.transact(Vec::new());
        }
    }

    pub(super) fn transact(&mut self, work: Vec<Urgent>) {
        let begun = Instant::now();
        let now = (self.shared.now)();
        if let Err(refusal) = self.try_transact(work, now) {
            let Refusal { error, done, rest } = *refusal;
            self.refused(&error, done, rest);
            if error.is_full() && crate::files::give_reserve(&self.shared.config.dir) {
                tracing::warn!("the disk is full: the reserve is given to events and records");
            }
            if error.is_damage() {
                self.state_is_damaged(&error);
            }
            self.state_retry.failed(error);
        } else {
            self.shared.counters.commit_took(begun.elapsed());
            self.state_retry.worked();
        }
        self.show_disk();
    }

    fn try_transact(
        &mut self,
        work: Vec<Urgent>,
        now: riser_model::Timestamp,
    ) -> Result<(), Box<Refusal>> {
        let mut done = Vec::with_capacity(work.len());
        let mut rest = work.into_iter();
        let counted = self.committed_head();
        let Some(state) = self.state.as_mut() else {
            let (error, rest) = (StoreError::Closed, rest.collect());
            return Err(Box::new(Refusal { error, done, rest }));
        };
        let marks = self.shared.marks().dirty();
        let mut extra = Extra {
            lost: self.shared.intake.take_lost(),
            ledger: self.shared.ledger.prepare(&self.shared, &marks, counted),
            marks,
        };
        let result = state.begin(now).and_then(|mut tx| {
            for urgent in rest.by_ref() {
                one(&mut tx, urgent, &mut done)?;
            }
            extra.write(&mut tx, &self.shared)?;
            let numbers = tx.numbers;
            Ok((tx.commit()?, numbers))
        });
        match result {
            Ok((emitted, numbers)) => {
                self.shared.set_directory_version(numbers.directory);
                self.publish_events(
                    emitted,
                    Position {
                        epoch: numbers.epoch,
                        seq: numbers.event_head,
                    },
                );
                self.shared.marks().written(&extra.marks);
                if let Some(flush) = extra.ledger {
                    self.shared.ledger.written(flush);
                }
                done.into_iter().for_each(Done::worked);
                Ok(())
            }
            Err(error) => {
                self.shared.intake.add_lost(extra.lost);
                let rest = rest.collect();
                Err(Box::new(Refusal { error, done, rest }))
            }
        }
    }

    pub(crate) fn publish_events(&self, emitted: Vec<OutboxBatch>, head: Position) {
        count(&self.shared.counters.committed_events, emitted.len() as u64);
        {
            let mut recent = self.shared.recent();
            emitted.into_iter().for_each(|batch| recent.push(batch));
        }
        let sender = self.shared.head(Stream::Event);
        sender.send_if_modified(|before| std::mem::replace(before, head) != head);
    }

    /// Nothing of it is on disk: events wait in front of the queue, tasks are told.
    fn refused(&self, error: &StoreError, done: Vec<Done>, rest: Vec<Urgent>) {
        count(&self.shared.counters.failed_commits, 1);
        let mut again = Vec::new();
        for d in done {
            match d {
                Done::Event(event, reply, _) => again.push(Urgent::Event(event, reply)),
                Done::Task(reply) => reply(Err(error.clone())),
            }
        }
        again.extend(rest);
        self.shared.intake.give_back(again);
    }
}

impl Done {
    fn worked(self) {
        match self {
            Self::Event(_, reply, seq) => reply(Ok(seq)),
            Self::Task(reply) => reply(Ok(())),
        }
    }
}

/// Does one piece of work. An error here means that the whole transaction is over; a piece that
/// fails by itself is answered by itself.
fn one(tx: &mut StateTx<'_>, urgent: Urgent, done: &mut Vec<Done>) -> Result<(), StoreError> {
    match urgent {
        Urgent::Event(event, reply) => {
            match tx.nested(|tx| tx.record(&event.event, event.from.as_deref())) {
                Ok(seq) => done.push(Done::Event(event, reply, seq)),
                Err(error @ StoreError::Database { .. }) => {
                    done.push(Done::Event(event, reply, 0));
                    return Err(error);
                }
                Err(error) => reply(Err(error)),
            }
        }
        Urgent::Task(task) => {
            done.push(Done::Task(task(tx)));
            if tx.is_broken() {
                return Err(tx.broken());
            }
        }
        Urgent::Settle(_) | Urgent::Damaged(..) | Urgent::Adopt(..) | Urgent::Release(_) => {}
    }
    Ok(())
}

impl Extra {
    fn write(&mut self, tx: &mut StateTx<'_>, shared: &Shared) -> Result<(), StoreError> {
        if let Some(flush) = &mut self.ledger {
            flush.write(tx, shared)?;
            let put_off = &flush.put_off;
            let written = |((epoch, stream), _): &(Numbering, RangeSet)| {
                *stream == Stream::Event || !put_off.contains(epoch)
            };
            self.marks.retain(written);
        }
        if self.lost > 0 {
            let reason = "the disk did not take them in time and the queue was full".to_owned();
            let (at, lane) = (tx.now(), "store".to_owned());
            tx.emit(&Event::Loss {
                at,
                lane,
                samples: self.lost,
                reason,
            })?;
        }
        for ((epoch, stream), ranges) in &self.marks {
            let key = params![epoch.0.as_bytes(), *stream as i64];
            let sql = "DELETE FROM durable WHERE epoch = ?1 AND stream = ?2";
            tx.execute("write durable marks", sql, key)?;
            for (first, last) in ranges.iter() {
                let sql = "INSERT INTO durable VALUES (?1, ?2, ?3, ?4)";
                let values = params![epoch.0.as_bytes(), *stream as i64, first, last];
                tx.execute("write durable marks", sql, values)?;
                if *stream == Stream::Event && *epoch == tx.numbers.epoch {
                    let sql = "DELETE FROM event WHERE seq BETWEEN ?1 AND ?2";
                    tx.execute("forget durable events", sql, [first, last])?;
                }
            }
        }
        Ok(())
    }
}
