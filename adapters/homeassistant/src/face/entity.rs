//! A point as an entity of Home Assistant: which component it is, its description, its state, and what
//! a command means. Pure.

use super::config::Names;
use super::units::told;
use riser_model::{Level, Point, PointPath, PointView, Value, ValueKind};
use serde_json::{Map, Value as Json, json};
use std::fmt;

/// Longest state Home Assistant keeps, in characters.
const STATE_MAX: usize = 255;
/// Bounds of a number that names none: Home Assistant's own would be 1 to 100.
const WIDEST: f64 = 1e9;
/// Smallest step Home Assistant takes.
const FINEST: f64 = 0.001;
/// Digits after the point where the step of a point says nothing.
const DIGITS: u32 = 2;

/// What a point is in Home Assistant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// A value that is read.
    Sensor,
    /// Two states that are read.
    BinarySensor,
    /// A number that is written.
    Number,
    /// Two states that are written.
    Switch,
    /// One of several states that is written.
    Select,
    /// A text that is written.
    Text,
}

impl Component {
    /// What a point is.
    #[must_use]
    pub fn of(point: &Point, writable: bool) -> Self {
        match (point.kind, writable && point.access.writable()) {
            (ValueKind::Bool, false) => Self::BinarySensor,
            (ValueKind::Bool, true) => Self::Switch,
            (_, false) => Self::Sensor,
            (ValueKind::Integer | ValueKind::Float, true) => Self::Number,
            (ValueKind::Enum, true) if point.labels.is_empty() => Self::Number,
            (ValueKind::Enum, true) => Self::Select,
            (ValueKind::Text, true) => Self::Text,
        }
    }

    /// Its name in topics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::BinarySensor => "binary_sensor",
            Self::Number => "number",
            Self::Switch => "switch",
            Self::Select => "select",
            Self::Text => "text",
        }
    }

    /// Every one.
    pub(super) const ALL: [Self; 6] = [
        Self::Sensor,
        Self::BinarySensor,
        Self::Number,
        Self::Switch,
        Self::Select,
        Self::Text,
    ];
}

/// The topics and identities of one gateway.
impl Names {
    /// A point's name in topics. A key has no capital, so the one in between tells where it ends.
    #[must_use]
    pub fn object(path: &PointPath) -> String {
        format!("{}-P-{}", path.device.as_str(), path.point.as_str())
    }

    /// Where the gateway says whether it is there.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}/{}/status", self.base, self.node)
    }

    /// A topic of a point: `state`, `set` or `release`.
    #[must_use]
    pub fn topic(&self, object: &str, what: &str) -> String {
        format!("{}/{}/{object}/{what}", self.base, self.node)
    }

    /// Where an entity is described.
    #[must_use]
    pub fn config(&self, component: &str, object: &str) -> String {
        format!("{}/{component}/{}/{object}/config", self.prefix, self.node)
    }

    fn identity(&self, of: &str) -> String {
        format!("riser_{}_{of}", self.node)
    }

    fn origin() -> Json {
        json!({"name": "Riser", "sw_version": env!("CARGO_PKG_VERSION")})
    }

    /// The gateway itself: a device of its own that the others hang below, with whether it is there.
    #[must_use]
    pub fn gateway(&self) -> (String, String) {
        let config = json!({
            "name": "Connection", "unique_id": self.identity("status"),
            "device_class": "connectivity", "entity_category": "diagnostic",
            "state_topic": self.status(), "payload_on": "online", "payload_off": "offline", "qos": 1,
            "device": {"identifiers": [format!("riser_{}", self.node)], "name": self.name,
                "manufacturer": "Riser", "model": "Gateway", "sw_version": env!("CARGO_PKG_VERSION")},
            "origin": Self::origin(),
        });
        (self.config("binary_sensor", "status"), config.to_string())
    }

    /// The description of a point.
    #[must_use]
    pub fn describe(&self, point: &Point, component: Component) -> String {
        let object = Self::object(&point.path);
        let state = self.topic(&object, "state");
        let device = point.path.device.as_str();
        let there = json!([{"topic": self.status()},
            {"topic": state, "value_template": "{{ value_json.available }}"}]);
        let common = json!({
            "name": point.name, "unique_id": self.identity(&object),
            "state_topic": state, "value_template": "{{ value_json.value }}",
            "json_attributes_topic": state, "json_attributes_template": "{{ value_json.about | tojson }}",
            "availability": there, "availability_mode": "all", "qos": 1,
            "device": {"identifiers": [self.identity(&format!("D-{device}"))], "name": point.device_name,
                "manufacturer": "Riser", "model": device, "via_device": format!("riser_{}", self.node)},
            "origin": Self::origin(),
        });
        let Json::Object(mut config) = common else {
            return String::new();
        };
        if !matches!(component, Component::Sensor | Component::BinarySensor) {
            config.insert("command_topic".into(), self.topic(&object, "set").into());
        }
        particulars(&mut config, point, component);
        Json::Object(config).to_string()
    }
}

