//! Reducing a finished day. Owns the order (256 points at a time, so memory is bounded) and when a
//! day is to be reduced again.

use super::{Stretch, Unit, encode, folder, row_id, widen, year_of, year_path};
use crate::StoreError;
use crate::catalog::DayFile;
use crate::cells::{self, Cell};
use crate::chunks::{Chunks, slot_of};
use crate::error::Doing;
use crate::retention::day_number;
use crate::rollup::{GROUP, usable};
use crate::shared::Shared;
use crate::sqlite::{ROLLUP, open_reader, open_writer};
use riser_model::{Slot, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use zstd::bulk::{Compressor, Decompressor};

/// Asked after every group of points; may wait, and may say that it is enough.
pub(crate) type GoOn<'a> = &'a mut dyn FnMut(u32) -> bool;

/// Quarters of the points of one group.
type Quarters = BTreeMap<u32, BTreeMap<i64, Cell>>;

/// Reduces every finished day that is not reduced yet, and drops years without days.
pub(crate) fn keep_up(shared: &Shared, go_on: GoOn<'_>) -> Result<(), StoreError> {
    let dir = &shared.config.dir;
    let files: Vec<DayFile> = shared.catalog().files().to_vec();
    drop_years(dir, &files)?;
    for file in files.iter().filter(|f| f.sealed && f.samples > 0) {
        let (Some(day), Some(year)) = (day_number(&file.name), year_of(&file.name)) else {
            continue;
        };
        if row_id(Slot(0), day).is_none() {
            continue;
        }
        let path = year_path(dir, year);
        crate::files::make_private(&folder(dir))?;
        match reduce(file, day, &path, go_on) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.is_damage() => {
                tracing::warn!(error = error.chain(), "a year of rollups is made again");
                crate::files::remove(&path)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deletes years none of whose days is left.
fn drop_years(dir: &Path, files: &[DayFile]) -> Result<(), StoreError> {
    let years: BTreeSet<&str> = files.iter().filter_map(|f| year_of(&f.name)).collect();
    let folder = folder(dir);
    if !folder.is_dir() {
        return Ok(());
    }
    for (year, path) in crate::files::days(&folder)? {
        if !years.contains(year.as_str()) {
            crate::files::remove(&path)?;
        }
    }
    Ok(())
}

/// Reduces one day; false when it is to stop.
fn reduce(file: &DayFile, day: i64, path: &Path, go_on: GoOn<'_>) -> Result<bool, StoreError> {
    let doing = "reduce a day";
    let year = open_writer(path, &ROLLUP)?;
    // All of it can be made again: a power cut may cost the last days of it.
    year.pragma_update(None, "synchronous", "NORMAL")
        .doing("set up", path)?;
    let known: Option<(u64, u64)> = year
        .query_row(
            "SELECT batches, samples FROM done WHERE day = ?1",
            [day],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()
        .doing(doing, path)?;
    if known == Some((file.batches, file.samples)) {
        return Ok(true);
    }
    if known.is_some() {
        let sql = "DELETE FROM day WHERE id & ((1 << 20) - 1) = ?1";
        year.execute("DELETE FROM done WHERE day = ?1", [day])
            .and_then(|_| year.execute(sql, [day]))
            .doing(doing, path)?;
    }
    let conn = open_reader(&file.path)?;
    let mut points = 0u64;
    for group in groups(&conn, &file.path)? {
        let mut quarters = Quarters::new();
        from_chunks(&conn, &file.path, group, &mut quarters)?;
        from_minutes(&conn, &file.path, group, &mut quarters)?;
        points += quarters.len() as u64;
        write(&year, path, day, &quarters)?;
        if !go_on(group) {
            return Ok(false);
        }
    }
    let values = params![day, file.batches, file.samples, points];
    year.execute(
        "INSERT OR REPLACE INTO done VALUES (?1, ?2, ?3, ?4)",
        values,
    )
    .doing(doing, path)?;
    Ok(true)
}

/// Groups of points the file holds.
fn groups(conn: &Connection, file: &Path) -> Result<BTreeSet<u32>, StoreError> {
    let doing = "list the points";
    let mut groups = BTreeSet::new();
    let mut next = 0i64;
    while let Some(id) = conn
        .prepare_cached("SELECT id FROM rollup WHERE id >= ?1 ORDER BY id LIMIT 1")
        .and_then(|mut q| q.query_row([next], |r| r.get::<_, i64>(0)).optional())
        .doing(doing, file)?
    {
        groups.extend(u32::try_from(id >> 32));
        next = ((id >> 32) + 1) << 32;
    }
    let mut query = conn.prepare("SELECT id FROM chunk").doing(doing, file)?;
    let mut rows = query.query([]).doing(doing, file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        groups.insert(slot_of(row.get(0).doing(doing, file)?) / GROUP);
    }
    Ok(groups)
}

fn from_minutes(
    conn: &Connection,
    file: &Path,
    group: u32,
    quarters: &mut Quarters,
) -> Result<(), StoreError> {
    let doing = "read minutes";
    let first = i64::from(group) << 32;
    let sql = "SELECT id, cells FROM rollup WHERE id >= ?1 AND id < ?2 ORDER BY id";
    let mut query = conn.prepare_cached(sql).doing(doing, file)?;
    let mut rows = query.query([first, first + (1 << 32)]).doing(doing, file)?;
    let mut unzip = Decompressor::new().doing("set up compression for", file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        let read = || Ok((row.get::<_, i64>(0)?, row.get_ref(1)?.as_blob()?));
        let (id, blob) = read().map_err(|e: rusqlite::Error| e).doing(doing, file)?;
        let at = (id & i64::from(u32::MAX)) * Timestamp::MINUTE;
        let cells = match cells::decode(blob, &mut unzip) {
            Ok(cells) => cells,
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a damaged minute is left out");
                continue;
            }
        };
        let unit = at.div_euclid(Unit::Quarter.ms());
        for (offset, cell) in cells {
            let moved = super::shifted(&cell, at - unit * Unit::Quarter.ms());
            let slot = group * GROUP + u32::from(offset);
            let point = quarters.entry(slot).or_default();
            point.entry(unit).or_insert(Cell::EMPTY).merge(&moved);
        }
    }
    Ok(())
}

fn from_chunks(
    conn: &Connection,
    file: &Path,
    group: u32,
    quarters: &mut Quarters,
) -> Result<(), StoreError> {
    let mut chunks = Chunks::new(conn, file)?;
    for round in chunks.rounds(i64::MIN, i64::MAX)? {
        let mut last = crate::chunks::chunk_id(round, Slot(group * GROUP)) - 1;
        while let Some(head) = chunks.head_after(last)? {
            last = head.id;
            let slot = slot_of(head.id);
            if head.id >> 32 != round || slot / GROUP != group {
                break;
            }
            match chunks.open(&head)? {
                Ok(series) => add(&series, quarters.entry(slot).or_default()),
                Err(error) => {
                    tracing::warn!(file = %file.display(), %error, "a damaged chunk is left out");
                }
            }
        }
    }
    Ok(())
}

fn add(series: &crate::chunk::Series, point: &mut BTreeMap<i64, Cell>) {
    for (at, value, quality) in series.within(i64::MIN, i64::MAX) {
        let unit = at.0.div_euclid(Unit::Quarter.ms());
        let ms = u32::try_from(at.0.rem_euclid(Unit::Quarter.ms())).unwrap_or(0);
        let cell = point.entry(unit).or_insert(Cell::EMPTY);
        cell.add(ms, usable(value.as_ref(), quality));
    }
}

fn write(year: &Connection, path: &Path, day: i64, quarters: &Quarters) -> Result<(), StoreError> {
    let doing = "store rollups";
    let mut zip = Compressor::new(3).doing("set up compression for", path)?;
    year.execute_batch("BEGIN IMMEDIATE").doing(doing, path)?;
    for (slot, cells) in quarters {
        let quarters: Stretch = cells.iter().map(|(no, cell)| (*no, *cell)).collect();
        let hours = widen(&quarters, Unit::Quarter.ms(), Unit::Hour.ms());
        let whole = widen(&hours, Unit::Hour.ms(), Unit::Day.ms());
        let mut packed = |stretch: &Stretch| encode(stretch, &mut zip).doing(doing, path);
        let (whole, hours, quarters) = (packed(&whole)?, packed(&hours)?, packed(&quarters)?);
        let values = params![row_id(Slot(*slot), day), whole, hours, quarters];
        year.prepare_cached("INSERT OR REPLACE INTO day VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut put| put.execute(values))
            .doing(doing, path)?;
    }
    year.execute_batch("COMMIT").doing(doing, path)
}
