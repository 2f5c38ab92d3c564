//! Trends and samples of a point. Owns how many histories are read side by side, and the table
//! for spreadsheets.

use super::error::found;
use super::shape::{SampleList, SampleView};
use super::{AppError, AppResult};
use crate::db::{Db, Observed, PointRef, SamplePage, Span};
use crate::tenancy::TenantContext;
use futures_util::Stream;
use riser_model::{Level, Quality, Timestamp, Trend, csv_value};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Histories read side by side; a reader always stays free for quick questions.
const SIDE_BY_SIDE: usize = 3;
/// Whoever waits longer for a turn is told to come again.
const TURN: Duration = Duration::from_secs(10);
/// Time for one list of samples.
const LIST_TIME: Duration = Duration::from_secs(20);

/// A range of time that makes sense.
#[derive(Debug, Clone, Copy)]
pub struct Range(Span);

impl Range {
    /// Checks a range.
    ///
    /// # Errors
    /// [`AppError::Malformed`] when it is empty or reversed.
    pub fn new(from: Timestamp, to: Timestamp) -> AppResult<Self> {
        if from >= to {
            return Err(AppError::Malformed(format!(
                "the range is empty: from ({}) must be before to ({})",
                from.0, to.0
            )));
        }
        Ok(Self(Span { from, to }))
    }

    /// Its two ends.
    pub(super) fn span(self) -> Span {
        self.0
    }
}

/// Trends and samples.
#[derive(Debug)]
pub struct History {
    db: Db,
    turns: Arc<Semaphore>,
}

impl History {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            turns: Arc::new(Semaphore::new(SIDE_BY_SIDE)),
        }
    }

    /// A point over time in at most `buckets` buckets.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] when the range holds too much.
    pub async fn trend(
        &self,
        who: &TenantContext,
        at: PointRef,
        range: Range,
        buckets: usize,
    ) -> AppResult<Trend> {
        let _turn = turn(&self.turns).await?;
        let sought = self.db.trend(who, at.clone(), range.0, buckets).await?;
        found(sought, || name(&at))
    }

    /// The first `limit` samples of a range.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] when that takes too long.
    pub async fn samples(
        &self,
        who: &TenantContext,
        at: PointRef,
        range: Range,
        limit: usize,
    ) -> AppResult<SampleList> {
        let by = Instant::now() + LIST_TIME;
        let (mut samples, mut next) = (Vec::new(), Some(range.0.from));
        while let (Some(from), true) = (next, samples.len() <= limit) {
            if Instant::now() >= by {
                return Err(AppError::Refused {
                    code: "too_much",
                    message: "the range holds few samples among too much else; ask for a shorter \
                              one"
                    .to_owned(),
                });
            }
            let span = Span {
                from,
                to: range.0.to,
            };
            let page = read(&self.db, &self.turns, (who, &at, span)).await?;
            samples.extend(page.samples);
            next = page.next;
        }
        let truncated = samples.len() > limit;
        samples.truncate(limit);
        let samples = samples
            .into_iter()
            .map(|(at, value, quality)| SampleView { at, value, quality })
            .collect();
        Ok(SampleList { samples, truncated })
    }

    /// A range as a table, piece by piece: the next is read when the one before was taken.
    ///
    /// # Errors
    /// [`AppError::NotFound`] at once; what fails later ends the table early.
    pub async fn csv(
        &self,
        who: &TenantContext,
        at: PointRef,
        range: Range,
    ) -> AppResult<impl Stream<Item = Result<String, std::io::Error>> + Send + use<>> {
        let first = read(&self.db, &self.turns, (who, &at, range.0)).await?;
        let (db, turns, who) = (self.db.clone(), Arc::clone(&self.turns), who.clone());
        let mut text = String::from("at,time,value,quality,reason\r\n");
        rows(&mut text, &first.samples);
        let begin = Table {
            text,
            next: first.next,
        };
        Ok(futures_util::stream::try_unfold(
            Some(begin),
            move |state| {
                let (db, turns, who) = (db.clone(), Arc::clone(&turns), who.clone());
                let (at, to) = (at.clone(), range.0.to);
                async move {
                    let Some(Table { text, next }) = state else {
                        return Ok(None);
                    };
                    let Some(from) = next else {
                        return Ok(Some((text, None)));
                    };
                    let page = read(&db, &turns, (&who, &at, Span { from, to })).await;
                    let page = page.map_err(std::io::Error::other)?;
                    let mut more = String::new();
                    rows(&mut more, &page.samples);
                    let after = Table {
                        text: more,
                        next: page.next,
                    };
                    Ok::<_, std::io::Error>(Some((text, Some(after))))
                }
            },
        ))
    }
}

