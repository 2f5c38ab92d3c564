//! Writing a day file. Owns the transaction of a group of batches, the span and rollup rows written
//! with it once a minute, and sealing when the day is over.
//!
//! Rollups are exact and survive a crash: a span row says up to which batch and before which minute
//! samples are in `rollup`. Opening reads the rest from the batches again, at most the samples of
//! the last two minutes. A sample that comes late is merged into the row of its minute.

mod rows;

use crate::catalog::Entry;
use crate::error::Doing;
use crate::ledger::{Count, FileLanes, Lanes};
use crate::rollup::{Rollup, usable};
use crate::scan::{self, SpanEnd, batch_id};
use crate::sqlite::HISTORY;
use crate::{Position, StoreError};
use riser_model::{ScanBatch, Timestamp};
use riser_wire::Epoch;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use zstd::bulk::Compressor;

/// A batch ready to be written.
pub(crate) struct Encoded {
    pub(crate) seq: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) samples: u64,
    pub(crate) frame: Vec<u8>,
    /// How many of the samples are of which hour and lane of the ledger.
    pub(crate) counts: Vec<Count>,
}

/// What one transaction brings.
pub(crate) struct Group<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) batches: &'a [Encoded],
    /// Version and packed body of the directory, where the file does not have it yet.
    pub(crate) directory: Option<(u32, Vec<u8>)>,
    pub(crate) now: Timestamp,
    /// The lanes the counts of the batches refer to.
    pub(crate) lanes: &'a Lanes,
}

/// Batches since the last span.
#[derive(Debug, Clone, Copy)]
struct OpenSpan {
    first_id: i64,
    last_id: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    batches: u64,
    samples: u64,
    bytes: u64,
    committed_at: Timestamp,
}

/// The day file being written.
pub(crate) struct DayWriter {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    conn: Connection,
    epoch: Option<(i64, Epoch)>,
    lanes: FileLanes,
    /// Directory version the file carries.
    directory: u32,
    span: Option<OpenSpan>,
    rolled_to: i64,
    rollup: Rollup,
    zip: Compressor<'static>,
}

/// How long after its end a minute waits for samples still under way.
const GRACE_MS: i64 = 5_000;

impl DayWriter {
    /// Opens or makes the file, and reads again what of the rollups was not written. Batches after
    /// `head`, the last one known to be committed, go: their commit was reported as failed and
    /// reached the file all the same, so their numbers are still to be given out.
    pub(crate) fn open(name: &str, path: &Path, head: Position) -> Result<Self, StoreError> {
        let conn = crate::sqlite::open_writer(path, &HISTORY)?;
        let epochs = scan::epochs(&conn, path)?;
        if let Some((no, _)) = epochs.iter().find(|(_, epoch)| *epoch == head.epoch) {
            let beyond = [batch_id(*no, head.seq + 1), batch_id(no + 1, 0)];
            let gone = conn
                .execute("DELETE FROM batch WHERE id >= ?1 AND id < ?2", beyond)
                .doing("forget what was not committed", path)?;
            if gone > 0 {
                tracing::warn!(
                    file = name,
                    gone,
                    "batches of a failed commit are written anew"
                );
            }
        }
        let epoch = epochs.into_iter().last();
        let directory = conn
            .query_row("SELECT coalesce(max(version), 0) FROM directory", [], |r| {
                r.get(0)
            })
            .doing("read the directory's version", path)?;
        let end = scan::span_end(&conn, path)?;
        let lanes = FileLanes::load(&conn, path)?;
        let zip = Compressor::new(3).doing("set up compression for", path)?;
        let mut file = Self {
            name: name.to_owned(),
            path: path.to_owned(),
            conn,
            epoch,
            lanes,
            directory,
            span: None,
            rolled_to: end.rolled_to,
            rollup: Rollup::default(),
            zip,
        };
        file.replay(end)?;
        file.conn
            .execute_batch("DELETE FROM summary; DELETE FROM compaction")
            .doing("take up the file again", path)?;
        Ok(file)
    }

