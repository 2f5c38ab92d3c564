//! What is measured or commanded: the description of a point, not its value.

use crate::{PointPath, Unit, Value};
use serde::{Deserialize, Serialize};

/// The type of a point's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Two states.
    Bool,
    /// Whole number.
    Integer,
    /// Real number.
    Float,
    /// One of a list of labelled states; the value is the state's number.
    Enum,
    /// Text.
    Text,
}

/// What may be done with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Reading only.
    #[default]
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Writing only: there is nothing to read back.
    Write,
}

impl Access {
    /// Whether a command may target the point.
    #[must_use]
    pub fn writable(self) -> bool {
        self != Self::Read
    }
}

/// The range a value makes sense in; also what a write is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Smallest sensible value, in the point's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest sensible value, in the point's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Smallest meaningful step, in the point's unit; drives displayed precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}

/// One state of a multistate or two-state point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Label {
    /// The state's number (0 and 1 for two-state points).
    pub state: i64,
    /// Its text.
    pub text: String,
}

/// One measured or commanded quantity of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Point {
    /// `device/point`, unique within the gateway.
    #[schema(value_type = String)]
    pub path: PointPath,
    /// The name people read.
    pub name: String,
    /// The name of the device people read.
    pub device_name: String,
    /// Type of the value.
    pub kind: ValueKind,
    /// Unit of the value; none for states, counts of things and text.
    #[schema(value_type = Option<String>)]
    pub unit: Option<Unit>,
    /// What may be done with it.
    pub access: Access,
    /// Sensible range.
    #[serde(default)]
    pub limits: Limits,
    /// State texts of enum and two-state points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Smallest change worth a sample, in the unit; none records every reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadband: Option<f64>,
    /// Age in milliseconds after which the value counts as stale.
    pub stale_after_ms: u32,
}

impl Point {
    /// Why a value may not be written, in words a technician can act on.
    pub fn check_write(&self, value: &Value) -> Result<(), String> {
        if !self.access.writable() {
            return Err(format!("{} is read-only", self.path));
        }
        let fits = match self.kind {
            ValueKind::Bool => matches!(value, Value::Bool(_) | Value::Int(0 | 1)),
            ValueKind::Integer => matches!(value, Value::Int(_)),
            ValueKind::Float => matches!(value, Value::Int(_) | Value::Float(_)),
            ValueKind::Enum => {
                matches!(value, Value::Int(i) if self.labels.is_empty() || self.labels.iter().any(|l| l.state == *i))
            }
            ValueKind::Text => matches!(value, Value::Text(_)),
        };
        if !fits {
            return Err(format!(
                "{} takes {}, not '{value}'",
                self.path,
                self.expected()
            ));
        }
        let Some(number) = value.as_f64() else {
            return Ok(());
        };
        if !number.is_finite() {
            return Err(format!(
                "{} takes a finite number, not '{value}'",
                self.path
            ));
        }
        let unit = self.unit.map_or("", Unit::symbol);
        match (self.limits.min, self.limits.max) {
            (Some(min), _) if number < min => Err(format!(
                "{value} {unit} is below the lowest allowed value of {}, {min} {unit}",
                self.path
            )),
            (_, Some(max)) if number > max => Err(format!(
                "{value} {unit} is above the highest allowed value of {}, {max} {unit}",
                self.path
            )),
            _ => Ok(()),
        }
    }

    fn expected(&self) -> String {
        match self.kind {
            ValueKind::Bool => "true or false".into(),
            ValueKind::Integer => "a whole number".into(),
            ValueKind::Float => "a number".into(),
            ValueKind::Text => "text".into(),
            ValueKind::Enum => {
                let states: Vec<_> = self
                    .labels
                    .iter()
                    .map(|l| format!("{} ({})", l.state, l.text))
                    .collect();
                format!("one of {}", states.join(", "))
            }
        }
    }
}
