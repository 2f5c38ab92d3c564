//! What a device recorded itself while nobody read it: trend logs filled in as the history of the
//! points they log. Owns the device's clock against the gateway's, and that nothing is filled in twice.

use super::points::Points;
use super::wall::Wall;
use crate::client::{Answer, RequestError};
use crate::codec::service::READ_RANGE;
use crate::codec::service::property::{Reference, single};
use crate::codec::service::range::{self, Logged, Part, Record};
use crate::codec::tag::number;
use crate::codec::{Date, Datum, DecodeError, ObjectId, ObjectType, PropertyId, Reader, Time};
use crate::mapping;
use crate::poll::Peer;
use jiff::tz::TimeZone;
use riser_adapter::{Clock, Past, PastError};
use riser_model::{Quality, Reading, ScanBatch, Slot, Timestamp, ValueKind};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often logs are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(900);
/// How far back a log is read the first time.
const BACK: i64 = 7 * Timestamp::DAY;
/// A stored sample so near is the same observation, in milliseconds.
const NEAR: i64 = 30_000;
/// Records asked for at once.
const AT_ONCE: i16 = 50;
/// Records of one log in one go.
const MOST: usize = 20_000;
/// Zones differ by quarters of an hour; the rest is how wrong the device's clock is.
const QUARTER: i64 = 900_000;
const REFERENCE_OCTETS: usize = 30;

/// What is known of a device's logs from the time before.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Logs with the points they log, once they are known.
    logs: Option<Vec<(ObjectId, Logging)>>,
    /// Up to where each has been read.
    marks: FxHashMap<ObjectId, Timestamp>,
}

/// What filling in takes.
pub(super) struct Filling {
    pub(super) peer: Peer,
    pub(super) past: Arc<dyn Past>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) points: Vec<Logging>,
    /// Of the lane, where it is known.
    pub(super) zone: Option<TimeZone>,
    pub(super) progress: Progress,
}

/// A point that may be logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logging {
    slot: Slot,
    kind: ValueKind,
    reference: Reference,
}

