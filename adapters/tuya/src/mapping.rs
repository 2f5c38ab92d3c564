//! Data points ↔ values: type, scale, states, bits and packed octets. Owns the conversion and its
//! quality; unknown is never zero.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use riser_model::{Limits, Quality, Reason, Value, ValueKind};
use serde_json::Value as Json;

/// How a value lies in a data point.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// `true` and `false`; inverted where `true` means off.
    Bool {
        /// Whether `true` means off.
        invert: bool,
    },
    /// A number times a scale, plus an offset.
    Number {
        /// Factor.
        scale: f64,
        /// Added after the factor.
        offset: f64,
    },
    /// A whole number as it is.
    Whole,
    /// One of some words, or of some numbers written as words; the value is the place in the list.
    States(Vec<String>),
    /// Text as it is.
    Text,
    /// One bit of a number.
    Bit(u8),
    /// Octets of a Base64 text: where the number begins, how long it is, and its factor.
    Packed {
        /// First octet.
        at: usize,
        /// Octets, 1 to 8, highest first.
        length: usize,
        /// Two's complement.
        signed: bool,
        /// Factor.
        scale: f64,
    },
}

/// A shape with the limits of its point.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// How the value lies there.
    pub shape: Shape,
    /// Sensible range.
    pub limits: Limits,
}

impl Mapping {
    /// The kind of value it makes.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        match &self.shape {
            Shape::Bool { .. } | Shape::Bit(_) => ValueKind::Bool,
            Shape::Number { .. } | Shape::Packed { .. } => ValueKind::Float,
            Shape::Whole => ValueKind::Integer,
            Shape::States(_) => ValueKind::Enum,
            Shape::Text => ValueKind::Text,
        }
    }

    /// What a reported data point means.
    #[must_use]
    pub fn decode(&self, json: &Json) -> (Option<Value>, Quality) {
        if json.is_null() {
            return (None, Quality::bad(Reason::NotAvailable));
        }
        let Some(value) = self.value(json) else {
            return (None, Quality::bad(Reason::Undecodable));
        };
        let quality = match value.as_f64() {
            Some(number) if !number.is_finite() => {
                return (None, Quality::bad(Reason::Undecodable));
            }
            Some(number) if self.outside(number) => Quality::uncertain(Reason::OutOfRange),
            _ => Quality::GOOD,
        };
        (Some(value), quality)
    }

    fn outside(&self, number: f64) -> bool {
        self.limits.min.is_some_and(|min| number < min)
            || self.limits.max.is_some_and(|max| number > max)
    }

    fn value(&self, json: &Json) -> Option<Value> {
        Some(match &self.shape {
            Shape::Bool { invert } => Value::Bool(truth(json)? != *invert),
            Shape::Bit(bit) => Value::Bool(whole(json)? >> bit & 1 == 1),
            Shape::Whole => Value::Int(whole(json)?),
            Shape::Number { scale, offset } => Value::Float(scaled(real(json)?, *scale) + offset),
            Shape::Text => Value::text(&text(json)?.chars().take(1000).collect::<String>()),
            Shape::States(states) => {
                let word = text(json)?;
                Value::Int(i64::try_from(states.iter().position(|s| *s == word)?).ok()?)
            }
            Shape::Packed {
                at,
                length,
                signed,
                scale,
            } => {
                let octets = BASE64.decode(json.as_str()?).ok()?;
                let part = octets.get(*at..at.checked_add(*length)?)?;
                Value::Float(scaled(number(part, *signed), *scale))
            }
        })
    }

    /// What to send so that the point has this value.
    pub fn encode(&self, value: &Value) -> Result<Json, String> {
        let unfit = || format!("'{value}' does not fit this point");
        match (&self.shape, value) {
            (Shape::Bool { invert }, Value::Bool(on)) => Ok(Json::Bool(on != invert)),
            (Shape::Bool { invert }, Value::Int(n @ (0 | 1))) => {
                Ok(Json::Bool((*n == 1) != *invert))
            }
            (Shape::Whole, Value::Int(n)) => Ok(Json::from(*n)),
            (Shape::Number { scale, offset }, Value::Int(_) | Value::Float(_)) => {
                let number = value.as_f64().filter(|n| n.is_finite()).ok_or_else(unfit)?;
                let raw = ((number - offset) / scale).round();
                // Beyond 2^53 a real number is no whole one any more.
                if raw.abs() > 9.0e15 {
                    return Err(unfit());
                }
                #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
                let raw = raw as i64;
                Ok(Json::from(raw))
            }
            (Shape::States(states), Value::Int(n)) => {
                let word = usize::try_from(*n)
                    .ok()
                    .and_then(|n| states.get(n))
                    .ok_or_else(unfit)?;
                Ok(Json::from(word.as_str()))
            }
            (Shape::Text, Value::Text(text)) => Ok(Json::from(text.as_ref())),
            (Shape::Bit(_) | Shape::Packed { .. }, _) => {
                Err("this point is one part of a data point and cannot be written".to_owned())
            }
            _ => Err(unfit()),
        }
    }
}

/// The product, without the dust a decimal fraction leaves in binary: 2311 × 0.1 is 231.1.
fn scaled(number: f64, scale: f64) -> f64 {
    let inverse = (1.0 / scale).round();
    if scale.abs() < 1.0 && (inverse * scale - 1.0).abs() < 1.0e-9 {
        number / inverse
    } else {
        number * scale
    }
}

fn number(octets: &[u8], signed: bool) -> f64 {
    let mut sum = octets
        .iter()
        .fold(0.0, |sum, octet| sum * 256.0 + f64::from(*octet));
    if signed && octets.first().is_some_and(|o| o & 0x80 != 0) {
        sum -= octets.iter().fold(1.0, |sum, _| sum * 256.0);
    }
    sum
}

fn truth(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(on) => Some(*on),
        Json::Number(n) => match n.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Json::String(word) => match word.as_str() {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn whole(json: &Json) -> Option<i64> {
    match json {
        Json::Number(n) => n.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn real(json: &Json) -> Option<f64> {
    match json {
        Json::Number(n) => n.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(n) => Some(n.to_string()),
        Json::Bool(on) => Some(on.to_string()),
        Json::Null | Json::Array(_) => None,
        Json::Object(_) => Some(json.to_string()),
    }
}
