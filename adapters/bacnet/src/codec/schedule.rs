//! When something is switched: the types a schedule and a calendar are made of (clause 21:
//! `BACnetTimeValue`, `BACnetDailySchedule`, `BACnetSpecialEvent`, `BACnetCalendarEntry`,
//! `BACnetDateRange`, `BACnetDeviceObjectPropertyReference`). Owns their octets; total both ways.

use super::ids::{ObjectId, PropertyId};
use super::service::property::Reference;
use super::tag::{
    DecodeError, Reader, number, put_close, put_context, put_context_number, put_open,
};
use super::value::{Date, Datum, Time};

/// From a time of day on, a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Switch {
    /// When.
    pub time: Time,
    /// To what; `Null` gives the time back to what lies below.
    pub value: Datum,
}

/// One entry of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A day, or every day that fits a pattern.
    Day(Date),
    /// From one day to another, both included.
    Days(Date, Date),
    /// Days by the week.
    Week(WeekDay),
}

/// Days by the week; 255 is "any" in each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekDay {
    /// 1 to 12; 13 odd, 14 even months.
    pub month: u8,
    /// 1 to 5: days 1 to 7, 8 to 14 …; 6 the last seven days.
    pub week: u8,
    /// 1 Monday to 7 Sunday.
    pub weekday: u8,
}

/// When an exception holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// On these days.
    Entry(Entry),
    /// On the days of a calendar of the same device.
    Calendar(ObjectId),
}

/// An exception from the week.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// When.
    pub period: Period,
    /// What is switched on such a day.
    pub switches: Vec<Switch>,
    /// 1, which beats all others, to 16.
    pub priority: u8,
}

/// A property a schedule writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The property.
    pub reference: Reference,
    /// The device, where it is another one.
    pub device: Option<ObjectId>,
}

fn put_switches(out: &mut Vec<u8>, group: u8, switches: &[Switch]) {
    put_open(out, group);
    for switch in switches {
        Datum::Time(switch.time).encode(out);
        switch.value.encode(out);
    }
    put_close(out, group);
}

fn switches(octets: &[u8]) -> Result<Vec<Switch>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let time = Time::decode(reader.application(11, "the time of a switch")?)?;
        if reader.is_empty() {
            return Err(DecodeError::Missing("the value of a switch"));
        }
        let value = Datum::decode(&mut reader)?;
        found.push(Switch { time, value });
    }
    Ok(found)
}

/// Writes days of the week in order; a whole weekly schedule has seven, Monday first.
#[must_use]
pub fn put_week(days: &[Vec<Switch>]) -> Vec<u8> {
    let mut out = Vec::new();
    days.iter().for_each(|day| put_switches(&mut out, 0, day));
    out
}

/// Reads days of the week, however many there are.
pub fn week(octets: &[u8]) -> Result<Vec<Vec<Switch>>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut days = Vec::new();
    while !reader.is_empty() {
        days.push(switches(reader.group(0, "a day of the week")?)?);
    }
    Ok(days)
}

/// Writes exceptions.
#[must_use]
pub fn put_exceptions(exceptions: &[Exception]) -> Vec<u8> {
    let mut out = Vec::new();
    for exception in exceptions {
        match exception.period {
            Period::Entry(entry) => {
                put_open(&mut out, 0);
                put_entry(&mut out, entry);
                put_close(&mut out, 0);
            }
            Period::Calendar(calendar) => put_context(&mut out, 1, &calendar.octets()),
        }
        put_switches(&mut out, 2, &exception.switches);
        put_context_number(&mut out, 3, exception.priority.into());
    }
    out
}

/// Reads exceptions.
pub fn exceptions(octets: &[u8]) -> Result<Vec<Exception>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let period = if reader.opens(0) {
            let mut inner = Reader::new(reader.group(0, "the days of an exception")?);
            Period::Entry(entry(&mut inner)?)
        } else {
            Period::Calendar(ObjectId::decode(reader.context(1, "a calendar")?)?)
        };
        let switches = switches(reader.group(2, "the switches of an exception")?)?;
        let priority = number(reader.context(3, "a priority")?, "a priority")?;
        found.push(Exception {
            period,
            switches,
            priority,
        });
    }
    Ok(found)
}

fn put_entry(out: &mut Vec<u8>, entry: Entry) {
    match entry {
        Entry::Day(date) => put_context(out, 0, &date.octets()),
        Entry::Days(from, to) => {
            put_open(out, 1);
            out.extend(put_days(from, to));
            put_close(out, 1);
        }
        Entry::Week(week) => put_context(out, 2, &[week.month, week.week, week.weekday]),
    }
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    if let Some(date) = reader.optional(0)? {
        return Ok(Entry::Day(Date::decode(date)?));
    }
    if reader.opens(1) {
        let (from, to) = days(reader.group(1, "a range of days")?)?;
        return Ok(Entry::Days(from, to));
    }
    match reader.context(2, "the days of a calendar entry")? {
        [month, week, weekday] => Ok(Entry::Week(WeekDay {
            month: *month,
            week: *week,
            weekday: *weekday,
        })),
        _ => Err(DecodeError::Invalid("days by the week")),
    }
}

/// Writes the entries of a calendar.
#[must_use]
pub fn put_entries(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    entries.iter().for_each(|e| put_entry(&mut out, *e));
    out
}

/// Reads the entries of a calendar.
pub fn entries(octets: &[u8]) -> Result<Vec<Entry>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut found = Vec::new();
    while !reader.is_empty() {
        found.push(entry(&mut reader)?);
    }
    Ok(found)
}

/// Writes a range of days.
#[must_use]
pub fn put_days(from: Date, to: Date) -> Vec<u8> {
    let mut out = Datum::Date(from).encoded();
    Datum::Date(to).encode(&mut out);
    out
}

/// Reads a range of days.
pub fn days(octets: &[u8]) -> Result<(Date, Date), DecodeError> {
    let mut reader = Reader::new(octets);
    let from = Date::decode(reader.application(10, "the first day")?)?;
    let to = Date::decode(reader.application(10, "the last day")?)?;
    Ok((from, to))
}

/// Writes what a schedule writes to.
#[must_use]
pub fn put_targets(targets: &[Target]) -> Vec<u8> {
    let mut out = Vec::new();
    for Target { reference, device } in targets {
        put_context(&mut out, 0, &reference.object.octets());
        put_context_number(&mut out, 1, reference.property.0.into());
        if let Some(index) = reference.index {
            put_context_number(&mut out, 2, index.into());
        }
        if let Some(device) = device {
            put_context(&mut out, 3, &device.octets());
        }
    }
    out
}

/// Reads what a schedule writes to.
pub fn targets(octets: &[u8]) -> Result<Vec<Target>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::decode(reader.context(0, "an object")?)?;
        let property = number(reader.context(1, "a property")?, "a property")?;
        let index = reader.optional(2)?;
        let index = index.map(|c| number(c, "an array index")).transpose()?;
        let device = reader.optional(3)?.map(ObjectId::decode).transpose()?;
        let reference = Reference {
            object,
            property: PropertyId(property),
            index,
        };
        found.push(Target { reference, device });
    }
    Ok(found)
}
