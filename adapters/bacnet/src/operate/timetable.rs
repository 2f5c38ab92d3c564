//! Weeks, exceptions, calendars and what a schedule writes to as people write them, both ways, with
//! the checks that need nothing but the text.
//!
//! A week: `Mon-Fri 06:00 21, 20:00 17; Sat-Sun none`. An exception: `2026-12-24..2026-12-26 priority
//! 5 at 00:00 17`, also for `calendar:1` and `weekday Mon week last month 12`. Parts of a list stand
//! apart by semicolons or lines; `none` is an empty one.

use super::words::{self, DAYS, shown_value};
use crate::codec::schedule::{Entry, Exception, Period, Switch, Target};
use crate::codec::service::property::Reference;
use crate::codec::{Date, Datum, ObjectId, ObjectType, PropertyId};

/// Switches of a day, at most: more is a mistake.
const SWITCHES: usize = 100;
/// Parts of a list, at most.
const PARTS: usize = 1000;
/// Priority of an exception that names none.
const LOWEST: u8 = 16;

/// The parts of a list; `none` has none.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = text
        .split([';', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    match parts.len() {
        0 => Err("nothing is said; write 'none' for an empty list".to_owned()),
        count if count > PARTS => Err(format!("more than {PARTS} entries")),
        _ => Ok(parts),
    }
}

fn list<T>(items: &[T], shown: impl Fn(&T) -> String) -> String {
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.iter().map(shown).collect::<Vec<_>>().join("; "),
    }
}

/// Reads `06:00 21, 20:00 17`; `none` is a day without a switch.
fn switches(text: &str, like: &Datum) -> Result<Vec<Switch>, String> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let mut found: Vec<Switch> = Vec::new();
    for one in text.split(',').map(str::trim) {
        let Some((time, value)) = one.split_once([' ', '=']) else {
            return Err(format!(
                "'{one}': write a time and a value, such as 06:00 21"
            ));
        };
        let time = words::time(time.trim())?;
        let value = words::value(value.trim_matches([' ', '=']), like)?;
        if found
            .last()
            .is_some_and(|last| last.time.octets() >= time.octets())
        {
            return Err(format!(
                "'{one}': times of a day follow one another, each later than the one before"
            ));
        }
        found.push(Switch { time, value });
    }
    match found.len() {
        count if count > SWITCHES => Err(format!(
            "{count} switches in a day are more than {SWITCHES}"
        )),
        _ => Ok(found),
    }
}

fn shown_switches(switches: &[Switch]) -> String {
    let one = |s: &Switch| format!("{} {}", words::shown_time(s.time), shown_value(&s.value));
    match switches.is_empty() {
        true => "none".to_owned(),
        false => switches.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

/// Reads `Mon-Fri`, `Sat`, `Mon+Wed` as places in a week.
fn places(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("'{text}' are no days; write Mon, Mon-Fri or Sat+Sun");
    let day = |text: &str| {
        let known = (3..=9).contains(&text.len());
        let number = known.then(|| words::day_of_week(text)).flatten();
        number.map(|n| usize::from(n) - 1).ok_or_else(wrong)
    };
    let mut found = Vec::new();
    for part in text.split('+') {
        match part.split_once('-') {
            None => found.push(day(part)?),
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                // From Saturday to Monday goes over the end of the week.
                let length = (to + 7 - from) % 7;
                found.extend((0..=length).map(|n| (from + n) % 7));
            }
        }
    }
    Ok(found)
}

/// Reads a week over the one that is there: days that are not named stay as they are.
pub(crate) fn week(
    text: &str,
    before: &[Vec<Switch>],
    like: &Datum,
) -> Result<Vec<Vec<Switch>>, String> {
    let mut week: Vec<Vec<Switch>> = before.to_vec();
    week.resize(7, Vec::new());
    let parts = parts(text)?;
    if parts.is_empty() {
        return Ok(vec![Vec::new(); 7]);
    }
    let mut named = [false; 7];
    for part in parts {
        let Some((days, rest)) = part.split_once(char::is_whitespace) else {
            return Err(format!(
                "'{part}': write days and switches, such as Mon-Fri 06:00 21, 20:00 17"
            ));
        };
        let day = switches(rest, like).map_err(|why| format!("{days}: {why}"))?;
        for place in places(days)? {
            match named.get_mut(place) {
                Some(true) => {
                    return Err(format!("{} is named twice", DAYS.get(place).unwrap_or(&"")));
                }
                Some(slot) => *slot = true,
                None => {}
            }
            if let Some(slot) = week.get_mut(place) {
                slot.clone_from(&day);
            }
        }
    }
    Ok(week)
}

/// Writes a week, days alike side by side.
pub(crate) fn shown_week(week: &[Vec<Switch>]) -> String {
    let mut at = 0;
    let mut parts = Vec::new();
    for same in week.chunk_by(|a, b| a == b) {
        let first = DAYS.get(at).unwrap_or(&"?");
        let last = DAYS.get(at + same.len() - 1).unwrap_or(&"?");
        at += same.len();
        let days = match same.len() {
            1 => (*first).to_owned(),
            _ => format!("{first}-{last}"),
        };
        let switches = same.first().map(|day| shown_switches(day));
        parts.push(format!("{days} {}", switches.unwrap_or_default()));
    }
    list(&parts, String::clone)
}

/// Reads an entry of a calendar: a day, a range of days, days by the week.
fn entry(text: &str) -> Result<Entry, String> {
    if text.starts_with("week") || text.starts_with("month") || text.starts_with("every") {
        return words::by_week(text).map(Entry::Week);
    }
    match text.split_once("..") {
        None => words::date(text).map(Entry::Day),
        Some(_) => days(text).map(|(from, to)| Entry::Days(from, to)),
    }
}

fn shown_entry(entry: &Entry) -> String {
    match entry {
        Entry::Day(date) => words::shown_date(*date),
        Entry::Days(from, to) => shown_days(*from, *to),
        Entry::Week(week) => words::shown_by_week(*week),
    }
}

/// Reads the entries of a calendar.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    parts(text)?.into_iter().map(entry).collect()
}

