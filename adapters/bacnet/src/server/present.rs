//! The value of a point as its object shows it, and what others write as a value of the point. Pure.
//! Owns what a quality makes of status flags and reliability.

use super::objects::{Object, Shape};
use crate::codec::Datum;
use crate::codec::service::Refusal;
use crate::codec::service::error::code;
use crate::mapping;
use riser_model::{Level, Quality, Reason, Value};

/// Octets of a text, at most: it has to fit a notification.
const TEXT: usize = 1000;

/// Reliability (clause 21): nothing wrong.
const NO_FAULT: u32 = 0;
/// Reliability: no sensor.
const NO_SENSOR: u32 = 1;
/// Reliability: unreliable, other.
const UNRELIABLE: u32 = 7;
/// Reliability: process error.
const PROCESS_ERROR: u32 = 8;
/// Reliability: multistate fault.
const MULTI_STATE_FAULT: u32 = 9;
/// Reliability: configuration error.
const CONFIGURATION_ERROR: u32 = 10;
/// Reliability: communication failure.
const COMMUNICATION_FAILURE: u32 = 12;

/// What an object shows of its point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// Present value; `None` while nothing is known: an unknown value is no number.
    pub(crate) value: Option<Datum>,
    /// In alarm, fault, overridden, out of service.
    pub(crate) flags: [bool; 4],
    /// Number of the reliability.
    pub(crate) reliability: u32,
}

/// What an object shows when its point has this value.
pub(crate) fn shown(object: &Object, value: Option<&Value>, quality: Quality) -> Shown {
    let datum = value.and_then(|v| datum(object, v));
    let reliability = match (quality.level, quality.reason) {
        (Level::Bad, reason) => reliability(reason),
        // A state without a number of its own.
        _ if datum.is_none() && value.is_some() => match object.shape {
            Shape::Multistate(_) => MULTI_STATE_FAULT,
            _ => UNRELIABLE,
        },
        _ if datum.is_none() => UNRELIABLE,
        _ => NO_FAULT,
    };
    let overridden = quality.reason == Some(Reason::Overridden);
    Shown {
        value: datum,
        flags: [false, reliability != NO_FAULT, overridden, false],
        reliability,
    }
}

fn reliability(reason: Option<Reason>) -> u32 {
    match reason {
        Some(Reason::Initial | Reason::Stale | Reason::DeviceDown) => COMMUNICATION_FAILURE,
        Some(Reason::NotConfigured) => CONFIGURATION_ERROR,
        Some(Reason::NotAvailable) => NO_SENSOR,
        Some(Reason::Undecodable) => PROCESS_ERROR,
        Some(Reason::Fault | Reason::OutOfRange | Reason::Overridden | Reason::Clamped) | None => {
            UNRELIABLE
        }
    }
}

