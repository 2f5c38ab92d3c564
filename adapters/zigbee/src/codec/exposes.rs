//! `definition.exposes`: what a device can tell and be told. Owns the way from zigbee2mqtt's nested
//! features to a flat list, each with the place of its value in the state.
//!
//! Generic types are numeric, binary, enum, text, composite and list; light, switch, cover, lock,
//! climate and fan carry `features`. The place is the `property`, not the `name`: with several
//! endpoints they differ. A composite has a property of its own and its features lie inside.

use super::payload::{text, tidy};
use serde_json::Value as Json;

/// Features of one device, at most.
pub const FEATURES_MAX: usize = 512;
/// Levels of features in features, at most.
const DEPTH_MAX: usize = 6;
/// States of one enum, at most.
const STATES_MAX: usize = 256;
/// Longest property, in octets.
const PROPERTY_MAX: usize = 64;

/// One value of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Where its value lies in the state, outermost first; one level, or two and more in composites.
    pub path: Vec<String>,
    /// Name of the composite it is in; empty outside. Two may share a property, as colours do.
    pub within: String,
    /// The name people read.
    pub label: String,
    /// What it is part of.
    pub family: Family,
    /// What values it has.
    pub shape: Shape,
    /// It is in the published state.
    pub published: bool,
    /// It can be set.
    pub settable: bool,
    /// It can be asked for.
    pub gettable: bool,
    /// It is a setting or a diagnosis, not what the device is for.
    pub aside: bool,
}

/// What a feature is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Nothing in particular.
    Generic,
    /// A light.
    Light,
    /// A switch.
    Switch,
    /// A cover: blind, curtain, shutter.
    Cover,
    /// A lock.
    Lock,
    /// A thermostat.
    Climate,
    /// A fan.
    Fan,
}

/// What values a feature has.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A number.
    Numeric {
        /// Unit as zigbee2mqtt writes it.
        unit: Option<String>,
        /// Smallest value.
        min: Option<f64>,
        /// Largest value.
        max: Option<f64>,
        /// Step.
        step: Option<f64>,
    },
    /// Two states, each with what stands for it.
    Binary {
        /// What is "on": a bool, a text or a number.
        on: Json,
        /// What is "off".
        off: Json,
    },
    /// One of these.
    Enum(Vec<String>),
    /// Text.
    Text,
    /// A list; read as JSON text.
    List,
    /// Scenes to be recalled; the number of the state is the scene's.
    Scene,
}

