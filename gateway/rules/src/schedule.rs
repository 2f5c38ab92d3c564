//! Schedules: values written at times of the week, by the clocks of a place. Owns which switch is
//! in force at a moment, whatever daylight saving does.
//!
//! What is asked is never "what has just happened" but "what holds now", so nothing is skipped or
//! done twice when the clock is set, when the gateway was off, or when a look comes late. Every
//! switch of every day happens at exactly one moment:
//!
//! - a time that does not exist, because the clocks go forward over it, is the moment they do;
//! - a time that exists twice, because they go back over it, is the first of the two.
//!
//! Both keep the order of the day, so a change of the clocks never gives more than one transition
//! for one switch. The rules of the zones come with the program (IANA, by `jiff`), so every gateway
//! of a version agrees on them.

use crate::RuleError;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use riser_model::{Key, Point, PointPath, Priority, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// Level a schedule writes at unless its configuration says otherwise: below rules and persons.
pub const SCHEDULE_LEVEL: u8 = 14;
/// Switches a schedule may have.
const SWITCHES: usize = 200;

/// One schedule. In TOML:
///
/// ```toml
/// [[schedule]]
/// key = "ventilation"
/// point = "ahu-1/fan"
/// zone = "Europe/Berlin"
/// switch = [
///   { days = ["mon", "tue", "wed", "thu", "fri"], at = "06:00", value = 1 },
///   { days = ["mon", "tue", "wed", "thu", "fri"], at = "18:30" },   # no value: gives the level back
/// ]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Name of the schedule, unique among schedules and rules; commands carry it.
    pub key: Key,
    /// A disabled schedule is checked and writes nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The point to write. It goes the way of every command: limits, priority array, read-back.
    pub point: PointPath,
    /// The zone whose clocks count, by its IANA name, such as `Europe/Berlin`.
    pub zone: String,
    /// The level to write at.
    #[serde(default = "schedule_level")]
    pub priority: Priority,
    /// What happens when, in any order.
    pub switch: Vec<Switch>,
}

/// A value from a time of certain days on, until the next switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The days; every day if absent.
    #[serde(default = "every_day")]
    pub days: Vec<Day>,
    /// The time of day, `HH:MM` or `HH:MM:SS`.
    pub at: String,
    /// The value to hold; without one the level is given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say it themselves")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

fn yes() -> bool {
    true
}

fn schedule_level() -> Priority {
    Priority::new(SCHEDULE_LEVEL).unwrap_or(Priority::LOWEST)
}

fn every_day() -> Vec<Day> {
    use Day::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    vec![Mon, Tue, Wed, Thu, Fri, Sat, Sun]
}

impl Day {
    fn is(self, weekday: Weekday) -> bool {
        self as i8 == weekday.to_monday_zero_offset()
    }
}

/// Everything wrong with a set of schedules, given every point of the gateway and the names its
/// rules have taken; empty when sound.
#[must_use]
pub fn check_schedules(schedules: &[Schedule], points: &[Point], taken: &[Key]) -> Vec<RuleError> {
    let mut errors = Vec::new();
    for (index, schedule) in schedules.iter().enumerate() {
        let at = format!("schedule[{index}]");
        let mut wrong = |field: &str, problem: String| {
            errors.push(RuleError::new(format!("{at}.{field}"), problem));
        };
        let twice = schedules[..index].iter().any(|s| s.key == schedule.key);
        if twice || taken.contains(&schedule.key) {
            let key = &schedule.key;
            wrong(
                "key",
                format!("'{key}' is used twice; give one of the two another key"),
            );
        }
        if let Err(problem) = zone(&schedule.zone) {
            wrong("zone", problem);
        }
        if schedule.switch.is_empty() || schedule.switch.len() > SWITCHES {
            wrong("switch", format!("there must be 1 to {SWITCHES} of them"));
        }
        let target = points.iter().find(|p| p.path == schedule.point);
        if target.is_none() {
            wrong("point", format!("there is no point '{}'", schedule.point));
        }
        for (n, switch) in schedule.switch.iter().enumerate() {
            if let Err(problem) = time(&switch.at) {
                wrong(&format!("switch[{n}].at"), problem);
            }
            if switch.days.is_empty() {
                wrong(
                    &format!("switch[{n}].days"),
                    "name at least one day".to_owned(),
                );
            }
            let fits = match (target, &switch.value) {
                (Some(target), Some(value)) => target.check_write(value),
                (Some(target), None) if !target.access.writable() => {
                    Err(format!("{} is read-only", target.path))
                }
                _ => Ok(()),
            };
            if let Err(problem) = fits {
                wrong(&format!("switch[{n}].value"), problem);
            }
        }
    }
    errors
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| {
        format!("there is no zone '{name}'; take an IANA name such as 'Europe/Berlin'")
    })
}

fn time(text: &str) -> Result<Time, String> {
    let colons = text.matches(':').count();
    let parsed = match colons {
        1 => Time::strptime("%H:%M", text),
        _ => Time::strptime("%H:%M:%S", text),
    };
    parsed.map_err(|_| format!("'{text}' is no time of day such as '06:30'"))
}

/// A schedule, ready to be asked.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// What it is made of.
    pub schedule: Schedule,
    zone: TimeZone,
    /// Time of day and switch, in order of the day; of one time, the one written last counts.
    times: Vec<(Time, usize)>,
}

/// The switch that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce {
    /// Which of the schedule's.
    pub switch: usize,
    /// Since when.
    pub since: Timestamp,
}

impl Timetable {
    /// Makes a schedule ready.
    ///
    /// # Errors
    /// Its zone or a time is not one; [`check_schedules`] says so before.
    pub fn new(schedule: Schedule) -> Result<Self, RuleError> {
        let at = |field: &str| format!("schedule {}: {field}", schedule.key);
        let zone = zone(&schedule.zone).map_err(|p| RuleError::new(at("zone"), p))?;
        let mut times = Vec::new();
        for (index, switch) in schedule.switch.iter().enumerate() {
            let time = time(&switch.at).map_err(|p| RuleError::new(at("switch"), p))?;
            times.push((time, index));
        }
        times.sort();
        Ok(Self {
            schedule,
            zone,
            times,
        })
    }

    /// What it wants held: a value, or the level given back.
    #[must_use]
    pub fn wants(&self, in_force: InForce) -> Option<&Value> {
        self.schedule.switch.get(in_force.switch)?.value.as_ref()
    }

    /// The switch in force at a moment: the last one that has happened. `None` outside the years
    /// the calendar knows.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<InForce> {
        let instant = jiff::Timestamp::from_millisecond(now.0).ok()?;
        // Clocks have gone back by a day at most, so tomorrow's switches may have happened, too.
        let mut date = self.zone.to_datetime(instant).date().tomorrow().ok()?;
        for _ in 0..10 {
            for (time, switch) in self.times.iter().rev() {
                if !self.falls_on(*switch, date) {
                    continue;
                }
                let since = self.moment(date.to_datetime(*time))?;
                if since <= instant {
                    return Some(InForce {
                        switch: *switch,
                        since: Timestamp(since.as_millisecond()),
                    });
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    fn falls_on(&self, switch: usize, date: Date) -> bool {
        let days = &self.schedule.switch[switch].days;
        days.iter().any(|day| day.is(date.weekday()))
    }

    /// The one moment of a local time.
    fn moment(&self, local: DateTime) -> Option<jiff::Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                // Reckoned by the new offset it lies before the change; the next change is it.
                let earlier = after.to_timestamp(local).ok()?;
                let change = self.zone.following(earlier).next()?;
                Some(change.timestamp())
            }
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