/// Writes the entries of a calendar.
pub(crate) fn shown_entries(entries: &[Entry]) -> String {
    list(entries, shown_entry)
}

/// Reads a range of days, `always`, or one open at an end: `2026-01-01..*`.
pub(crate) fn days(text: &str) -> Result<(Date, Date), String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("always") {
        return Ok((EVER, EVER));
    }
    let Some((from, to)) = text.split_once("..") else {
        return Err(format!(
            "'{text}': write the first and the last day as 2026-01-01..2026-12-31, or 'always'"
        ));
    };
    let end = |text: &str| match text.trim() {
        "*" => Ok(EVER),
        text => words::date(text),
    };
    let (from, to) = (end(from)?, end(to)?);
    for date in [from, to] {
        if date != EVER && words::weekday(date).is_none() {
            return Err(format!(
                "'{text}': a range goes from one certain day to another"
            ));
        }
    }
    if from != EVER && to != EVER && from.octets().get(..3) > to.octets().get(..3) {
        return Err(format!("'{text}': the last day is before the first"));
    }
    Ok((from, to))
}

const EVER: Date = Date {
    year: words::ANY,
    month: words::ANY,
    day: words::ANY,
    weekday: words::ANY,
};

/// Writes a range of days.
pub(crate) fn shown_days(from: Date, to: Date) -> String {
    let end = |date: Date| match date == EVER {
        true => "*".to_owned(),
        false => words::shown_date(date),
    };
    match (from, to) {
        (EVER, EVER) => "always".to_owned(),
        (from, to) => format!("{}..{}", end(from), end(to)),
    }
}

/// Reads exceptions.
pub(crate) fn exceptions(text: &str, like: &Datum) -> Result<Vec<Exception>, String> {
    let one = |part: &str| {
        let Some((when, what)) = part.split_once(" at ") else {
            return Err(format!(
                "'{part}': write days, priority and switches, such as 2026-12-24..2026-12-26 priority 5 at 00:00 17"
            ));
        };
        let (when, priority) = match when.split_once(" priority ") {
            None => (when, LOWEST),
            Some((when, priority)) => {
                let number = priority
                    .trim()
                    .parse()
                    .ok()
                    .filter(|p| (1..=16).contains(p));
                (
                    when,
                    number.ok_or_else(|| {
                        format!("'{part}': a priority is from 1, which beats the others, to 16")
                    })?,
                )
            }
        };
        let when = when.trim();
        let calendar = ObjectId::parse(when).filter(|o| o.kind() == ObjectType::CALENDAR);
        let period = match calendar {
            Some(calendar) => Period::Calendar(calendar),
            None => Period::Entry(entry(when)?),
        };
        let switches = switches(what, like).map_err(|why| format!("{when}: {why}"))?;
        Ok(Exception {
            period,
            switches,
            priority,
        })
    };
    parts(text)?.into_iter().map(one).collect()
}

/// Writes exceptions.
pub(crate) fn shown_exceptions(exceptions: &[Exception]) -> String {
    list(exceptions, |exception| {
        let when = match &exception.period {
            Period::Entry(entry) => shown_entry(entry),
            Period::Calendar(calendar) => calendar.to_string(),
        };
        let what = shown_switches(&exception.switches);
        format!("{when} priority {} at {what}", exception.priority)
    })
}

