//! Whether a store on disk is sound, for `riserd doctor`. Owns the questions; changes nothing, and
//! may run beside the daemon.

use crate::error::Doing;
use crate::ranges::RangeSet;
use crate::scan::{epoch_of, epochs, split_id};
use crate::sqlite::{is_blank, open_reader, quick_check};
use crate::{StoreConfig, StoreError};
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

/// Reads every file of the store in `dir`: SQLite's own check, every frame's checksum, no number
/// missing that is not settled, no mark beyond the last number.
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
        let checked = check_day(&path, &mut report, &mut present);
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
        if let Some(problem) = quick_check(&conn, path)? {
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

fn check_day(
    path: &Path,
    report: &mut CheckReport,
    present: &mut Numbers,
) -> Result<(), StoreError> {
    let doing = "check the batches";
    let conn = report.open(path)?;
    let names: BTreeMap<i64, Epoch> = epochs(&conn, path)?.into_iter().collect();
    check_chunks(&conn, path, (&names, present), report)?;
    let mut query = conn
        .prepare("SELECT id, samples, frame FROM batch ORDER BY id")
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let (mut damaged, mut nameless) = (0u64, 0u64);
    while let Some(row) = rows.next().doing(doing, path)? {
        let (no, seq) = split_id(row.get(0).doing(doing, path)?);
        report.batches += 1;
        report.samples += row.get::<_, u64>(1).doing(doing, path)?;
        let frame = row
            .get_ref(2)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        let Some(epoch) = names.get(&no) else {
            nameless += 1;
            continue;
        };
        let sound = riser_wire::peek(frame).is_ok_and(|h| h.seq == seq && h.epoch == *epoch);
        damaged += u64::from(!sound);
        present.entry(*epoch).or_default().insert(seq, seq);
    }
    for (count, what) in [(damaged, "are damaged"), (nameless, "belong to no epoch")] {
        if count > 0 {
            report
                .problems
                .push(format!("{}: {count} batches {what}", path.display()));
        }
    }
    check_spans(&conn, path, report)
}

/// Chunks: each opens, holds what stands beside it, and together they are what the runs say. A file
/// of an earlier version has none.
fn check_chunks(
    conn: &Connection,
    path: &Path,
    (names, present): (&BTreeMap<i64, Epoch>, &mut Numbers),
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .doing("read the version", path)?;
    if version < 2 {
        return Ok(());
    }
    let mut wanted = 0u64;
    for (no, epoch) in names {
        for (first, last) in crate::scan::compacted(conn, path, *no)? {
            present.entry(*epoch).or_default().insert(first, last);
        }
    }
    let sums = "SELECT coalesce(sum(batches), 0), coalesce(sum(samples), 0) FROM run";
    let (batches, samples): (u64, u64) = conn
        .query_row(sums, [], |r| Ok((r.get(0)?, r.get(1)?)))
        .doing("check the runs", path)?;
    let mut chunks = crate::chunks::Chunks::new(conn, path)?;
    let (mut next, mut damaged) = (-1, 0u64);
    while let Some(head) = chunks.head_after(next)? {
        next = head.id;
        wanted += u64::from(head.sums.samples);
        let sound = chunks.open(&head)?.is_ok_and(|s| s.sums() == head.sums);
        damaged += u64::from(!sound);
    }
    report.batches += batches;
    report.samples += samples;
    if damaged > 0 {
        report
            .problems
            .push(format!("{}: {damaged} chunks are damaged", path.display()));
    }
    if wanted != samples {
        let file = path.display();
        let text = format!("{file}: its chunks hold {wanted} samples, its runs say {samples}");
        report.problems.push(text);
    }
    Ok(())
}

fn check_spans(conn: &Connection, path: &Path, report: &mut CheckReport) -> Result<(), StoreError> {
    let sql = "SELECT count(*) FROM span s WHERE s.batches <> \
               (SELECT count(*) FROM batch WHERE id BETWEEN s.first_id AND s.last_id)";
    let wrong: u64 = conn
        .query_row(sql, [], |r| r.get(0))
        .doing("check the spans", path)?;
    if wrong > 0 {
        let text = format!(
            "{}: {wrong} spans do not match their batches",
            path.display()
        );
        report.problems.push(text);
    }
    Ok(())
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
        .prepare("SELECT seq FROM event ORDER BY seq")
        .doing(doing, path)?;
    for seq in query
        .query_map([], |r| r.get::<_, u64>(0))
        .doing(doing, path)?
    {
        let seq = seq.doing(doing, path)?;
        stated.events.insert(seq, seq);
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
