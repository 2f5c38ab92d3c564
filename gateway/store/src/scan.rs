//! Reading day files: what is in one, its batches, its directory. Owns the key of a batch row and
//! the order of reading (spans first, then the batches after the newest span).

use crate::StoreError;
use crate::catalog::{DayFile, Entry, Run};
use crate::error::Doing;
use crate::marks::Marks;
use riser_model::{PointDirectory, Timestamp};
use riser_wire::{Epoch, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;
use uuid::Uuid;

/// Bits of the sequence number in the key of a batch.
const SEQ_BITS: u32 = 40;

/// Key of a batch: the epoch's number in the file, then the sequence number.
pub(crate) fn batch_id(no: i64, seq: u64) -> i64 {
    (no << SEQ_BITS) | seq.cast_signed()
}

/// The two parts of a key.
pub(crate) fn split_id(id: i64) -> (i64, u64) {
    (id >> SEQ_BITS, (id & ((1 << SEQ_BITS) - 1)).cast_unsigned())
}

pub(crate) fn epoch_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Epoch> {
    Ok(Epoch(Uuid::from_bytes(row.get(column)?)))
}

/// Epochs of a file with their numbers in it.
pub(crate) fn epochs(conn: &Connection, file: &Path) -> Result<Vec<(i64, Epoch)>, StoreError> {
    let doing = "read the epochs";
    let mut query = conn
        .prepare_cached("SELECT no, id FROM epoch ORDER BY no")
        .doing(doing, file)?;
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, epoch_of(r, 1)?)))
        .doing(doing, file)?;
    rows.collect::<Result<_, _>>().doing(doing, file)
}

/// Numbers of one epoch whose samples are in chunks, ascending.
pub(crate) fn compacted(
    conn: &Connection,
    file: &Path,
    no: i64,
) -> Result<Vec<(u64, u64)>, StoreError> {
    let doing = "read the runs";
    let mut query = conn
        .prepare_cached("SELECT first, last FROM run WHERE no = ?1 ORDER BY first")
        .doing(doing, file)?;
    let rows = query
        .query_map([no], |r| Ok((r.get(0)?, r.get(1)?)))
        .doing(doing, file)?;
    rows.collect::<Result<_, _>>().doing(doing, file)
}

/// What was compacted was settled, whatever the marks say that were found.
pub(crate) fn settle_compacted(marks: &mut Marks, days: &[DayFile]) -> Result<(), StoreError> {
    for day in days.iter().filter(|d| !d.runs.is_empty()) {
        let conn = crate::sqlite::open_reader(&day.path)?;
        for run in &day.runs {
            for (first, last) in compacted(&conn, &day.path, run.no)? {
                marks.load((run.epoch, Stream::Data), first, last);
            }
        }
    }
    Ok(())
}

/// First and last number of each epoch, by the ends of the key alone.
fn runs(conn: &Connection, file: &Path) -> Result<Vec<Run>, StoreError> {
    let mut runs = Vec::new();
    for (no, epoch) in epochs(conn, file)? {
        let compacted = compacted(conn, file, no)?;
        let ends = conn
            .prepare_cached("SELECT min(id), max(id) FROM batch WHERE id >= ?1 AND id < ?2")
            .and_then(|mut q| {
                q.query_row([batch_id(no, 0), batch_id(no + 1, 0)], |r| {
                    Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
                })
            })
            .doing("find the first and last batch", file)?;
        let stored = ends.0.zip(ends.1);
        let stored = stored.map(|(first, last)| (split_id(first).1, split_id(last).1));
        let all = || compacted.iter().copied().chain(stored);
        if let (Some(first), Some(last)) = (all().map(|r| r.0).min(), all().map(|r| r.1).max()) {
            runs.push(Run {
                epoch,
                no,
                first,
                last,
            });
        }
    }
    Ok(runs)
}

/// Where the spans of a file end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanEnd {
    /// Key of the last batch a span covers; 0 without spans.
    pub(crate) last_id: i64,
    /// Minute before which those batches are in the rollups.
    pub(crate) rolled_to: i64,
}

/// The newest span.
pub(crate) fn span_end(conn: &Connection, file: &Path) -> Result<SpanEnd, StoreError> {
    let sql = "SELECT last_id, rolled_to FROM span ORDER BY last_id DESC LIMIT 1";
    let found = conn
        .prepare_cached(sql)
        .and_then(|mut q| {
            q.query_row([], |r| {
                Ok(SpanEnd {
                    last_id: r.get(0)?,
                    rolled_to: r.get(1)?,
                })
            })
            .optional()
        })
        .doing("find the newest span", file)?;
    Ok(found.unwrap_or(SpanEnd {
        last_id: 0,
        rolled_to: 0,
    }))
}

