//! Days, times and values as people write them, both ways. Owns the spelling; what is written by
//! [`shown_date`] and the others is read again by [`date`] and the others.

use crate::codec::schedule::WeekDay;
use crate::codec::{Date, Datum, Time};

/// "Any" in every field of a day or a time.
pub(crate) const ANY: u8 = 255;
/// Days of the week, Monday first.
pub(crate) const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Reads `06:00`, `06:00:30` or `06:00:30.50`.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("'{text}' is no time of day; write it as 06:30 or 06:30:15");
    let (clock, hundredth) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let mut part = |most: u8| match parts.next() {
        Some(part) if (1..=2).contains(&part.len()) => {
            part.parse().ok().filter(|n: &u8| *n <= most)
        }
        _ => None,
    };
    let (hour, minute) = (part(23).ok_or_else(wrong)?, part(59).ok_or_else(wrong)?);
    let second = match clock.matches(':').count() {
        1 => 0,
        2 => part(59).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    let hundredth = hundredth.parse().ok().filter(|n: &u8| *n <= 99);
    Ok(Time {
        hour,
        minute,
        second,
        hundredth: hundredth.ok_or_else(wrong)?,
    })
}

/// Writes a time of day, as short as it can be said.
pub(crate) fn shown_time(time: Time) -> String {
    let part = |value: u8| match value {
        ANY => "*".to_owned(),
        value => format!("{value:02}"),
    };
    let mut text = format!("{}:{}", part(time.hour), part(time.minute));
    let hundredths = !matches!(time.hundredth, 0 | ANY);
    if hundredths || !matches!(time.second, 0 | ANY) {
        text += &format!(":{}", part(time.second));
    }
    if hundredths {
        text += &format!(".{:02}", time.hundredth);
    }
    text
}

/// The day of the week of a day that is one, 1 Monday to 7 Sunday.
pub(crate) fn weekday(date: Date) -> Option<u8> {
    let small = |value: u8| i8::try_from(value).ok();
    let year = i16::from(date.year) + 1900;
    let day = jiff::civil::Date::new(year, small(date.month)?, small(date.day)?).ok()?;
    let number = day.weekday().to_monday_one_offset();
    (date.year != ANY)
        .then_some(number)
        .and_then(|n| u8::try_from(n).ok())
}

/// The same day in the one form it is compared in: a certain day needs no day of the week.
pub(crate) fn plain(date: Date) -> Date {
    match weekday(date) {
        Some(own) if own == date.weekday => Date {
            weekday: ANY,
            ..date
        },
        _ => date,
    }
}

/// Reads `2026-12-24`, with `*` for "any" in each place, `odd` and `even` months and days, `last` for
/// the last day of a month, and a day of the week behind it: `*-*-* Mon`.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let wrong = || {
        format!(
            "'{text}' is no day; write it as 2026-12-24, with * for any, such as *-12-24 or *-*-* Mon"
        )
    };
    let (day, week) = match text.trim().split_once(' ') {
        Some((day, week)) => (day, Some(week.trim())),
        None => (text.trim(), None),
    };
    let parts: Vec<&str> = day.split('-').collect();
    let &[year, month, day] = parts.as_slice() else {
        return Err(wrong());
    };
    let year = match year {
        "*" => ANY,
        year => {
            let year: u16 = year.parse().map_err(|_| wrong())?;
            let since = year.checked_sub(1900).filter(|y| *y < 255);
            u8::try_from(since.ok_or_else(wrong)?).map_err(|_| wrong())?
        }
    };
    let month = field(month, 12, &[("odd", 13), ("even", 14)]).ok_or_else(wrong)?;
    let day = field(day, 31, &[("last", 32), ("odd", 33), ("even", 34)]).ok_or_else(wrong)?;
    let certain = year != ANY && month <= 12 && day <= 31;
    let mut date = Date {
        year,
        month,
        day,
        weekday: ANY,
    };
    match (week, weekday(date)) {
        (Some(week), own) => {
            date.weekday = day_of_week(week).ok_or_else(wrong)?;
            if own.is_some_and(|own| own != date.weekday) {
                return Err(format!("'{text}': that day is no {week}"));
            }
        }
        (None, Some(own)) => date.weekday = own,
        (None, None) if certain => return Err(format!("'{text}': there is no such day")),
        (None, None) => {}
    }
    Ok(date)
}

