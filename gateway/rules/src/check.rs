//! Whether rules make sense, by themselves and against the points there are. Owns the checks that
//! run before anything opens, so a rule never fails for the first time at three in the morning.

use crate::{Action, Comparison, OnEnd, Rule, RuleError, nearest};
use riser_model::{Key, Point, PointPath, Value, ValueKind};
use std::collections::{HashMap, HashSet};

/// Longest delay and flap window, in milliseconds: one week.
const LONGEST_MS: u64 = 7 * 24 * 3600 * 1000;

/// Everything wrong with a set of rules, given every point of the gateway; empty when sound.
/// Places are named `rule[<index>]` in the order given.
#[must_use]
pub fn check(rules: &[Rule], points: &[Point]) -> Vec<RuleError> {
    let by_path: HashMap<&PointPath, &Point> = points.iter().map(|p| (&p.path, p)).collect();
    let mut seen: HashSet<&Key> = HashSet::new();
    let mut errors = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("rule[{index}]");
        if !seen.insert(&rule.key) {
            errors.push(RuleError::new(
                format!("{at}.key"),
                format!(
                    "'{}' is used twice; give one of the two another key",
                    rule.key
                ),
            ));
        }
        let trigger = find(&by_path, &rule.point, format!("{at}.point"), &mut errors);
        check_condition(rule, trigger, &at, &mut errors);
        match &rule.action {
            Action::RaiseAlarm(_) => check_alarm(rule, &at, &mut errors),
            Action::Write(_) => check_write(rule, &by_path, &at, &mut errors),
        }
    }
    errors
}

fn find<'a>(
    by_path: &HashMap<&PointPath, &'a Point>,
    path: &PointPath,
    at: String,
    errors: &mut Vec<RuleError>,
) -> Option<&'a Point> {
    if let Some(point) = by_path.get(path) {
        return Some(point);
    }
    let known: Vec<String> = by_path.keys().map(ToString::to_string).collect();
    let hint = match nearest(&path.to_string(), known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => "; no adapter declares any point".to_owned(),
    };
    errors.push(RuleError::new(
        at,
        format!("there is no point '{path}'{hint}"),
    ));
    None
}

fn check_condition(rule: &Rule, trigger: Option<&Point>, at: &str, errors: &mut Vec<RuleError>) {
    let condition = &rule.condition;
    let mut wrong = |field: &str, problem: String| {
        errors.push(RuleError::new(format!("{at}.condition.{field}"), problem));
    };
    let ordered = matches!(condition.test, Comparison::Above | Comparison::Below);
    if let Value::Float(x) = condition.limit
        && !x.is_finite()
    {
        wrong("limit", "it must be a finite number".to_owned());
    }
    if ordered && matches!(condition.limit, Value::Bool(_) | Value::Text(_)) {
        wrong(
            "limit",
            format!(
                "'above' and 'below' take a number, not '{}'",
                condition.limit
            ),
        );
    }
    if !condition.hysteresis.is_finite() || condition.hysteresis < 0.0 {
        wrong("hysteresis", "it must be 0 or more".to_owned());
    }
    if !ordered && condition.hysteresis != 0.0 {
        wrong(
            "hysteresis",
            "it has no meaning for 'equals' and 'not_equals'; leave it out".to_owned(),
        );
    }
    for (field, delay) in [
        ("on_delay_ms", condition.on_delay_ms),
        ("off_delay_ms", condition.off_delay_ms),
    ] {
        if delay > LONGEST_MS {
            wrong(
                field,
                format!("{delay} is longer than one week ({LONGEST_MS})"),
            );
        }
    }
    let text_limit = matches!(condition.limit, Value::Text(_));
    let text_point = trigger.is_some_and(|p| p.kind == ValueKind::Text);
    if trigger.is_some() && text_limit != text_point {
        let takes = if text_point { "text" } else { "a number" };
        wrong(
            "limit",
            format!(
                "point '{}' has {takes} as its value, so '{}' can never be compared with it",
                rule.point, condition.limit
            ),
        );
    }
}

fn check_alarm(rule: &Rule, at: &str, errors: &mut Vec<RuleError>) {
    let Action::RaiseAlarm(alarm) = &rule.action else {
        return;
    };
    let at = format!("{at}.action.raise_alarm");
    if alarm.message.trim().is_empty() {
        errors.push(RuleError::new(
            format!("{at}.message"),
            "say in words what is wrong; it is what a person reads at night",
        ));
    }
    if alarm.flap_raises < 2 {
        errors.push(RuleError::new(
            format!("{at}.flap_raises"),
            "it must be 2 or more: a single raise is no flapping",
        ));
    }
    if alarm.flap_window_ms == 0 || alarm.flap_window_ms > LONGEST_MS {
        errors.push(RuleError::new(
            format!("{at}.flap_window_ms"),
            format!("it must be between 1 and {LONGEST_MS} (one week)"),
        ));
    }
}

fn check_write(
    rule: &Rule,
    by_path: &HashMap<&PointPath, &Point>,
    at: &str,
    errors: &mut Vec<RuleError>,
) {
    let Action::Write(write) = &rule.action else {
        return;
    };
    let at = format!("{at}.action.write");
    if write.point == rule.point {
        errors.push(RuleError::new(
            format!("{at}.point"),
            "a rule must not write the point it looks at: it would chase itself",
        ));
    }
    let Some(target) = find(by_path, &write.point, format!("{at}.point"), errors) else {
        return;
    };
    if let Err(problem) = target.check_write(&write.value) {
        errors.push(RuleError::new(format!("{at}.value"), problem));
    }
    if let OnEnd::Write(value) = &write.on_end
        && let Err(problem) = target.check_write(value)
    {
        errors.push(RuleError::new(format!("{at}.on_end.write"), problem));
    }
}
