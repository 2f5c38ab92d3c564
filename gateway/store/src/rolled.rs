//! Rollups for the link: a stretch of time whose batches wait for the cloud, out of the minutes that
//! are reduced already. Owns which stretch comes next (the newest) and how it is cut into frames. A
//! rollup settles nothing: its batches go on waiting.

use crate::cells::{self, Cell, GROUP};
use crate::error::Doing;
use crate::intake::Urgent;
use crate::ranges::RangeSet;
use crate::readers::Reader;
use crate::{Outbox, StoreError, scan};
use riser_model::Timestamp;
use riser_wire::{Epoch, RollupHeader, Stream, encode_rollup, limits};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zstd::bulk::{Compressor, Decompressor};

/// Stretches one span is looked at for: it holds a minute or two, unless a clock was wrong.
const PER_SPAN: i64 = 60;

/// Which rollup is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupAsk {
    /// Length of a stretch: 1 or another whole part of an hour.
    pub minutes: u32,
    /// Minutes since 1970 that are not wanted, inclusive.
    pub have: Vec<(u64, u64)>,
    /// Octets a frame should not exceed; one with a single row of 256 points may.
    pub most: usize,
}

/// The rollup of one stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledUp {
    /// First minute since 1970.
    pub minute: u32,
    /// How many.
    pub minutes: u32,
    /// What goes up the link.
    pub frames: Vec<Arc<[u8]>>,
}

impl RolledUp {
    /// Octets of all its frames.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.frames.iter().map(|f| f.len()).sum()
    }
}

/// Rows of cells with their groups, ascending.
type Rows = Vec<(u32, Vec<u8>)>;

impl Outbox {
    /// The newest stretch that is over, is reduced, is not in `have` and has batches the cloud has
    /// not called durable; `None` when there is none.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn claim_rollup(&self, ask: RollupAsk) -> Result<Option<RolledUp>, StoreError> {
        self.ask(move |reader| claim(reader, &ask)).await
    }
}