    /// Rebuilds the open span and the cells that were only in memory.
    fn replay(&mut self, end: SpanEnd) -> Result<(), StoreError> {
        let doing = "read the last minutes again";
        let Self {
            conn,
            path,
            rollup,
            span,
            ..
        } = self;
        let from = end.rolled_to.saturating_mul(Timestamp::MINUTE);
        let covered = "SELECT b.id, b.first_at, b.last_at, b.samples, b.frame FROM span s \
                       JOIN batch b ON b.id BETWEEN s.first_id AND s.last_id \
                       WHERE s.last_at >= ?1 AND b.last_at >= ?1";
        let tail =
            "SELECT id, first_at, last_at, samples, frame FROM batch WHERE id > ?1 ORDER BY id";
        for (sql, value, tail) in [(covered, from, false), (tail, end.last_id, true)] {
            let mut query = conn.prepare(sql).doing(doing, path)?;
            let mut rows = query.query([value]).doing(doing, path)?;
            while let Some(row) = rows.next().doing(doing, path)? {
                let (id, batch) = stored(row).doing(doing, path)?;
                replay_batch(rollup, &batch.frame, (!tail).then_some(from));
                if tail {
                    extend(span, id, &batch, batch.last_at);
                }
            }
        }
        Ok(())
    }

    /// True when the file has to carry a newer directory.
    pub(crate) fn lacks_directory(&self, version: u32) -> bool {
        self.directory < version
    }

    /// Writes a group of batches in one transaction, and before them what of the last minutes is
    /// complete. Answers with what was committed.
    pub(crate) fn commit(&mut self, group: &Group<'_>) -> Result<Vec<Entry>, StoreError> {
        let path = self.path.clone();
        let known = self.epoch.filter(|e| e.1 == group.epoch);
        // No span crosses an epoch.
        let ends = (known.is_none() && self.span.is_some()).then_some(self.rolled_to);
        let due = self.due(group.now).or(ends);
        let minutes = due.map(|until| self.rollup.rows(until));
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .doing("begin a transaction", &path)?;
        if let (Some(until), Some(minutes)) = (due, minutes) {
            rows::write_rows(&tx, &path, minutes, (self.rolled_to, &mut self.zip))?;
            rows::write_span(&tx, &path, self.span.as_ref(), until)?;
        }
        let no = match known {
            Some((no, _)) => no,
            None => rows::add_epoch(&tx, &path, group.epoch)?,
        };
        if let Some((version, body)) = &group.directory {
            let sql = "INSERT OR REPLACE INTO directory VALUES (?1, ?2)";
            tx.execute(sql, params![version, body])
                .doing("store the directory", &path)?;
        }
        rows::insert(&tx, &path, (no, &mut self.lanes), group)?;
        tx.commit().doing("commit", &path)?;
        if let Some(until) = due {
            self.rolled(until);
        }
        self.epoch = Some((no, group.epoch));
        self.directory = group.directory.as_ref().map_or(self.directory, |d| d.0);
        Ok(self.committed(group, no))
    }

    fn committed(&mut self, group: &Group<'_>, no: i64) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(group.batches.len());
        for batch in group.batches {
            extend(&mut self.span, batch_id(no, batch.seq), batch, group.now);
            entries.push(Entry {
                epoch: group.epoch,
                no,
                first: batch.seq,
                last: batch.seq,
                first_at: batch.first_at,
                last_at: batch.last_at,
                samples: batch.samples,
                bytes: batch.frame.len() as u64,
                committed_at: group.now,
            });
        }
        entries
    }

    /// Takes the samples of what was committed into the minutes being reduced.
    pub(crate) fn reduce(&mut self, scans: &[ScanBatch]) {
        scans.iter().for_each(|scan| self.rollup.add(scan));
    }

