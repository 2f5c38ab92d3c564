//! Checking the parameters of an operation like a configuration: none unknown, none missing, each of
//! its kind. Owns the words for what is wrong.

use super::entry::{Entry, Takes};
use riser_adapter::config::nearest;
use riser_adapter::{AdapterError, ErrorClass};
use toml::Value;

/// Longest text taken, in octets.
const TEXT_MAX: usize = 256;

/// An operation that cannot be begun as it was asked for.
pub(crate) fn wrong(operation: &str, object: &str, advice: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorClass::Misconfigured, operation, object).advise(advice)
}

/// Checks every parameter.
pub(crate) fn check(entry: &Entry, given: &toml::Table) -> Result<(), AdapterError> {
    for key in given.keys() {
        if entry.parameters.iter().any(|(name, ..)| name == key) {
            continue;
        }
        let known = entry.parameters.iter().map(|(name, ..)| *name);
        let advice = match nearest(key, known) {
            Some(near) => format!("it is not known; did you mean '{near}'?"),
            None => "this operation takes no parameters".to_owned(),
        };
        return Err(wrong(entry.name, &format!("parameter '{key}'"), advice));
    }
    for (name, _, takes, required) in entry.parameters {
        let object = format!("parameter '{name}'");
        match given.get(*name) {
            None if *required => return Err(wrong(entry.name, &object, "it has to be given")),
            None => {}
            Some(value) => {
                fits(value, *takes).map_err(|advice| wrong(entry.name, &object, advice))?;
            }
        }
    }
    Ok(())
}

fn fits(value: &Value, takes: Takes) -> Result<(), String> {
    match (takes, value) {
        (Takes::Flag, Value::Boolean(_)) => Ok(()),
        (Takes::Flag, _) => Err("it takes true or false".to_owned()),
        (Takes::Number(min, max), Value::Integer(n)) if (min..=max).contains(n) => Ok(()),
        (Takes::Number(min, max), _) => Err(format!("it takes a whole number from {min} to {max}")),
        (_, Value::String(text)) if text.is_empty() => Err("it may not be empty".to_owned()),
        (_, Value::String(text)) if text.len() > TEXT_MAX || text.chars().any(char::is_control) => {
            Err(format!(
                "it takes at most {TEXT_MAX} characters on one line"
            ))
        }
        (_, Value::String(_)) => Ok(()),
        _ => Err("it takes text".to_owned()),
    }
}

/// A text that was checked to be there, or empty.
pub(crate) fn text<'a>(given: &'a toml::Table, key: &str) -> &'a str {
    given.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A number that was checked to be there, or 0.
pub(crate) fn number(given: &toml::Table, key: &str) -> i64 {
    given
        .get(key)
        .and_then(Value::as_integer)
        .unwrap_or_default()
}

/// A flag; no is no.
pub(crate) fn flag(given: &toml::Table, key: &str) -> bool {
    given.get(key).and_then(Value::as_bool).unwrap_or_default()
}
