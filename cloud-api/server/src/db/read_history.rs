//! The samples of one point out of the stored batches. Owns which batches are opened for a range
//! (those that can overlap it, in every epoch that knows the point), and the bounds on one read:
//! whoever wants more asks again from where it ended.

use super::scope::{self, Sought};
use super::stretches::Stretches;
use super::{Db, DbError};
use crate::tenancy::TenantContext;
use riser_model::trend::TrendBuilder;
use riser_model::{GatewayId, PointPath, Quality, Slot, Timestamp, Trend, Value};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::{Duration, Instant};

/// Longest time one trend keeps a reader.
const TREND_TIME: Duration = Duration::from_secs(20);
/// Longest time one page of samples keeps a reader.
const PAGE_TIME: Duration = Duration::from_secs(5);
/// Batches between two looks at the clock.
const LOOK: u32 = 64;
/// First window of a page, and the one where batches are dense.
const WINDOW_MS: i64 = 3_600_000;
/// Windows grow to this where batches are few.
const WINDOW_MAX_MS: i64 = Timestamp::DAY;
/// So many batches in a window are few.
const FEW: u32 = 1000;

/// A point of a gateway.
pub type PointRef = (GatewayId, PointPath);

/// A range of time: from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

/// One stored observation of a point.
pub type Observed = (Timestamp, Option<Value>, Quality);

/// The next stretch of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplePage {
    /// In order of time.
    pub samples: Vec<Observed>,
    /// Where the next page begins; `None` at the end of the range.
    pub next: Option<Timestamp>,
}

/// The point in one epoch.
struct Series {
    epoch: i64,
    slot: Slot,
    longest_ms: i64,
}

fn series(c: &Connection, gateway: i64, path: &PointPath) -> Result<Option<Vec<Series>>, DbError> {
    let point: Option<i64> = c
        .prepare_cached("SELECT row FROM point WHERE gateway = ?1 AND path = ?2")?
        .query_row(params![gateway, path.to_string()], |row| row.get(0))
        .optional()?;
    let Some(point) = point else { return Ok(None) };
    let mut query = c.prepare_cached(
        "SELECT epoch.row, slot.slot, epoch.longest_ms
         FROM slot JOIN epoch ON epoch.row = slot.epoch WHERE slot.point = ?1",
    )?;
    let all = query
        .query_map([point], |row| {
            Ok(Series {
                epoch: row.get(0)?,
                slot: Slot(row.get(1)?),
                longest_ms: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(all))
}

/// Visits the samples of a point in `span`, batch by batch. Answers how many batches it opened.
fn visit(
    c: &Connection,
    all: &[Series],
    span: Span,
    until: Option<Instant>,
    take: &mut dyn FnMut(Timestamp, Option<&Value>, Quality),
) -> Result<u32, DbError> {
    let mut opened = 0_u32;
    let mut within = |at: Timestamp, value: Option<&Value>, quality| {
        if at >= span.from && at < span.to {
            take(at, value, quality);
        }
    };
    for series in all {
        let mut query = c.prepare_cached(
            "SELECT seq, frame FROM batch INDEXED BY batch_by_time
             WHERE epoch = ?1 AND stream = 2 AND first_at >= ?2 AND first_at < ?3 AND last_at >= ?4
             ORDER BY first_at",
        )?;
        let earliest = span.from.0.saturating_sub(series.longest_ms);
        let mut rows = query.query(params![series.epoch, earliest, span.to.0, span.from.0])?;
        while let Some(row) = rows.next()? {
            let frame = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            if let Err(error) = riser_wire::read_point(frame, series.slot, &mut within) {
                // It was whole when it came in, so the disk has damaged it. The rest is shown.
                let (epoch, seq): (i64, i64) = (series.epoch, row.get(0)?);
                tracing::error!(epoch, seq, %error, "a stored batch cannot be read any more");
            }
            opened += 1;
            let look = opened.is_multiple_of(LOOK);
            if look && until.is_some_and(|until| Instant::now() >= until) {
                return Err(DbError::Limit(format!(
                    "the range holds more than can be read in {} s; ask for a shorter one",
                    TREND_TIME.as_secs()
                )));
            }
        }
    }
    Ok(opened)
}

fn trend(c: &Connection, all: &[Series], span: Span, buckets: usize) -> Result<Trend, DbError> {
    let mut builder = TrendBuilder::new(span.from, span.to, buckets);
    let until = Instant::now() + TREND_TIME;
    let series = all.iter().map(|s| (s.epoch, s.slot));
    let mut stretches = Stretches::load(c, series, (span.from, span.to))?;
    let (from, to) = stretches.widened((span.from, span.to));
    visit(
        c,
        all,
        Span { from, to },
        Some(until),
        &mut |at, value, quality| {
            if !stretches.take(at, value, quality) {
                builder.add(at, value, quality);
            }
        },
    )?;
    let rolled_up = stretches.settle(&mut builder);
    Ok(Trend {
        rolled_up,
        ..builder.finish()
    })
}

/// Windows never share a sample, and each is put in order by itself, so pages are in order even
/// where batches overlap.
fn page(c: &Connection, all: &[Series], span: Span) -> Result<SamplePage, DbError> {
    let until = Instant::now() + PAGE_TIME;
    let mut samples: Vec<Observed> = Vec::new();
    let (mut from, mut width) = (span.from, WINDOW_MS);
    while from < span.to && samples.is_empty() && Instant::now() < until {
        let to = Timestamp(from.0.saturating_add(width).min(span.to.0));
        let window = Span { from, to };
        let opened = visit(c, all, window, None, &mut |at, value, quality| {
            samples.push((at, value.cloned(), quality));
        })?;
        from = to;
        width = match opened {
            0..=FEW => (width * 4).min(WINDOW_MAX_MS),
            _ => WINDOW_MS,
        };
    }
    samples.sort_by_key(|(at, ..)| *at);
    let next = (from < span.to).then_some(from);
    Ok(SamplePage { samples, next })
}

impl Db {
    /// A point over time.
    ///
    /// # Errors
    /// [`DbError::Limit`] when the range holds more than can be read in time.
    pub async fn trend(
        &self,
        who: &TenantContext,
        (gateway, path): PointRef,
        span: Span,
        buckets: usize,
    ) -> Result<Sought<Trend>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|found| {
                let all = series(c, found.row, &path)?;
                all.map(|all| trend(c, &all, span, buckets)).transpose()
            })
        })
        .await
    }

    /// The next stretch of a point's samples from the beginning of `span`: at least one sample,
    /// unless there is none or the time was up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn samples(
        &self,
        who: &TenantContext,
        (gateway, path): PointRef,
        span: Span,
    ) -> Result<Sought<SamplePage>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|found| {
                let all = series(c, found.row, &path)?;
                all.map(|all| page(c, &all, span)).transpose()
            })
        })
        .await
    }
}
