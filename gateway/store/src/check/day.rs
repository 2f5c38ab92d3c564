//! One day file: its batches, its chunks, and that spans, runs and minute rollups tell of the same
//! samples. Owns what "the same" means for each.

use super::{CheckReport, Numbers};
use crate::StoreError;
use crate::cells::{self, Cell};
use crate::error::Doing;
use crate::rollup::{GROUP, minute, usable};
use crate::scan::{SpanEnd, epochs, span_end, split_id, stored_directory};
use riser_model::Sample;
use riser_wire::Epoch;
use rusqlite::Connection;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::Path;
use zstd::bulk::Decompressor;

/// What a file amounts to, by slot.
type Sums = FxHashMap<u32, Cell>;

pub(super) fn check(
    path: &Path,
    report: &mut CheckReport,
    present: &mut Numbers,
) -> Result<(), StoreError> {
    let conn = report.open(path)?;
    conn.execute_batch("BEGIN").doing("begin reading", path)?;
    let directory = stored_directory(&conn, path);
    report.count(
        path,
        u64::from(directory.is_err()),
        "directories of points cannot be read",
    );
    let names: BTreeMap<i64, Epoch> = epochs(&conn, path)?.into_iter().collect();
    check_chunks(&conn, path, (&names, present), report)?;
    check_counts(&conn, path, report)?;
    let end = span_end(&conn, path)?;
    let mut reduced = Sums::default();
    let sound = check_batches(&conn, (path, end), (&names, present, &mut reduced), report)?;
    check_spans(&conn, path, report)?;
    if sound {
        check_minutes(&conn, (path, end), &reduced, report)?;
    }
    Ok(())
}

type Seen<'a> = (&'a BTreeMap<i64, Epoch>, &'a mut Numbers, &'a mut Sums);

/// Batches: each is what its key says and can be read. Answers whether all are.
fn check_batches(
    conn: &Connection,
    (path, end): (&Path, SpanEnd),
    (names, present, reduced): Seen<'_>,
    report: &mut CheckReport,
) -> Result<bool, StoreError> {
    let doing = "check the batches";
    let mut query = conn
        .prepare("SELECT id, samples, frame FROM batch ORDER BY id")
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let (mut damaged, mut nameless) = (0u64, 0u64);
    while let Some(row) = rows.next().doing(doing, path)? {
        let id = row.get(0).doing(doing, path)?;
        let (no, seq) = split_id(id);
        let stated: u64 = row.get(1).doing(doing, path)?;
        report.batches += 1;
        report.samples += stated;
        let frame = row
            .get_ref(2)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        let Some(epoch) = names.get(&no) else {
            nameless += 1;
            continue;
        };
        match riser_wire::decode_data(frame) {
            Ok((h, samples))
                if (h.epoch, h.seq) == (*epoch, seq) && samples.len() as u64 == stated =>
            {
                if id <= end.last_id {
                    samples.iter().for_each(|s| add(reduced, s, end.rolled_to));
                }
            }
            _ => damaged += 1,
        }
        present.entry(*epoch).or_default().insert(seq, seq);
    }
    report.count(path, damaged, "batches are damaged");
    report.count(path, nameless, "batches belong to no epoch");
    Ok(damaged + nameless == 0)
}

/// Takes a sample that has to be in the minute rollups.
fn add(sums: &mut Sums, sample: &Sample, rolled_to: i64) {
    if minute(sample.at).is_some_and(|m| i64::from(m) < rolled_to) {
        let cell = sums.entry(sample.slot.0).or_insert(Cell::EMPTY);
        cell.add(0, usable(sample.value.as_ref(), sample.quality));
    }
}

/// Minute rollups: every row can be read, and together they are what the batches are.
fn check_minutes(
    conn: &Connection,
    (path, end): (&Path, SpanEnd),
    wanted: &Sums,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let doing = "check the rollups";
    let mut query = conn
        .prepare("SELECT id, cells FROM rollup")
        .doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let mut unzip = Decompressor::new().doing("set up compression for", path)?;
    let (mut found, mut damaged) = (Sums::default(), 0u64);
    while let Some(row) = rows.next().doing(doing, path)? {
        let id: i64 = row.get(0).doing(doing, path)?;
        let blob = row
            .get_ref(1)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, path)?;
        let Ok(cells) = cells::decode(blob, &mut unzip) else {
            damaged += 1;
            continue;
        };
        let group = u32::try_from(id >> 32).unwrap_or(0);
        for (offset, cell) in cells {
            let slot = group.wrapping_mul(GROUP).wrapping_add(u32::from(offset));
            found.entry(slot).or_insert(Cell::EMPTY).merge(&cell);
        }
    }
    report.count(path, damaged, "minutes of rollups are damaged");
    // Without a span nothing says which minutes are complete.
    if damaged == 0 && end.last_id > 0 {
        let slots = wanted
            .keys()
            .chain(found.keys().filter(|s| !wanted.contains_key(s)));
        let same = |slot: &&u32| match (wanted.get(slot), found.get(slot)) {
            (Some(a), Some(b)) => alike(a, b),
            _ => false,
        };
        let wrong = slots.filter(|s| !same(s)).count() as u64;
        report.count(
            path,
            wrong,
            "points have rollups that do not match their batches",
        );
    }
    Ok(())
}

/// The same samples, as far as sums can tell; a stored sum keeps nine digits.
fn alike(a: &Cell, b: &Cell) -> bool {
    let near = (a.sum - b.sum).abs() <= (a.min.abs() + a.max.abs()) * f64::from(a.count) * 1e-8;
    (a.count, a.bad) == (b.count, b.bad)
        && (a.count == 0 || (a.min, a.max) == (b.min, b.max) && near)
}

fn version(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    conn.pragma_query_value(None, "user_version", |r| r.get(0))
        .doing("read the version", path)
}

/// What batches count for in the ledger: as many samples as they have. Those of an earlier version
/// do not say.
fn check_counts(
    conn: &Connection,
    path: &Path,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    if version(conn, path)? < 3 {
        return Ok(());
    }
    let doing = "check the counts";
    let sql = "SELECT samples, counts FROM batch WHERE counts IS NOT NULL";
    let mut query = conn.prepare(sql).doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let mut damaged = 0u64;
    while let Some(row) = rows.next().doing(doing, path)? {
        let read = || Ok::<_, rusqlite::Error>((row.get(0)?, row.get_ref(1)?.as_blob()?));
        let (samples, counts) = read().doing(doing, path)?;
        damaged += u64::from(!crate::ledger::counts_are_of(counts, samples));
    }
    report.count(path, damaged, "batches have damaged counts beside them");
    Ok(())
}

/// Chunks: each opens, holds what stands beside it, and together they are what the runs say. A file
/// of an earlier version has none.
fn check_chunks(
    conn: &Connection,
    path: &Path,
    (names, present): (&BTreeMap<i64, Epoch>, &mut Numbers),
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    if version(conn, path)? < 2 {
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
    report.count(path, damaged, "chunks are damaged");
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
    report.count(path, wrong, "spans do not match their batches");
    Ok(())
}
