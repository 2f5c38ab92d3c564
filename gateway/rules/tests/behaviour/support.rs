//! Builders the tests of this crate share.

use riser_model::{
    Acknowledgement, Alarm, AlarmId, AlarmPriority, Author, AuthorKind, Key, PointPath, Priority,
    Quality, Reading, ScanBatch, Slot, Timestamp, Value,
};
use riser_rules::{
    Action, AlarmAction, Comparison, Condition, Effect, OnEnd, Rule, RuleEngine, Tick, WriteAction,
};
use uuid::Uuid;

pub(crate) const SLOT: Slot = Slot(3);

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("a valid key")
}

pub(crate) fn path(text: &str) -> PointPath {
    text.parse().expect("a valid path")
}

/// Above 80 with the given hysteresis and delays in seconds.
pub(crate) fn above(hysteresis: f64, on_s: u64, off_s: u64) -> Condition {
    Condition {
        test: Comparison::Above,
        limit: Value::Float(80.0),
        hysteresis,
        on_delay_ms: on_s * 1000,
        off_delay_ms: off_s * 1000,
    }
}

pub(crate) fn alarm_rule(condition: Condition, flap_raises: u8, flap_window_ms: u64) -> Rule {
    Rule {
        key: key("hot"),
        enabled: true,
        point: path("boiler-1/flow_temp"),
        condition,
        action: Action::RaiseAlarm(AlarmAction {
            priority: AlarmPriority::High,
            message: "too hot".into(),
            flap_raises,
            flap_window_ms,
        }),
    }
}

pub(crate) fn write_rule(condition: Condition, on_end: OnEnd) -> Rule {
    Rule {
        key: key("valve"),
        enabled: true,
        point: path("boiler-1/flow_temp"),
        condition,
        action: Action::Write(WriteAction {
            point: path("boiler-1/valve"),
            value: Value::Float(100.0),
            on_end,
            priority: Priority::new(10).expect("a level"),
        }),
    }
}

/// An engine whose alarms are numbered 1, 2, 3 …; every rule's point has [`SLOT`].
pub(crate) fn engine(rules: Vec<Rule>) -> RuleEngine {
    let mut next = 0;
    let paths: Vec<_> = rules.iter().map(|r| r.point.clone()).collect();
    let mut engine = RuleEngine::new(
        rules,
        Box::new(move || {
            next += 1;
            AlarmId(Uuid::from_u128(next))
        }),
    );
    for path in &paths {
        engine.bind(path, SLOT);
    }
    engine
}

pub(crate) fn scan(at_ms: i64, value: Option<Value>, quality: Quality) -> ScanBatch {
    ScanBatch {
        at: Timestamp(1_000_000 + at_ms),
        readings: vec![Reading {
            slot: SLOT,
            value,
            quality,
        }],
    }
}

/// Feeds one good number at a time in milliseconds and returns the effects.
pub(crate) fn feed(engine: &mut RuleEngine, at_ms: i64, value: f64) -> Vec<Effect> {
    let mut effects = Vec::new();
    let scan = scan(at_ms, Some(Value::Float(value)), Quality::GOOD);
    engine.evaluate(Tick(at_ms), &scan, &mut effects);
    effects
}

pub(crate) fn tick(engine: &mut RuleEngine, at_ms: i64) -> Vec<Effect> {
    let mut effects = Vec::new();
    engine.tick(Tick(at_ms), &mut effects);
    effects
}

pub(crate) fn ack(at_ms: i64) -> Acknowledgement {
    Acknowledgement {
        by: Author {
            kind: AuthorKind::Local,
            name: "anna".into(),
        },
        at: Timestamp(1_000_000 + at_ms),
        comment: String::new(),
    }
}

pub(crate) fn alarms(effects: &[Effect]) -> Vec<&Alarm> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Alarm { alarm, .. } => Some(alarm),
            Effect::Write { .. } => None,
        })
        .collect()
}

pub(crate) fn notifications(effects: &[Effect]) -> usize {
    effects
        .iter()
        .filter(|e| matches!(e, Effect::Alarm { notify: true, .. }))
        .count()
}