/// What came of it.
pub(super) struct Filled {
    pub(super) progress: Progress,
    pub(super) trouble: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    Device(#[from] RequestError),
    #[error("the answer cannot be read: {0}")]
    Undecodable(#[from] DecodeError),
    #[error(transparent)]
    Past(#[from] PastError),
    #[error("its clock cannot be read, so the stamps of its records mean nothing")]
    Clockless,
}

/// The points of a device, as logs may name them.
pub(super) fn loggings(points: &Points) -> Vec<Logging> {
    points
        .iter()
        .map(|p| Logging {
            slot: p.slot,
            kind: p.point.kind,
            reference: p.reference,
        })
        .collect()
}

impl Filling {
    /// Reads every log that logs a point, and fills in what is not stored.
    pub(super) async fn fill(mut self) -> Filled {
        let outcome = self.all().await;
        let trouble = outcome
            .err()
            .map(|e| format!("its trend logs were not filled in: {e}"));
        Filled {
            progress: self.progress,
            trouble,
        }
    }

    async fn all(&mut self) -> Result<(), FillError> {
        let logs = match &self.progress.logs {
            Some(logs) => logs.clone(),
            None => self.logs().await?,
        };
        self.progress.logs = Some(logs.clone());
        if logs.is_empty() {
            return Ok(());
        }
        let offset = self.offset().await?;
        let wall = Wall::new(offset, self.zone.as_ref(), self.clock.now().0);
        for (log, logging) in logs {
            self.one(log, logging, &wall).await?;
        }
        Ok(())
    }

    /// The logs of the device's own points.
    async fn logs(&self) -> Result<Vec<(ObjectId, Logging)>, FillError> {
        let objects = self.peer.object_list().await?;
        let logs = objects
            .into_iter()
            .filter(|o| o.kind() == ObjectType::TREND_LOG);
        let wanted: Vec<Reference> = logs
            .map(|o| Reference::new(o, PropertyId::LOG_DEVICE_OBJECT_PROPERTY))
            .collect();
        let read = self.peer.read_many(&wanted, REFERENCE_OCTETS).await?;
        let own = ObjectId::device(self.peer.instance());
        let named = wanted.iter().zip(read).filter_map(|(log, read)| {
            let logged = logged_by(&read.ok()?, own).ok()??;
            let point = self.points.iter().find(|p| p.reference == logged)?;
            Some((log.object, *point))
        });
        Ok(named.collect())
    }

    /// What has to be added to the device's time to get UTC, in milliseconds.
    async fn offset(&self) -> Result<i64, FillError> {
        let own = ObjectId::device(self.peer.instance());
        let read = async |property| {
            let octets = self.peer.read(&Reference::new(own, property)).await?;
            Ok::<Datum, FillError>(single(&octets)?)
        };
        let date = read(PropertyId::LOCAL_DATE).await?;
        let time = read(PropertyId::LOCAL_TIME).await?;
        let (Datum::Date(date), Datum::Time(time)) = (date, time) else {
            return Err(FillError::Clockless);
        };
        let local = millis(date, time).ok_or(FillError::Clockless)?;
        let apart = self.clock.now().0 - local;
        Ok((apart + QUARTER / 2).div_euclid(QUARTER) * QUARTER)
    }

    async fn one(&mut self, log: ObjectId, logging: Logging, wall: &Wall) -> Result<(), FillError> {
        let now = self.clock.now();
        let oldest = Timestamp(now.0 - BACK);
        let mut from = self
            .progress
            .marks
            .get(&log)
            .copied()
            .unwrap_or(oldest)
            .max(oldest);
        let mut taken = 0;
        while taken < MOST {
            let (records, last) = self.part(log, from, wall).await?;
            taken += records.len();
            let Some(newest) = records.iter().map(|(at, _)| *at).max() else {
                break;
            };
            self.store(logging, &records, now).await?;
            if newest <= from {
                break;
            }
            from = newest;
            self.progress.marks.insert(log, newest.min(now));
            if last {
                break;
            }
        }
        Ok(())
    }

    /// Records after a time, with their stamps in UTC; whether they are the newest of the log.
    async fn part(
        &self,
        log: ObjectId,
        after: Timestamp,
        wall: &Wall,
    ) -> Result<(Vec<(Timestamp, Record)>, bool), FillError> {
        let (date, time) = civil(wall.local(after.0));
        let buffer = Reference::new(log, PropertyId::LOG_BUFFER);
        let body = range::read(&buffer, Part::Time(date, time, AT_ONCE));
        let Answer::Octets(octets) = self.peer.ask(READ_RANGE, &body, true).await? else {
            return Err(DecodeError::Missing("the records").into());
        };
        let answer = range::Answer::decode(&octets)?;
        let mut before = after.0;
        let records = range::records(answer.items)?
            .into_iter()
            .filter_map(|record| {
                let local = millis(record.date, record.time)?;
                before = wall.utc(local, before);
                Some((Timestamp(before), record))
            });
        Ok((records.collect(), answer.last))
    }

    /// Stores what is not stored.
    async fn store(
        &self,
        logging: Logging,
        records: &[(Timestamp, Record)],
        now: Timestamp,
    ) -> Result<(), FillError> {
        let stamps = || records.iter().map(|(at, _)| at.0);
        let (Some(first), Some(last)) = (stamps().min(), stamps().max()) else {
            return Ok(());
        };
        let (from, to) = (Timestamp(first - NEAR), Timestamp(last + NEAR + 1));
        let stored = self.past.stamps(logging.slot, from, to).await?;
        let is_stored = |at: Timestamp| {
            let next = stored.partition_point(|s| s.0 < at.0 - NEAR);
            stored.get(next).is_some_and(|s| s.0 <= at.0 + NEAR)
        };
        let mut scans = Vec::new();
        for (at, record) in records {
            let Logged::Value(datum) = &record.logged else {
                continue;
            };
            let quality = record
                .flags
                .as_ref()
                .map_or(Quality::GOOD, mapping::quality);
            let value = mapping::value_of(logging.kind, datum);
            if let (Ok(value), false) = (value, is_stored(*at) || *at > now) {
                scans.push(ScanBatch {
                    at: *at,
                    readings: vec![Reading {
                        slot: logging.slot,
                        value: Some(value),
                        quality,
                    }],
                });
            }
        }
        match scans.is_empty() {
            true => Ok(()),
            false => Ok(self.past.add(scans).await?),
        }
    }
}

/// The property a log logs; `None` when it is another device's.
fn logged_by(octets: &[u8], own: ObjectId) -> Result<Option<Reference>, DecodeError> {
    let mut reader = Reader::new(octets);
    let object = ObjectId::decode(reader.context(0, "the logged object")?)?;
    let property: u32 = number(reader.context(1, "the logged property")?, "a property")?;
    let index = reader.optional(2)?;
    let device = reader.optional(3)?.map(ObjectId::decode).transpose()?;
    Ok(match device {
        Some(device) if device != own => None,
        _ => Some(Reference {
            object,
            property: PropertyId(property),
            index: index.map(|c| number(c, "an array index")).transpose()?,
        }),
    })
}

/// Milliseconds since 1970 of a day and time without a zone; `None` where a field says "any".
fn millis(date: Date, time: Time) -> Option<i64> {
    let fits = (1..=12).contains(&date.month)
        && (1..=31).contains(&date.day)
        && date.year != 255
        && time.hour < 24
        && time.minute < 60
        && time.second < 60;
    if !fits {
        return None;
    }
    // Days from the civil calendar, counted in years that begin in March.
    let (year, month, day) = (
        i64::from(date.year) + 1900 - i64::from(date.month <= 2),
        i64::from(date.month),
        i64::from(date.day),
    );
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds =
        i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second);
    let hundredths = if time.hundredth < 100 {
        i64::from(time.hundredth)
    } else {
        0
    };
    Some(days * Timestamp::DAY + seconds * 1000 + hundredths * 10)
}

/// The day and time of so many milliseconds since 1970, without a zone.
fn civil(millis: i64) -> (Date, Time) {
    let days = millis.div_euclid(Timestamp::DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = shifted + if shifted < 10 { 3 } else { -9 };
    let year = years + era * 400 + i64::from(month <= 2);
    let within = millis.rem_euclid(Timestamp::DAY);
    let small = |value: i64| u8::try_from(value).unwrap_or(255);
    let weekday = (millis.div_euclid(Timestamp::DAY) + 3).rem_euclid(7) + 1;
    let date = Date {
        year: small(year - 1900),
        month: small(month),
        day: small(day),
        weekday: small(weekday),
    };
    let time = Time {
        hour: small(within / 3_600_000),
        minute: small(within / 60_000 % 60),
        second: small(within / 1000 % 60),
        hundredth: small(within / 10 % 100),
    };
    (date, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_go_both_ways() {
        // 2026-11-21, a Saturday, and days around the ends of years and months.
        let (date, time) = civil(1_795_268_096_780);
        assert_eq!(
            (date.year, date.month, date.day, date.weekday),
            (126, 11, 21, 6)
        );
        assert_eq!(
            (time.hour, time.minute, time.second, time.hundredth),
            (13, 34, 56, 78)
        );
        for day in (0..60_000).step_by(13) {
            let at = day * Timestamp::DAY + 86_399_990;
            let (date, time) = civil(at);
            assert_eq!(millis(date, time), Some(at), "{date:?}");
        }
        let any = Date {
            year: 126,
            month: 255,
            day: 1,
            weekday: 1,
        };
        assert_eq!(millis(any, time), None);
    }
}
