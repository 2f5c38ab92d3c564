//! `[[device.point]]` and a profile's `[[point]]`: one point, from what is written to its data point
//! and its mapping.

use super::millis;
use crate::mapping::{Mapping, Shape};
use riser_adapter::{ConfigError, config::parse};
use riser_model::{Access, Key, Label, Limits, Point, PointPath, Unit};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One point, checked.
#[derive(Debug, Clone)]
pub struct PointConfig {
    /// What people see.
    pub point: Arc<Point>,
    /// Number of its data point.
    pub dp: u16,
    /// How its value lies there.
    pub mapping: Mapping,
    /// How long a write may take to show.
    pub settle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Bool,
    Int,
    Float,
    Enum,
    Text,
    Bit,
    Packed,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Labels {
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointTable {
    key: Key,
    name: Option<String>,
    dp: u16,
    #[serde(rename = "type")]
    kind: Type,
    scale: Option<f64>,
    offset: Option<f64>,
    bit: Option<u8>,
    at: Option<usize>,
    length: Option<usize>,
    signed: Option<bool>,
    values: Option<Vec<String>>,
    labels: Option<Labels>,
    invert: Option<bool>,
    unit: Option<Unit>,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    limits: Limits,
    deadband: Option<f64>,
    stale_after_ms: Option<u32>,
    settle_ms: Option<u32>,
}

/// What a point is part of.
pub(super) struct Within<'a> {
    pub(super) device: &'a Key,
    pub(super) device_name: &'a str,
    /// Age at which a value is stale, unless the point says so itself.
    pub(super) stale_after_ms: u32,
}

type Problem = (&'static str, String);

/// Checks one point.
pub(super) fn build(
    at: &str,
    table: &toml::Table,
    within: &Within<'_>,
) -> Result<PointConfig, ConfigError> {
    let raw: PointTable = parse(at, table)?;
    let wrong = |(key, problem): Problem| ConfigError::new(format!("{at}.{key}"), problem);
    only_where_meant(&raw).map_err(wrong)?;
    let mapping = Mapping {
        shape: shape(&raw).map_err(wrong)?,
        limits: raw.limits,
    };
    if raw.access.writable() && matches!(raw.kind, Type::Bit | Type::Packed) {
        let problem =
            "a bit or a packed number is one part of a data point and cannot be written by itself";
        return Err(wrong(("access", problem.to_owned())));
    }
    if let (Some(min), Some(max)) = (raw.limits.min, raw.limits.max)
        && min > max
    {
        return Err(wrong(("limits", format!("min {min} is above max {max}"))));
    }
    let labels = labels(&raw).map_err(wrong)?;
    Ok(PointConfig {
        point: Arc::new(Point {
            path: PointPath::new(within.device.clone(), raw.key.clone()),
            name: raw.name.unwrap_or_else(|| raw.key.to_string()),
            device_name: within.device_name.to_owned(),
            kind: mapping.kind(),
            unit: raw.unit,
            access: raw.access,
            limits: raw.limits,
            labels,
            deadband: raw.deadband,
            stale_after_ms: raw.stale_after_ms.unwrap_or(within.stale_after_ms),
        }),
        dp: raw.dp,
        mapping,
        settle: millis(raw.settle_ms.unwrap_or(2000)),
    })
}

/// Keys that make no sense for a type are refused instead of being passed over.
fn only_where_meant(raw: &PointTable) -> Result<(), Problem> {
    let number = matches!(raw.kind, Type::Float | Type::Packed);
    let packed = raw.kind == Type::Packed;
    let states = matches!(raw.kind, Type::Enum | Type::Bool | Type::Bit);
    for (key, given, meant, what) in [
        ("scale", raw.scale.is_some(), number, "float and packed"),
        (
            "offset",
            raw.offset.is_some(),
            raw.kind == Type::Float,
            "float",
        ),
        ("bit", raw.bit.is_some(), raw.kind == Type::Bit, "bit"),
        ("at", raw.at.is_some(), packed, "packed"),
        ("length", raw.length.is_some(), packed, "packed"),
        ("signed", raw.signed.is_some(), packed, "packed"),
        (
            "values",
            raw.values.is_some(),
            raw.kind == Type::Enum,
            "enum",
        ),
        ("labels", raw.labels.is_some(), states, "enum, bool and bit"),
        (
            "invert",
            raw.invert.is_some(),
            raw.kind == Type::Bool,
            "bool",
        ),
    ] {
        if given && !meant {
            return Err((key, format!("only points of type {what} have '{key}'")));
        }
    }
    Ok(())
}

fn shape(raw: &PointTable) -> Result<Shape, Problem> {
    let scale = raw.scale.unwrap_or(1.0);
    if !scale.is_finite() || scale == 0.0 {
        return Err(("scale", format!("{scale} is no factor")));
    }
    let offset = raw.offset.unwrap_or(0.0);
    if !offset.is_finite() {
        return Err(("offset", format!("{offset} is no number")));
    }
    Ok(match raw.kind {
        Type::Bool => Shape::Bool {
            invert: raw.invert.unwrap_or(false),
        },
        Type::Int => Shape::Whole,
        Type::Float => Shape::Number { scale, offset },
        Type::Text => Shape::Text,
        Type::Enum => match &raw.values {
            Some(values) if (1..=256).contains(&values.len()) => Shape::States(values.clone()),
            _ => {
                return Err((
                    "values",
                    "list the words the device uses, in order of their states".to_owned(),
                ));
            }
        },
        Type::Bit => match raw.bit {
            Some(bit @ 0..=62) => Shape::Bit(bit),
            _ => return Err(("bit", "say which bit, 0 to 62".to_owned())),
        },
        Type::Packed => {
            let length = raw.length.unwrap_or(0);
            if !(1..=8).contains(&length) {
                return Err(("length", "a packed number has 1 to 8 octets".to_owned()));
            }
            let at = raw.at.unwrap_or(0);
            if at > 1024 {
                return Err(("at", format!("octet {at} lies beyond any data point")));
            }
            Shape::Packed {
                at,
                length,
                signed: raw.signed.unwrap_or(false),
                scale,
            }
        }
    })
}

/// State texts; the words of the device where nothing nicer is written.
fn labels(raw: &PointTable) -> Result<Vec<Label>, Problem> {
    let listed = |texts: &[String]| -> Vec<Label> {
        let texts = (0..).zip(texts);
        texts
            .map(|(state, text)| Label {
                state,
                text: text.clone(),
            })
            .collect()
    };
    let mut found = match (&raw.labels, &raw.values) {
        (None, None) => Vec::new(),
        (None, Some(words)) => listed(words),
        (Some(Labels::List(texts)), _) => listed(texts),
        (Some(Labels::Map(map)), _) => {
            let label = |(state, text): (&String, &String)| match state.parse() {
                Ok(state) => Ok(Label {
                    state,
                    text: text.clone(),
                }),
                Err(_) => Err(("labels", format!("'{state}' is not the number of a state"))),
            };
            map.iter().map(label).collect::<Result<Vec<_>, _>>()?
        }
    };
    if let (Some(words), true) = (&raw.values, raw.labels.is_some())
        && found.len() != words.len()
    {
        let problem = format!(
            "there are {} values and {} labels",
            words.len(),
            found.len()
        );
        return Err(("labels", problem));
    }
    found.sort_by_key(|l| l.state);
    Ok(found)
}
