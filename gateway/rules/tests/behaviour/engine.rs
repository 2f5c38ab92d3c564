//! The engine as its caller sees it: storms, bad quality, restarts, writes, acknowledgements.

use crate::support::{
    above, ack, alarm_rule, alarms, engine, feed, key, notifications, path, scan, tick, write_rule,
};
use proptest::prelude::*;
use riser_model::{
    Alarm, AlarmId, AlarmPriority, AlarmState, Quality, Reason, Slot, Timestamp, Value,
};
use riser_rules::{AcknowledgeError, Comparison, Condition, Effect, OnEnd, Tick};
use uuid::Uuid;

const HOUR_MS: i64 = 3_600_000;

#[test]
fn sawtooth_around_the_limit_for_an_hour_tells_three_times_and_leaves_one_alarm() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 3, 900_000)]);
    let mut told = Vec::new();
    for step in 0..HOUR_MS / 5000 {
        let value = if step % 2 == 0 { 81.0 } else { 79.0 };
        told.extend(feed(&mut engine, step * 5000, value));
    }
    assert_eq!(notifications(&told), 3);
    assert_eq!(engine.open_alarms().count(), 1);
    let view = engine.views().next().unwrap();
    assert!(view.flapping);
    // 360 raises and 360 clears; 3 raises and 2 clears were told.
    assert_eq!(view.suppressed, 715);
    assert_eq!(engine.suppressed(), 715);
    let standing = engine.open_alarms().next().unwrap();
    assert!(standing.state.is_active());
    assert!(
        standing.message.contains("flapping"),
        "{}",
        standing.message
    );

    // It keeps still below the limit for one window: cleared once, told by its plain words.
    let end = tick(&mut engine, HOUR_MS + 900_000);
    assert_eq!(notifications(&end), 0);
    let cleared = alarms(&end)[0];
    assert_eq!(cleared.state, AlarmState::ClearedUnacknowledged);
    assert_eq!(cleared.message, "too hot");
    assert_eq!(
        cleared.cleared_at,
        Some(Timestamp(1_000_000 + HOUR_MS - 5000))
    );
}

#[test]
fn a_flapping_alarm_that_stays_present_goes_on_standing() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 2, 60_000)]);
    for (at, value) in [(0, 90.0), (1000, 70.0), (2000, 90.0)] {
        feed(&mut engine, at, value);
    }
    let settled = tick(&mut engine, 62_000);
    assert_eq!(alarms(&settled)[0].state, AlarmState::ActiveUnacknowledged);
    assert_eq!(alarms(&settled)[0].message, "too hot");
    assert_eq!(notifications(&settled), 0);
    // Afterwards it clears like any other.
    let cleared = feed(&mut engine, 63_000, 70.0);
    assert_eq!(alarms(&cleared)[0].state, AlarmState::ClearedUnacknowledged);
}

#[test]
fn a_standing_alarm_is_told_once_however_often_the_value_is_read() {
    let mut engine = engine(vec![alarm_rule(above(2.0, 0, 0), 3, 900_000)]);
    let mut told = feed(&mut engine, 0, 90.0);
    for second in 1..1000_i32 {
        told.extend(feed(
            &mut engine,
            i64::from(second) * 1000,
            79.0 + f64::from(second % 9),
        ));
    }
    assert_eq!(told.len(), 1);
}

#[test]
fn a_cleared_unacknowledged_alarm_becomes_active_again_as_the_same_occurrence() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 5, 900_000)]);
    let first = alarms(&feed(&mut engine, 0, 90.0))[0].clone();
    feed(&mut engine, 1000, 70.0);
    let again = alarms(&feed(&mut engine, 2000, 95.0))[0].clone();
    assert_eq!(again.id, first.id);
    assert_eq!(again.raised_at, first.raised_at);
    assert_eq!(again.value, Some(Value::Float(95.0)));
    assert_eq!(again.cleared_at, None);
    assert_eq!(again.state, AlarmState::ActiveUnacknowledged);
}

#[test]
fn an_alarm_after_the_last_is_over_is_a_new_occurrence() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 5, 900_000)]);
    let first = alarms(&feed(&mut engine, 0, 90.0))[0].clone();
    engine.acknowledge(first.id, ack(500)).unwrap();
    let over = feed(&mut engine, 1000, 70.0);
    assert_eq!(alarms(&over)[0].state, AlarmState::Normal);
    assert_eq!(engine.open_alarms().count(), 0);
    let second = alarms(&feed(&mut engine, 2000, 90.0))[0].clone();
    assert_ne!(second.id, first.id);
    assert_eq!(
        engine.acknowledge(first.id, ack(2500)),
        Err(AcknowledgeError::NotOpen(first.id))
    );
}

