//! Counting what the cloud has, batch by batch. Owns which batches are news since the last writing.

use super::{Changes, Column, Inner, batches};
use crate::StoreError;
use crate::error::Doing;
use crate::ranges::RangeSet;
use crate::shared::Shared;
use crate::state::StateTx;
use riser_wire::{Epoch, Stream};
use rusqlite::params;
use rustc_hash::FxHashSet;

const SENT: Column = |c| &mut c.sent;
const DURABLE: Column = |c| &mut c.durable;
const REFUSED: Column = |c| &mut c.dropped.refused;
const RETENTION: Column = |c| &mut c.dropped.retention;

/// What was counted.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) changes: Changes,
    /// Epochs some of whose batches cannot be read just now: nothing of them is counted, so their
    /// marks must wait.
    pub(super) put_off: FxHashSet<Epoch>,
}

/// Batches of one epoch that are news.
struct News {
    epoch: Epoch,
    settled: RangeSet,
    sent: RangeSet,
    refused: FxHashSet<u64>,
}

/// Counts what is settled or sent and was not counted yet. What is durable was sent, whoever
/// remembers it: it is added to `sent`.
pub(super) fn count(
    tx: &StateTx<'_>,
    shared: &Shared,
    settled: &[(Epoch, RangeSet)],
    sent: &mut Vec<(Epoch, RangeSet)>,
) -> Result<Counted, StoreError> {
    let mut all = Vec::new();
    {
        let inner = shared.ledger.lock();
        for (epoch, set) in settled {
            let news = inner.news(inner.settled.get(epoch), *epoch, set);
            let known = inner.counted_sent.get(epoch);
            let mut now = sent
                .iter()
                .find(|(e, _)| e == epoch)
                .map(|(_, s)| s)
                .or(known)
                .cloned()
                .unwrap_or_default();
            now.merge(&news);
            sent.retain(|(e, _)| e != epoch);
            sent.push((*epoch, now));
            all.push(News {
                epoch: *epoch,
                settled: news,
                sent: RangeSet::default(),
                refused: FxHashSet::default(),
            });
        }
        for (epoch, set) in &*sent {
            let news = inner.news(inner.counted_sent.get(epoch), *epoch, set);
            match all.iter_mut().find(|n| n.epoch == *epoch) {
                Some(found) => found.sent = news,
                None => all.push(News {
                    epoch: *epoch,
                    settled: RangeSet::default(),
                    sent: news,
                    refused: FxHashSet::default(),
                }),
            }
        }
    }
    let mut counted = Counted::default();
    for mut news in all {
        news.refused = refused(tx, &news)?;
        match news.count(shared) {
            Ok(changes) => counted.add(changes),
            Err(error) => {
                let error = error.chain();
                tracing::warn!(error, "what the cloud has is counted later");
                counted.put_off.insert(news.epoch);
            }
        }
    }
    Ok(counted)
}

impl Counted {
    fn add(&mut self, changes: Changes) {
        for (cell, counts) in changes {
            self.changes.entry(cell).or_default().add(&counts);
        }
    }
}

/// Those of the news the cloud refused, or that cannot be read.
fn refused(tx: &StateTx<'_>, news: &News) -> Result<FxHashSet<u64>, StoreError> {
    let doing = "find refused batches";
    let mut found = FxHashSet::default();
    let sql = "SELECT seq FROM refused WHERE epoch = ?1 AND stream = 2 AND seq BETWEEN ?2 AND ?3";
    let mut query = tx.conn().prepare_cached(sql).doing(doing, tx.file())?;
    for (first, last) in news.settled.iter() {
        let values = params![news.epoch.0.as_bytes(), first, last];
        let rows = query
            .query_map(values, |r| r.get(0))
            .doing(doing, tx.file())?;
        for seq in rows {
            found.insert(seq.doing(doing, tx.file())?);
        }
    }
    Ok(found)
}

impl Inner {
    /// What of `now` is not in `counted`, without batches older than the ledger.
    fn news(&self, counted: Option<&RangeSet>, epoch: Epoch, now: &RangeSet) -> RangeSet {
        let mut news = RangeSet::default();
        let Some(begins) = self.begins.get(&epoch) else {
            return news;
        };
        let none = RangeSet::default();
        let counted = counted.unwrap_or(&none);
        for (first, last) in now.iter() {
            let first = first.max(begins + 1);
            for (a, b) in counted.gaps(first, last) {
                news.insert(a, b);
            }
        }
        news
    }
}

impl News {
    fn count(&self, shared: &Shared) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        let mut all = self.settled.clone();
        all.merge(&self.sent);
        for range in all.iter() {
            batches::visit(shared, self.epoch, range, &mut |seq, cells| {
                let mut add = |column: Column| {
                    for (cell, n) in cells {
                        *column(changes.entry(*cell).or_default()) += n;
                    }
                };
                if self.sent.covers(seq, seq) {
                    add(SENT);
                }
                if self.refused.contains(&seq) {
                    add(REFUSED);
                } else if self.settled.covers(seq, seq) {
                    add(DURABLE);
                }
            })?;
        }
        Ok(changes)
    }
}

/// What is lost with a day file, by cell. Counted before it goes, while its batches can be read.
pub(crate) fn lost_with(shared: &Shared, name: &str) -> Changes {
    let mut changes = Changes::default();
    for (epoch, range) in shared.unsettled_of(name) {
        let visited = batches::visit(shared, epoch, range, &mut |_, cells| {
            for (cell, n) in cells {
                *RETENTION(changes.entry(*cell).or_default()) += n;
            }
        });
        if let Err(error) = visited {
            let error = error.chain();
            tracing::warn!(error, "part of a dropped day is left out of the ledger");
        }
    }
    changes
}

impl Shared {
    /// What of a day file waits for the cloud and is in the ledger.
    pub(crate) fn unsettled_of(&self, name: &str) -> Vec<(Epoch, (u64, u64))> {
        let catalog = self.catalog();
        let marks = self.marks();
        let inner = self.ledger.lock();
        let mut found = Vec::new();
        for s in catalog.get(name).iter().flat_map(|f| &f.segments) {
            let (Some(settled), Some(begins)) = (
                marks.of((s.epoch, Stream::Data)),
                inner.begins.get(&s.epoch),
            ) else {
                continue;
            };
            let first = s.first.max(begins + 1);
            found.extend(settled.gaps(first, s.last).map(|range| (s.epoch, range)));
        }
        found
    }
}
