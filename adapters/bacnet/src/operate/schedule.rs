//! Schedules of devices: shown, and changed in parts. Owns the checks before anything is sent, the
//! order in which properties are written, and what is said when the device keeps something else.

use super::{Fault, Given, ask, calendar, table, timetable, words};
use crate::client::RequestError;
use crate::codec::schedule::{self, Exception, Period, Switch, Target};
use crate::codec::service::property::Reference;
use crate::codec::{Date, Datum, ObjectId, ObjectType, PropertyId};
use crate::mapping;
use crate::poll::Peer;
use toml::{Table, Value};

/// Types a person may say the values have.
pub(super) const TYPES: [&str; 5] = ["number", "on/off", "state number", "count", "text"];

/// A schedule as the device has it.
#[derive(Debug, Clone, PartialEq)]
struct Schedule {
    week: Option<Vec<Vec<Switch>>>,
    exceptions: Option<Vec<Exception>>,
    period: Option<(Date, Date)>,
    default: Option<Datum>,
    targets: Vec<Target>,
    present: Option<Datum>,
}

impl Schedule {
    async fn read(peer: &Peer, object: ObjectId) -> Result<Self, Fault> {
        let of = |property| Reference::new(object, property);
        // The one property every schedule has.
        let present = ask::datum(peer, &of(PropertyId::PRESENT_VALUE)).await?;
        if present.is_none() {
            return Err(Fault::Failed(format!("the device has no {object}")));
        }
        let week = ask::array(peer, &of(PropertyId::WEEKLY_SCHEDULE), 7).await?;
        let exceptions = exceptions(peer, object).await?;
        let period = ask::octets(peer, &of(PropertyId::EFFECTIVE_PERIOD)).await?;
        let targets = of(PropertyId::LIST_OF_OBJECT_PROPERTY_REFERENCES);
        let targets = ask::octets(peer, &targets).await?;
        Ok(Self {
            week: week.map(|octets| schedule::week(&octets)).transpose()?,
            exceptions,
            period: period.map(|octets| schedule::days(&octets)).transpose()?,
            default: ask::datum(peer, &of(PropertyId::SCHEDULE_DEFAULT)).await?,
            targets: schedule::targets(&targets.unwrap_or_default())?,
            present,
        })
    }

    /// A value like those it switches to.
    async fn like(&self, peer: &Peer, said: Option<&str>) -> Result<Datum, Fault> {
        let days = self.week.iter().flatten();
        let special = self.exceptions.iter().flatten().map(|e| &e.switches);
        let switches = days.chain(special).flatten().map(|s| &s.value);
        let known = self.default.iter().chain(switches).chain(&self.present);
        if let Some(known) = known.into_iter().find(|v| **v != Datum::Null) {
            return Ok(known.clone());
        }
        let own = ObjectId::device(peer.instance());
        let near = |t: &&Target| t.device.is_none_or(|device| device == own);
        if let Some(target) = self.targets.iter().find(near) {
            let value = ask::datum(peer, &target.reference).await?;
            if let Some(value) = value.filter(|v| *v != Datum::Null) {
                return Ok(value);
            }
        }
        Ok(match said {
            Some("number") => Datum::Real(0.0),
            Some("on/off") => Datum::Boolean(false),
            Some("state number") => Datum::Enumerated(0),
            Some("count") => Datum::Unsigned(0),
            Some("text") => Datum::Text(String::new()),
            _ => {
                let why = "nothing is switched yet, so the type of its values is not known; say it";
                return Err(Fault::Wrong(why.to_owned()));
            }
        })
    }
}

async fn exceptions(peer: &Peer, object: ObjectId) -> Result<Option<Vec<Exception>>, Fault> {
    let list = Reference::new(object, PropertyId::EXCEPTION_SCHEDULE);
    let octets = match peer.read(&list).await {
        Err(error) if error.is_about_size() => {
            let count = ask::datum(peer, &list.at(0)).await?;
            let count = count.and_then(|c| c.as_unsigned()).unwrap_or(0);
            ask::array(peer, &list, u32::try_from(count).unwrap_or(0)).await?
        }
        _ => ask::octets(peer, &list).await?,
    };
    Ok(octets
        .map(|octets| schedule::exceptions(&octets))
        .transpose()?)
}

