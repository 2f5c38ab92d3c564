//! Schedules held against an oracle that knows nothing of gaps and folds: it watches a wall clock
//! minute by minute and lets a switch happen when its hands first reach the time.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// 2020-01-01 and 2041-01-01, UTC.
const FROM: i64 = 1_577_836_800_000;
const TO: i64 = 2_240_524_800_000;

/// North, south, half an hour, three quarters, midnight changes, none.
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Kolkata",
];

fn timetable(zone: &str, switches: &[(&str, i64)]) -> Timetable {
    let switch = |(at, value): &(&str, i64)| Switch {
        days: every_day(),
        at: (*at).to_owned(),
        value: Some(Value::Int(*value)),
    };
    Timetable::new(Schedule {
        key: "s".parse().unwrap(),
        enabled: true,
        point: "d/p".parse().unwrap(),
        zone: zone.to_owned(),
        priority: schedule_level(),
        switch: switches.iter().map(switch).collect(),
    })
    .unwrap()
}

/// Every change of the clocks of a zone in the years that count.
fn changes(table: &Timetable) -> Vec<i64> {
    let from = jiff::Timestamp::from_millisecond(FROM).unwrap();
    table
        .zone
        .following(from)
        .map(|change| change.timestamp().as_millisecond())
        .take_while(|at| *at < TO)
        .collect()
}

/// The switch in force at every minute of a window, as the oracle sees it.
fn oracle(table: &Timetable, from: i64, to: i64) -> BTreeMap<i64, usize> {
    let local = |at: i64| {
        table
            .zone
            .to_datetime(jiff::Timestamp::from_millisecond(at).unwrap())
    };
    let mut in_force = None;
    // Days before the window, so that something is in force when it opens.
    let start = from - 9 * DAY;
    let mut furthest = local(start - MINUTE);
    let mut seen = BTreeMap::new();
    for at in (start..=to).step_by(60_000) {
        let hands = local(at);
        if hands > furthest {
            // Everything the hands have newly passed, in the order of the day.
            let mut date = furthest.date();
            while date <= hands.date() {
                for (time, switch) in &table.times {
                    let when = date.to_datetime(*time);
                    if when > furthest && when <= hands && table.falls_on(*switch, date) {
                        in_force = Some(*switch);
                    }
                }
                date = date.tomorrow().unwrap();
            }
            furthest = hands;
        }
        if at >= from
            && let Some(switch) = in_force
        {
            seen.insert(at, switch);
        }
    }
    seen
}

/// Asks minute by minute and compares; answers how often the switch in force changed.
fn agree(table: &Timetable, from: i64, to: i64) -> usize {
    let mut transitions = 0;
    let mut before = None;
    for (at, switch) in oracle(table, from, to) {
        let asked = table.at(Timestamp(at)).expect("something is in force");
        assert_eq!(asked.switch, switch, "{} at {at}", table.schedule.zone);
        assert!(asked.since.0 <= at);
        transitions += usize::from(before.is_some_and(|b| b != switch));
        before = Some(switch);
    }
    transitions
}

#[test]
fn every_change_of_the_clocks_until_2040_gives_one_transition_for_each_switch() {
    let mut windows = 0;
    for zone in ZONES {
        // Within, at both ends of, and around the hours that are skipped or doubled.
        let table = timetable(
            zone,
            &[
                ("00:00", 0),
                ("00:30", 1),
                ("01:59", 2),
                ("02:00", 3),
                ("02:30", 4),
                ("03:00", 5),
                ("23:45", 6),
            ],
        );
        for change in changes(&table) {
            let (from, to) = (change - DAY / 2, change + DAY / 2);
            let moments = |range: std::ops::Range<i64>| {
                let mut since: Vec<Timestamp> = range
                    .step_by(60_000)
                    .filter_map(|at| table.at(Timestamp(at)))
                    .map(|f| f.since)
                    .collect();
                since.dedup();
                since
            };
            agree(&table, from, to);
            let since = moments(from..to);
            assert!(
                since.is_sorted(),
                "{zone} at {change}: it never goes back: {since:?}"
            );
            let mut once = since.clone();
            once.dedup();
            assert_eq!(once, since);
            windows += 1;
        }
    }
    // Berlin and New York 2 × 21, and those that change less often.
    assert!(windows > 250, "{windows}");
}

