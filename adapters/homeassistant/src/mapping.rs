//! What an entity is in Riser's words: its points with units, ranges and access, the readings of a
//! state, and the service call a write becomes. Pure. Owns the table of supported domains.
//!
//! Sources: the entity models of Home Assistant,
//! <https://developers.home-assistant.io/docs/core/entity>, and the services of its integrations.

mod service;
mod values;

pub use service::call;
pub use values::{read, shows};

use crate::codec::State;
use riser_model::{Access, Label, Limits, Quality, Unit, Value, ValueKind};
use serde_json::Map;

/// Most options an entity may have.
const OPTIONS: usize = 256;

/// One point an entity becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What of the entity it is.
    pub aspect: Aspect,
    /// Type of the value.
    pub kind: ValueKind,
    /// Unit, where Home Assistant names one that is known.
    pub unit: Option<Unit>,
    /// What may be done with it.
    pub access: Access,
    /// Range, where the entity has one.
    pub limits: Limits,
    /// State texts, numbered.
    pub labels: Vec<Label>,
    /// The text of each state as Home Assistant writes it, by number; empty unless an enum.
    pub options: Vec<String>,
}

/// What of an entity a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// The state, a number.
    Number,
    /// The state, on or off.
    Flag,
    /// The state, open or closed to keys.
    Lock,
    /// The state, one of some.
    Choice,
    /// The state, a text.
    Text,
    /// Brightness of a light.
    Brightness,
    /// Speed of a fan.
    Speed,
    /// Position of a cover.
    Position,
    /// Position of a valve.
    Opening,
    /// Temperature a climate entity measures.
    Temperature,
    /// Humidity a climate entity measures.
    Humidity,
    /// Temperature a climate entity is to reach.
    Setpoint,
    /// What a climate entity is doing.
    Action,
}

impl Aspect {
    /// What is put behind the entity's own key and name; nothing for its state.
    #[must_use]
    pub fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Number | Self::Flag | Self::Lock | Self::Choice | Self::Text => None,
            Self::Brightness => Some("brightness"),
            Self::Speed => Some("speed"),
            Self::Position | Self::Opening => Some("position"),
            Self::Temperature => Some("temperature"),
            Self::Humidity => Some("humidity"),
            Self::Setpoint => Some("setpoint"),
            Self::Action => Some("action"),
        }
    }
}

/// What a state says of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The value, if there is one.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

/// A call of one of Home Assistant's services.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Domain of the service.
    pub domain: String,
    /// Its name.
    pub service: &'static str,
    /// Its parameters, besides the entity.
    pub data: Map<String, serde_json::Value>,
}

/// The points an entity becomes; none for one that is not supported. `known` are the options it had
/// before, in the order of their numbers: numbers never change their meaning.
#[must_use]
pub fn plans(state: &State, known: &[String]) -> Vec<Plan> {
    match state.domain() {
        "sensor" => vec![sensor(state, known)],
        "binary_sensor" => vec![flag(Access::Read)],
        "switch" | "input_boolean" | "siren" | "humidifier" => vec![flag(Access::ReadWrite)],
        "light" => light(state),
        "fan" => with(state, "percentage", flag(Access::ReadWrite), Aspect::Speed),
        "number" | "input_number" => vec![setting(state)],
        "text" | "input_text" => vec![plan(Aspect::Text, ValueKind::Text, Access::ReadWrite)],
        "select" | "input_select" => {
            vec![choice(&state.list("options"), known, Access::ReadWrite)]
        }
        "lock" => vec![Plan {
            aspect: Aspect::Lock,
            labels: labels(["unlocked", "locked"]),
            ..flag(Access::ReadWrite)
        }],
        "cover" => with(state, "current_position", moving(known), Aspect::Position),
        "valve" => with(state, "current_position", moving(known), Aspect::Opening),
        "climate" => climate(state, known),
        _ => Vec::new(),
    }
}

fn labels<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Label> {
    let label = |(state, text): (i64, &str)| Label {
        state,
        text: text.to_owned(),
    };
    (0..).zip(texts).map(label).collect()
}

fn plan(aspect: Aspect, kind: ValueKind, access: Access) -> Plan {
    Plan {
        aspect,
        kind,
        unit: None,
        access,
        limits: Limits::default(),
        labels: Vec::new(),
        options: Vec::new(),
    }
}

fn flag(access: Access) -> Plan {
    Plan {
        labels: labels(["off", "on"]),
        ..plan(Aspect::Flag, ValueKind::Bool, access)
    }
}

