//! Rules as text: what is read, and what is refused with which words.

use riser_model::{Access, Limits, Point, Value, ValueKind};
use riser_rules::{Action, OnEnd, Rule, RuleError, check, parse_rule};

const GOOD: &str = r#"
[[rule]]
key = "boiler-hot"
point = "boiler-1/flow_temp"
condition = { test = "above", limit = 85.0, hysteresis = 2.0, on_delay_ms = 30000 }
action.raise_alarm = { priority = "high", message = "Boiler flow too hot" }

[[rule]]
key = "frost-guard"
point = "boiler-1/flow_temp"
condition = { test = "below", limit = 5, off_delay_ms = 60000 }
action.write = { point = "ahu-1/valve", value = 100.0, on_end = { write = 0.0 } }

[[rule]]
key = "off"
enabled = false
point = "boiler-1/flow_temp"
condition = { test = "equals", limit = 5 }
action.write = { point = "ahu-1/valve", value = 100.0, on_end = "keep", priority = 7 }
"#;

fn rules(text: &str) -> Result<Vec<Rule>, RuleError> {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    let list = table["rule"].as_array().expect("a list");
    let numbered = list.iter().enumerate();
    numbered
        .map(|(i, v)| parse_rule(&format!("rule[{i}]"), v.clone()))
        .collect()
}

fn point(path: &str, kind: ValueKind, access: Access) -> Point {
    Point {
        path: path.parse().expect("a valid path"),
        name: path.into(),
        device_name: path.into(),
        kind,
        unit: None,
        access,
        limits: Limits {
            min: Some(0.0),
            max: Some(100.0),
            step: None,
        },
        labels: vec![],
        deadband: None,
        stale_after_ms: 10_000,
    }
}

fn points() -> Vec<Point> {
    vec![
        point("boiler-1/flow_temp", ValueKind::Float, Access::Read),
        point("boiler-1/name", ValueKind::Text, Access::Read),
        point("ahu-1/valve", ValueKind::Float, Access::ReadWrite),
    ]
}

#[test]
fn a_sound_set_of_rules_is_read_and_passes() {
    let rules = rules(GOOD).unwrap();
    assert_eq!(check(&rules, &points()), vec![]);
    assert!(rules[0].enabled);
    assert_eq!(rules[0].condition.limit, Value::Float(85.0));
    let Action::Write(write) = &rules[1].action else {
        panic!("a write");
    };
    assert_eq!(write.priority.level(), 10);
    assert_eq!(write.on_end, OnEnd::Write(Value::Float(0.0)));
    assert!(!rules[2].enabled);
    let Action::Write(write) = &rules[2].action else {
        panic!("a write");
    };
    assert_eq!((write.priority.level(), &write.on_end), (7, &OnEnd::Keep));
}

#[test]
fn unknown_words_are_answered_with_the_nearest_known_one() {
    for (from, to, near) in [
        ("hysteresis =", "histeresis =", "hysteresis"),
        ("\"above\"", "\"abowe\"", "above"),
        ("raise_alarm", "rais_alarm", "raise_alarm"),
        ("message =", "mesage =", "message"),
        (
            "key = \"boiler-hot\"",
            "key = \"boiler-hot\"\nenable = true",
            "enabled",
        ),
        ("\"high\"", "\"hi\"", "high"),
        ("\"keep\"", "\"keeep\"", "keep"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD);
        let error = rules(&text).unwrap_err();
        let expected = format!("did you mean '{near}'?");
        assert!(error.problem.contains(&expected), "{from}: {error}");
        assert!(error.at.starts_with("rule["), "{error}");
    }
}

#[test]
fn a_missing_key_is_named() {
    let error = rules(&GOOD.replacen("point = \"boiler-1/flow_temp\"\n", "", 1)).unwrap_err();
    assert!(error.problem.contains("missing field 'point'"), "{error}");
}

/// What is changed in [`GOOD`], into what, and the place and words of the refusal.
const NONSENSE: &[(&str, &str, &str, &str)] = &[
    ("frost-guard", "boiler-hot", "rule[1].key", "used twice"),
    (
        "point = \"boiler-1/flow_temp\"",
        "point = \"boiler-1/flow_tmp\"",
        "rule[0].point",
        "did you mean 'boiler-1/flow_temp'?",
    ),
    (
        "limit = 85.0",
        "limit = true",
        "rule[0].condition.limit",
        "take a number",
    ),
    (
        "limit = 85.0",
        "limit = nan",
        "rule[0].condition.limit",
        "finite",
    ),
    (
        "hysteresis = 2.0",
        "hysteresis = -1",
        "rule[0].condition.hysteresis",
        "0 or more",
    ),
    (
        "30000",
        "604800001",
        "rule[0].condition.on_delay_ms",
        "one week",
    ),
    (
        "Boiler flow too hot",
        " ",
        "rule[0].action.raise_alarm.message",
        "in words",
    ),
    (
        "priority = \"high\"",
        "priority = \"high\", flap_raises = 1",
        "rule[0].action.raise_alarm.flap_raises",
        "2 or more",
    ),
    (
        "priority = \"high\"",
        "priority = \"high\", flap_window_ms = 0",
        "rule[0].action.raise_alarm.flap_window_ms",
        "between 1 and",
    ),
    (
        "\"equals\", limit = 5",
        "\"equals\", limit = 5, hysteresis = 1",
        "rule[2].condition.hysteresis",
        "leave it out",
    ),
    (
        "\"equals\", limit = 5",
        "\"equals\", limit = \"five\"",
        "rule[2].condition.limit",
        "never be compared",
    ),
    (
        "value = 100.0",
        "value = 100.1",
        "rule[1].action.write.value",
        "above the highest",
    ),
    (
        "write = 0.0",
        "write = -1",
        "rule[1].action.write.on_end.write",
        "below the lowest",
    ),
    (
        "point = \"ahu-1/valve\"",
        "point = \"boiler-1/name\"",
        "rule[1].action.write.value",
        "read-only",
    ),
    (
        "point = \"ahu-1/valve\"",
        "point = \"boiler-1/flow_temp\"",
        "rule[1].action.write.point",
        "chase itself",
    ),
];

#[test]
fn rules_that_make_no_sense_are_refused_with_their_place() {
    for (from, to, at, words) in NONSENSE {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let errors = check(&rules(&text).unwrap(), &points());
        assert!(
            errors
                .iter()
                .any(|e| e.at == *at && e.problem.contains(words)),
            "{from} -> {to}: {errors:?}"
        );
    }
}

#[test]
fn an_error_reads_as_place_and_problem() {
    let error = RuleError::new("rule[0].key", "it is empty");
    assert_eq!(error.to_string(), "rule[0].key: it is empty");
}
