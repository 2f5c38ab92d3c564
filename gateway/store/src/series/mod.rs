//! A point over time, out of the day files. Owns which files a question opens and how wide its
//! buckets are; which rows of a file it touches is in `rows`.

mod rows;

use crate::catalog::DayFile;
use crate::coarse::{self, Unit};
use crate::error::Doing;
use crate::intake::Urgent;
use crate::readers::Reader;
use crate::retention::day_number;
use crate::scan::span_end;
use crate::{Store, StoreError};
use riser_model::{Sample, Slot, Timestamp, Trend, TrendBuilder};
use rows::{all, minutes};
use rusqlite::Connection;
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

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
    /// minutes and buckets are whole minutes wide; quarters of an hour take their place above two
    /// days, hours above eight, days above 400, where buckets are that wide. The answer says what
    /// was used. Samples not yet committed are not in it.
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

/// Widths of which whole stretches are stored, and from which range on they are drawn: below, the
/// finer ones are quick enough and move the ends of the range less.
const STEPS: [(Unit, i64); 3] = [
    (Unit::Day, 400 * Timestamp::DAY),
    (Unit::Hour, 8 * Timestamp::DAY),
    (Unit::Quarter, 2 * Timestamp::DAY),
];

/// The width to draw from; `None` for minutes.
fn unit(range: i64, bucket: i64) -> Option<Unit> {
    let fits = |(unit, least): &&(Unit, i64)| range > *least && bucket >= unit.ms();
    STEPS.iter().find(fits).map(|s| s.0)
}

fn trend(
    reader: &mut Reader,
    slot: Slot,
    (from, to): (Timestamp, Timestamp),
    buckets: usize,
) -> Result<Trend, StoreError> {
    let raw = TrendBuilder::new(from, to, buckets);
    let fine = raw.bucket_ms() < Timestamp::MINUTE && to.since(from) <= RAW_RANGE_MS;
    let shed = only_rolled_up(reader, to);
    if fine && shed.is_none() {
        let mut builder = raw;
        let window = Window::new(from, to);
        each_file(reader, window, &HashSet::new(), |conn, file| {
            let end = span_end(conn, file)?;
            all(
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
    let unit = unit(to.since(from), raw.bucket_ms()).or(shed);
    let step = unit.map_or(Timestamp::MINUTE, Unit::ms);
    let mut builder = TrendBuilder::aligned(from, to, buckets, step);
    let (from, to) = builder.range();
    let window = Window::new(from, to);
    let answered = unit.map_or_else(HashSet::new, |unit| {
        let days = {
            let catalog = reader.shared.catalog();
            let names = catalog.files().iter().map(|f| day_number(&f.name));
            coarse::Days {
                kept: names.flatten().collect(),
                within: catalog.overlapping(from, to),
            }
        };
        let dir = &reader.shared.config.dir;
        coarse::parts(dir, &days, (slot, unit), (from, to), &mut |part| {
            builder.add_part(part);
        })
    });
    each_file(reader, window, &answered, |conn, file| {
        minutes(conn, file, (window, slot), &mut builder)
    })?;
    Ok(builder.finish())
}

/// Before the oldest day that is left there are only rollups, the finest of them quarters.
fn only_rolled_up(reader: &Reader, to: Timestamp) -> Option<Unit> {
    let catalog = reader.shared.catalog();
    let oldest = catalog.files().iter().map(|f| f.first_at).min()?;
    (to <= oldest).then_some(Unit::Quarter)
}

fn samples(
    reader: &mut Reader,
    slot: Slot,
    window: Window,
    limit: usize,
) -> Result<Vec<Sample>, StoreError> {
    let mut found: Vec<Sample> = Vec::new();
    each_file(reader, window, &HashSet::new(), |conn, file| {
        let end = span_end(conn, file)?;
        all(
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

/// Asks every file that holds times of the window, each as of one moment. A damaged file is
/// reported to the writer and left out, so one bad file does not hide the others.
fn each_file(
    reader: &mut Reader,
    window: Window,
    answered: &HashSet<String>,
    mut ask: impl FnMut(&Connection, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let files = reader.shared.catalog().overlapping(window.from, window.to);
    let files = files.into_iter().filter(|f| !answered.contains(&f.name));
    for DayFile { name, path, .. } in files {
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