fn claim(reader: &mut Reader, ask: &RollupAsk) -> Result<Option<RolledUp>, StoreError> {
    let mut have = RangeSet::default();
    for (first, last) in &ask.have {
        have.insert(*first, *last);
    }
    for (name, path) in waiting(reader) {
        let found = crate::sqlite::open_reader(&path).and_then(|conn| {
            conn.execute_batch("BEGIN").doing("begin reading", &path)?;
            newest(reader, (&conn, &path), ask.minutes.max(1), &have)
        });
        match found {
            Ok(Some((minute, rows))) => return Ok(Some(cut(reader, minute, rows, ask))),
            Ok(None) => {}
            Err(error) if error.is_damage() => {
                tracing::warn!(error = error.chain(), "a day file is left out of rollups");
                let _ = reader.shared.intake.urgent(Urgent::Damaged(name, error));
            }
            Err(_) if reader.shared.catalog().get(&name).is_none() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Day files with something the cloud does not have, newest first.
fn waiting(reader: &Reader) -> Vec<(String, PathBuf)> {
    let (catalog, marks) = (reader.shared.catalog(), reader.shared.marks());
    let files = catalog.files().iter().rev();
    let waiting = files.filter(|f| !f.segments.is_empty() && !f.is_settled(&marks));
    waiting.map(|f| (f.name.clone(), f.path.clone())).collect()
}

fn newest(
    reader: &Reader,
    (conn, path): (&Connection, &Path),
    minutes: u32,
    have: &RangeSet,
) -> Result<Option<(u32, Rows)>, StoreError> {
    let doing = "look for time to roll up";
    let end = scan::span_end(conn, path)?;
    let epochs = scan::epochs(conn, path)?;
    let sql = "SELECT first_id, last_id, first_at, last_at FROM span ORDER BY last_id DESC";
    let mut query = conn.prepare(sql).doing(doing, path)?;
    let mut spans = query.query([]).doing(doing, path)?;
    let mut looked_at = RangeSet::default();
    while let Some(span) = spans.next().doing(doing, path)? {
        let column = |n| span.get::<_, i64>(n).doing(doing, path);
        let ids = (column(0)?, column(1)?);
        if !waits(reader, &epochs, ids) {
            continue;
        }
        let unit = |at: i64| {
            at.div_euclid(Timestamp::MINUTE)
                .div_euclid(i64::from(minutes))
        };
        let (first, last) = (unit(column(2)?), unit(column(3)?));
        for unit in (first.max(last - PER_SPAN)..=last).rev() {
            let minute = unit.saturating_mul(i64::from(minutes));
            let (Ok(start), true) = (u32::try_from(minute), minute > 0) else {
                continue;
            };
            let (from, to) = (u64::from(start), u64::from(start) + u64::from(minutes) - 1);
            let over = minute.saturating_add(i64::from(minutes)) <= end.rolled_to;
            if !over || have.covers(from, to) || !looked_at.insert(from, to) {
                continue;
            }
            if is_late(conn, path, (end.last_id, start, minutes))? {
                continue;
            }
            let rows = rows(conn, path, (start, minutes))?;
            if !rows.is_empty() {
                return Ok(Some((start, rows)));
            }
        }
    }
    Ok(None)
}

/// Whether a batch of the span is not durable.
fn waits(reader: &Reader, epochs: &[(i64, Epoch)], (first, last): (i64, i64)) -> bool {
    let ((no, first), (_, last)) = (scan::split_id(first), scan::split_id(last));
    let epoch = epochs.iter().find(|e| e.0 == no).map(|e| e.1);
    epoch.is_some_and(|epoch| {
        !reader
            .shared
            .marks()
            .covers((epoch, Stream::Data), first, last)
    })
}

/// Whether samples of a stretch came after it was reduced and are not in it yet: within a minute they
/// will be.
fn is_late(
    conn: &Connection,
    path: &Path,
    (last_id, minute, minutes): (i64, u32, u32),
) -> Result<bool, StoreError> {
    let from = i64::from(minute) * Timestamp::MINUTE;
    let to = from + i64::from(minutes) * Timestamp::MINUTE;
    let sql =
        "SELECT EXISTS (SELECT 1 FROM batch WHERE id > ?1 AND first_at < ?2 AND last_at >= ?3)";
    conn.prepare_cached(sql)
        .and_then(|mut query| query.query_row([last_id, to, from], |r| r.get(0)))
        .doing("look for late samples", path)
}

/// The rows of a stretch, group by group. A damaged minute is left out.
fn rows(conn: &Connection, path: &Path, (minute, minutes): (u32, u32)) -> Result<Rows, StoreError> {
    let doing = "read minutes";
    let mut found = Rows::new();
    let mut zip = Compressor::new(3).doing("set up compression for", path)?;
    let mut group = 0_i64;
    while let Some(id) = conn
        .prepare_cached("SELECT id FROM rollup WHERE id >= ?1 ORDER BY id LIMIT 1")
        .and_then(|mut q| {
            q.query_row([group << 32], |r| r.get::<_, i64>(0))
                .optional()
        })
        .doing(doing, path)?
    {
        group = id >> 32;
        let cells = merged(conn, path, (group, minute, minutes))?;
        if !cells.is_empty() {
            let cells: Vec<(u8, Cell)> = cells.into_iter().collect();
            let row = cells::encode(&cells, &mut zip).doing("compress a rollup of", path)?;
            found.push((u32::try_from(group).unwrap_or(u32::MAX / GROUP), row));
        }
        group += 1;
    }
    Ok(found)
}

fn merged(
    conn: &Connection,
    path: &Path,
    (group, minute, minutes): (i64, u32, u32),
) -> Result<BTreeMap<u8, Cell>, StoreError> {
    let doing = "read minutes";
    let first = group << 32 | i64::from(minute);
    let mut query = conn
        .prepare_cached("SELECT id, cells FROM rollup WHERE id >= ?1 AND id < ?2 ORDER BY id")
        .doing(doing, path)?;
    let mut rows = query
        .query([first, first + i64::from(minutes)])
        .doing(doing, path)?;
    let mut unzip = Decompressor::new().doing("set up compression for", path)?;
    let mut all: BTreeMap<u8, Cell> = BTreeMap::new();
    while let Some(row) = rows.next().doing(doing, path)? {
        let id: i64 = row.get(0).doing(doing, path)?;
        let blob = row
            .get_ref(1)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        match cells::decode(blob, &mut unzip) {
            Ok(cells) => {
                let later_by = (id - first) * Timestamp::MINUTE;
                for (offset, cell) in cells {
                    let moved = crate::coarse::shifted(&cell, later_by);
                    all.entry(offset).or_insert(Cell::EMPTY).merge(&moved);
                }
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a damaged minute is left out");
            }
        }
    }
    Ok(all)
}

/// Cuts rows into frames that are not too long.
fn cut(reader: &Reader, minute: u32, rows: Rows, ask: &RollupAsk) -> RolledUp {
    let mut pieces: Vec<Rows> = Vec::new();
    let mut room = 0;
    for (group, row) in rows {
        let needed = row.len() + 10;
        match pieces.last_mut() {
            Some(piece) if room >= needed => {
                room -= needed;
                piece.push((group, row));
            }
            _ => {
                // Envelope and header take some 60 octets.
                room = ask.most.saturating_sub(64 + needed);
                pieces.push(vec![(group, row)]);
            }
        }
    }
    // Beyond what any gateway of today has: what is left over comes with the batches.
    pieces.truncate(limits::MAX_ROLLUP_PIECES as usize);
    let epoch = reader.shared.head(Stream::Data).borrow().epoch;
    let header = |piece: usize| RollupHeader {
        epoch,
        dictionary: reader.shared.directory_version(),
        minute,
        minutes: ask.minutes.max(1),
        piece: u32::try_from(piece).unwrap_or(u32::MAX),
        pieces: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
    };
    let frames = pieces.iter().enumerate();
    RolledUp {
        minute,
        minutes: ask.minutes.max(1),
        frames: frames
            .map(|(i, rows)| encode_rollup(&header(i), rows).into())
            .collect(),
    }
}
