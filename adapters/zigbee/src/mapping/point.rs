//! A point for a feature: key, name, kind, unit, range, states. Owns how keys are made, so that they
//! stay the same whatever a device is called.

use super::unit;
use crate::codec::{Feature, Shape};
use riser_model::{Access, Key, Label, Limits, Point, PointPath, ValueKind};
use serde_json::Value as Json;

/// Whose point it is.
#[derive(Debug, Clone, Copy)]
pub struct EntityName<'a> {
    /// Key of the device or group.
    pub key: &'a Key,
    /// Its name.
    pub name: &'a str,
    /// Age after which its values are stale, in milliseconds.
    pub stale_ms: u32,
}

/// The key of a feature within its device.
#[must_use]
pub fn key_of(feature: &Feature) -> Key {
    Key::slug(&feature.path.join("_"))
}

/// The point of a feature. A feature that is neither published nor settable has none.
#[must_use]
pub fn build(feature: &Feature, of: EntityName<'_>) -> Option<Point> {
    let access = match (feature.published || feature.gettable, feature.settable) {
        (true, true) => Access::ReadWrite,
        (true, false) => Access::Read,
        (false, true) => Access::Write,
        (false, false) => return None,
    };
    let mut point = Point {
        path: PointPath::new(of.key.clone(), key_of(feature)),
        name: feature.label.clone(),
        device_name: of.name.to_owned(),
        kind: ValueKind::Text,
        unit: None,
        access,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: of.stale_ms,
    };
    match &feature.shape {
        Shape::Numeric {
            unit,
            min,
            max,
            step,
        } => {
            point.kind = ValueKind::Float;
            point.limits = limits(*min, *max, *step);
            number_unit(&mut point, unit.as_deref());
        }
        Shape::Binary { on, off } => {
            point.kind = ValueKind::Bool;
            point.labels = two_states(on, off);
        }
        Shape::Enum(states) => {
            point.kind = ValueKind::Enum;
            point.labels = states_of(feature, states);
        }
        // Its states are the scenes there are; whoever knows them puts them in.
        Shape::Scene => point.kind = ValueKind::Enum,
        Shape::List if !feature.published => return None,
        Shape::Text => {}
        // What goes into a list is not told well enough to write one.
        Shape::List => point.access = Access::Read,
    }
    Some(point)
}

fn limits(min: Option<f64>, max: Option<f64>, step: Option<f64>) -> Limits {
    let turned = matches!((min, max), (Some(a), Some(b)) if a > b);
    Limits {
        min: min.filter(|_| !turned),
        max: max.filter(|_| !turned),
        step,
    }
}

fn number_unit(point: &mut Point, text: Option<&str>) {
    let Some(text) = text else { return };
    point.unit = unit::known(text);
    if point.unit.is_none() && !text.eq_ignore_ascii_case("lqi") {
        point.name = format!("{} ({text})", point.name);
    }
}

/// States a person would not guess from "on" and "off" get their words.
fn two_states(on: &Json, off: &Json) -> Vec<Label> {
    match (on, off) {
        (Json::String(on), Json::String(off)) => [off, on]
            .into_iter()
            .zip(0..)
            .map(|(text, state)| Label {
                state,
                text: text.clone(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// States are numbered in their order; those of an action from 1, as 0 is "nothing happens".
fn states_of(feature: &Feature, states: &[String]) -> Vec<Label> {
    let idle = feature.is_action().then(|| Label {
        state: 0,
        text: "none".to_owned(),
    });
    let first = i64::from(idle.is_some());
    let states = (first..).zip(states).map(|(state, text)| Label {
        state,
        text: text.clone(),
    });
    idle.into_iter().chain(states).collect()
}
