//! From a value to the payload of `<name>/set`, and the payload of `<name>/get`. Owns composites: their
//! members are written together, as a device takes no half colour.

use crate::codec::{Family, Feature, Shape};
use riser_model::{Point, Value};
use serde_json::{Map, Value as Json, json};

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// It does not fit the point.
    #[error("{0}")]
    Unfit(String),
    /// Another member of the composite is not known yet.
    #[error(
        "{missing} is not known yet, and {property} is written as a whole; read it first or write {missing}"
    )]
    Partner {
        /// The composite.
        property: String,
        /// The member that is missing.
        missing: String,
    },
}

/// One member of a composite beside the one that is written.
pub struct Partner<'a> {
    /// The member.
    pub feature: &'a Feature,
    /// Its point.
    pub point: &'a Point,
    /// Its present value.
    pub value: Option<&'a Value>,
}

/// The payload that sets a feature.
pub fn payload(
    feature: &Feature,
    point: &Point,
    value: &Value,
    partners: &[Partner<'_>],
) -> Result<Json, CannotWrite> {
    point.check_write(value).map_err(CannotWrite::Unfit)?;
    let own = scalar(&feature.shape, point, value)?;
    let mut root = Map::new();
    place(&mut root, &feature.path, own);
    for partner in partners {
        let Some(value) = partner.value else {
            // Half a colour is none; other composites are taken in part.
            if feature.family == Family::Light && feature.within.starts_with("color") {
                return Err(CannotWrite::Partner {
                    property: feature.property().to_owned(),
                    missing: partner.point.name.clone(),
                });
            }
            continue;
        };
        let value = scalar(&partner.feature.shape, partner.point, value)?;
        place(&mut root, &partner.feature.path, value);
    }
    Ok(Json::Object(root))
}

fn place(root: &mut Map<String, Json>, path: &[String], value: Json) {
    match path {
        [] => {}
        [last] => {
            root.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = root.entry(first.clone()).or_insert_with(|| json!({}));
            if let Json::Object(map) = inner {
                place(map, rest, value);
            }
        }
    }
}

fn scalar(shape: &Shape, point: &Point, value: &Value) -> Result<Json, CannotWrite> {
    let unfit = || CannotWrite::Unfit(format!("{} cannot take '{value}'", point.path));
    match (shape, value) {
        (Shape::Numeric { .. }, value) => value.as_f64().map(plain_number).ok_or_else(unfit),
        (Shape::Binary { on, off }, Value::Bool(_) | Value::Int(0 | 1)) => {
            let up = matches!(value, Value::Bool(true) | Value::Int(1));
            Ok(if up { on.clone() } else { off.clone() })
        }
        (Shape::Enum(_), Value::Int(state)) => {
            let label = point.labels.iter().find(|l| l.state == *state);
            label.map(|l| json!(l.text)).ok_or_else(unfit)
        }
        (Shape::Scene, Value::Int(id)) => Ok(json!(id)),
        (Shape::Text, Value::Text(text)) => Ok(json!(&**text)),
        _ => Err(unfit()),
    }
}

/// 21 and not 21.0: some converters compare texts.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and far inside i64"
)]
fn plain_number(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

/// The payload that asks for these features; `None` when there is nothing to ask.
#[must_use]
pub fn read_request<'a>(features: impl IntoIterator<Item = &'a Feature>) -> Option<Json> {
    let mut root = Map::new();
    for feature in features.into_iter().filter(|f| f.gettable) {
        // A composite is asked for as a whole.
        root.insert(feature.property().to_owned(), json!(""));
    }
    (!root.is_empty()).then_some(Json::Object(root))
}

/// Whether a read-back shows what was written. A number may differ by half a step, or by half a
/// percent of its range: devices round.
#[must_use]
pub fn shows(point: &Point, written: &Value, read: &Value) -> bool {
    let (Some(a), Some(b)) = (written.as_f64(), read.as_f64()) else {
        return written == read;
    };
    let range = match (point.limits.min, point.limits.max) {
        (Some(min), Some(max)) => (max - min) * 0.005,
        _ => 0.0,
    };
    let step = point.limits.step.unwrap_or(0.0) / 2.0;
    match point.kind {
        riser_model::ValueKind::Float => (a - b).abs() <= step.max(range).max(1e-6),
        _ => (a - b).abs() < f64::EPSILON,
    }
}