    /// The minute everything before which can be written now, if that is news.
    fn due(&self, now: Timestamp) -> Option<i64> {
        if self.rollup.is_large() {
            return Some(self.rollup.end()?.max(self.rolled_to));
        }
        let minute = now.0.saturating_sub(GRACE_MS).div_euclid(Timestamp::MINUTE);
        // A clock that was set back must not keep spans from being written.
        let late = self
            .span
            .is_some_and(|s| now.since(s.committed_at).abs() >= Timestamp::MINUTE);
        if self.span.is_none() && self.rollup.begin().is_none_or(|first| first >= minute) {
            return None;
        }
        (minute > self.rolled_to || late).then_some(minute.max(self.rolled_to))
    }

    fn rolled(&mut self, until: i64) {
        self.rolled_to = until;
        self.rollup.forget(until);
        self.span = None;
    }

    /// Writes complete minutes when no batch came to do it.
    pub(crate) fn keep_up(&mut self, now: Timestamp) -> Result<(), StoreError> {
        match self.due(now) {
            Some(until) => self.roll(until),
            None => Ok(()),
        }
    }

    fn roll(&mut self, until: i64) -> Result<(), StoreError> {
        let minutes = self.rollup.rows(until);
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .doing("begin a transaction", &self.path)?;
        rows::write_rows(&tx, &self.path, minutes, (self.rolled_to, &mut self.zip))?;
        rows::write_span(&tx, &self.path, self.span.as_ref(), until)?;
        tx.commit().doing("commit", &self.path)?;
        self.rolled(until);
        Ok(())
    }

    /// Ends the file: everything reduced, the sums written, the log folded in, one plain file left.
    pub(crate) fn seal(
        mut self,
        sums: &crate::catalog::DayFile,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.roll(i64::MAX)?;
        let values = params![
            sums.first_at.0,
            sums.last_at.0,
            sums.batches,
            sums.samples,
            sums.bytes,
            now.0
        ];
        self.conn
            .execute(
                "INSERT OR REPLACE INTO summary VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
                values,
            )
            .doing("write the sums", &self.path)?;
        // A reader may hold the log open; then it stays until the file is next taken up.
        let short = std::time::Duration::from_millis(250);
        self.conn.busy_timeout(short).doing("set up", &self.path)?;
        let folded = self.conn.pragma_update(None, "journal_mode", "DELETE");
        if let Err(error) = folded {
            tracing::debug!(file = %self.path.display(), %error, "the log stays for now");
        }
        self.conn
            .close()
            .map_err(|e| e.1)
            .doing("close", &self.path)
    }
}

/// A batch as it lies in the file.
fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Encoded)> {
    let id = row.get(0)?;
    let batch = Encoded {
        seq: scan::split_id(id).1,
        first_at: Timestamp(row.get(1)?),
        last_at: Timestamp(row.get(2)?),
        samples: row.get(3)?,
        frame: row.get(4)?,
        counts: Vec::new(),
    };
    Ok((id, batch))
}

fn extend(span: &mut Option<OpenSpan>, id: i64, batch: &Encoded, committed_at: Timestamp) {
    let span = span.get_or_insert(OpenSpan {
        first_id: id,
        last_id: id,
        first_at: batch.first_at,
        last_at: batch.last_at,
        batches: 0,
        samples: 0,
        bytes: 0,
        committed_at,
    });
    span.last_id = id;
    span.first_at = span.first_at.min(batch.first_at);
    span.last_at = span.last_at.max(batch.last_at);
    span.batches += 1;
    span.samples += batch.samples;
    span.bytes += batch.frame.len() as u64;
}

/// Takes the samples of a stored batch, those from `from` on or all of them. A damaged frame is left
/// out: its batch cannot be drawn or sent either.
fn replay_batch(rollup: &mut Rollup, frame: &[u8], from: Option<i64>) {
    match riser_wire::decode_data(frame) {
        Ok((_, samples)) => {
            for s in samples
                .iter()
                .filter(|s| from.is_none_or(|from| s.at.0 >= from))
            {
                rollup.add_one(s.slot, s.at, usable(s.value.as_ref(), s.quality));
            }
        }
        Err(error) => tracing::warn!(%error, "a stored batch is damaged and left out of the trend"),
    }
}
