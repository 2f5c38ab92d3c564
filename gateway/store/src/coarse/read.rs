//! Answering from rollups. Owns which rows are read: one a point and day, side by side.

use super::{Unit, decode, folder, row_id, year_of, year_path};
use crate::StoreError;
use crate::catalog::DayFile;
use crate::cells::Cell;
use crate::error::Doing;
use crate::retention::day_number;
use crate::sqlite::open_reader;
use riser_model::trend::Part;
use riser_model::{Slot, Timestamp};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use zstd::bulk::Decompressor;

/// The days there are, for rollups to answer for.
pub(crate) struct Days {
    /// Those that hold times of the range.
    pub(crate) within: Vec<DayFile>,
    /// The numbers of all of them: a day that was reduced and is not among them was dropped, and its
    /// rollups are all that is left of it.
    pub(crate) kept: HashSet<i64>,
}

/// Shows what the rollups hold of a point in `[from, to)`, both whole units; answers with the names
/// of the days it has answered for. A year that cannot be read is deleted and answers for none: it
/// is made again from the day files, which answer meanwhile.
pub(crate) fn parts(
    dir: &Path,
    days: &Days,
    (slot, unit): (Slot, Unit),
    (from, to): (Timestamp, Timestamp),
    visit: &mut dyn FnMut(&Part),
) -> HashSet<String> {
    let mut years: BTreeMap<&str, Vec<&DayFile>> = BTreeMap::new();
    for day in days.within.iter().filter(|d| d.sealed) {
        if let Some(year) = year_of(&day.name) {
            years.entry(year).or_default().push(day);
        }
    }
    // What is in a day file was read on its day or came late: dropped days before the range hold
    // nothing of it.
    let dropped = |day: i64| day >= from.day() && !days.kept.contains(&day);
    let all = crate::files::days(&folder(dir)).unwrap_or_default();
    all.iter()
        .for_each(|(year, _)| _ = years.entry(year).or_default());
    let mut answered = HashSet::new();
    for (year, within) in years {
        let path = year_path(dir, year);
        if !path.exists() {
            continue;
        }
        match of_year(&path, (&within, &dropped), (slot, unit)) {
            Ok((names, cells)) => {
                for (no, cell) in cells {
                    let at = Timestamp(no.saturating_mul(unit.ms()));
                    if at >= from && at < to {
                        visit(&part(at, &cell));
                    }
                }
                answered.extend(names);
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "a year of rollups is not used");
                if error.is_damage() && crate::files::remove(&path).is_err() {
                    tracing::warn!(file = %path.display(), "it could not be deleted");
                }
            }
        }
    }
    answered
}

type Answer = (Vec<String>, Vec<(i64, Cell)>);

fn of_year(
    path: &Path,
    (within, dropped): (&[&DayFile], &dyn Fn(i64) -> bool),
    (slot, unit): (Slot, Unit),
) -> Result<Answer, StoreError> {
    let doing = "read rollups";
    let conn = open_reader(path)?;
    conn.execute_batch("BEGIN").doing(doing, path)?;
    let mut names: BTreeMap<i64, String> = BTreeMap::new();
    let done = done(&conn, path)?;
    for day in within {
        let number = day_number(&day.name).unwrap_or(-1);
        if done.get(&number) == Some(&(day.batches, day.samples)) {
            names.insert(number, day.name.clone());
        }
    }
    let gone = done.keys().copied().filter(|day| dropped(*day));
    let wanted: BTreeSet<i64> = names.keys().copied().chain(gone).collect();
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let column = unit.column();
    let sql = format!("SELECT id, {column} FROM day WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    let mut query = conn.prepare(&sql).doing(doing, path)?;
    let mut rows = query
        .query([row_id(slot, *first), row_id(slot, *last)])
        .doing(doing, path)?;
    let mut unzip = Decompressor::new().doing("set up compression for", path)?;
    let mut cells = Vec::new();
    while let Some(row) = rows.next().doing(doing, path)? {
        let id: i64 = row.get(0).doing(doing, path)?;
        if !wanted.contains(&(id & ((1 << super::DAY_BITS) - 1))) {
            continue;
        }
        let blob = row
            .get_ref(1)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        let stretch = decode(blob, &mut unzip).map_err(|bad| StoreError::Record {
            what: "rollup",
            detail: bad.to_string(),
        })?;
        cells.extend(stretch);
    }
    Ok((names.into_values().collect(), cells))
}

fn done(conn: &Connection, path: &Path) -> Result<BTreeMap<i64, (u64, u64)>, StoreError> {
    let doing = "list the reduced days";
    let mut query = conn
        .prepare("SELECT day, batches, samples FROM done")
        .doing(doing, path)?;
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?))))
        .doing(doing, path)?;
    rows.collect::<Result<_, _>>().doing(doing, path)
}

fn part(at: Timestamp, cell: &Cell) -> Part {
    Part {
        at,
        min: cell.min,
        max: cell.max,
        sum: cell.sum,
        last: cell.last,
        last_at: Timestamp(at.0.saturating_add(i64::from(cell.last_at))),
        count: cell.count,
        bad: cell.bad,
    }
}

/// Every year file with what is wrong with its rows: checksums, cells, and that the quarters, hours
/// and days of a row tell of the same samples.
pub(crate) fn year_problems(dir: &Path) -> Result<Vec<(std::path::PathBuf, String)>, StoreError> {
    let folder = folder(dir);
    let mut problems = Vec::new();
    if !folder.is_dir() {
        return Ok(problems);
    }
    for (_, path) in crate::files::days(&folder)? {
        let problem = check_year(&path).unwrap_or_else(|error| Some(error.chain()));
        problems.push((path, problem.unwrap_or_default()));
    }
    Ok(problems)
}

fn check_year(path: &Path) -> Result<Option<String>, StoreError> {
    let doing = "check rollups";
    let conn = open_reader(path)?;
    if let Some(problem) = crate::sqlite::quick_check(&conn, path)? {
        return Ok(Some(problem));
    }
    let mut query = conn
        .prepare("SELECT whole, hours, quarters FROM day")
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let mut unzip = Decompressor::new().doing("set up compression for", path)?;
    let mut damaged = 0u64;
    while let Some(row) = rows.next().doing(doing, path)? {
        let mut sums = Vec::new();
        for column in 0..3 {
            let blob = row
                .get_ref(column)
                .and_then(|v| Ok(v.as_blob()?))
                .doing(doing, path)?;
            let counted = decode(blob, &mut unzip).map(|stretch| {
                stretch.iter().fold((0u64, 0u64), |sum, (_, c)| {
                    (sum.0 + u64::from(c.count), sum.1 + u64::from(c.bad))
                })
            });
            sums.push(counted.ok());
        }
        let same = sums[0].is_some() && sums.iter().all(|s| *s == sums[0]);
        damaged += u64::from(!same);
    }
    Ok((damaged > 0).then(|| format!("{damaged} rows of rollups are damaged")))
}
