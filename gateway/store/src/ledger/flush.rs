//! Writing the ledger down, inside a transaction of `state.db` that may do other things too. Owns
//! that changes leave the memory only when the transaction has worked.

use super::{Cell, Changes, Inner, Ledger};
use crate::catalog::Segment;
use crate::marks::Numbering;
use crate::ranges::RangeSet;
use crate::shared::Shared;
use crate::state::StateTx;
use crate::{Position, StoreError};
use riser_model::Timestamp;
use riser_model::ledger::{LedgerAsOf, LedgerCounts, hour_of};
use riser_wire::{Epoch, Stream};
use rusqlite::params;
use rustc_hash::FxHashSet;
use std::time::Instant;

/// One writing.
pub(crate) struct Flush {
    changes: Changes,
    /// Batches up to here are in `changes` or on disk.
    counted: Position,
    settled: Vec<(Epoch, RangeSet)>,
    sent: Vec<(Epoch, RangeSet)>,
    generation: u64,
    as_of: LedgerAsOf,
    /// Counted while writing, from the batches that were settled or sent.
    late: Changes,
    /// Epochs that could not be counted: their marks are not to be written either.
    pub(crate) put_off: FxHashSet<Epoch>,
}

impl Ledger {
    /// What there is to write beside the given marks; `None` when nothing has changed.
    pub(crate) fn prepare(
        &self,
        shared: &Shared,
        marks: &[(Numbering, RangeSet)],
        counted: Position,
    ) -> Option<Flush> {
        let as_of = shared.under_way();
        let inner = self.lock();
        let data = marks
            .iter()
            .filter(|((_, stream), _)| *stream == Stream::Data);
        let settled: Vec<_> = data
            .map(|((epoch, _), set)| (*epoch, set.clone()))
            .collect();
        let nothing = inner.changes.is_empty() && settled.is_empty() && !inner.sent_anew;
        if nothing || inner.resting {
            return None;
        }
        let mut sent: Vec<(Epoch, RangeSet)> = Vec::new();
        for (epoch, now) in &inner.sent {
            let before = inner.counted_sent.get(epoch);
            if before != Some(now) {
                sent.push((*epoch, now.clone()));
            }
        }
        Some(Flush {
            changes: inner.changes.clone(),
            counted,
            settled,
            sent,
            generation: inner.generation + 1,
            as_of,
            late: Changes::default(),
            put_off: FxHashSet::default(),
        })
    }

    /// The transaction has worked.
    pub(crate) fn written(&self, flush: Flush) {
        let mut inner = self.lock();
        for (cell, counts) in &flush.changes {
            inner.subtract(*cell, counts);
        }
        for (epoch, set) in flush.settled {
            inner.settled.insert(epoch, set);
        }
        for (epoch, set) in flush.sent {
            inner.counted_sent.insert(epoch, set);
        }
        let same = |(e, s): (&Epoch, &RangeSet)| inner.counted_sent.get(e) == Some(s);
        inner.sent_anew = !inner.sent.iter().all(same);
        inner.generation = flush.generation;
        inner.written = Some(Instant::now());
        inner.hurry = false;
        inner.journal_due = true;
        drop(inner);
        self.wake.notify_one();
    }
}

impl Inner {
    fn subtract(&mut self, cell: Cell, written: &LedgerCounts) {
        let Some(counts) = self.changes.get_mut(&cell) else {
            return;
        };
        let (now, then) = (&mut counts.dropped, &written.dropped);
        for (mine, theirs) in [
            (&mut counts.collected, written.collected),
            (&mut counts.stored, written.stored),
            (&mut counts.sent, written.sent),
            (&mut counts.durable, written.durable),
            (&mut now.queue_full, then.queue_full),
            (&mut now.disk, then.disk),
            (&mut now.crash, then.crash),
            (&mut now.retention, then.retention),
            (&mut now.damaged, then.damaged),
            (&mut now.refused, then.refused),
        ] {
            *mine = mine.saturating_sub(theirs);
        }
        if *counts == LedgerCounts::default() {
            self.changes.remove(&cell);
        }
    }
}