fn field(text: &str, most: u8, special: &[(&str, u8)]) -> Option<u8> {
    if text == "*" {
        return Some(ANY);
    }
    let named = special.iter().find(|(name, _)| *name == text);
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    named.map(|(_, n)| *n).or(number)
}

/// Writes a day.
pub(crate) fn shown_date(date: Date) -> String {
    let part = |value: u8, special: &[(&str, u8)]| {
        let named = special.iter().find(|(_, n)| *n == value);
        match (named, value) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, ANY) => "*".to_owned(),
            (None, value) => format!("{value:02}"),
        }
    };
    let year = match date.year {
        ANY => "*".to_owned(),
        year => (u16::from(year) + 1900).to_string(),
    };
    let month = part(date.month, &[("odd", 13), ("even", 14)]);
    let day = part(date.day, &[("last", 32), ("odd", 33), ("even", 34)]);
    match plain(date).weekday {
        ANY => format!("{year}-{month}-{day}"),
        week => format!("{year}-{month}-{day} {}", shown_day(week)),
    }
}

/// Reads a day of the week, 1 Monday to 7 Sunday.
pub(crate) fn day_of_week(text: &str) -> Option<u8> {
    let short: String = text.chars().take(3).collect();
    let at = DAYS.iter().position(|d| d.eq_ignore_ascii_case(&short))?;
    u8::try_from(at + 1).ok()
}

fn shown_day(number: u8) -> String {
    let at = usize::from(number).checked_sub(1);
    match at.and_then(|at| DAYS.get(at)) {
        Some(name) => (*name).to_owned(),
        None => number.to_string(),
    }
}

/// Reads days by the week: `weekday Mon`, `weekday Mon week last month 12`, `every day`.
pub(crate) fn by_week(text: &str) -> Result<WeekDay, String> {
    let wrong = || {
        format!(
            "'{text}' says no days; write 'weekday Mon', 'weekday Mon week last month 12' (weeks 1 to 5 or last), or 'every day'"
        )
    };
    let mut days = WeekDay {
        month: ANY,
        week: ANY,
        weekday: ANY,
    };
    if text == "every day" {
        return Ok(days);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return Err(wrong());
    }
    for [name, value] in pairs {
        let slot = match *name {
            "weekday" => {
                days.weekday = day_of_week(value).ok_or_else(wrong)?;
                continue;
            }
            "week" => (field(value, 5, &[("last", 6)]), &mut days.week),
            "month" => (
                field(value, 12, &[("odd", 13), ("even", 14)]),
                &mut days.month,
            ),
            _ => return Err(wrong()),
        };
        *slot.1 = slot.0.ok_or_else(wrong)?;
    }
    Ok(days)
}

/// Writes days by the week.
pub(crate) fn shown_by_week(days: WeekDay) -> String {
    let mut words = Vec::new();
    if days.weekday != ANY {
        words.push(format!("weekday {}", shown_day(days.weekday)));
    }
    match days.week {
        ANY => {}
        6 => words.push("week last".to_owned()),
        week => words.push(format!("week {week}")),
    }
    match days.month {
        ANY => {}
        13 => words.push("month odd".to_owned()),
        14 => words.push("month even".to_owned()),
        month => words.push(format!("month {month}")),
    }
    match words.is_empty() {
        true => "every day".to_owned(),
        false => words.join(" "),
    }
}