#[test]
fn the_earliest_acknowledgement_wins_whichever_arrives_first() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 5, 900_000)]);
    let id = alarms(&feed(&mut engine, 0, 90.0))[0].id;
    let (taken, changed) = engine.acknowledge(id, ack(5000)).unwrap();
    assert!(changed);
    assert_eq!(taken.state, AlarmState::ActiveAcknowledged);
    let (earlier, changed) = engine.acknowledge(id, ack(4000)).unwrap();
    assert!(changed);
    assert_eq!(earlier.acknowledged, Some(ack(4000)));
    let (same, changed) = engine.acknowledge(id, ack(6000)).unwrap();
    assert!(!changed);
    assert_eq!(same.acknowledged, Some(ack(4000)));
}

#[test]
fn on_delay_is_stamped_with_the_reading_that_began_it() {
    let mut engine = engine(vec![alarm_rule(above(2.0, 30, 0), 3, 900_000)]);
    assert_eq!(feed(&mut engine, 0, 90.0), vec![]);
    assert_eq!(engine.next_deadline(), Some(Tick(30_000)));
    // In the band: still present, the delay goes on.
    assert_eq!(feed(&mut engine, 10_000, 79.0), vec![]);
    assert_eq!(tick(&mut engine, 29_999), vec![]);
    let told = tick(&mut engine, 30_000);
    assert_eq!(alarms(&told)[0].raised_at, Timestamp(1_000_000));
    assert_eq!(alarms(&told)[0].value, Some(Value::Float(90.0)));
    assert_eq!(alarms(&told)[0].limit, Some(80.0));
}

#[test]
fn a_dip_below_the_band_starts_the_on_delay_anew() {
    let mut engine = engine(vec![alarm_rule(above(2.0, 30, 0), 3, 900_000)]);
    feed(&mut engine, 0, 90.0);
    feed(&mut engine, 20_000, 70.0);
    feed(&mut engine, 21_000, 90.0);
    assert_eq!(tick(&mut engine, 50_999), vec![]);
    assert_eq!(notifications(&tick(&mut engine, 51_000)), 1);
}

#[test]
fn bad_quality_stops_a_delay_and_good_quality_goes_on_with_it() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 10, 0), 3, 900_000)]);
    feed(&mut engine, 0, 90.0);
    let mut effects = Vec::new();
    let down = scan(
        6000,
        Some(Value::Float(90.0)),
        Quality::bad(Reason::DeviceDown),
    );
    engine.evaluate(Tick(6000), &down, &mut effects);
    engine.tick(Tick(HOUR_MS), &mut effects);
    assert_eq!(effects, vec![]);
    feed(&mut engine, HOUR_MS, 90.0);
    assert_eq!(tick(&mut engine, HOUR_MS + 3999), vec![]);
    assert_eq!(notifications(&tick(&mut engine, HOUR_MS + 4000)), 1);
}

#[test]
fn values_from_before_never_count_and_clamped_ones_do() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 3, 900_000)]);
    let mut effects = Vec::new();
    for quality in [
        Quality::uncertain(Reason::Initial),
        Quality::uncertain(Reason::Stale),
        Quality::bad(Reason::Stale),
    ] {
        engine.evaluate(
            Tick(0),
            &scan(0, Some(Value::Float(99.0)), quality),
            &mut effects,
        );
    }
    engine.evaluate(Tick(0), &scan(0, None, Quality::GOOD), &mut effects);
    assert_eq!(effects, vec![]);
    let clamped = scan(
        0,
        Some(Value::Float(99.0)),
        Quality::uncertain(Reason::Clamped),
    );
    engine.evaluate(Tick(0), &clamped, &mut effects);
    assert_eq!(notifications(&effects), 1);
}

#[test]
fn only_rules_of_points_in_the_scan_are_touched() {
    let mut engine = engine(vec![alarm_rule(above(0.0, 0, 0), 3, 900_000)]);
    let mut other = scan(0, Some(Value::Float(99.0)), Quality::GOOD);
    other.readings[0].slot = Slot(2);
    let mut effects = Vec::new();
    engine.evaluate(Tick(0), &other, &mut effects);
    other.readings[0].slot = Slot(4_000_000_000);
    engine.evaluate(Tick(0), &other, &mut effects);
    assert_eq!(effects, vec![]);
}

