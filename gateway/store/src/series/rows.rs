//! The rows of a day file a question touches: chunks, rollups where a bucket is a minute or wider,
//! batches otherwise and for the last minutes. Owns their SQL and that damage of one row hides no
//! other.

use super::Window;
use crate::StoreError;
use crate::cells;
use crate::chunks::{Chunks, Head};
use crate::error::Doing;
use crate::rollup::{offset, row_id};
use crate::scan::{SpanEnd, span_end};
use riser_model::trend::Part;
use riser_model::{Quality, Slot, Timestamp, TrendBuilder, Value};
use rusqlite::{Connection, params};
use std::path::Path;
use zstd::bulk::Decompressor;

type Visit<'a> = &'a mut dyn FnMut(Timestamp, Option<&Value>, Quality);

/// One file by minutes: chunks, rollups, then the batches that are not in them yet.
pub(super) fn minutes(
    conn: &Connection,
    file: &Path,
    (window, slot): (Window, Slot),
    builder: &mut TrendBuilder,
) -> Result<(), StoreError> {
    chunked(conn, file, (window, slot), builder)?;
    let end = span_end(conn, file)?;
    rollups(conn, file, (window, slot), builder)?;
    let rest = Timestamp(end.rolled_to.saturating_mul(Timestamp::MINUTE));
    let late = Window {
        from: window.from.max(rest),
        ..window
    };
    let mut add = |at: Timestamp, value: Option<&Value>, quality| builder.add(at, value, quality);
    covered(conn, file, (late, slot), &mut add)?;
    tail(conn, file, end, (window, slot), &mut add)
}

/// Chunks of a point for a trend: one that lies in a single bucket is not opened.
fn chunked(
    conn: &Connection,
    file: &Path,
    (window, slot): (Window, Slot),
    builder: &mut TrendBuilder,
) -> Result<(), StoreError> {
    let width = builder.bucket_ms();
    let bucket = |at: i64| at.saturating_sub(window.from.0).div_euclid(width);
    each_chunk(conn, file, (window, slot), &mut |chunks, head| {
        let sums = head.sums;
        let inside = sums.first_at >= window.from.0 && sums.last_at < window.to.0;
        if inside && bucket(sums.first_at) == bucket(sums.last_at) {
            builder.add_part(&sums.part());
            return Ok(());
        }
        open_chunk(chunks, (file, head), window, &mut |at, value, quality| {
            builder.add(at, value, quality);
        })
    })
}

fn open_chunk(
    chunks: &mut Chunks<'_>,
    (file, head): (&Path, &Head),
    window: Window,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    match chunks.open(head)? {
        Ok(series) => {
            for (at, value, quality) in series.within(window.from.0, window.to.0) {
                visit(at, value.as_ref(), quality);
            }
        }
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "a damaged chunk is left out");
        }
    }
    Ok(())
}

/// Shows the chunks of a point that hold times of the window.
fn each_chunk(
    conn: &Connection,
    file: &Path,
    (window, slot): (Window, Slot),
    visit: &mut dyn FnMut(&mut Chunks<'_>, &Head) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut chunks = Chunks::new(conn, file)?;
    for round in chunks.rounds(window.from.0, window.to.0)? {
        let head = chunks.head(round, slot)?;
        let wanted =
            head.filter(|h| h.sums.last_at >= window.from.0 && h.sums.first_at < window.to.0);
        if let Some(head) = wanted {
            visit(&mut chunks, &head)?;
        }
        window.check()?;
    }
    Ok(())
}

/// Samples of a point in the window: out of chunks, then batch by batch.
pub(super) fn all(
    conn: &Connection,
    file: &Path,
    end: SpanEnd,
    (window, slot): (Window, Slot),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    each_chunk(conn, file, (window, slot), &mut |chunks, head| {
        open_chunk(chunks, (file, head), window, visit)
    })?;
    covered(conn, file, (window, slot), visit)?;
    tail(conn, file, end, (window, slot), visit)
}

/// Samples out of batches that a span covers.
fn covered(
    conn: &Connection,
    file: &Path,
    asked: (Window, Slot),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let window = asked.0;
    if window.from >= window.to {
        return Ok(());
    }
    let sql = "SELECT b.frame FROM span s JOIN batch b ON b.id BETWEEN s.first_id AND s.last_id \
               WHERE s.last_at >= ?1 AND s.first_at < ?2 AND b.last_at >= ?1 AND b.first_at < ?2";
    frames(
        conn,
        file,
        sql,
        params![window.from.0, window.to.0],
        (asked, visit),
    )
}

/// Samples out of the batches after the newest span.
fn tail(
    conn: &Connection,
    file: &Path,
    end: SpanEnd,
    asked: (Window, Slot),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let sql = "SELECT frame FROM batch WHERE id > ?3 AND last_at >= ?1 AND first_at < ?2";
    let window = asked.0;
    let values = params![window.from.0, window.to.0, end.last_id];
    frames(conn, file, sql, values, (asked, visit))
}

fn frames(
    conn: &Connection,
    file: &Path,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
    ((window, slot), visit): ((Window, Slot), Visit<'_>),
) -> Result<(), StoreError> {
    let doing = "read batches";
    let mut query = conn.prepare_cached(sql).doing(doing, file)?;
    let mut rows = query.query(values).doing(doing, file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        let frame = row
            .get_ref(0)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, file)?;
        let read = riser_wire::read_point(frame, slot, &mut |at, value, quality| {
            if at >= window.from && at < window.to {
                visit(at, value, quality);
            }
        });
        if let Err(error) = read {
            tracing::warn!(file = %file.display(), %error, "a damaged batch is left out");
        }
        window.check()?;
    }
    Ok(())
}

/// Minutes of a point out of the rollups.
fn rollups(
    conn: &Connection,
    file: &Path,
    (window, slot): (Window, Slot),
    builder: &mut TrendBuilder,
) -> Result<(), StoreError> {
    let doing = "read rollups";
    let minute = |t: Timestamp| {
        u32::try_from(
            t.0.div_euclid(Timestamp::MINUTE)
                .clamp(0, i64::from(u32::MAX)),
        )
        .unwrap_or(0)
    };
    let ids = [
        row_id(slot, minute(window.from)),
        row_id(slot, minute(window.to)),
    ];
    let mut query = conn
        .prepare_cached("SELECT id, cells FROM rollup WHERE id >= ?1 AND id < ?2")
        .doing(doing, file)?;
    let mut rows = query.query(ids).doing(doing, file)?;
    let mut unzip = Decompressor::new().doing("set up compression for", file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        let id: i64 = row.get(0).doing(doing, file)?;
        let blob = row
            .get_ref(1)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, file)?;
        let at = Timestamp((id & i64::from(u32::MAX)) * Timestamp::MINUTE);
        match cells::decode(blob, &mut unzip) {
            Ok(cells) => {
                let found = cells.binary_search_by_key(&offset(slot), |c| c.0);
                found
                    .ok()
                    .into_iter()
                    .for_each(|i| builder.add_part(&part(at, &cells[i].1)));
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a damaged minute is left out");
            }
        }
        window.check()?;
    }
    Ok(())
}

fn part(at: Timestamp, cell: &cells::Cell) -> Part {
    Part {
        at,
        min: cell.min,
        max: cell.max,
        sum: cell.sum,
        last: cell.last,
        last_at: Timestamp(at.0 + i64::from(cell.last_at)),
        count: cell.count,
        bad: cell.bad,
    }
}