fn percent(aspect: Aspect) -> Plan {
    Plan {
        unit: unit("%"),
        limits: Limits {
            min: Some(0.0),
            max: Some(100.0),
            step: Some(1.0),
        },
        ..plan(aspect, ValueKind::Float, Access::ReadWrite)
    }
}

/// An enum whose options keep the numbers they had; new ones come after them.
fn choice(options: &[String], known: &[String], access: Access) -> Plan {
    let mut all: Vec<String> = known.to_vec();
    all.extend(options.iter().filter(|o| !known.contains(o)).cloned());
    all.truncate(OPTIONS);
    Plan {
        labels: labels(all.iter().map(String::as_str)),
        options: all,
        ..plan(Aspect::Choice, ValueKind::Enum, access)
    }
}

/// The states of what opens and closes.
fn moving(known: &[String]) -> Plan {
    let states = ["closed", "closing", "opening", "open"].map(str::to_owned);
    choice(&states, known, Access::Read)
}

/// A plan, and one in percent where the entity can be set in steps.
fn with(state: &State, attribute: &str, first: Plan, aspect: Aspect) -> Vec<Plan> {
    match state.attributes.contains_key(attribute) {
        true => vec![first, percent(aspect)],
        false => vec![first],
    }
}

fn sensor(state: &State, known: &[String]) -> Plan {
    let unit_text = state.text("unit_of_measurement");
    if unit_text.is_some() || state.attributes.contains_key("state_class") {
        return Plan {
            unit: unit_text.and_then(unit),
            ..plan(Aspect::Number, ValueKind::Float, Access::Read)
        };
    }
    let options = state.list("options");
    match state.text("device_class") {
        // Some integrations (MQTT before 2024.11) say that there are states and not which.
        Some("enum") if !(options.is_empty() && known.is_empty()) => {
            choice(&options, known, Access::Read)
        }
        _ => plan(Aspect::Text, ValueKind::Text, Access::Read),
    }
}

fn setting(state: &State) -> Plan {
    Plan {
        unit: state.text("unit_of_measurement").and_then(unit),
        limits: Limits {
            min: state.number("min"),
            max: state.number("max"),
            step: state.number("step"),
        },
        ..plan(Aspect::Number, ValueKind::Float, Access::ReadWrite)
    }
}

/// Only a light that can be dimmed has a brightness, also while it is off.
fn light(state: &State) -> Vec<Plan> {
    let modes = state.list("supported_color_modes");
    let dims = modes
        .iter()
        .any(|mode| !matches!(mode.as_str(), "onoff" | "unknown"));
    match dims {
        true => vec![flag(Access::ReadWrite), percent(Aspect::Brightness)],
        false => vec![flag(Access::ReadWrite)],
    }
}

fn climate(state: &State, known: &[String]) -> Vec<Plan> {
    // The states of all climate entities are in the unit system of the whole installation.
    let degrees = state
        .text("temperature_unit")
        .and_then(unit)
        .or_else(|| unit("°C"));
    let mut plans = vec![choice(&state.list("hvac_modes"), known, Access::ReadWrite)];
    let measured = |aspect, unit| Plan {
        unit,
        ..plan(aspect, ValueKind::Float, Access::Read)
    };
    let has = |attribute: &str| state.attributes.contains_key(attribute);
    if has("current_temperature") {
        plans.push(measured(Aspect::Temperature, degrees));
    }
    if has("current_humidity") {
        plans.push(measured(Aspect::Humidity, unit("%RH")));
    }
    if has("temperature") {
        plans.push(Plan {
            access: Access::ReadWrite,
            limits: Limits {
                min: state.number("min_temp"),
                max: state.number("max_temp"),
                step: state.number("target_temp_step"),
            },
            ..measured(Aspect::Setpoint, degrees)
        });
    }
    if has("hvac_action") {
        let actions = [
            "off",
            "idle",
            "heating",
            "cooling",
            "drying",
            "fan",
            "preheating",
            "defrosting",
        ];
        plans.push(Plan {
            aspect: Aspect::Action,
            ..choice(&actions.map(str::to_owned), &[], Access::Read)
        });
    }
    plans
}

/// Home Assistant's spelling of a unit as one of the table; `None` when the table has none like it.
fn unit(text: &str) -> Option<Unit> {
    let symbol = match text {
        "L" => "l",
        "L/min" => "l/min",
        "L/h" => "l/h",
        "L/s" => "l/s",
        "μg/m³" => "µg/m³",
        "m3" => "m³",
        "m3/h" => "m³/h",
        "F" => "°F",
        "C" => "°C",
        other => other,
    };
    Unit::parse(symbol).ok()
}