#[test]
fn a_simple_day_has_one_transition_each_whatever_the_clocks_do() {
    for zone in ZONES {
        let table = timetable(zone, &[("02:30", 1), ("14:30", 0)]);
        for change in changes(&table) {
            let local = jiff::Timestamp::from_millisecond(change).unwrap();
            let date = table.zone.to_datetime(local).date();
            let midnight = |date: Date| {
                let start = table.zone.to_zoned(date.at(0, 0, 0, 0)).unwrap();
                start.timestamp().as_millisecond()
            };
            let (from, to) = (midnight(date), midnight(date.tomorrow().unwrap()));
            let n = agree(&table, from, to - MINUTE);
            assert_eq!(
                n,
                2,
                "{zone} on {date}, {} hours long",
                (to - from) / 3_600_000
            );
        }
    }
}

#[test]
fn a_time_that_does_not_exist_is_the_moment_of_the_change_and_a_doubled_one_the_first() {
    let table = timetable("Europe/Berlin", &[("02:30", 1), ("12:00", 0)]);
    // 2026-03-29 01:00 UTC: the clocks go from 02:00 to 03:00.
    let gap = 1_774_746_000_000;
    assert_eq!(table.at(Timestamp(gap - 1)).unwrap().switch, 1);
    let in_force = table.at(Timestamp(gap)).unwrap();
    assert_eq!((in_force.switch, in_force.since), (0, Timestamp(gap)));
    // 2026-10-25 01:00 UTC: they go from 03:00 back to 02:00; 02:30 is at 00:30 and 01:30 UTC.
    let fold = 1_792_890_000_000;
    let first = fold - 30 * MINUTE;
    assert_eq!(table.at(Timestamp(first - 1)).unwrap().switch, 1);
    for at in [first, fold, fold + 30 * MINUTE, fold + 40 * MINUTE] {
        let in_force = table.at(Timestamp(at)).unwrap();
        assert_eq!((in_force.switch, in_force.since), (0, Timestamp(first)));
    }
}

#[test]
fn the_written_form_is_read_and_refused_with_reasons() {
    let text = r#"
        key = "ventilation"
        point = "ahu-1/fan"
        zone = "Europe/Berlin"
        switch = [ { days = ["mon", "fri"], at = "06:00", value = 1 }, { at = "18:30" } ]
    "#;
    let schedule: Schedule = toml::from_str(text).unwrap();
    assert_eq!(schedule.priority.level(), SCHEDULE_LEVEL);
    assert_eq!(schedule.switch[1].days.len(), 7);
    let none = check_schedules(std::slice::from_ref(&schedule), &[], &[]);
    assert_eq!(none.len(), 1, "{none:?}");
    let mut wrong = schedule.clone();
    wrong.zone = "Europe/Berlni".into();
    wrong.switch[0].at = "25:00".into();
    wrong.switch[1].days.clear();
    let problems: Vec<String> = check_schedules(&[schedule, wrong], &[], &[])
        .iter()
        .map(|e| e.at.clone())
        .collect();
    for at in ["key", "zone", "switch[0].at", "switch[1].days", "point"] {
        let at = format!("schedule[1].{at}");
        assert!(problems.contains(&at), "{at} in {problems:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Any switches on any days around any change: the oracle agrees at every minute, and asking at
    /// random moments, as after steps of the clock, says the same as asking in order.
    #[test]
    fn any_schedule_agrees_with_the_oracle(
        zone in 0..ZONES.len(),
        which in any::<prop::sample::Index>(),
        switches in prop::collection::vec((0_u32..1440, 1_u8..128), 1..6),
        jumps in prop::collection::vec(0_i64..2880, 1..20),
    ) {
        let mut table = timetable(ZONES[zone], &[("00:00", 0)]);
        let days = every_day();
        table.schedule.switch = switches
            .iter()
            .map(|(minute, mask)| Switch {
                days: days.iter().copied().filter(|d| mask >> (*d as u8) & 1 == 1).collect(),
                at: format!("{:02}:{:02}", minute / 60, minute % 60),
                value: None,
            })
            .collect();
        let table = Timetable::new(table.schedule).unwrap();
        let changes = changes(&table);
        let around = if changes.is_empty() { FROM } else { changes[which.index(changes.len())] };
        let from = around - DAY;
        let seen = oracle(&table, from, from + 2 * DAY);
        agree(&table, from, from + 2 * DAY);
        for minutes in jumps {
            let at = from + minutes * MINUTE;
            if let Some(switch) = seen.get(&at) {
                prop_assert_eq!(table.at(Timestamp(at)).unwrap().switch, *switch);
            }
        }
    }
}