fn particulars(config: &mut Map<String, Json>, point: &Point, component: Component) {
    let mut put = |key: &str, value: Json| {
        config.insert(key.to_owned(), value);
    };
    match component {
        Component::BinarySensor | Component::Switch => {
            put("payload_on", "ON".into());
            put("payload_off", "OFF".into());
        }
        Component::Select => put("options", options(point).into()),
        Component::Text => put("max", STATE_MAX.into()),
        Component::Sensor if states(point) => {
            put("device_class", "enum".into());
            put("options", options(point).into());
        }
        Component::Sensor if point.kind == ValueKind::Text => {}
        Component::Sensor => {
            number(&mut put, point);
            put("state_class", told(point.unit).state.into());
            if point.kind == ValueKind::Float {
                put("suggested_display_precision", digits(point).into());
            }
        }
        Component::Number => {
            number(&mut put, point);
            let whole = point.kind != ValueKind::Float;
            let step = point.limits.step.filter(|s| s.is_finite() && *s >= FINEST);
            let least = point.limits.min.unwrap_or(-WIDEST);
            put("min", least.into());
            put(
                "max",
                point
                    .limits
                    .max
                    .filter(|m| *m > least)
                    .unwrap_or(least.abs().max(WIDEST))
                    .into(),
            );
            put(
                "step",
                step.unwrap_or(if whole { 1.0 } else { FINEST }).into(),
            );
            put("mode", "box".into());
        }
    }
}

fn number(put: &mut impl FnMut(&str, Json), point: &Point) {
    let told = told(point.unit);
    if let Some(unit) = told.unit {
        put("unit_of_measurement", unit.into());
    }
    if let Some(class) = told.class {
        put("device_class", class.into());
    }
}

fn digits(point: &Point) -> u32 {
    let Some(step) = point.limits.step.filter(|s| *s > 0.0) else {
        return DIGITS;
    };
    (0..6)
        .find(|n| {
            let scaled = step * 10_f64.powi(*n);
            (scaled - scaled.round()).abs() < 1e-6
        })
        .map_or(6, i32::unsigned_abs)
}

/// Whether it is shown by the texts of its states.
fn states(point: &Point) -> bool {
    point.kind == ValueKind::Enum && !point.labels.is_empty()
}

/// The texts of its states, each once: two of the same text are told apart by their numbers.
fn options(point: &Point) -> Vec<String> {
    point
        .labels
        .iter()
        .map(|l| option(point, l.state))
        .map(Option::unwrap_or_default)
        .collect()
}

fn option(point: &Point, state: i64) -> Option<String> {
    let label = point.labels.iter().find(|l| l.state == state)?;
    let text = cut(&label.text);
    let same = point.labels.iter().filter(|l| cut(&l.text) == text).count();
    Some(match same {
        1 if !text.is_empty() => text,
        _ => cut(&format!("{state} {text}")),
    })
}