/// Reads what a schedule writes to: `analog-value:1`, `av:1 present-value`, `device:1102 av:1`.
pub(crate) fn targets(text: &str) -> Result<Vec<Target>, String> {
    let one = |part: &str| {
        let wrong = || {
            format!(
                "'{part}' is nothing a schedule can write to; write analog-value:1, or device:1102 analog-value:1"
            )
        };
        let mut words = part.split_whitespace().peekable();
        let mut object = words.next().and_then(ObjectId::parse).ok_or_else(wrong)?;
        let mut device = None;
        if object.kind() == ObjectType::DEVICE {
            device = Some(object);
            object = words.next().and_then(ObjectId::parse).ok_or_else(wrong)?;
        }
        let property = match words.next() {
            None => PropertyId::PRESENT_VALUE,
            Some(name) => PropertyId::parse(name).ok_or_else(wrong)?,
        };
        match words.next() {
            Some(_) => Err(wrong()),
            None => Ok(Target {
                reference: Reference::new(object, property),
                device,
            }),
        }
    };
    parts(text)?.into_iter().map(one).collect()
}

/// Writes what a schedule writes to.
pub(crate) fn shown_targets(targets: &[Target]) -> String {
    list(targets, |target| {
        let reference = target.reference;
        let mut text = match target.device {
            Some(device) => format!("{device} {}", reference.object),
            None => reference.object.to_string(),
        };
        if reference.property != PropertyId::PRESENT_VALUE || reference.index.is_some() {
            text += &format!(" {}", reference.property);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIKE: Datum = Datum::Real(0.0);

    #[test]
    fn weeks_read_as_they_are_written_and_days_not_named_stay() {
        let text = "Mon-Fri 06:00 21, 20:00 17.5; Sat 08:00 20, 22:00 release; Sun none";
        let written = week(text, &[], &LIKE).unwrap();
        assert_eq!(shown_week(&written), text);
        let changed = week("Sat+Sun 09:00 19", &written, &LIKE).unwrap();
        assert_eq!(
            shown_week(&changed),
            "Mon-Fri 06:00 21, 20:00 17.5; Sat-Sun 09:00 19"
        );
        assert_eq!(
            shown_week(&week("none", &written, &LIKE).unwrap()),
            "Mon-Sun none"
        );
        let over = week("Sat-Mon 07:00=18", &[], &LIKE).unwrap();
        assert_eq!(
            shown_week(&over),
            "Mon 07:00 18; Tue-Fri none; Sat-Sun 07:00 18"
        );
    }

    #[test]
    fn exceptions_calendars_and_targets_read_as_they_are_written() {
        let text = "2026-12-24..2026-12-26 priority 5 at 00:00 17; calendar:1 priority 1 at none; weekday Mon week last month 12 priority 16 at 00:00 release, 12:00 21";
        assert_eq!(shown_exceptions(&exceptions(text, &LIKE).unwrap()), text);
        let text = "2026-12-25; *-01-01; 2026-07-01..2026-08-15; weekday Sun";
        assert_eq!(shown_entries(&entries(text).unwrap()), text);
        let text = "analog-value:1; device:1102 binary-output:2 relinquish-default";
        assert_eq!(shown_targets(&targets(text).unwrap()), text);
        for text in ["always", "2026-01-01..2026-12-31", "2026-01-01..*"] {
            let (from, to) = days(text).unwrap();
            assert_eq!(shown_days(from, to), text);
        }
        assert!(entries("none").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_where_it_stands() {
        let no = |text: &str| week(text, &[], &LIKE).unwrap_err();
        assert!(no("Mon 06:00 21, 05:00 17").contains("each later"));
        assert!(no("Mon 06:00 21; Mon-Tue 07:00 20").contains("Mon is named twice"));
        assert!(no("Mon 06:00 warm").contains("Mon: 'warm' is no number"));
        assert!(no("Foo 06:00 21").contains("are no days"));
        assert!(no("").contains("nothing is said"));
        let no = |text: &str| exceptions(text, &LIKE).unwrap_err();
        assert!(no("2026-12-24 priority 17 at 00:00 1").contains("from 1"));
        assert!(no("2026-12-24 00:00 1").contains("priority and switches"));
        assert!(
            days("2026-12-31..2026-01-01")
                .unwrap_err()
                .contains("before the first")
        );
        assert!(entries("2026-12-24..*-*-01").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-A-Za-z0-9:;,.* +=\\PC]{0,80}") {
            let _any = (week(&text, &[], &LIKE).is_ok(), exceptions(&text, &LIKE).is_ok());
            let _any = (entries(&text).is_ok(), targets(&text).is_ok(), days(&text).is_ok());
        }
    }
}
