//! The value of a point. Owns the conversions between kinds; never turns "unknown" into a number.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One observed or commanded value. In JSON: a boolean, a number or a string.
///
/// Equality is by bits for floats, so a NaN equals itself and `-0.0` differs from `0.0`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Value {
    /// Two-state value.
    Bool(bool),
    /// Whole number, also the number of a state of a multistate point.
    Int(i64),
    /// Real number. JSON cannot carry NaN or infinities; adapters report those as bad quality.
    Float(f64),
    /// Text, at most 4 KiB by convention of the intake.
    Text(Arc<str>),
}

/// [`Value`] under a name for `#[schema(value_type = …)]`: the OpenAPI derive takes any type called
/// `Value` for free-form JSON and would leave the schema empty.
pub type PointValue = Value;

impl Value {
    /// The value as a real number, for limits, trends and conditions. Text has none.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "trends and limits accept 53 bits of an integer"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
            Self::Text(_) => None,
        }
    }

    /// Text value from anything that is text.
    #[must_use]
    pub fn text(s: &str) -> Self {
        Self::Text(s.into())
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Text(t) => f.write_str(t),
        }
    }
}