/// A value of the point in the type of its object; `None` where that has no such value.
pub(crate) fn datum(object: &Object, value: &Value) -> Option<Datum> {
    match (&object.shape, value) {
        (Shape::Analog { .. }, value) => {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be finite")]
            let real = value.as_f64()? as f32;
            real.is_finite().then_some(Datum::Real(real))
        }
        (Shape::Binary(_), Value::Bool(on)) => Some(Datum::Enumerated(u32::from(*on))),
        (Shape::Binary(_), Value::Int(state @ (0 | 1))) => {
            Some(Datum::Enumerated(u32::from(*state == 1)))
        }
        (Shape::Multistate(states), value) => {
            let state = match value {
                Value::Int(state) => *state,
                Value::Bool(on) => i64::from(*on),
                Value::Float(_) | Value::Text(_) => return None,
            };
            let at = states.iter().position(|(number, _)| *number == state)?;
            Some(Datum::Unsigned(at as u64 + 1))
        }
        (Shape::Text, Value::Text(text)) => Some(Datum::Text(cut(text).to_owned())),
        (Shape::Text, value) => Some(Datum::Text(value.to_string())),
        (Shape::Binary(_), _) => None,
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// What others write, as a value of the point.
pub(crate) fn value(object: &Object, datum: &Datum) -> Result<Value, Refusal> {
    let refused = |code| Refusal::Error {
        class: code::PROPERTY,
        code,
    };
    let range = || refused(code::VALUE_OUT_OF_RANGE);
    match (&object.shape, datum) {
        (Shape::Analog { whole, .. }, Datum::Real(x)) => {
            if !x.is_finite() {
                return Err(range());
            }
            match *whole {
                false => Ok(Value::Float(mapping::shown(*x))),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "whole and inside the range"
                )]
                true if x.fract() == 0.0 && x.abs() < 1e15 => Ok(Value::Int(*x as i64)),
                true => Err(range()),
            }
        }
        (Shape::Binary(_), Datum::Enumerated(state @ (0 | 1))) => Ok(Value::Bool(*state == 1)),
        (Shape::Binary(_), Datum::Enumerated(_)) => Err(range()),
        (Shape::Multistate(states), Datum::Unsigned(state)) => {
            let at = state.checked_sub(1).and_then(|at| usize::try_from(at).ok());
            let found = at.and_then(|at| states.get(at));
            found
                .map(|(number, _)| Value::Int(*number))
                .ok_or_else(range)
        }
        (Shape::Text, Datum::Text(text)) if text.len() <= TEXT => Ok(Value::text(text)),
        (Shape::Text, Datum::Text(_)) => Err(range()),
        _ => Err(refused(code::INVALID_DATA_TYPE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{ObjectId, ObjectType};
    use riser_model::{Limits, Slot};

    fn object(shape: Shape) -> Object {
        Object {
            id: ObjectId::new(ObjectType::ANALOG_VALUE, 1),
            slot: Slot(0),
            path: "a/b".parse().unwrap(),
            name: String::new(),
            description: String::new(),
            shape,
            commandable: true,
            increment: 0.0,
            limits: Limits::default(),
        }
    }

    #[test]
    fn what_is_shown_is_what_is_written() {
        let analog = |whole| object(Shape::Analog { whole, units: 62 });
        let texts = vec![(0, "off".to_owned()), (7, "on".to_owned())];
        for (object, value, datum) in [
            (analog(false), Value::Float(21.3), Datum::Real(21.3)),
            (analog(true), Value::Int(-4), Datum::Real(-4.0)),
            (
                object(Shape::Binary(None)),
                Value::Bool(true),
                Datum::Enumerated(1),
            ),
            (
                object(Shape::Multistate(texts)),
                Value::Int(7),
                Datum::Unsigned(2),
            ),
            (
                object(Shape::Text),
                Value::text("é"),
                Datum::Text("é".into()),
            ),
        ] {
            assert_eq!(super::datum(&object, &value), Some(datum.clone()));
            assert_eq!(super::value(&object, &datum), Ok(value));
        }
    }

    #[test]
    fn what_does_not_fit_is_told_apart() {
        let code = |object: &Object, datum: Datum| match value(object, &datum) {
            Err(Refusal::Error { class: 2, code }) => code,
            other => panic!("{other:?}"),
        };
        let whole = object(Shape::Analog {
            whole: true,
            units: 95,
        });
        assert_eq!(code(&whole, Datum::Real(1.5)), 37);
        assert_eq!(code(&whole, Datum::Real(f32::NAN)), 37);
        assert_eq!(code(&whole, Datum::Unsigned(1)), 9);
        let binary = object(Shape::Binary(None));
        assert_eq!(code(&binary, Datum::Enumerated(2)), 37);
        assert_eq!(code(&binary, Datum::Boolean(true)), 9);
        let multi = object(Shape::Multistate(vec![(5, "a".into())]));
        assert_eq!(code(&multi, Datum::Unsigned(0)), 37);
        assert_eq!(code(&multi, Datum::Unsigned(2)), 37);
        assert_eq!(code(&multi, Datum::Real(1.0)), 9);
    }

    #[test]
    fn nothing_known_is_no_number_and_says_why() {
        let analog = object(Shape::Analog {
            whole: false,
            units: 62,
        });
        let never = shown(&analog, None, Quality::bad(Reason::Initial));
        assert_eq!(
            (never.value, never.reliability),
            (None, COMMUNICATION_FAILURE)
        );
        let down = shown(
            &analog,
            Some(&Value::Float(20.0)),
            Quality::bad(Reason::DeviceDown),
        );
        assert_eq!(down.value, Some(Datum::Real(20.0)));
        assert_eq!(down.flags, [false, true, false, false]);
        let held = shown(
            &analog,
            Some(&Value::Float(20.0)),
            Quality::uncertain(Reason::Overridden),
        );
        assert_eq!(
            (held.flags, held.reliability),
            ([false, false, true, false], NO_FAULT)
        );
        let multi = object(Shape::Multistate(vec![(1, "a".into())]));
        let odd = shown(&multi, Some(&Value::Int(9)), Quality::GOOD);
        assert_eq!((odd.value, odd.reliability), (None, MULTI_STATE_FAULT));
    }
}
