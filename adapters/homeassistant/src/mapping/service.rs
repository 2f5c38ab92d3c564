//! From a value to the service call that writes it. Pure.

use super::{Aspect, Call, Plan};
use riser_model::Value;
use serde_json::{Map, json};

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