#[test]
fn several_rules_of_one_point_are_all_evaluated() {
    let mut warm = alarm_rule(above(0.0, 0, 0), 3, 900_000);
    warm.key = key("warm");
    warm.condition.limit = Value::Int(60);
    let mut engine = engine(vec![
        warm,
        alarm_rule(above(0.0, 0, 0), 3, 900_000),
        write_rule(above(0.0, 0, 0), OnEnd::Release),
    ]);
    assert_eq!(feed(&mut engine, 0, 70.0).len(), 1);
    assert_eq!(feed(&mut engine, 0, 90.0).len(), 2);
}

fn written(effects: &[Effect]) -> Vec<Option<Value>> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Write {
                value, priority, ..
            } => {
                assert_eq!(priority.level(), 10);
                Some(value.clone())
            }
            Effect::Alarm { .. } => None,
        })
        .collect()
}

#[test]
fn a_write_rule_writes_once_and_ends_as_configured() {
    for (on_end, end) in [
        (OnEnd::Release, vec![None]),
        (OnEnd::Keep, vec![]),
        (
            OnEnd::Write(Value::Float(0.0)),
            vec![Some(Value::Float(0.0))],
        ),
    ] {
        let mut engine = engine(vec![write_rule(above(5.0, 0, 0), on_end)]);
        assert_eq!(written(&feed(&mut engine, 0, 70.0)), vec![]);
        let on = written(&feed(&mut engine, 1000, 90.0));
        assert_eq!(on, vec![Some(Value::Float(100.0))]);
        assert_eq!(written(&feed(&mut engine, 2000, 91.0)), vec![]);
        assert_eq!(written(&feed(&mut engine, 3000, 76.0)), vec![]);
        assert_eq!(written(&feed(&mut engine, 4000, 75.0)), end);
        assert_eq!(written(&feed(&mut engine, 5000, 74.0)), vec![]);
    }
}

#[test]
fn a_rule_that_held_a_level_before_a_restart_gives_it_back_or_writes_again() {
    let rule = || write_rule(above(5.0, 0, 0), OnEnd::Release);
    let mut ended = engine(vec![rule()]);
    ended.seed(vec![], &[key("valve")], Timestamp(0));
    assert_eq!(written(&feed(&mut ended, 0, 70.0)), vec![None]);
    // In the band the condition goes on.
    let mut present = engine(vec![rule()]);
    present.seed(vec![], &[key("valve")], Timestamp(0));
    assert_eq!(
        written(&feed(&mut present, 0, 77.0)),
        vec![Some(Value::Float(100.0))]
    );
    // A rule that held nothing has nothing to give back.
    let mut idle = engine(vec![rule()]);
    assert_eq!(written(&feed(&mut idle, 0, 70.0)), vec![]);
}

fn open_alarm(rule: &str, state: AlarmState) -> Alarm {
    Alarm {
        id: AlarmId(Uuid::from_u128(77)),
        rule: key(rule),
        path: path("boiler-1/flow_temp"),
        priority: AlarmPriority::High,
        message: "too hot".into(),
        state,
        raised_at: Timestamp(5),
        value: Some(Value::Float(99.0)),
        limit: Some(80.0),
        cleared_at: None,
        acknowledged: None,
    }
}

#[test]
fn open_alarms_survive_a_restart() {
    let rule = || alarm_rule(above(5.0, 0, 0), 3, 900_000);
    let mut engine1 = engine(vec![rule()]);
    let effects = engine1.seed(
        vec![open_alarm("hot", AlarmState::ActiveUnacknowledged)],
        &[],
        Timestamp(9),
    );
    assert_eq!(effects, vec![]);
    // Still present, also within the band: nothing new is told.
    assert_eq!(feed(&mut engine1, 0, 90.0), vec![]);
    assert_eq!(feed(&mut engine1, 1000, 77.0), vec![]);
    let cleared = feed(&mut engine1, 2000, 70.0);
    assert_eq!(alarms(&cleared)[0].id.0.as_u128(), 77);
    assert_eq!(alarms(&cleared)[0].state, AlarmState::ClearedUnacknowledged);

    let mut engine2 = engine(vec![rule()]);
    engine2.seed(
        vec![open_alarm("hot", AlarmState::ClearedUnacknowledged)],
        &[],
        Timestamp(9),
    );
    assert_eq!(feed(&mut engine2, 0, 70.0), vec![]);
    let again = feed(&mut engine2, 1000, 90.0);
    assert_eq!(alarms(&again)[0].id.0.as_u128(), 77);
}

