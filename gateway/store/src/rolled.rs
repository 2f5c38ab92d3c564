//! Rollups for the link: a stretch of time whose batches wait for the cloud, out of the minutes that
//! are reduced already. Owns which stretch comes next (the newest) and how it is cut into frames. A
//! rollup settles nothing: its batches go on waiting.

use crate::cells::{self, Cell, GROUP};
use crate::error::Doing;
use crate::intake::Urgent;
use crate::ranges::RangeSet;
use crate::readers::Reader;
use crate::scan::SpanEnd;
use crate::{Outbox, StoreError, scan};
use riser_model::Timestamp;
use riser_wire::{Epoch, RollupHeader, Stream, encode_rollup, limits};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::path::PathBuf;
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

/// A day file while it is read.
struct File {
    name: String,
    path: PathBuf,
    conn: Connection,
    end: SpanEnd,
}

/// A file that could not be read.
struct Failed {
    name: String,
    error: StoreError,
}

impl File {
    fn open((name, path): (String, PathBuf)) -> Result<Self, Failed> {
        let open = || {
            let conn = crate::sqlite::open_reader(&path)?;
            conn.execute_batch("BEGIN").doing("begin reading", &path)?;
            let end = scan::span_end(&conn, &path)?;
            Ok((conn, end))
        };
        match open() {
            Ok((conn, end)) => Ok(Self {
                name,
                path,
                conn,
                end,
            }),
            Err(error) => Err(Failed { name, error }),
        }
    }

    fn failed(&self, error: StoreError) -> Failed {
        Failed {
            name: self.name.clone(),
            error,
        }
    }