impl Feature {
    /// The property in the state its value lies in or under.
    #[must_use]
    pub fn property(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// The event of a button or a remote: it happens, it does not last.
    #[must_use]
    pub fn is_action(&self) -> bool {
        let first = self.property();
        self.path.len() == 1
            && (first == "action" || first.starts_with("action_"))
            && matches!(self.shape, Shape::Enum(_) | Shape::Text)
            && !self.settable
    }
}

/// The flat list, and how many features were left out because something is wrong with them.
#[must_use]
pub fn flatten(exposes: &Json) -> (Vec<Feature>, usize) {
    let mut walk = Walk {
        found: Vec::new(),
        left_out: 0,
    };
    for expose in exposes.as_array().into_iter().flatten() {
        walk.visit(expose, &Above::default(), Family::Generic, 0);
    }
    (walk.found, walk.left_out)
}

/// What lies around a feature.
#[derive(Debug, Clone, Default)]
struct Above {
    path: Vec<String>,
    within: String,
}

struct Walk {
    found: Vec<Feature>,
    left_out: usize,
}

impl Walk {
    fn visit(&mut self, expose: &Json, above: &Above, family: Family, depth: usize) {
        if depth > DEPTH_MAX || self.found.len() >= FEATURES_MAX {
            self.left_out += 1;
            return;
        }
        let kind = expose
            .get("type")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let specific = match kind {
            "light" => Some(Family::Light),
            "switch" => Some(Family::Switch),
            "cover" => Some(Family::Cover),
            "lock" => Some(Family::Lock),
            "climate" => Some(Family::Climate),
            "fan" => Some(Family::Fan),
            _ => None,
        };
        let features = expose.get("features").and_then(Json::as_array);
        if specific.is_some() || (features.is_some() && kind != "list") {
            let mut inner = above.clone();
            if specific.is_none()
                && let Some(property) = property(expose)
            {
                inner.within = text(expose, "name").unwrap_or_else(|| property.clone());
                inner.path.push(property);
            }
            for feature in features.into_iter().flatten() {
                self.visit(feature, &inner, specific.unwrap_or(family), depth + 1);
            }
            return;
        }
        match leaf(expose, kind, above, family) {
            Some(feature) if self.found.iter().any(|f| f.path == feature.path) => {}
            Some(feature) => self.found.push(feature),
            None => self.left_out += 1,
        }
    }
}

fn property(expose: &Json) -> Option<String> {
    let named = expose.get("property").or_else(|| expose.get("name"))?;
    let named = named.as_str()?;
    (!named.is_empty() && named.len() <= PROPERTY_MAX).then(|| named.to_owned())
}

fn leaf(expose: &Json, kind: &str, above: &Above, family: Family) -> Option<Feature> {
    let mut path = above.path.clone();
    path.push(property(expose)?);
    let number = |key: &str| expose.get(key)?.as_f64().filter(|x| x.is_finite());
    let shape = match kind {
        "numeric" => Shape::Numeric {
            unit: text(expose, "unit").filter(|u| !u.is_empty()),
            min: number("value_min"),
            max: number("value_max"),
            step: number("value_step").filter(|s| *s > 0.0),
        },
        "binary" => two_states(expose)?,
        "enum" => Shape::Enum(states(expose.get("values")?)),
        "text" => Shape::Text,
        "list" | "composite" => Shape::List,
        _ => return None,
    };
    let access = expose.get("access").and_then(Json::as_u64).unwrap_or(1);
    let label = text(expose, "label").filter(|l| !l.trim().is_empty());
    let endpoint = text(expose, "endpoint").map(|e| format!(" ({e})"));
    let label = label.unwrap_or_else(|| tidy(&path.join(" ")));
    Some(Feature {
        label: match endpoint {
            Some(endpoint) if !label.contains(endpoint.trim_matches([' ', '(', ')'])) => {
                label + &endpoint
            }
            _ => label,
        },
        path,
        within: above.within.clone(),
        family,
        shape,
        published: access & 1 != 0,
        settable: access & 2 != 0,
        gettable: access & 4 != 0,
        aside: expose.get("category").is_some_and(Json::is_string),
    })
}

/// What stands for "on" and "off". Where both are bools the value is what is said: a contact that is
/// `true` is closed, though its `value_on`, the state worth a notice, is `false`.
fn two_states(expose: &Json) -> Option<Shape> {
    let (on, off) = (
        scalar(expose.get("value_on"))?,
        scalar(expose.get("value_off"))?,
    );
    Some(if on.is_boolean() && off.is_boolean() {
        Shape::Binary {
            on: Json::Bool(true),
            off: Json::Bool(false),
        }
    } else {
        Shape::Binary { on, off }
    })
}

/// What may stand for a state: a bool, a short text or a number.
fn scalar(value: Option<&Json>) -> Option<Json> {
    match value? {
        Json::String(text) if text.len() <= PROPERTY_MAX => Some(Json::String(text.clone())),
        plain @ (Json::Bool(_) | Json::Number(_)) => Some(plain.clone()),
        _ => None,
    }
}

fn states(values: &Json) -> Vec<String> {
    let mut states: Vec<String> = Vec::new();
    for value in values.as_array().into_iter().flatten() {
        let state = match value {
            Json::String(text) => tidy(text),
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            _ => continue,
        };
        if states.len() < STATES_MAX && !states.contains(&state) {
            states.push(state);
        }
    }
    states
}