#[test]
fn an_open_alarm_whose_rule_is_gone_is_cleared_and_still_wants_its_acknowledgement() {
    let mut engine = engine(vec![alarm_rule(above(5.0, 0, 0), 3, 900_000)]);
    let effects = engine.seed(
        vec![open_alarm("gone", AlarmState::ActiveUnacknowledged)],
        &[],
        Timestamp(9),
    );
    let cleared = alarms(&effects)[0];
    assert_eq!(cleared.state, AlarmState::ClearedUnacknowledged);
    assert_eq!(cleared.cleared_at, Some(Timestamp(9)));
    assert!(cleared.message.contains("removed"));
    assert_eq!(engine.open_alarms().count(), 1);
    let (over, changed) = engine.acknowledge(cleared.id, ack(0)).unwrap();
    assert!(changed);
    assert_eq!(over.state, AlarmState::Normal);
    assert_eq!(engine.open_alarms().count(), 0);
}

#[test]
fn equality_compares_numbers_by_number_and_text_by_text() {
    let cases = [
        (Comparison::Equals, Value::Bool(true), Value::Int(1), true),
        (Comparison::Equals, Value::Int(3), Value::Float(3.0), true),
        (
            Comparison::Equals,
            Value::text("on"),
            Value::text("on"),
            true,
        ),
        (Comparison::Equals, Value::text("1"), Value::Int(1), false),
        (Comparison::NotEquals, Value::Int(1), Value::Int(2), true),
        (
            Comparison::NotEquals,
            Value::Int(1),
            Value::Bool(true),
            false,
        ),
        // What cannot be compared is unknown, not unequal.
        (
            Comparison::NotEquals,
            Value::text("1"),
            Value::Int(1),
            false,
        ),
    ];
    for (test, limit, value, expected) in cases {
        let condition = Condition {
            test,
            limit: limit.clone(),
            hysteresis: 0.0,
            on_delay_ms: 0,
            off_delay_ms: 0,
        };
        let mut engine = engine(vec![alarm_rule(condition, 3, 900_000)]);
        let mut effects = Vec::new();
        engine.evaluate(
            Tick(0),
            &scan(0, Some(value.clone()), Quality::GOOD),
            &mut effects,
        );
        assert_eq!(effects.len() == 1, expected, "{test:?} {limit} {value}");
    }
}

proptest! {
    /// Whatever the readings do, a rule tells at most `flap_raises` times in any one window, has
    /// at most one open alarm, and a told alarm changes its record with every effect.
    #[test]
    fn storms_are_bounded(steps in proptest::collection::vec((1_i64..120, 0_u8..4), 1..400)) {
        let window_ms = 600_000;
        let mut engine = engine(vec![alarm_rule(above(3.0, 0, 0), 3, 600_000)]);
        let mut now = 0;
        let mut told: Vec<i64> = Vec::new();
        let mut last: Option<Alarm> = None;
        for (seconds, kind) in steps {
            now += seconds * 1000;
            let effects = match kind {
                0 => feed(&mut engine, now, 90.0),
                1 => feed(&mut engine, now, 70.0),
                2 => feed(&mut engine, now, 78.0),
                _ => {
                    let mut effects = Vec::new();
                    let down = scan(now, None, Quality::bad(Reason::DeviceDown));
                    engine.evaluate(Tick(now), &down, &mut effects);
                    effects
                }
            };
            told.extend(std::iter::repeat_n(now, notifications(&effects)));
            for alarm in alarms(&effects) {
                prop_assert_ne!(Some(alarm), last.as_ref());
                last = Some(alarm.clone());
            }
            prop_assert!(engine.open_alarms().count() <= 1);
        }
        for (i, first) in told.iter().enumerate() {
            let within = told[i..].iter().filter(|t| **t - first < window_ms).count();
            prop_assert!(within <= 3, "{told:?}");
        }
    }

    /// Ticking often or never between readings makes no difference to what is told.
    #[test]
    fn ticks_add_nothing(steps in proptest::collection::vec((1_i64..40, 60.0_f64..100.0), 1..80)) {
        let rule = || alarm_rule(above(3.0, 7, 4), 3, 60_000);
        let (mut often, mut never) = (engine(vec![rule()]), engine(vec![rule()]));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (seconds, value) in steps {
            for _ in 0..seconds {
                now += 1000;
                a.extend(tick(&mut often, now));
            }
            a.extend(feed(&mut often, now, value));
            b.extend(feed(&mut never, now, value));
            prop_assert_eq!(&a, &b);
        }
    }
}
