//! Setting the clocks of devices (clauses 16.7 and 16.8), once or again and again. Owns that nobody is
//! told a time the gateway does not know itself, and the look at the device's clock afterwards.

use super::{Desk, Fault, Given, Inner, ask};
use crate::client::Client;
use crate::codec::service::device::time_synchronization;
use crate::codec::service::event::Stamp;
use crate::codec::service::property::Reference;
use crate::codec::service::{TIME_SYNCHRONIZATION, UTC_TIME_SYNCHRONIZATION};
use crate::codec::{Date, Datum, ObjectId, PropertyId, Time};
use crate::config::ClockTerms;
use crate::device::Peers;
use crate::poll::Peer;
use jiff::civil;
use jiff::tz::TimeZone;
use riser_adapter::Clock;
use riser_model::{ClockState, Key, Timestamp};
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

/// How often it is looked whose time is due.
const LOOK: Duration = Duration::from_secs(5);
/// How long a device may take to take over a time.
const PATIENCE: Duration = Duration::from_secs(4);
/// A clock that is right, in milliseconds: answers take their time.
const RIGHT: i64 = 2_000;
/// Zones differ by quarters of an hour.
const QUARTER: i64 = 900_000;

/// A moment as BACnet writes it, in a zone.
fn moment(at: Timestamp, zone: &TimeZone) -> Option<(Date, Time)> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    let local = zone.to_datetime(at);
    let small = |n: i8| u8::try_from(n).ok();
    let date = Date {
        year: u8::try_from(local.year() - 1900).ok()?,
        month: small(local.month())?,
        day: small(local.day())?,
        weekday: small(local.weekday().to_monday_one_offset())?,
    };
    let time = Time {
        hour: small(local.hour())?,
        minute: small(local.minute())?,
        second: small(local.second())?,
        hundredth: u8::try_from(local.subsec_nanosecond() / 10_000_000).ok()?,
    };
    Some((date, time))
}

/// The stamp of something that happens now, by the clock devices on a lane are told.
pub(super) fn stamp(at: Timestamp, terms: &ClockTerms) -> Stamp {
    let zone = terms.zone.clone().unwrap_or(TimeZone::UTC);
    match moment(at, &zone) {
        Some((date, time)) => Stamp::DateTime(date, time),
        None => Stamp::Sequence(0),
    }
}

/// A day and time without a zone, in milliseconds; `None` where a field says "any".
fn millis((date, time): (Date, Time)) -> Option<i64> {
    let small = |n: u8| i8::try_from(n).ok();
    let (year, hundredth) = (
        i16::from(date.year) + 1900,
        i32::from(time.hundredth.min(99)),
    );
    let day = civil::Date::new(year, small(date.month)?, small(date.day)?).ok()?;
    let (hour, minute, second) = (small(time.hour)?, small(time.minute)?, small(time.second)?);
    let time = civil::Time::new(hour, minute, second, hundredth * 10_000_000).ok()?;
    let at = TimeZone::UTC.to_timestamp(day.to_datetime(time)).ok()?;
    Some(at.as_millisecond())
}

/// The service and its parameters.
fn telling(clock: &dyn Clock, zone: Option<&TimeZone>, utc: bool) -> Result<(u8, Vec<u8>), Fault> {
    if clock.state() != ClockState::Synchronised || clock.is_assumed() {
        let why = "the gateway's own clock is not synchronised; devices are told no time that may be wrong";
        return Err(Fault::Failed(why.to_owned()));
    }
    let (service, zone) = match (utc, zone) {
        (true, _) => (UTC_TIME_SYNCHRONIZATION, &TimeZone::UTC),
        (false, Some(zone)) => (TIME_SYNCHRONIZATION, zone),
        (false, None) => {
            let why = "which local time is meant is not known: write the zone into the lane, as time_zone = \"Europe/Berlin\", or choose UTC";
            return Err(Fault::Wrong(why.to_owned()));
        }
    };
    let (date, time) = moment(clock.now(), zone)
        .ok_or_else(|| Fault::Failed("BACnet cannot say this year".to_owned()))?;
    Ok((service, time_synchronization(date, time)))
}

/// Sets a device's clock, or those of a lane.
pub(super) async fn set(inner: &Inner, given: Given<'_>) -> Result<Table, Fault> {
    let utc = given.text("time") == "UTC";
    match (given.maybe("device"), given.maybe("lane")) {
        (Some(_), None) => one(inner, given, utc).await,
        (None, Some(lane)) => all(inner, lane, utc).await,
        _ => Err(Fault::Wrong("say either a device or a lane".to_owned())),
    }
}

async fn all(inner: &Inner, lane: &str, utc: bool) -> Result<Table, Fault> {
    let clock = inner.clock()?;
    let known = inner.lanes.iter().find(|(key, _)| key.as_str() == lane);
    let (key, terms) = known.ok_or_else(|| Fault::Wrong(format!("there is no lane '{lane}'")))?;
    let (service, body) = telling(&*clock, terms.zone.as_ref(), utc)?;
    let client = inner.desk.client(key);
    let client =
        client.ok_or_else(|| Fault::Failed("the lane has no device and is not open".to_owned()))?;
    let sent = client.tell_all(service, &body).await;
    sent.map_err(|e| Fault::Failed(format!("it could not be sent: {e}")))?;
    let mut answer = Table::new();
    answer.insert(
        "told".to_owned(),
        "every device that hears broadcasts of this lane".into(),
    );
    answer.insert("time".to_owned(), said(&body).into());
    Ok(answer)
}

