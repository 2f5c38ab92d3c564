//! Whether a store on disk is sound, for `riserd check` and `riserd doctor`. Owns the questions about
//! the whole; those about one day file are in `day`. Changes nothing, and may run beside the daemon.

mod day;
mod held;

use crate::error::Doing;
use crate::ledger::Journal;
use crate::ranges::RangeSet;
use crate::scan::epoch_of;
use crate::sqlite::{integrity_check, is_blank, open_reader};
use crate::{StoreConfig, StoreError};
use riser_model::{Alarm, CommandRecord, Point};
use riser_wire::{Epoch, Stream};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was looked at and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Files read.
    pub files: Vec<PathBuf>,
    /// Batches in the day files.
    pub batches: u64,
    /// Samples in them.
    pub samples: u64,
    /// What is wrong, one sentence each, with the file; empty for a sound store.
    pub problems: Vec<String>,
}

/// Numbers found, per epoch.
type Numbers = BTreeMap<Epoch, RangeSet>;

/// What `state.db` says.
#[derive(Default)]
struct Stated {
    newest: Option<Epoch>,
    data: Numbers,
    settled_events: Numbers,
    events: RangeSet,
    days: Vec<String>,
}

/// Reads every file of the store in `dir`: SQLite's own check, every frame and chunk, sums and rollups
/// against the samples, no number missing that is not settled, no mark beyond the last number.
///
/// # Errors
/// The folder cannot be listed. A damaged file is no error but a problem in the report.
pub fn check(dir: &Path) -> Result<CheckReport, StoreError> {
    let config = StoreConfig::new(dir);
    let mut report = CheckReport::default();
    // The state first: a running daemon only adds to what it says.
    let state = config.state_file();
    let stated = check_state(&state, &mut report);
    let stated = report.note(&state, stated).unwrap_or_default();
    let mut present = Numbers::new();
    let mut listed = stated.days.clone();
    for (name, path) in crate::files::days(&config.history_dir())? {
        if !stated.days.contains(&name) && is_blank(&path) {
            continue;
        }
        let checked = day::check(&path, &mut report, &mut present);
        report.note(&path, checked);
        listed.retain(|day| *day != name);
    }
    for day in listed {
        report
            .problems
            .push(format!("day file {day} is listed and not there"));
    }
    report.compare(&stated, &present);
    for (path, problem) in crate::coarse::year_problems(dir)? {
        if !problem.is_empty() {
            let text = format!("{}: {problem}", path.display());
            report.problems.push(text);
        }
        report.files.push(path);
    }
    let held = config.held_file();
    if held.exists() && !is_blank(&held) {
        let checked = held::check(&held, &mut report);
        report.note(&held, checked);
    }
    if let Some((path, problem)) = Journal::check(&config) {
        let problem = problem.map(|text| format!("{}: {text}", path.display()));
        report.problems.extend(problem);
        report.files.push(path);
    }
    Ok(report)
}

impl CheckReport {
    fn note<T>(&mut self, path: &Path, checked: Result<T, StoreError>) -> Option<T> {
        let found = checked.map_err(|error| {
            self.problems
                .push(format!("{}: {}", path.display(), error.chain()));
        });
        self.files.push(path.to_owned());
        found.ok()
    }

    /// Notes a count that should be zero.
    fn count(&mut self, path: &Path, count: u64, what: &str) {
        if count > 0 {
            self.problems
                .push(format!("{}: {count} {what}", path.display()));
        }
    }

    fn compare(&mut self, stated: &Stated, present: &Numbers) {
        let none = RangeSet::default();
        for (epoch, numbers) in present {
            let settled = stated.data.get(epoch).unwrap_or(&none);
            self.density("batches", *epoch, numbers, settled);
        }
        let Some(newest) = stated.newest else { return };
        let settled = stated.settled_events.get(&newest).unwrap_or(&none);
        self.density("events", newest, &stated.events, settled);
        let head = present.get(&newest).map_or(0, RangeSet::last);
        let marked = stated.data.get(&newest).map_or(0, RangeSet::last);
        if head > 0 && marked > head {
            self.problems.push(format!(
                "epoch {newest}: batches up to {marked} count as durable, the last one is {head}"
            ));
        }
    }