struct Table {
    text: String,
    next: Option<Timestamp>,
}

async fn turn(turns: &Semaphore) -> AppResult<SemaphorePermit<'_>> {
    match timeout(TURN, turns.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(AppError::Busy("too many histories are being read")),
    }
}

async fn read(
    db: &Db,
    turns: &Semaphore,
    (who, at, span): (&TenantContext, &PointRef, Span),
) -> AppResult<SamplePage> {
    let _turn = turn(turns).await?;
    let sought = db.samples(who, at.clone(), span).await?;
    found(sought, || name(at))
}

fn name((gateway, path): &PointRef) -> String {
    format!("point {path} of gateway '{gateway}'")
}

fn rows(text: &mut String, samples: &[Observed]) {
    // Writing into a String cannot fail.
    for (at, value, quality) in samples {
        let _ = write!(text, "{},", at.0);
        time(text, *at);
        text.push(',');
        csv_value(value.as_ref(), text);
        let (level, reason) = words(*quality);
        let _ = write!(text, ",{level},{reason}\r\n");
    }
}

fn words(quality: Quality) -> (&'static str, String) {
    let level = match quality.level {
        Level::Good => "good",
        Level::Uncertain => "uncertain",
        Level::Bad => "bad",
    };
    let reason = quality.reason.and_then(|r| serde_json::to_value(r).ok());
    let reason = reason.as_ref().and_then(serde_json::Value::as_str);
    (level, reason.unwrap_or_default().to_owned())
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let mut text = String::new();
    time(&mut text, at);
    text
}

/// RFC 3339 in UTC with milliseconds. Days to a date after Howard Hinnant, "chrono-compatible
/// low-level date algorithms", `civil_from_days`.
fn time(text: &mut String, at: Timestamp) {
    let (days, ms) = (
        at.0.div_euclid(Timestamp::DAY),
        at.0.rem_euclid(Timestamp::DAY),
    );
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Reason, Value};

    fn shown(ms: i64) -> String {
        let mut text = String::new();
        time(&mut text, Timestamp(ms));
        text
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(shown(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_text_is_never_a_formula_and_never_breaks_its_cell() {
        let mut text = String::new();
        let samples = [
            (Timestamp(0), Some(Value::text("=1+\"x\",2")), Quality::GOOD),
            (Timestamp(1), None, Quality::bad(Reason::DeviceDown)),
            (Timestamp(2), Some(Value::Float(-1.5)), Quality::GOOD),
        ];
        rows(&mut text, &samples);
        assert_eq!(
            text,
            "0,1970-01-01T00:00:00.000Z,\"'=1+\"\"x\"\",2\",good,\r\n\
             1,1970-01-01T00:00:00.001Z,,bad,device_down\r\n\
             2,1970-01-01T00:00:00.002Z,-1.5,good,\r\n"
        );
    }

    #[test]
    fn an_empty_range_is_refused() {
        assert!(Range::new(Timestamp(5), Timestamp(5)).is_err());
        assert!(Range::new(Timestamp(5), Timestamp(6)).is_ok());
    }
}