/// The time in a telling, for people.
fn said(body: &[u8]) -> String {
    let values = Datum::decode_all(body).unwrap_or_default();
    let texts: Vec<String> = values.iter().map(crate::mapping::text).collect();
    texts.join(" ")
}

async fn one(inner: &Inner, given: Given<'_>, utc: bool) -> Result<Table, Fault> {
    let clock = inner.clock()?;
    let device = inner.device(given.text("device"))?;
    let zone = inner
        .terms(&device.key)
        .and_then(|terms| terms.zone.as_ref());
    let peer = inner.peer(given)?;
    let before = off(&peer, &*clock, zone.filter(|_| !utc)).await?;
    let (service, body) = telling(&*clock, zone, utc)?;
    let sent = peer.client().tell(peer.address(), service, &body).await;
    sent.map_err(|e| Fault::Failed(format!("it could not be sent: {e}")))?;
    let mut answer = Table::new();
    answer.insert("told".to_owned(), said(&body).into());
    let Some(before) = before else {
        answer.insert(
            "remark".to_owned(),
            "the device does not show its clock".into(),
        );
        return Ok(answer);
    };
    // Nothing answers but the clock itself.
    let until = Instant::now() + PATIENCE;
    let mut after = before;
    loop {
        if let Some(now) = off(&peer, &*clock, zone.filter(|_| !utc)).await? {
            after = now;
        }
        if after.abs() <= RIGHT || Instant::now() >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    if after.abs() > RIGHT {
        let seconds = seconds(after);
        return Err(Fault::Failed(format!(
            "the device was told and its clock is {seconds} s off still; it does not take the time, or not from this gateway"
        )));
    }
    answer.insert("was_off_by_s".to_owned(), Value::Float(seconds(before)));
    answer.insert("is_off_by_s".to_owned(), Value::Float(seconds(after)));
    Ok(answer)
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// How far a device's clock is from the gateway's, in milliseconds. Where its zone is not known, whole
/// quarters of an hour are the zone's.
async fn off(
    peer: &Peer,
    clock: &dyn Clock,
    zone: Option<&TimeZone>,
) -> Result<Option<i64>, Fault> {
    let own = ObjectId::device(peer.instance());
    let date = ask::datum(peer, &Reference::new(own, PropertyId::LOCAL_DATE)).await?;
    let time = ask::datum(peer, &Reference::new(own, PropertyId::LOCAL_TIME)).await?;
    let (Some(Datum::Date(date)), Some(Datum::Time(time))) = (date, time) else {
        return Ok(None);
    };
    let Some(shown) = millis((date, time)) else {
        return Ok(None);
    };
    let now = clock.now();
    Ok(Some(match zone {
        Some(zone) => shown - moment(now, zone).and_then(millis).unwrap_or(now.0),
        None => {
            let apart = shown - now.0;
            apart - (apart + QUARTER / 2).div_euclid(QUARTER) * QUARTER
        }
    }))
}

/// What keeping the clocks of a lane takes.
pub(crate) struct Keeping {
    pub(crate) terms: ClockTerms,
    pub(crate) devices: Vec<Key>,
    pub(crate) peers: Peers,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Tells every device of a lane the time when it is found and again after the configured time.
pub(crate) async fn keep(keeping: Keeping, cancel: CancellationToken) {
    let Some(every) = keeping.terms.every else {
        return;
    };
    let mut told: FxHashMap<Key, Instant> = FxHashMap::default();
    loop {
        for key in &keeping.devices {
            if told.get(key).is_some_and(|at| at.elapsed() < every) {
                continue;
            }
            let peer = found(&keeping.peers, key);
            let Some(peer) = peer else { continue };
            let terms = &keeping.terms;
            let Ok((service, body)) = telling(&*keeping.clock, terms.zone.as_ref(), terms.utc)
            else {
                break;
            };
            match keeping.client.tell(peer.address(), service, &body).await {
                Ok(()) => {
                    told.insert(key.clone(), Instant::now());
                }
                Err(error) => tracing::debug!(device = %key, %error, "telling the time"),
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn found(peers: &Peers, key: &Key) -> Option<Peer> {
    let peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
    peers.get(key).cloned()
}

impl Desk {
    fn client(&self, lane: &Key) -> Option<Client> {
        self.with(|r| r.lanes.get(lane).map(|l| l.client.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_its_zone_with_its_day_of_the_week() {
        let at = Timestamp(1_795_268_096_780);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let (date, time) = moment(at, &berlin).unwrap();
        assert_eq!(date.octets(), [126, 11, 21, 6]);
        assert_eq!(time.octets(), [14, 34, 56, 78]);
        assert_eq!(millis((date, time)), Some(at.0 + 3_600_000));
        let any = Date { month: 255, ..date };
        assert_eq!(millis((any, time)), None);
    }
}