    fn open(&mut self, path: &Path) -> Result<Connection, StoreError> {
        let conn = open_reader(path)?;
        if let Some(problem) = integrity_check(&conn, path)? {
            self.problems.push(format!("{}: {problem}", path.display()));
        }
        Ok(conn)
    }

    /// Numbers between the first and the last that are neither there nor settled.
    fn density(&mut self, what: &str, epoch: Epoch, present: &RangeSet, settled: &RangeSet) {
        let first = present.iter().next().map_or(1, |r| r.0);
        let gaps = present.gaps(first, present.last());
        let missing: u64 = gaps.map(|(a, b)| settled.missing(a, b)).sum();
        if missing > 0 {
            self.problems.push(format!(
                "epoch {epoch}: {missing} {what} are missing between {first} and {}",
                present.last()
            ));
        }
    }
}

/// Whether a record is what its table holds.
type Readable = fn(&str) -> bool;

/// Tables whose rows are records in JSON.
const RECORDS: [(&str, Readable); 3] = [
    ("point", |b| serde_json::from_str::<Point>(b).is_ok()),
    ("alarm", |b| serde_json::from_str::<Alarm>(b).is_ok()),
    ("command", |b| {
        serde_json::from_str::<CommandRecord>(b).is_ok()
    }),
];

fn unreadable(
    conn: &Connection,
    path: &Path,
    table: &str,
    readable: Readable,
) -> Result<u64, StoreError> {
    let doing = "check the records";
    let mut query = conn
        .prepare(&format!("SELECT body FROM {table}"))
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let mut damaged = 0;
    while let Some(row) = rows.next().doing(doing, path)? {
        let body = row.get_ref(0).doing(doing, path)?;
        damaged += u64::from(!body.as_str().is_ok_and(readable));
    }
    Ok(damaged)
}

fn check_state(path: &Path, report: &mut CheckReport) -> Result<Stated, StoreError> {
    let conn = report.open(path)?;
    let doing = "check the state";
    conn.execute_batch("BEGIN").doing(doing, path)?;
    let newest = conn
        .query_row("SELECT id FROM epoch ORDER BY no DESC LIMIT 1", [], |r| {
            epoch_of(r, 0)
        })
        .optional()
        .doing("read the epoch", path)?;
    let mut stated = Stated {
        newest,
        data: settled(&conn, path, Stream::Data)?,
        settled_events: settled(&conn, path, Stream::Event)?,
        ..Stated::default()
    };
    let mut query = conn
        .prepare("SELECT seq, frame FROM event ORDER BY seq")
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let mut damaged = 0u64;
    while let Some(row) = rows.next().doing(doing, path)? {
        let seq: u64 = row.get(0).doing(doing, path)?;
        let frame: Vec<u8> = row.get(1).doing(doing, path)?;
        damaged += u64::from(riser_wire::decode_event(&frame).is_err());
        stated.events.insert(seq, seq);
    }
    drop(rows);
    report.count(path, damaged, "events are damaged");
    for (table, readable) in RECORDS {
        let damaged = unreadable(&conn, path, table, readable)?;
        report.count(path, damaged, &format!("rows of {table} cannot be read"));
    }
    let mut query = conn
        .prepare("SELECT name FROM history_file WHERE dropping = 0")
        .doing(doing, path)?;
    for name in query.query_map([], |r| r.get(0)).doing(doing, path)? {
        stated.days.push(name.doing(doing, path)?);
    }
    Ok(stated)
}

fn settled(conn: &Connection, path: &Path, stream: Stream) -> Result<Numbers, StoreError> {
    let doing = "check the durable marks";
    let sql = "SELECT epoch, first, last FROM durable WHERE stream = ?1 \
               UNION ALL SELECT epoch, seq, seq FROM refused WHERE stream = ?1";
    let mut query = conn.prepare(sql).doing(doing, path)?;
    let mut rows = query.query([stream as i64]).doing(doing, path)?;
    let mut numbers = Numbers::new();
    while let Some(row) = rows.next().doing(doing, path)? {
        let read =
            || Ok::<(_, u64, u64), rusqlite::Error>((epoch_of(row, 0)?, row.get(1)?, row.get(2)?));
        let (epoch, first, last) = read().doing(doing, path)?;
        numbers.entry(epoch).or_default().insert(first, last);
    }
    Ok(numbers)
}