impl Flush {
    /// Writes it. What batches that were settled or sent count for is read here.
    pub(crate) fn write(
        &mut self,
        tx: &mut StateTx<'_>,
        shared: &Shared,
    ) -> Result<(), StoreError> {
        let news = super::settle::count(tx, shared, &self.settled, &mut self.sent)?;
        self.late = news.changes;
        self.put_off = news.put_off;
        self.settled.retain(|(e, _)| !self.put_off.contains(e));
        self.sent.retain(|(e, _)| !self.put_off.contains(e));
        add(tx, &self.changes)?;
        add(tx, &self.late)?;
        counted(tx, self.counted)?;
        for (epoch, set) in &self.sent {
            write_sent(tx, *epoch, set)?;
        }
        head(tx, self.generation, &self.as_of)
    }
}

/// Adds changes to the rows.
pub(crate) fn add(tx: &StateTx<'_>, changes: &Changes) -> Result<(), StoreError> {
    let sql = "INSERT INTO ledger (hour, lane, collected, stored, sent, durable, queue_full, disk, \
               crash, retention, damaged, refused) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
               ON CONFLICT (hour, lane) DO UPDATE SET \
               collected = collected + ?3, stored = stored + ?4, sent = sent + ?5, \
               durable = durable + ?6, queue_full = queue_full + ?7, disk = disk + ?8, \
               crash = crash + ?9, retention = retention + ?10, damaged = damaged + ?11, \
               refused = refused + ?12, told = min(told, 1)";
    for ((hour, lane), c) in changes {
        let d = &c.dropped;
        let values = params![
            hour,
            lane,
            c.collected,
            c.stored,
            c.sent,
            c.durable,
            d.queue_full,
            d.disk,
            d.crash,
            d.retention,
            d.damaged,
            d.refused
        ];
        tx.execute("write the ledger", sql, values)?;
    }
    Ok(())
}

/// Says up to where batches of an epoch are counted.
pub(crate) fn counted(tx: &StateTx<'_>, at: Position) -> Result<(), StoreError> {
    let sql = "INSERT INTO ledger_epoch (epoch, begins, counted) VALUES (?1, 0, ?2) \
               ON CONFLICT (epoch) DO UPDATE SET counted = max(counted, ?2)";
    let values = params![at.epoch.0.as_bytes(), at.seq];
    tx.execute("write the ledger", sql, values).map(drop)
}

fn write_sent(tx: &StateTx<'_>, epoch: Epoch, set: &RangeSet) -> Result<(), StoreError> {
    let doing = "write what was sent";
    let key = epoch.0.as_bytes();
    tx.execute(doing, "DELETE FROM ledger_sent WHERE epoch = ?1", [key])?;
    for (first, last) in set.iter() {
        let sql = "INSERT INTO ledger_sent VALUES (?1, ?2, ?3)";
        tx.execute(doing, sql, params![key, first, last])?;
    }
    Ok(())
}

/// Writes the number of the writing and what was under way.
pub(super) fn head(
    tx: &StateTx<'_>,
    generation: u64,
    as_of: &LedgerAsOf,
) -> Result<(), StoreError> {
    let sql = "UPDATE ledger_head SET generation = ?1, at = ?2, disk_from = ?3, cloud_from = ?4, \
               cloud = ?5";
    let values = params![
        generation,
        as_of.at.0,
        as_of.disk_from.map(|t| t.0),
        as_of.cloud_from.map(|t| t.0),
        as_of.cloud
    ];
    tx.execute("write the ledger", sql, values).map(drop)
}

impl Shared {
    /// What is still on its way, so that the rest must add up.
    pub(crate) fn under_way(&self) -> LedgerAsOf {
        let stored = self.oldest_open().map(hour_of);
        let queued = self.intake.oldest().map(hour_of);
        LedgerAsOf {
            at: (self.now)(),
            disk_from: queued,
            cloud_from: stored.into_iter().chain(queued).min(),
            cloud: self.config.keep_unsent,
        }
    }

    /// The oldest stamp among batches that are not counted as settled: the cloud may have them, but
    /// as long as that is not counted they wait. What was back-filled is older than its commit.
    fn oldest_open(&self) -> Option<Timestamp> {
        let catalog = self.catalog();
        let inner = self.ledger.lock();
        let none = RangeSet::default();
        let open = |s: &&Segment| {
            let settled = inner.settled.get(&s.epoch).unwrap_or(&none);
            !settled.covers(s.first, s.last)
        };
        let segments = catalog.files().iter().flat_map(|f| &f.segments);
        segments.filter(open).map(|s| s.first_at).min()
    }
}