/// Shows a schedule, or which there are.
pub(super) async fn read(peer: &Peer, given: Given<'_>) -> Result<Table, Fault> {
    if given.maybe("object").is_some() {
        let object = given.object("object", ObjectType::SCHEDULE)?;
        let found = Schedule::read(peer, object).await?;
        return shown(peer, object, &found).await;
    }
    let kinds = [ObjectType::SCHEDULE, ObjectType::CALENDAR];
    let found = ask::objects(peer, &kinds).await?;
    let of = |kind| {
        let own = found.iter().filter(move |(o, _)| o.kind() == kind);
        let rows = own.map(|(object, name)| Value::from(format!("{object} {name}")));
        Value::Array(rows.collect())
    };
    Ok(table([
        ("schedules", of(ObjectType::SCHEDULE)),
        ("calendars", of(ObjectType::CALENDAR)),
    ]))
}

async fn shown(peer: &Peer, object: ObjectId, found: &Schedule) -> Result<Table, Fault> {
    let value = |datum: &Option<Datum>| datum.as_ref().map(words::shown_value);
    let name = ask::shown(peer, object, PropertyId::OBJECT_NAME).await?;
    let fault = ask::shown(peer, object, PropertyId::RELIABILITY).await?;
    let held = ask::shown(peer, object, PropertyId::OUT_OF_SERVICE).await?;
    let level = ask::shown(peer, object, PropertyId::PRIORITY_FOR_WRITING).await?;
    let rows = [
        ("object", Some(object.to_string())),
        ("name", Some(name)),
        ("now", value(&found.present)),
        (
            "weekly",
            found.week.as_ref().map(|w| timetable::shown_week(w)),
        ),
        (
            "exceptions",
            found
                .exceptions
                .as_ref()
                .map(|e| timetable::shown_exceptions(e)),
        ),
        (
            "period",
            found
                .period
                .map(|(from, to)| timetable::shown_days(from, to)),
        ),
        ("default", value(&found.default)),
        ("targets", Some(timetable::shown_targets(&found.targets))),
        ("writes_at_priority", Some(level)),
        ("remark", remark(&fault, &held)),
    ];
    let rows = rows.into_iter();
    let rows = rows
        .filter_map(|(name, text)| Some((name.to_owned(), text.filter(|t| !t.is_empty())?.into())));
    Ok(rows.collect())
}

fn remark(fault: &str, held: &str) -> Option<String> {
    match (fault, held) {
        (_, "true") => Some("it is out of service: it writes nothing by itself".to_owned()),
        ("" | "0", _) => None,
        (number, _) => Some(format!(
            "the device finds fault with it (reliability {number})"
        )),
    }
}

/// A property to be written, what it is called, and its octets.
struct Change {
    what: &'static str,
    property: PropertyId,
    value: Vec<u8>,
}

/// Changes a schedule.
pub(super) async fn write(peer: &Peer, given: Given<'_>) -> Result<Table, Fault> {
    let object = given.object("object", ObjectType::SCHEDULE)?;
    let before = Schedule::read(peer, object).await?;
    let (wanted, changes) = planned(peer, &before, given).await?;
    if changes.is_empty() {
        return Err(Fault::Wrong("nothing to change is given".to_owned()));
    }
    let mut done: Vec<&str> = Vec::new();
    for change in changes {
        let reference = Reference::new(object, change.property);
        let written = match ask::write(peer, reference, change.value).await {
            Err(error)
                if change.property == PropertyId::WEEKLY_SCHEDULE && error.is_about_size() =>
            {
                by_day(peer, reference, wanted.week.as_deref()).await
            }
            other => other,
        };
        if let Err(error) = written {
            let before = match done.is_empty() {
                true => "nothing was changed".to_owned(),
                false => format!("changed before: {}", done.join(", ")),
            };
            let what = change.what;
            return Err(Fault::Failed(format!(
                "the {what} was not taken: {error}; {before}"
            )));
        }
        done.push(change.what);
    }
    let kept = Schedule::read(peer, object).await?;
    differs(&wanted, &kept, &done)?;
    let mut answer = shown(peer, object, &kept).await?;
    answer.insert("changed".to_owned(), done.join(", ").into());
    Ok(answer)
}

/// The week day by day, for a device that does not take it whole.
async fn by_day(
    peer: &Peer,
    week: Reference,
    days: Option<&[Vec<Switch>]>,
) -> Result<(), RequestError> {
    for (index, day) in (1..).zip(days.unwrap_or_default()) {
        let value = schedule::put_week(std::slice::from_ref(day));
        ask::write(peer, week.at(index), value).await?;
    }
    Ok(())
}