/// Reads a value of the type of another one. `release` gives the time back to what lies below.
pub(crate) fn value(text: &str, like: &Datum) -> Result<Datum, String> {
    let wrong = |what: &str| format!("'{text}' is no {what}");
    if text.eq_ignore_ascii_case("release") {
        return Ok(Datum::Null);
    }
    let state = || match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "active" | "yes" => Some(1),
        "off" | "false" | "inactive" | "no" => Some(0),
        other => other.parse::<u32>().ok(),
    };
    Ok(match like {
        Datum::Real(_) => match text.parse::<f32>() {
            Ok(x) if x.is_finite() => Datum::Real(x),
            _ => return Err(wrong("number")),
        },
        Datum::Double(_) => match text.parse::<f64>() {
            Ok(x) if x.is_finite() => Datum::Double(x),
            _ => return Err(wrong("number")),
        },
        Datum::Unsigned(_) => {
            Datum::Unsigned(text.parse().map_err(|_| wrong("whole number from 0 on"))?)
        }
        Datum::Signed(_) => Datum::Signed(text.parse().map_err(|_| wrong("whole number"))?),
        Datum::Enumerated(_) => {
            Datum::Enumerated(state().ok_or_else(|| wrong("state; write on, off or its number"))?)
        }
        Datum::Boolean(_) => match state() {
            Some(state @ (0 | 1)) => Datum::Boolean(state == 1),
            _ => return Err(wrong("state; write on or off")),
        },
        Datum::Text(_) => Datum::Text(text.to_owned()),
        other => {
            let shown = crate::mapping::text(other);
            return Err(format!("values such as '{shown}' cannot be written here"));
        }
    })
}

/// Writes a value.
pub(crate) fn shown_value(value: &Datum) -> String {
    match value {
        Datum::Null => "release".to_owned(),
        Datum::Boolean(true) => "on".to_owned(),
        Datum::Boolean(false) => "off".to_owned(),
        other => crate::mapping::text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_and_times_read_as_they_are_written() {
        for text in [
            "2026-12-24",
            "*-12-24",
            "*-odd-last",
            "2026-*-even",
            "*-*-* Mon",
            "*-*-*",
        ] {
            assert_eq!(shown_date(date(text).unwrap()), text);
        }
        assert_eq!(date("2026-12-24").unwrap().weekday, 4);
        for text in ["06:00", "23:59:59", "06:00:30.05"] {
            assert_eq!(shown_time(time(text).unwrap()), text);
        }
        for text in ["every day", "weekday Mon", "weekday Sun week last month 12"] {
            assert_eq!(shown_by_week(by_week(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_day_or_time_is_refused_in_words() {
        for text in [
            "2026-02-30",
            "2026-13-01",
            "24.12.2026",
            "1899-01-01",
            "2026-12-24 Mon",
            "",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
        for text in ["24:00", "6", "06:60", "06:00:00:00", "a:b", "006:00"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert!(by_week("weekday Foo").is_err() && by_week("Mon").is_err());
    }

    #[test]
    fn values_take_the_type_of_the_one_there() {
        assert_eq!(value("21.5", &Datum::Real(0.0)), Ok(Datum::Real(21.5)));
        assert_eq!(value("on", &Datum::Enumerated(0)), Ok(Datum::Enumerated(1)));
        assert_eq!(value("release", &Datum::Real(0.0)), Ok(Datum::Null));
        assert!(value("nan", &Datum::Real(0.0)).is_err());
        assert!(value("2", &Datum::Boolean(false)).is_err());
        assert!(value("-1", &Datum::Unsigned(0)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _any = (date(&text).is_ok(), time(&text).is_ok(), by_week(&text).is_ok());
            let _any = value(&text, &Datum::Real(0.0));
        }

        #[test]
        fn certain_days_read_back(days in 0..93_000_i32) {
            let epoch = jiff::civil::date(1900, 1, 1);
            let day = epoch.checked_add(jiff::Span::new().days(days)).unwrap();
            let text = day.to_string();
            if day.year() < 2155 {
                prop_assert_eq!(shown_date(date(&text).unwrap()), text);
            }
        }
    }
}
