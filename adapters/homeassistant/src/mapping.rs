//! What an entity is in Riser's words: its points with units, ranges and access, the readings of a
//! state, and the service call a write becomes. Pure. Owns the table of supported domains.
//!
//! Sources: the entity models of Home Assistant,
//! <https://developers.home-assistant.io/docs/core/entity>, and the services of its integrations.

use crate::codec::State;
use riser_model::{Access, Label, Limits, Quality, Reason, Unit, Value, ValueKind};
use serde_json::{Map, json};

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
    match state.text("device_class") {
        Some("enum") => choice(&state.list("options"), known, Access::Read),
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

/// What a state says of a point of its entity.
#[must_use]
pub fn read(plan: &Plan, state: &State) -> Seen {
    let bad = |reason| Seen {
        value: None,
        quality: Quality::bad(reason),
    };
    match state.state.as_str() {
        "unavailable" => return bad(Reason::DeviceDown),
        "unknown" if plan.aspect.suffix().is_none() => return bad(Reason::NotAvailable),
        _ => {}
    }
    match value(plan, state) {
        Ok(value) => Seen {
            value: Some(value),
            quality: Quality::GOOD,
        },
        Err(reason) => bad(reason),
    }
}

fn value(plan: &Plan, state: &State) -> Result<Value, Reason> {
    let text = state.state.as_str();
    let number = |attribute: &str| {
        let number = state.number(attribute).map(Value::Float);
        number.ok_or(Reason::NotAvailable)
    };
    let one_of = |text: &str| {
        let at = plan.options.iter().position(|option| option == text);
        let at = at.and_then(|at| i64::try_from(at).ok());
        at.map(Value::Int).ok_or(Reason::OutOfRange)
    };
    match plan.aspect {
        Aspect::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(Reason::Undecodable),
        },
        Aspect::Flag => match text {
            "on" => Ok(Value::Bool(true)),
            "off" => Ok(Value::Bool(false)),
            _ => Err(Reason::Undecodable),
        },
        Aspect::Lock => match text {
            "locked" => Ok(Value::Bool(true)),
            "unlocked" | "open" | "opening" | "unlocking" | "locking" => Ok(Value::Bool(false)),
            "jammed" => Err(Reason::Fault),
            _ => Err(Reason::Undecodable),
        },
        Aspect::Choice => one_of(text),
        Aspect::Text => Ok(Value::text(text)),
        // A light that is off has no brightness: it is dark.
        Aspect::Brightness if text == "off" => Ok(Value::Float(0.0)),
        Aspect::Brightness => {
            let raw = state.number("brightness").ok_or(Reason::NotAvailable)?;
            Ok(Value::Float((raw / 2.55).round()))
        }
        Aspect::Speed if text == "off" => Ok(Value::Float(0.0)),
        Aspect::Speed => number("percentage"),
        Aspect::Position | Aspect::Opening => number("current_position"),
        Aspect::Temperature => number("current_temperature"),
        Aspect::Humidity => number("current_humidity"),
        Aspect::Setpoint => number("temperature"),
        Aspect::Action => one_of(state.text("hvac_action").ok_or(Reason::NotAvailable)?),
    }
}

/// The service call a write of a value becomes.
///
/// # Errors
/// Why it cannot be written, in words.
pub fn call(plan: &Plan, entity: &str, value: &Value) -> Result<Call, String> {
    let domain = entity.split('.').next().unwrap_or_default();
    let call = |service, data: serde_json::Value| {
        let data = match data {
            serde_json::Value::Object(data) => data,
            _ => Map::new(),
        };
        Ok(Call {
            domain: domain.to_owned(),
            service,
            data,
        })
    };
    let not = |wanted: &str| format!("{entity} takes {wanted}, not '{value}'");
    let number = || {
        value
            .as_f64()
            .filter(|n| n.is_finite())
            .ok_or_else(|| not("a number"))
    };
    let truth = || match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Int(state @ (0 | 1)) => Ok(*state == 1),
        _ => Err(not("on or off")),
    };
    let option = || {
        let at = match value {
            Value::Int(at) => usize::try_from(*at).ok(),
            _ => None,
        };
        at.and_then(|at| plan.options.get(at))
            .ok_or_else(|| not("one of its states"))
    };
    if !plan.access.writable() {
        return Err(format!("{entity} can only be read"));
    }
    match plan.aspect {
        Aspect::Number => call("set_value", json!({"value": number()?})),
        Aspect::Text => match value {
            Value::Text(text) => call("set_value", json!({"value": &**text})),
            _ => Err(not("a text")),
        },
        Aspect::Flag if truth()? => call("turn_on", json!({})),
        Aspect::Flag => call("turn_off", json!({})),
        Aspect::Lock if truth()? => call("lock", json!({})),
        Aspect::Lock => call("unlock", json!({})),
        Aspect::Choice if domain == "climate" => {
            call("set_hvac_mode", json!({"hvac_mode": option()?}))
        }
        Aspect::Choice => call("select_option", json!({"option": option()?})),
        Aspect::Brightness => call("turn_on", json!({"brightness_pct": number()?})),
        Aspect::Speed => call("set_percentage", json!({"percentage": number()?})),
        Aspect::Position => call("set_cover_position", json!({"position": number()?})),
        Aspect::Opening => call("set_valve_position", json!({"position": number()?})),
        Aspect::Setpoint => call("set_temperature", json!({"temperature": number()?})),
        Aspect::Temperature | Aspect::Humidity | Aspect::Action => {
            Err(format!("{entity} can only be read"))
        }
    }
}

/// Whether what an entity shows is what was written: steps and percent are rounded on the way.
#[must_use]
pub fn shows(plan: &Plan, seen: &Value, wanted: &Value) -> bool {
    let (Some(seen), Some(wanted)) = (seen.as_f64(), wanted.as_f64()) else {
        return seen == wanted;
    };
    let step = plan.limits.step.unwrap_or(0.0).max(0.0);
    let room = (step / 2.0).max(wanted.abs() * 1e-6);
    (seen - wanted).abs() <= room + 1e-9
}