/// What the schedule is to be, and what has to be written for it, the harmless first. Nothing is sent
/// but questions.
async fn planned(
    peer: &Peer,
    before: &Schedule,
    given: Given<'_>,
) -> Result<(Schedule, Vec<Change>), Fault> {
    let mut wanted = before.clone();
    let mut changes = Vec::new();
    let mut change = |what, property, value| {
        changes.push(Change {
            what,
            property,
            value,
        });
    };
    if let Some(text) = given.maybe("targets") {
        wanted.targets = timetable::targets(text).map_err(Fault::Wrong)?;
        known(peer, &wanted.targets).await?;
        let value = schedule::put_targets(&wanted.targets);
        change(
            "list of what it writes to",
            PropertyId::LIST_OF_OBJECT_PROPERTY_REFERENCES,
            value,
        );
    }
    if let Some(text) = given.maybe("period") {
        let (from, to) = timetable::days(text).map_err(Fault::Wrong)?;
        wanted.period = Some((from, to));
        change(
            "period",
            PropertyId::EFFECTIVE_PERIOD,
            schedule::put_days(from, to),
        );
    }
    let timed = ["weekly", "exceptions", "default"];
    if timed.iter().all(|name| given.maybe(name).is_none()) {
        return Ok((wanted, changes));
    }
    let like = wanted.like(peer, given.maybe("values")).await?;
    if let Some(text) = given.maybe("default") {
        let value = words::value(text, &like).map_err(Fault::Wrong)?;
        change("default", PropertyId::SCHEDULE_DEFAULT, value.encoded());
        wanted.default = Some(value);
    }
    if let Some(text) = given.maybe("exceptions") {
        let exceptions = timetable::exceptions(text, &like).map_err(Fault::Wrong)?;
        calendars(peer, &exceptions).await?;
        let value = schedule::put_exceptions(&exceptions);
        change("list of exceptions", PropertyId::EXCEPTION_SCHEDULE, value);
        wanted.exceptions = Some(exceptions);
    }
    if let Some(text) = given.maybe("weekly") {
        let there = before.week.as_deref().unwrap_or_default();
        let week = timetable::week(text, there, &like).map_err(Fault::Wrong)?;
        change(
            "week",
            PropertyId::WEEKLY_SCHEDULE,
            schedule::put_week(&week),
        );
        wanted.week = Some(week);
    }
    Ok((wanted, changes))
}

/// Refuses targets of the device's own that it does not have.
async fn known(peer: &Peer, targets: &[Target]) -> Result<(), Fault> {
    let own = ObjectId::device(peer.instance());
    for target in targets.iter().filter(|t| t.device.is_none_or(|d| d == own)) {
        if ask::octets(peer, &target.reference).await?.is_none() {
            return Err(Fault::Wrong(format!(
                "the device has no {}",
                target.reference
            )));
        }
    }
    Ok(())
}

/// Refuses calendars the device does not have.
async fn calendars(peer: &Peer, exceptions: &[Exception]) -> Result<(), Fault> {
    for exception in exceptions {
        if let Period::Calendar(calendar) = exception.period {
            let list = Reference::new(calendar, PropertyId::DATE_LIST);
            if ask::octets(peer, &list).await?.is_none() {
                return Err(Fault::Wrong(format!("the device has no {calendar}")));
            }
        }
    }
    Ok(())
}

/// Says what the device keeps instead of what it was told.
fn differs(wanted: &Schedule, kept: &Schedule, changed: &[&str]) -> Result<(), Fault> {
    let week = |s: &Schedule| s.week.as_deref().map(timetable::shown_week);
    let special = |s: &Schedule| {
        let plain: Option<Vec<Exception>> =
            s.exceptions.as_ref().map(|e| e.iter().map(plain).collect());
        plain.map(|e| timetable::shown_exceptions(&e))
    };
    let period = |s: &Schedule| {
        let days = s
            .period
            .map(|(from, to)| (words::plain(from), words::plain(to)));
        days.map(|(from, to)| timetable::shown_days(from, to))
    };
    let default = |s: &Schedule| s.default.as_ref().map(mapping::text);
    let targets = |s: &Schedule| Some(timetable::shown_targets(&s.targets));
    let pairs = [
        ("week", week(wanted), week(kept)),
        ("list of exceptions", special(wanted), special(kept)),
        ("period", period(wanted), period(kept)),
        ("default", default(wanted), default(kept)),
        ("list of what it writes to", targets(wanted), targets(kept)),
    ];
    for (what, wanted, kept) in pairs {
        if wanted != kept && changed.contains(&what) {
            let kept = kept.unwrap_or_else(|| "nothing".to_owned());
            return Err(Fault::Failed(format!(
                "the device took the {what} and keeps another: {kept}"
            )));
        }
    }
    Ok(())
}

fn plain(exception: &Exception) -> Exception {
    let period = match exception.period {
        Period::Entry(entry) => Period::Entry(calendar::entry_plain(entry)),
        other => other,
    };
    Exception {
        period,
        ..exception.clone()
    }
}
