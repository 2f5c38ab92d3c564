//! `[[device.point]]`: one property of one object.

use super::{DeviceConfig, millis};
use crate::codec::service::property::Reference;
use crate::codec::{ObjectId, ObjectType, PropertyId};
use riser_adapter::{ConfigError, config::nearest, config::parse};
use riser_model::{Access, Key, Label, Limits, Point, PointPath, Unit, ValueKind};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// One point, checked.
#[derive(Debug, Clone)]
pub struct PointConfig {
    /// What others see of it.
    pub point: Arc<Point>,
    /// What is read.
    pub reference: Reference,
    /// Whether changes are subscribed to.
    pub cov: bool,
    /// How often it is read.
    pub interval: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointTable {
    key: Key,
    object: String,
    property: Option<String>,
    index: Option<u32>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<ValueKind>,
    unit: Option<String>,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    states: Vec<String>,
    deadband: Option<f64>,
    interval_ms: Option<u64>,
    cov: Option<bool>,
    stale_after_ms: Option<u32>,
}

/// The kind of value an object's present value has; `None` for objects that have none.
#[must_use]
pub fn kind_of(object: ObjectType) -> Option<ValueKind> {
    Some(match object {
        ObjectType::ANALOG_INPUT
        | ObjectType::ANALOG_OUTPUT
        | ObjectType::ANALOG_VALUE
        | ObjectType::LARGE_ANALOG_VALUE
        | ObjectType::LOOP
        | ObjectType::PULSE_CONVERTER
        | ObjectType::LIGHTING_OUTPUT => ValueKind::Float,
        ObjectType::BINARY_INPUT
        | ObjectType::BINARY_OUTPUT
        | ObjectType::BINARY_VALUE
        | ObjectType::CALENDAR => ValueKind::Bool,
        ObjectType::MULTI_STATE_INPUT
        | ObjectType::MULTI_STATE_OUTPUT
        | ObjectType::MULTI_STATE_VALUE
        | ObjectType::LIFE_SAFETY_POINT
        | ObjectType::LIFE_SAFETY_ZONE => ValueKind::Enum,
        ObjectType::INTEGER_VALUE
        | ObjectType::POSITIVE_INTEGER_VALUE
        | ObjectType::ACCUMULATOR => ValueKind::Integer,
        ObjectType::CHARACTERSTRING_VALUE
        | ObjectType::DATE_VALUE
        | ObjectType::TIME_VALUE
        | ObjectType::DATETIME_VALUE
        | ObjectType::BITSTRING_VALUE => ValueKind::Text,
        _ => return None,
    })
}

pub(super) fn build(
    at: &str,
    table: &toml::Table,
    device: &DeviceConfig,
) -> Result<PointConfig, ConfigError> {
    let raw: PointTable = parse(at, table)?;
    let reference = reference(at, &raw)?;
    let present = reference.property == PropertyId::PRESENT_VALUE;
    let own = kind_of(reference.object.kind()).filter(|_| present);
    let Some(kind) = raw.kind.or(own) else {
        let problem = format!(
            "what type {reference} has is not known; write type = \"float\", \"integer\", \"bool\", \"enum\" or \"text\""
        );
        return Err(ConfigError::new(format!("{at}.type"), problem));
    };
    let unit = raw.unit.as_deref().map(Unit::parse).transpose();
    let unit = unit.map_err(|e| ConfigError::new(format!("{at}.unit"), e.to_string()))?;
    let cov = raw.cov.unwrap_or(device.cov && present);
    if cov && !present {
        let problem = "changes are told of present values only; take cov out".to_owned();
        return Err(ConfigError::new(format!("{at}.cov"), problem));
    }
    let interval = match raw.interval_ms {
        Some(_) => millis(at, "interval_ms", raw.interval_ms, 0, (20, 86_400_000))?,
        None => device.interval,
    };
    let point = Point {
        name: raw.name.clone().unwrap_or_else(|| raw.key.to_string()),
        path: PointPath::new(device.key.clone(), raw.key),
        device_name: device.name.clone(),
        kind,
        unit,
        access: raw.access,
        limits: raw.limits,
        labels: labels(kind, &raw.states),
        deadband: raw.deadband,
        stale_after_ms: raw
            .stale_after_ms
            .unwrap_or_else(|| device.stale_after_ms(cov)),
    };
    Ok(PointConfig {
        point: Arc::new(point),
        reference,
        cov,
        interval,
    })
}

fn reference(at: &str, raw: &PointTable) -> Result<Reference, ConfigError> {
    let Some(object) = ObjectId::parse(&raw.object) else {
        let kind = raw.object.split([':', ',']).next().unwrap_or_default();
        let hint = match nearest(kind, ObjectType::names()) {
            Some(near) => format!("; did you mean '{near}'?"),
            None => String::new(),
        };
        let problem = format!(
            "'{}' is no object; write type:instance, such as analog-input:1 or ai:1{hint}",
            raw.object
        );
        return Err(ConfigError::new(format!("{at}.object"), problem));
    };
    let property = match &raw.property {
        None => PropertyId::PRESENT_VALUE,
        Some(text) => PropertyId::parse(text).ok_or_else(|| {
            let near = nearest(text, PropertyId::names()).unwrap_or("present-value");
            let problem = format!(
                "'{text}' is no property; write its name or number; did you mean '{near}'?"
            );
            ConfigError::new(format!("{at}.property"), problem)
        })?,
    };
    Ok(Reference {
        object,
        property,
        index: raw.index,
    })
}

/// Texts of states; those of two-state points count from 0, those of others from 1.
pub(crate) fn labels(kind: ValueKind, states: &[String]) -> Vec<Label> {
    let first = i64::from(kind != ValueKind::Bool);
    (first..)
        .zip(states)
        .map(|(state, text)| Label {
            state,
            text: text.clone(),
        })
        .collect()
}
