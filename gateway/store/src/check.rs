//! Whether a store on disk is sound, for `riserd doctor`. Owns the questions; changes nothing, and
//! may run beside the daemon.

use crate::error::Doing;
use crate::ranges::RangeSet;
use crate::scan::{epoch_of, epochs, split_id};
use crate::sqlite::{open_reader, quick_check};
use crate::{StoreConfig, StoreError};
use riser_wire::{Epoch, Stream};
use rusqlite::Connection;
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

/// Reads every file of the store in `dir`: SQLite's own check, every frame's checksum, no number
/// missing that is not settled, no mark beyond the last number.
///
/// # Errors
/// The folder cannot be listed. A damaged file is no error but a problem in the report.
pub fn check(dir: &Path) -> Result<CheckReport, StoreError> {
    let config = StoreConfig::new(dir);
    let mut report = CheckReport::default();
    let mut present = Numbers::new();
    let history = config.history_dir();
    let mut days: Vec<PathBuf> = std::fs::read_dir(&history)
        .doing("list", &history)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .collect();
    days.sort();
    for path in days {
        let checked = check_day(&path, &mut report, &mut present);
        report.note(&path, checked);
    }
    let state = config.state_file();
    let checked = check_state(&state, &present, &mut report);
    report.note(&state, checked);
    Ok(report)
}

impl CheckReport {
    fn note(&mut self, path: &Path, checked: Result<(), StoreError>) {
        if let Err(error) = checked {
            self.problems
                .push(format!("{}: {}", path.display(), error.chain()));
        }
        self.files.push(path.to_owned());
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

fn check_state(path: &Path, present: &Numbers, report: &mut CheckReport) -> Result<(), StoreError> {
    let conn = report.open(path)?;
    let settled = settled(&conn, path, Stream::Data)?;
    let none = RangeSet::default();
    for (epoch, numbers) in present {
        report.density(
            "batches",
            *epoch,
            numbers,
            settled.get(epoch).unwrap_or(&none),
        );
    }
    let newest = conn
        .query_row("SELECT id FROM epoch ORDER BY no DESC LIMIT 1", [], |r| {
            epoch_of(r, 0)
        })
        .doing("read the epoch", path)?;
    let head = present.get(&newest).map_or(0, RangeSet::last);
    let marked = settled.get(&newest).map_or(0, RangeSet::last);
    if head > 0 && marked > head {
        report.problems.push(format!(
            "epoch {newest}: batches up to {marked} count as durable, but the last one is {head}"
        ));
    }
    let mut events = RangeSet::default();
    let doing = "check the events";
    let mut query = conn
        .prepare("SELECT seq FROM event ORDER BY seq")
        .doing(doing, path)?;
    let rows = query
        .query_map([], |r| r.get::<_, u64>(0))
        .doing(doing, path)?;
    for seq in rows {
        let seq = seq.doing(doing, path)?;
        events.insert(seq, seq);
    }
    let settled = self::settled(&conn, path, Stream::Event)?;
    report.density(
        "events",
        newest,
        &events,
        settled.get(&newest).unwrap_or(&none),
    );
    Ok(())
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