    /// Whether what the file holds of these minutes is reduced; of a sealed file all is. Samples that
    /// came late are not: within a minute they will be.
    fn has_reduced(&self, (minute, minutes): (u32, u32)) -> Result<bool, StoreError> {
        let from = i64::from(minute) * Timestamp::MINUTE;
        let to = from + i64::from(minutes) * Timestamp::MINUTE;
        let sql =
            "SELECT EXISTS (SELECT 1 FROM batch WHERE id > ?1 AND first_at < ?2 AND last_at >= ?3)";
        let late: bool = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut q| q.query_row([self.end.last_id, to, from], |r| r.get(0)))
            .doing("look for late samples", &self.path)?;
        let over = i64::from(minute) + i64::from(minutes) <= self.end.rolled_to;
        Ok(!late && over)
    }

    /// The first group of points from this one on.
    fn group_from(&self, group: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id >> 32 FROM rollup WHERE id >= ?1 ORDER BY id LIMIT 1";
        self.conn
            .prepare_cached(sql)
            .and_then(|mut q| q.query_row([group << 32], |r| r.get(0)).optional())
            .doing("read minutes", &self.path)
    }

    /// Takes the minutes of a stretch into the cells of a group's points.
    fn merge(
        &self,
        group: i64,
        (minute, minutes): (u32, u32),
        all: &mut BTreeMap<u8, Cell>,
    ) -> Result<(), StoreError> {
        let (doing, path) = ("read minutes", &self.path);
        let first = group << 32 | i64::from(minute);
        let sql = "SELECT id, cells FROM rollup WHERE id >= ?1 AND id < ?2 ORDER BY id";
        let mut query = self.conn.prepare_cached(sql).doing(doing, path)?;
        let until = first + i64::from(minutes);
        let mut rows = query.query([first, until]).doing(doing, path)?;
        let mut unzip = Decompressor::new().doing("set up compression for", path)?;
        while let Some(row) = rows.next().doing(doing, path)? {
            let id: i64 = row.get(0).doing(doing, path)?;
            let blob = row.get_ref(1).and_then(|v| Ok(v.as_blob()?));
            match cells::decode(blob.doing(doing, path)?, &mut unzip) {
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
        Ok(())
    }
}

impl Failed {
    /// A file that is damaged, which is told, or has just gone is left out; anything else is an
    /// error.
    fn leave_out(self, reader: &Reader) -> Result<(), Self> {
        if self.error.is_damage() {
            let Self { name, error } = self;
            tracing::warn!(error = error.chain(), "a day file is left out of rollups");
            let _ = reader.shared.intake.urgent(Urgent::Damaged(name, error));
            return Ok(());
        }
        match reader.shared.catalog().get(&self.name) {
            Some(_) => Err(self),
            None => Ok(()),
        }
    }
}

fn claim(reader: &mut Reader, ask: &RollupAsk) -> Result<Option<RolledUp>, StoreError> {
    let mut have = RangeSet::default();
    for (first, last) in &ask.have {
        have.insert(*first, *last);
    }
    for named in waiting(reader) {
        let file = File::open(named);
        match file.and_then(|file| newest(reader, &file, ask.minutes.max(1), &have)) {
            Ok(Some((minute, rows))) => return Ok(Some(cut(reader, minute, rows, ask))),
            Ok(None) => {}
            Err(failed) => failed.leave_out(reader).map_err(|failed| failed.error)?,
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

/// Day files other than this one with samples of a stretch: a batch that was begun before midnight is
/// in the file of the day it was committed, and what a device had kept comes days later. `None` when
/// some of it is not reduced yet.
fn beside(
    reader: &Reader,
    file: &File,
    (minute, minutes): (u32, u32),
) -> Result<Option<Vec<File>>, Failed> {
    let at = |minute: u32| Timestamp(i64::from(minute) * Timestamp::MINUTE);
    let overlapping = reader
        .shared
        .catalog()
        .overlapping(at(minute), at(minute.saturating_add(minutes)));
    let mut others = Vec::new();
    for listed in overlapping.into_iter().filter(|l| l.name != file.name) {
        match File::open((listed.name, listed.path)) {
            Ok(other) => others.push(other),
            Err(failed) => failed.leave_out(reader)?,
        }
    }
    for other in &others {
        let reduced = other.has_reduced((minute, minutes));
        if !reduced.map_err(|error| other.failed(error))? {
            return Ok(None);
        }
    }
    Ok(Some(others))
}

fn newest(
    reader: &Reader,
    file: &File,
    minutes: u32,
    have: &RangeSet,
) -> Result<Option<(u32, Rows)>, Failed> {
    let wanted = wanted(reader, file, minutes, have);
    for start in wanted.map_err(|error| file.failed(error))? {
        let stretch = (start, minutes);
        let reduced = file.has_reduced(stretch);
        if !reduced.map_err(|error| file.failed(error))? {
            continue;
        }
        if let Some(others) = beside(reader, file, stretch)? {
            let rows = rows(file, &others, stretch)?;
            if !rows.is_empty() {
                return Ok(Some((start, rows)));
            }
        }
    }
    Ok(None)
}

/// First minutes of the stretches a file has samples of that wait, newest span first.
fn wanted(
    reader: &Reader,
    file: &File,
    minutes: u32,
    have: &RangeSet,
) -> Result<Vec<u32>, StoreError> {
    let (doing, path) = ("look for time to roll up", &file.path);
    let epochs = scan::epochs(&file.conn, path)?;
    let sql = "SELECT first_id, last_id, first_at, last_at FROM span ORDER BY last_id DESC";
    let mut query = file.conn.prepare(sql).doing(doing, path)?;
    let mut spans = query.query([]).doing(doing, path)?;
    let (mut wanted, mut seen) = (Vec::new(), RangeSet::default());
    while let Some(span) = spans.next().doing(doing, path)? {
        let column = |n| span.get::<_, i64>(n).doing(doing, path);
        if !waits(reader, &epochs, (column(0)?, column(1)?)) {
            continue;
        }
        let stretch = i64::from(minutes) * Timestamp::MINUTE;
        let (first, last) = (
            column(2)?.div_euclid(stretch),
            column(3)?.div_euclid(stretch),
        );
        for unit in (first.max(last - PER_SPAN)..=last).rev() {
            let minute = unit.saturating_mul(i64::from(minutes));
            let (Ok(start), true) = (u32::try_from(minute), minute > 0) else {
                continue;
            };
            let (from, to) = (u64::from(start), u64::from(start) + u64::from(minutes) - 1);
            if !have.covers(from, to) && seen.insert(from, to) {
                wanted.push(start);
            }
        }
    }
    Ok(wanted)
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

/// The rows of a stretch out of all files that hold some of it, group by group. A damaged minute is
/// left out.
fn rows(file: &File, others: &[File], stretch: (u32, u32)) -> Result<Rows, Failed> {
    let mut zip = Compressor::new(3)
        .doing("set up compression for", &file.path)
        .map_err(|error| file.failed(error))?;
    let files = || std::iter::once(file).chain(others);
    let (mut found, mut next) = (Rows::new(), 0);
    loop {
        let mut group: Option<i64> = None;
        for file in files() {
            let here = file.group_from(next).map_err(|error| file.failed(error))?;
            group = group.into_iter().chain(here).min();
        }
        let Some(group) = group else {
            return Ok(found);
        };
        let mut cells = BTreeMap::new();
        for file in files() {
            let merged = file.merge(group, stretch, &mut cells);
            merged.map_err(|error| file.failed(error))?;
        }
        if !cells.is_empty() {
            let cells: Vec<(u8, Cell)> = cells.into_iter().collect();
            let row = cells::encode(&cells, &mut zip).doing("compress a rollup of", &file.path);
            let row = row.map_err(|error| file.failed(error))?;
            found.push((u32::try_from(group).unwrap_or(u32::MAX / GROUP), row));
        }
        next = group + 1;
    }
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