/// Reads what is in a file. `settled` tells of its epochs whether nothing waits any more; then the
/// sums of a sealed file are enough and its hours are not read.
pub(crate) fn day_file(
    mut found: DayFile,
    conn: &Connection,
    settled: impl Fn(&[Run]) -> bool,
) -> Result<DayFile, StoreError> {
    let file = found.path.clone();
    let runs = runs(conn, &file)?;
    found.compacted = conn
        .query_row("SELECT count(*) FROM compaction", [], |r| {
            Ok(r.get::<_, i64>(0)? > 0)
        })
        .doing("look whether it is compacted", &file)?;
    if summary(&mut found, conn)? {
        found.sealed = true;
        if settled(&runs) {
            found.runs = runs;
            return Ok(found);
        }
        found = DayFile {
            sealed: true,
            compacted: found.compacted,
            ..DayFile::new(found.name, found.path, found.opened)
        };
    }
    for entry in entries(conn, &file)? {
        found.add(&entry);
    }
    Ok(found)
}

/// Takes over the sums of a sealed file; false when it is not sealed.
fn summary(found: &mut DayFile, conn: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT first_at, last_at, batches, samples, bytes FROM summary";
    let row = conn
        .query_row(sql, [], |r| {
            found.first_at = Timestamp(r.get(0)?);
            found.last_at = Timestamp(r.get(1)?);
            found.batches = r.get(2)?;
            found.samples = r.get(3)?;
            found.bytes = r.get(4)?;
            Ok(())
        })
        .optional()
        .doing("read the sums", &found.path)?;
    Ok(row.is_some())
}

/// What is in chunks, spans, then the single batches after them, as entries of the catalog.
fn entries(conn: &Connection, file: &Path) -> Result<Vec<Entry>, StoreError> {
    let doing = "list the batches";
    let names = epochs(conn, file)?;
    let entry = |r: &Row<'_>| -> rusqlite::Result<Option<Entry>> {
        let (no, first) = split_id(r.get(0)?);
        let (_, last) = split_id(r.get(1)?);
        let epoch = names.iter().find(|e| e.0 == no).map(|e| e.1);
        Ok(epoch.map(|epoch| Entry {
            epoch,
            no,
            first,
            last,
            first_at: Timestamp(r.get(2).unwrap_or_default()),
            last_at: Timestamp(r.get(3).unwrap_or_default()),
            samples: r.get(4).unwrap_or_default(),
            bytes: r.get(5).unwrap_or_default(),
            committed_at: Timestamp(r.get(6).unwrap_or_default()),
        }))
    };
    let end = span_end(conn, file)?.last_id;
    let mut all = Vec::new();
    // The hour a batch of the tail was committed in is not stored; its own time is near enough.
    for (sql, after) in [
        (
            "SELECT (no << 40) | first, (no << 40) | last, first_at, last_at, samples, bytes, \
             last_at FROM run WHERE no >= ?1 ORDER BY no, first",
            0,
        ),
        (
            "SELECT first_id, last_id, first_at, last_at, samples, bytes, committed_at FROM span \
          WHERE last_id > ?1 ORDER BY last_id",
            0,
        ),
        (
            "SELECT id, id, first_at, last_at, samples, length(frame), last_at FROM batch \
          WHERE id > ?1 ORDER BY id",
            end,
        ),
    ] {
        let mut query = conn.prepare_cached(sql).doing(doing, file)?;
        let rows = query.query_map(params![after], entry).doing(doing, file)?;
        for row in rows {
            all.extend(row.doing(doing, file)?);
        }
    }
    Ok(all)
}

/// The newest directory a file carries, with the points that no longer exist.
pub(crate) fn stored_directory(
    conn: &Connection,
    file: &Path,
) -> Result<Option<PointDirectory>, StoreError> {
    let sql = "SELECT body FROM directory ORDER BY version DESC LIMIT 1";
    let body: Option<Vec<u8>> = conn
        .query_row(sql, [], |r| r.get(0))
        .optional()
        .doing("read the directory", file)?;
    body.map(|b| unpack_directory(&b)).transpose()
}

/// Longest directory accepted, in octets of JSON.
const MAX_DIRECTORY: usize = 256 << 20;

fn unpack_directory(body: &[u8]) -> Result<PointDirectory, StoreError> {
    use std::io::Read;
    let bad = |e: &dyn std::fmt::Display| StoreError::Record {
        what: "directory",
        detail: e.to_string(),
    };
    let mut json = String::new();
    let stream = zstd::stream::read::Decoder::new(body).map_err(|e| bad(&e))?;
    stream
        .take(MAX_DIRECTORY as u64)
        .read_to_string(&mut json)
        .map_err(|e| bad(&e))?;
    crate::records::from_json("directory", &json)
}
