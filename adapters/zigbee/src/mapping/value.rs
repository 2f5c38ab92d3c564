//! A value in a state, as a reading. Owns what becomes of a value that does not fit its feature: it
//! is never guessed at.

use crate::codec::Shape;
use riser_model::{Point, Quality, Reason, Value};
use serde_json::{Map, Value as Json};

/// Longest text of a reading, in octets.
const TEXT_MAX: usize = 4096;

/// The value at a path of the state; `None` when the state does not have it.
#[must_use]
pub fn find<'a>(state: &'a Map<String, Json>, path: &[String]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(state.get(first)?, |at, key| at.get(key))
}

/// What a value means for a point of this shape.
#[must_use]
pub fn read(value: &Json, shape: &Shape, point: &Point) -> (Option<Value>, Quality) {
    if value.is_null() {
        return (None, Quality::bad(Reason::NotAvailable));
    }
    let found = match shape {
        Shape::Numeric { .. } => number(value).map(Value::Float),
        Shape::Binary { on, off } => two_state(value, on, off).map(Value::Bool),
        Shape::Enum(_) => state_number(value, point).map(Value::Int),
        Shape::Text | Shape::List => text(value),
        // Nothing says which scene is on.
        Shape::Scene => None,
    };
    match found {
        Some(value) => (Some(value), Quality::GOOD),
        // JSON of another kind is not understood; a word that is no state of the point is out of its range.
        None if matches!(shape, Shape::Enum(_) | Shape::Binary { .. }) => {
            (None, Quality::bad(Reason::OutOfRange))
        }
        None => (None, Quality::bad(Reason::Undecodable)),
    }
}

fn number(value: &Json) -> Option<f64> {
    let number = match value {
        Json::Number(number) => number.as_f64()?,
        Json::String(text) if text.len() <= 32 => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn two_state(value: &Json, on: &Json, off: &Json) -> Option<bool> {
    if same(value, on) {
        return Some(true);
    }
    if same(value, off) {
        return Some(false);
    }
    match value {
        // Some converters say it plainly, whatever their definition has.
        Json::Bool(flag) if !on.is_boolean() => Some(*flag),
        Json::String(word) if word.eq_ignore_ascii_case("on") => Some(true),
        Json::String(word) if word.eq_ignore_ascii_case("off") => Some(false),
        _ => None,
    }
}

fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::String(a), Json::String(b)) => a.eq_ignore_ascii_case(b),
        _ => a == b,
    }
}

fn state_number(value: &Json, point: &Point) -> Option<i64> {
    let word = match value {
        Json::String(word) => word.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    let exact = point.labels.iter().find(|l| l.text == word);
    let label = exact.or_else(|| {
        let mut labels = point.labels.iter();
        labels.find(|l| l.text.eq_ignore_ascii_case(&word))
    });
    label.map(|l| l.state)
}

fn text(value: &Json) -> Option<Value> {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    (text.len() <= TEXT_MAX).then(|| Value::text(&text))
}

/// The shape a value has that no feature describes; `None` for what is no single value.
#[must_use]
pub fn plain_shape(value: &Json) -> Option<Shape> {
    Some(match value {
        Json::Number(_) => Shape::Numeric {
            unit: None,
            min: None,
            max: None,
            step: None,
        },
        Json::Bool(_) => Shape::Binary {
            on: Json::Bool(true),
            off: Json::Bool(false),
        },
        Json::String(_) => Shape::Text,
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    })
}
