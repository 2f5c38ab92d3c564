//! What zigbee2mqtt tells of the office: its list of devices, their states, and what becomes of a
//! command. Owns topics and payloads; who is told is `mqtt`'s.

use crate::office::Office;
use serde_json::{Value as Json, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Base of all topics.
pub(crate) const BASE: &str = "zigbee2mqtt";

/// A message: topic, payload, and whether the broker keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) retained: bool,
}

fn message(topic: &str, payload: &Json, retained: bool) -> Message {
    Message {
        topic: format!("{BASE}/{topic}"),
        payload: payload.to_string(),
        retained,
    }
}

/// Names, addresses and models.
const CLIMATE: (&str, &str) = ("office/climate", "0x00158d00000a0001");
const DOOR: (&str, &str) = ("office/door", "0x00124b00000a0002");
const LAMP: (&str, &str) = ("office/lamp", "0x000b57fffe0a0003");

fn numeric(name: &str, unit: &str) -> Json {
    json!({"type": "numeric", "name": name, "property": name, "label": name, "access": 1, "unit": unit})
}

fn device(
    (name, address): (&str, &str),
    (kind, power): (&str, &str),
    (vendor, model, about): (&str, &str, &str),
    exposes: &Json,
) -> Json {
    json!({
        "ieee_address": address, "friendly_name": name, "type": kind, "power_source": power,
        "supported": true, "disabled": false, "interviewing": false, "interview_completed": true,
        "interview_state": "SUCCESSFUL", "endpoints": {},
        "definition": {"vendor": vendor, "model": model, "description": about, "exposes": exposes, "options": []},
    })
}

fn devices() -> Json {
    let battery = ("EndDevice", "Battery");
    let lamp = json!([{"type": "light", "features": [
        {"type": "binary", "name": "state", "property": "state", "label": "State", "access": 7, "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"},
        {"type": "numeric", "name": "brightness", "property": "brightness", "label": "Brightness", "access": 7, "value_min": 0, "value_max": 254},
    ]}]);
    let door = json!([
        {"type": "binary", "name": "contact", "property": "contact", "label": "Contact", "access": 1, "value_on": false, "value_off": true},
        numeric("battery", "%"),
    ]);
    let climate = json!([
        numeric("temperature", "°C"),
        numeric("humidity", "%"),
        numeric("pressure", "hPa"),
        numeric("battery", "%"),
    ]);
    let vendor = "Riser simulator";
    json!([
        {"ieee_address": "0x00212effff0a0000", "friendly_name": "Coordinator", "type": "Coordinator", "supported": true,
         "disabled": false, "interview_completed": true, "interview_state": "SUCCESSFUL", "definition": null, "endpoints": {}},
        device(CLIMATE, battery, (vendor, "climate", "Climate sensor"), &climate),
        device(DOOR, battery, (vendor, "contact", "Door contact"), &door),
        device(LAMP, ("Router", "Mains (single phase)"), (vendor, "lamp", "Dimmable lamp"), &lamp),
    ])
}

/// What never changes here.
pub(crate) fn constant() -> Vec<Message> {
    let online = json!({"state": "online"});
    let info = json!({
        "version": "2.14.1", "permit_join": false,
        "config": {"availability": {"enabled": true}, "advanced": {"last_seen": "epoch"}},
    });
    let mut all = vec![
        message("bridge/info", &info, true),
        message("bridge/devices", &devices(), true),
        message("bridge/groups", &json!([]), true),
    ];
    for (name, _) in [CLIMATE, DOOR, LAMP] {
        all.push(message(&format!("{name}/availability"), &online, true));
    }
    all.push(message("bridge/state", &online, true));
    all
}

/// To a tenth, as sensors tell it.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    name: &'static str,
    values: Json,
}

impl State {
    /// As it is told now.
    pub(crate) fn told(&self) -> Message {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |s| u64::try_from(s.as_millis()).unwrap_or(u64::MAX));
        let mut values = self.values.clone();
        values["last_seen"] = json!(now);
        message(self.name, &values, true)
    }
}

/// The states of all devices.
pub(crate) fn states(office: &Office) -> Vec<State> {
    let climate = json!({
        "temperature": tenth(office.temperature), "humidity": tenth(office.humidity),
        "pressure": tenth(office.pressure), "battery": 92,
    });
    let door = json!({"contact": !office.door_open, "battery": 88});
    let lamp = json!({
        "state": if office.lamp { "ON" } else { "OFF" }, "brightness": office.brightness,
    });
    let told = [(CLIMATE, climate), (DOOR, door), (LAMP, lamp)];
    told.into_iter()
        .map(|((name, _), values)| State { name, values })
        .collect()
}

/// What comes of a published message: answers for everybody, and true when states are to be told.
pub(crate) fn heard(office: &mut Office, topic: &str, payload: &[u8]) -> (Option<Message>, bool) {
    let Some(topic) = topic.strip_prefix(BASE).and_then(|t| t.strip_prefix('/')) else {
        return (None, false);
    };
    let given: Json = serde_json::from_slice(payload).unwrap_or_default();
    if let Some(request) = topic.strip_prefix("bridge/request/") {
        let mut answer = if request == "health_check" {
            json!({"data": {"healthy": true}, "status": "ok"})
        } else {
            json!({"data": {}, "status": "error", "error": "the simulated network stays as it is"})
        };
        if let Some(transaction) = given.get("transaction") {
            answer["transaction"] = transaction.clone();
        }
        let answer = message(&format!("bridge/response/{request}"), &answer, false);
        return (Some(answer), false);
    }
    match topic.rsplit_once('/') {
        // Its name does, and its address, which it keeps.
        Some((name, "set")) if name == LAMP.0 || name == LAMP.1 => set_lamp(office, &given),
        Some((_, "get")) => {}
        _ => return (None, false),
    }
    (None, true)
}

fn set_lamp(office: &mut Office, given: &Json) {
    match given["state"].as_str() {
        Some("ON") => office.lamp = true,
        Some("OFF") => office.lamp = false,
        Some("TOGGLE") => office.lamp = !office.lamp,
        _ => {}
    }
    let brightness = given["brightness"].as_u64().map(|b| b.min(254));
    if let Some(brightness) = brightness.and_then(|b| u8::try_from(b).ok()) {
        office.brightness = brightness;
        office.lamp = brightness > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamp_is_switched_and_a_check_answered_with_its_own_transaction() {
        let mut office = Office::new();
        let set = br#"{"state": "ON", "brightness": 100}"#;
        assert!(heard(&mut office, "zigbee2mqtt/office/lamp/set", set).1);
        assert!(office.lamp && office.brightness == 100);
        let by_address = format!("zigbee2mqtt/{}/set", LAMP.1);
        heard(&mut office, &by_address, br#"{"state": "OFF"}"#);
        assert!(!office.lamp);
        let check = "zigbee2mqtt/bridge/request/health_check";
        let (answer, _) = heard(&mut office, check, br#"{"transaction": "t-1"}"#);
        let answer = answer.unwrap();
        assert_eq!(answer.topic, "zigbee2mqtt/bridge/response/health_check");
        assert!(answer.payload.contains("t-1") && !answer.retained);
    }
}
