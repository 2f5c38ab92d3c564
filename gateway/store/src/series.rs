//! A point over time, out of the day files. Owns which rows a question touches: rollups where a
//! bucket is a minute or wider, batches otherwise and for the last minutes.

use crate::cells;
use crate::error::Doing;
use crate::intake::Urgent;
use crate::readers::Reader;
use crate::rollup::{offset, row_id};
use crate::scan::{SpanEnd, span_end};
use crate::{Store, StoreError};
use riser_model::trend::Part;
use riser_model::{Quality, Sample, Slot, Timestamp, Trend, TrendBuilder, Value};
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant};
use zstd::bulk::Decompressor;

/// How long a question may keep a reading thread.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ranges from this length on are drawn from rollups even where buckets could be finer: reading
/// every batch of half a day takes longer than a person waits.
const RAW_RANGE_MS: i64 = 4 * 3_600_000;

/// Time a question is about, `[from, to)`, and when it has taken too long.
#[derive(Clone, Copy)]
struct Window {
    from: Timestamp,
    to: Timestamp,
    until: Instant,
}

impl Window {
    fn new(from: Timestamp, to: Timestamp) -> Self {
        Self {
            from,
            to,
            until: Instant::now() + PATIENCE,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if Instant::now() < self.until {
            return Ok(());
        }
        Err(StoreError::TooSlow {
            doing: "read the history",
            seconds: PATIENCE.as_secs(),
        })
    }
}

impl Store {
    /// A point reduced to at most `buckets` buckets over `[from, to)`. Where buckets would be a
    /// minute or wider, or the range is longer than four hours, both ends move outwards to whole
    /// minutes and buckets are whole minutes wide; the answer says what was used. Samples not yet
    /// committed are not in it.
    ///
    /// # Errors
    /// The disk refused, too many questions wait, or it would take too long.
    pub async fn trend(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
        buckets: usize,
    ) -> Result<Trend, StoreError> {
        self.read(move |r| trend(r, slot, (from, to), buckets))
            .await
    }

    /// Samples of a point in `[from, to)` in order of time, at most `limit`; as many as `limit`
    /// means that there may be more after the last.
    ///
    /// # Errors
    /// The disk refused, too many questions wait, or it would take too long.
    pub async fn samples(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Sample>, StoreError> {
        self.read(move |r| samples(r, slot, Window::new(from, to), limit))
            .await
    }
}

fn trend(
    reader: &mut Reader,
    slot: Slot,
    (from, to): (Timestamp, Timestamp),
    buckets: usize,
) -> Result<Trend, StoreError> {
    let raw = TrendBuilder::new(from, to, buckets);
    if raw.bucket_ms() < Timestamp::MINUTE && to.since(from) <= RAW_RANGE_MS {
        let mut builder = raw;
        let window = Window::new(from, to);
        each_file(reader, window, |conn, file| {
            let end = span_end(conn, file)?;
            batches(
                conn,
                file,
                end,
                (window, slot),
                &mut |at, value, quality| {
                    builder.add(at, value, quality);
                },
            )
        })?;
        return Ok(builder.finish());
    }
    let mut builder = TrendBuilder::aligned(from, to, buckets, Timestamp::MINUTE);
    let (from, to) = builder.range();
    let window = Window::new(from, to);
    each_file(reader, window, |conn, file| {
        let end = span_end(conn, file)?;
        rollups(conn, file, (window, slot), &mut builder)?;
        let rest = window
            .from
            .max(Timestamp(end.rolled_to.saturating_mul(Timestamp::MINUTE)));
        covered(
            conn,
            file,
            (
                Window {
                    from: rest,
                    ..window
                },
                slot,
            ),
            &mut |at, value, quality| {
                builder.add(at, value, quality);
            },
        )?;
        tail(
            conn,
            file,
            end,
            (window, slot),
            &mut |at, value, quality| {
                builder.add(at, value, quality);
            },
        )
    })?;
    Ok(builder.finish())
}

fn samples(
    reader: &mut Reader,
    slot: Slot,
    window: Window,
    limit: usize,
) -> Result<Vec<Sample>, StoreError> {
    let mut found: Vec<Sample> = Vec::new();
    each_file(reader, window, |conn, file| {
        let end = span_end(conn, file)?;
        batches(
            conn,
            file,
            end,
            (window, slot),
            &mut |at, value, quality| {
                found.push(Sample {
                    slot,
                    at,
                    value: value.cloned(),
                    quality,
                });
                // Batches come nearly in order of time, so what is cut off here is rarely wanted.
                if found.len() >= limit.saturating_mul(2).saturating_add(100_000) {
                    cut(&mut found, limit);
                }
            },
        )
    })?;
    cut(&mut found, limit);
    Ok(found)
}

fn cut(found: &mut Vec<Sample>, limit: usize) {
    found.sort_by_key(|s| s.at);
    found.truncate(limit);
}

type Visit<'a> = &'a mut dyn FnMut(Timestamp, Option<&Value>, Quality);

/// Asks every file that holds times of the window, each as of one moment. A damaged file is
/// reported to the writer and left out, so one bad file does not hide the others.
fn each_file(
    reader: &mut Reader,
    window: Window,
    mut ask: impl FnMut(&Connection, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let files = reader.shared.catalog().overlapping(window.from, window.to);
    for (name, path) in files {
        let asked = crate::sqlite::open_reader(&path).and_then(|conn| {
            conn.execute_batch("BEGIN").doing("begin reading", &path)?;
            ask(&conn, &path)
        });
        match asked {
            Ok(()) => {}
            Err(error) if error.is_damage() => {
                tracing::warn!(error = error.chain(), "a day file is left out of an answer");
                let _ = reader.shared.intake.urgent(Urgent::Damaged(name, error));
            }
            Err(_) if reader.shared.catalog().get(&name).is_none() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Samples of a point in the window, batch by batch.
fn batches(
    conn: &Connection,
    file: &Path,
    end: SpanEnd,
    (window, slot): (Window, Slot),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
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
