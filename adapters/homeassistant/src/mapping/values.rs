//! From a state to a value, and whether a value is the one that was written. Pure.

use super::{Aspect, Plan, Seen};
use crate::codec::State;
use riser_model::{Quality, Reason, Value};

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
