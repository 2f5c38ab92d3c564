//! Counting what the cloud has: batch by batch, from the frames. Owns which batches are news since
//! the last writing, and where their frames are found.

use super::{Cell, Changes, Column, Inner, tally};
use crate::error::Doing;
use crate::ranges::RangeSet;
use crate::scan::batch_id;
use crate::shared::Shared;
use crate::state::StateTx;
use crate::{Position, StoreError};
use riser_wire::{Epoch, Stream};
use rusqlite::{Connection, params};
use rustc_hash::FxHashSet;

const SENT: Column = |c| &mut c.sent;
const DURABLE: Column = |c| &mut c.durable;
const REFUSED: Column = |c| &mut c.dropped.refused;
const RETENTION: Column = |c| &mut c.dropped.retention;

/// Shown a batch's number and its samples by cell.
type Visit<'a> = &'a mut dyn FnMut(u64, &[(Cell, u64)]);

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
) -> Result<Changes, StoreError> {
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
    let mut changes = Changes::default();
    for mut news in all {
        news.refused = refused(tx, &news)?;
        news.count(shared, &mut changes);
    }
    Ok(changes)
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
    fn count(&self, shared: &Shared, changes: &mut Changes) {
        let mut all = self.settled.clone();
        all.merge(&self.sent);
        for (first, last) in all.iter() {
            each_frame(shared, self.epoch, (first, last), &mut |seq, cells| {
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
            });
        }
    }
}

/// Visits the batches of a range that are still there, with their samples by cell.
pub(super) fn each_frame(
    shared: &Shared,
    epoch: Epoch,
    (first, last): (u64, u64),
    visit: Visit<'_>,
) {
    let lanes = std::sync::Arc::clone(&shared.ledger.lock().lanes);
    let mut one = |seq: u64, frame: &[u8]| {
        let mut cells = Vec::new();
        tally(&lanes, frame, &mut |cell, n| cells.push((cell, n)));
        visit(seq, &cells);
    };
    let before = Position {
        epoch,
        seq: first.saturating_sub(1),
    };
    let many = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
    let recent = shared.in_memory(before, many);
    if let Some(batches) = recent {
        for batch in batches.iter().filter(|b| b.position.seq <= last) {
            one(batch.position.seq, &batch.frame);
        }
        return;
    }
    for (path, no) in shared.files_with(epoch, (first, last)) {
        let read = crate::sqlite::open_reader(&path)
            .and_then(|conn| frames(&conn, &path, (no, first, last), &mut one));
        if let Err(error) = read {
            let error = error.chain();
            tracing::warn!(error, "part of a day file is left out of the ledger");
        }
    }
}

/// Visits the frames of a range in one file.
pub(super) fn frames(
    conn: &Connection,
    path: &std::path::Path,
    (no, first, last): (i64, u64, u64),
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), StoreError> {
    let doing = "count a batch of";
    let sql = "SELECT id, frame FROM batch WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let mut query = conn.prepare_cached(sql).doing(doing, path)?;
    let ends = [batch_id(no, first), batch_id(no, last)];
    let mut rows = query.query(ends).doing(doing, path)?;
    while let Some(row) = rows.next().doing(doing, path)? {
        let id: i64 = row.get(0).doing(doing, path)?;
        let frame = row
            .get_ref(1)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        visit(crate::scan::split_id(id).1, frame);
    }
    Ok(())
}

/// What is lost with a day file, by cell. Counted before it goes, while its batches can be read.
pub(crate) fn lost_with(shared: &Shared, name: &str) -> Changes {
    let mut changes = Changes::default();
    for (epoch, range) in shared.unsettled_of(name) {
        each_frame(shared, epoch, range, &mut |_, cells| {
            for (cell, n) in cells {
                *RETENTION(changes.entry(*cell).or_default()) += n;
            }
        });
    }
    changes
}

impl Shared {
    /// Batches after a position out of memory, as far as they are there.
    fn in_memory(&self, after: Position, max: usize) -> Option<Vec<crate::OutboxBatch>> {
        let head = *self.head(Stream::Data).borrow();
        if head.epoch != after.epoch {
            return None;
        }
        self.recent().after(Stream::Data, after, max)
    }

    /// Day files with some of a range, and the epoch's number in each.
    fn files_with(
        &self,
        epoch: Epoch,
        (first, last): (u64, u64),
    ) -> Vec<(std::path::PathBuf, i64)> {
        let catalog = self.catalog();
        let mut found = Vec::new();
        for file in catalog.files() {
            let has =
                |r: &&crate::catalog::Run| r.epoch == epoch && r.first <= last && r.last >= first;
            found.extend(
                file.runs
                    .iter()
                    .filter(has)
                    .map(|r| (file.path.clone(), r.no)),
            );
        }
        found
    }

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
