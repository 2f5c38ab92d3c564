//! The history as one file for other programs. Owns the walk over the day files, which may run
//! beside the daemon and changes nothing, and the bound on its memory; how a row is written is in
//! `csv` and `parquet`.
//!
//! Day after day, and inside a day by stretches of at most some 500,000 samples: point by point,
//! each in order of time. A sample that came late stands where it was stored.

mod csv;
mod parquet;

use crate::chunk::Series;
use crate::chunks::{Chunks, slot_of};
use crate::compact::Gather;
use crate::error::Doing;
use crate::scan::stored_directory;
use crate::sqlite::open_reader;
use crate::{StoreConfig, StoreError};
use riser_model::{PointPath, Quality, Timestamp, Value};
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;
use std::io::Write;
use std::path::Path;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values, RFC 4180, with a head line.
    Csv,
    /// Apache Parquet, zstd.
    Parquet,
}

/// What is wanted.
pub struct ExportAsk<'a> {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
    /// Which points.
    pub wanted: &'a dyn Fn(&PointPath) -> bool,
    /// What kind of file.
    pub format: ExportFormat,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportReport {
    /// Rows written.
    pub rows: u64,
    /// Days read.
    pub days: u64,
    /// What could not be read, one sentence each.
    pub problems: Vec<String>,
}

/// One sample on its way out.
pub(crate) struct Row<'a> {
    pub(crate) point: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) value: Option<Value>,
    pub(crate) quality: Quality,
}

/// A kind of file being written.
trait Rows {
    fn row(&mut self, row: &Row<'_>) -> std::io::Result<()>;
    fn end(&mut self) -> std::io::Result<()>;
}

/// Writes the history in `dir` to `out`.
///
/// # Errors
/// `out` refuses, or the folder or `state.db` cannot be read. A damaged day, batch or chunk is no
/// error but a problem in the report.
pub fn export(
    dir: &Path,
    ask: &ExportAsk<'_>,
    out: &mut dyn Write,
) -> Result<ExportReport, StoreError> {
    let config = StoreConfig::new(dir);
    let mut rows: Box<dyn Rows + '_> = match ask.format {
        ExportFormat::Csv => Box::new(csv::Csv::new(out)),
        ExportFormat::Parquet => Box::new(parquet::Parquet::new(out).doing("write to", dir)?),
    };
    let mut walk = Walk {
        ask,
        points: points(&config)?,
        rows: rows.as_mut(),
        report: ExportReport::default(),
    };
    for (_, path) in crate::files::days(&config.history_dir())? {
        if let Err(error) = walk.day(&path) {
            if matches!(error, StoreError::File { .. }) {
                return Err(error);
            }
            walk.problem(&path, &error.chain());
        }
    }
    let report = walk.report;
    rows.end().doing("write to", dir)?;
    Ok(report)
}

/// Paths of slots, also of points that no longer exist.
fn points(config: &StoreConfig) -> Result<FxHashMap<u32, String>, StoreError> {
    let (doing, file) = ("read the points", config.state_file());
    let conn = open_reader(&file)?;
    let mut query = conn
        .prepare("SELECT slot, path FROM point")
        .doing(doing, &file)?;
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
        .doing(doing, &file)?;
    rows.collect::<Result<_, _>>().doing(doing, &file)
}

struct Walk<'a> {
    ask: &'a ExportAsk<'a>,
    points: FxHashMap<u32, String>,
    rows: &'a mut (dyn Rows + 'a),
    report: ExportReport,
}

impl Walk<'_> {
    fn problem(&mut self, path: &Path, what: &str) {
        self.report
            .problems
            .push(format!("{}: {what}", path.display()));
    }

    fn day(&mut self, path: &Path) -> Result<(), StoreError> {
        let conn = open_reader(path)?;
        if crate::sqlite::is_blank(path) {
            return Ok(());
        }
        // After the loss of state.db the files still know their points.
        if let Some(directory) = stored_directory(&conn, path)? {
            for (slot, point) in directory.points {
                self.points
                    .entry(slot.0)
                    .or_insert_with(|| point.path.to_string());
            }
        }
        self.report.days += 1;
        let version: i64 = conn
            .pragma_query_value(None, "user_version", |r| r.get(0))
            .doing("read the version", path)?;
        if version >= 2 {
            self.chunks(&conn, path)?;
        }
        self.batches(&conn, path)
    }

    fn chunks(&mut self, conn: &Connection, path: &Path) -> Result<(), StoreError> {
        let mut chunks = Chunks::new(conn, path)?;
        let mut next = -1;
        while let Some(head) = chunks.head_after(next)? {
            next = head.id;
            let (from, to) = (self.ask.from.0, self.ask.to.0);
            let slot = slot_of(head.id);
            if head.sums.last_at < from || head.sums.first_at >= to || !self.wants(slot) {
                continue;
            }
            match chunks.open(&head)? {
                Ok(series) => self.series(slot, &series)?,
                Err(bad) => self.problem(path, &format!("a chunk of slot {slot}: {bad}")),
            }
        }
        Ok(())
    }

    fn batches(&mut self, conn: &Connection, path: &Path) -> Result<(), StoreError> {
        let doing = "read batches";
        let mut gather = Gather::default();
        let mut after = 0i64;
        loop {
            let sql = "SELECT id, first_at, last_at, frame FROM batch WHERE id > ?1 \
                       ORDER BY id LIMIT 64";
            let mut query = conn.prepare_cached(sql).doing(doing, path)?;
            let mut rows = query.query(params![after]).doing(doing, path)?;
            let before = after;
            while let Some(row) = rows.next().doing(doing, path)? {
                after = row.get(0).doing(doing, path)?;
                let ends = || Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
                let (first, last) = ends().map_err(|e: rusqlite::Error| e).doing(doing, path)?;
                if last < self.ask.from.0 || first >= self.ask.to.0 {
                    continue;
                }
                let frame: Vec<u8> = row.get(3).doing(doing, path)?;
                self.frame(&frame, path, &mut gather);
            }
            let over = after == before;
            if over || gather.is_full() {
                for (slot, mut series) in gather.take(true) {
                    series.sort();
                    self.series(slot, &series)?;
                }
            }
            if over {
                return Ok(());
            }
        }
    }

    fn frame(&mut self, frame: &[u8], path: &Path, gather: &mut Gather) {
        match riser_wire::decode_data(frame) {
            Ok((_, samples)) => {
                let wanted = samples.iter().filter(|s| self.wants(s.slot.0));
                wanted.for_each(|sample| gather.push(sample));
            }
            Err(error) => self.problem(path, &format!("a batch: {error}")),
        }
    }

    fn wants(&self, slot: u32) -> bool {
        let path = self.points.get(&slot).and_then(|p| p.parse().ok());
        path.is_some_and(|path| (self.ask.wanted)(&path))
    }

    fn series(&mut self, slot: u32, series: &Series) -> Result<(), StoreError> {
        let Some(point) = self.points.get(&slot) else {
            return Ok(());
        };
        for (at, value, quality) in series.within(self.ask.from.0, self.ask.to.0) {
            let row = Row {
                point,
                at,
                value,
                quality,
            };
            self.rows
                .row(&row)
                .doing("write a row of", Path::new(point))?;
            self.report.rows += 1;
        }
        Ok(())
    }
}