fn cut(text: &str) -> String {
    match text.chars().count() {
        0..=STATE_MAX => text.to_owned(),
        _ => text.chars().take(STATE_MAX - 1).chain(['…']).collect(),
    }
}

/// The present state of a point, and what came of the last write of it.
#[must_use]
pub fn state(view: &PointView, component: Component, last_write: Option<&str>) -> String {
    let value = view
        .value
        .as_ref()
        .and_then(|v| shown(&view.point, component, v));
    let usable = value.is_some() && view.quality.level != Level::Bad;
    let (level, reason) = (view.quality.level, view.quality.reason);
    let mut about = json!({"quality": level, "point": view.point.path.to_string(),
        "stamp": view.at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok()).map(|at| at.to_string())});
    if let Some(reason) = reason {
        about["reason"] = json!(reason);
    }
    if let Some(last) = last_write {
        about["last_write"] = json!(last);
    }
    let available = if usable { "online" } else { "offline" };
    json!({"value": value, "available": available, "about": about}).to_string()
}

fn shown(point: &Point, component: Component, value: &Value) -> Option<Json> {
    match (component, value) {
        (Component::BinarySensor | Component::Switch, value) => {
            let on = value.as_f64()? != 0.0;
            Some(if on { "ON" } else { "OFF" }.into())
        }
        (_, Value::Int(state)) if states(point) => option(point, *state).map(Json::from),
        (_, Value::Int(whole)) => Some((*whole).into()),
        (_, Value::Float(real)) => real.is_finite().then(|| (*real).into()),
        (_, Value::Bool(flag)) => Some((*flag).into()),
        (_, Value::Text(text)) => Some(cut(text).into()),
    }
}

/// A command that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not {wanted}")]
pub struct NoCommand {
    given: String,
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    OnOff,
    Number,
    Whole,
    State,
    Text,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnOff => "ON or OFF",
            Self::Number => "a number",
            Self::Whole => "a whole number",
            Self::State => "one of the point's states",
            Self::Text => "a text of at most 255 characters",
        })
    }
}

/// The value a command asks for. Limits are the gateway's to check.
///
/// # Errors
/// When it is none for this point.
pub fn command(point: &Point, component: Component, payload: &[u8]) -> Result<Value, NoCommand> {
    let no = |wanted| NoCommand {
        given: String::from_utf8_lossy(payload).chars().take(40).collect(),
        wanted,
    };
    let text = std::str::from_utf8(payload);
    match component {
        Component::Switch => match payload {
            b"ON" => Ok(Value::Bool(true)),
            b"OFF" => Ok(Value::Bool(false)),
            _ => Err(no(Wanted::OnOff)),
        },
        Component::Number => {
            let number: Option<f64> = text.ok().and_then(|t| t.trim().parse().ok());
            let number = number
                .filter(|n| n.is_finite())
                .ok_or_else(|| no(Wanted::Number))?;
            match point.kind {
                ValueKind::Float => Ok(Value::Float(number)),
                _ => whole(number)
                    .map(Value::Int)
                    .ok_or_else(|| no(Wanted::Whole)),
            }
        }
        Component::Select => {
            let text = text.map_err(|_| no(Wanted::State))?;
            let mut states = point.labels.iter().map(|l| l.state);
            let state = states.find(|s| option(point, *s).as_deref() == Some(text));
            state.map(Value::Int).ok_or_else(|| no(Wanted::State))
        }
        Component::Text => match text {
            Ok(text) if text.chars().count() <= STATE_MAX => Ok(Value::text(text)),
            _ => Err(no(Wanted::Text)),
        },
        Component::Sensor | Component::BinarySensor => Err(no(Wanted::State)),
    }
}

/// A number as a whole one, where it is.
fn whole(number: f64) -> Option<i64> {
    // Beyond this a real number no longer tells every whole one.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let fits = number.fract() == 0.0 && number.abs() <= MOST;
    fits.then(|| format!("{number:.0}").parse().ok()).flatten()
}
