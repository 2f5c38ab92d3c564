//! What the bridge says of itself: state, settings, events, answers, and its log. Owns their typed
//! form.

use super::payload::{LIST_MAX, Malformed, STATE_MAX, Said, object, said, text, tidy};
use crate::config::Ieee;
use serde_json::{Map, Value as Json};

/// Longest message of its log, in characters.
const LOG_MAX: usize = 2_048;

/// What `bridge/info` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeFacts {
    /// Version of zigbee2mqtt.
    pub version: String,
    /// Kind of stick.
    pub coordinator: String,
    /// Devices may join.
    pub permit_join: bool,
    /// Until when, in milliseconds since 1970.
    pub permit_join_end: Option<i64>,
    /// It supervises its devices and says who is offline.
    pub supervises: bool,
    /// Minutes without a word after which it calls a device on a battery offline.
    pub passive_minutes: Option<u32>,
    /// It adds `last_seen` to states.
    pub stamps: bool,
    /// It publishes states as JSON, not only attribute by attribute.
    pub json: bool,
    /// Settings have changed that need a restart of it.
    pub restart_required: bool,
}

impl BridgeFacts {
    /// Settings of it that work and serve badly, each with what to do.
    pub fn doubts(&self) -> impl Iterator<Item = &'static str> + use<> {
        let doubts = [
            (
                !self.supervises,
                "availability is off in zigbee2mqtt, so nobody notices a dead device for long; use 'supervise'",
            ),
            (
                !self.stamps,
                "last_seen is off in zigbee2mqtt, so the age of a kept value is not known; use 'supervise'",
            ),
            (
                !self.json,
                "advanced.output is 'attribute' in zigbee2mqtt, and no states come that way; set it to 'json' or 'attribute_and_json'",
            ),
            (
                self.restart_required,
                "settings of zigbee2mqtt have changed and wait for its restart",
            ),
        ];
        let said = doubts.into_iter().filter(|(doubt, _)| *doubt);
        said.map(|(_, words)| words)
    }
}

/// Something that happened in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// What: `device_joined`, `device_announce`, `device_interview`, `device_leave`.
    pub kind: String,
    /// Which device.
    pub ieee: Option<Ieee>,
    /// Its name then.
    pub name: String,
    /// How an interview goes: `started`, `successful`, `failed`.
    pub status: Option<String>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The transaction it answers; none when somebody else asked without.
    pub transaction: Option<String>,
    /// What came of it: its content, or why not.
    pub outcome: Result<Json, String>,
}

/// One message of the bridge.
#[derive(Debug, Clone, PartialEq)]
pub enum BridgeNews {
    /// There or not.
    State(Said),
    /// Settings and version.
    Facts(BridgeFacts),
    /// The list of devices has changed.
    Devices(Vec<super::BridgeDevice>, usize),
    /// The list of groups has changed.
    Groups(Vec<super::BridgeGroup>, usize),
    /// Something happened.
    Happened(Happening),
    /// A request was answered.
    Answered(Response),
    /// It logged that something went wrong.
    Complaint(String),
    /// Nothing Riser needs.
    Nothing,
}

/// Reads a message of the bridge; `rest` is the topic after `<base>/bridge/`.
pub fn read(rest: &str, payload: &[u8]) -> Result<BridgeNews, Malformed> {
    Ok(match rest {
        "state" => BridgeNews::State(said(payload)?),
        _ if payload.is_empty() => BridgeNews::Nothing,
        "info" => BridgeNews::Facts(facts(&Json::Object(object(payload, LIST_MAX)?))),
        "devices" => super::device::devices(payload).map(|(d, n)| BridgeNews::Devices(d, n))?,
        "groups" => super::device::groups(payload).map(|(g, n)| BridgeNews::Groups(g, n))?,
        "event" => happening(&Json::Object(object(payload, STATE_MAX)?)),
        "logging" => complaint(&object(payload, STATE_MAX)?),
        _ if rest.starts_with("response/") => {
            BridgeNews::Answered(response(object(payload, LIST_MAX)?))
        }
        _ => BridgeNews::Nothing,
    })
}

fn facts(info: &Json) -> BridgeFacts {
    let at = |path: &str| info.pointer(path);
    let flag = |path: &str| at(path).and_then(Json::as_bool);
    let word = |path: &str| at(path).and_then(Json::as_str).map(tidy);
    let supervises = match at("/config/availability") {
        Some(Json::Bool(on)) => *on,
        Some(Json::Object(o)) => o.get("enabled").and_then(Json::as_bool).unwrap_or(true),
        _ => false,
    };
    let passive = at("/config/availability/passive/timeout").and_then(Json::as_f64);
    BridgeFacts {
        version: text(info, "version").unwrap_or_default(),
        coordinator: word("/coordinator/type").unwrap_or_default(),
        permit_join: flag("/permit_join").unwrap_or_default(),
        permit_join_end: at("/permit_join_end").and_then(Json::as_i64),
        supervises,
        passive_minutes: passive.and_then(whole_minutes),
        stamps: word("/config/advanced/last_seen").is_some_and(|w| w != "disable"),
        json: word("/config/advanced/output").is_none_or(|w| w != "attribute"),
        restart_required: flag("/restart_required").unwrap_or_default(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie well inside u32"
)]
fn whole_minutes(minutes: f64) -> Option<u32> {
    (1.0..1_000_000.0)
        .contains(&minutes)
        .then_some(minutes.ceil() as u32)
}

fn happening(event: &Json) -> BridgeNews {
    let part = |path: &str| event.pointer(path).and_then(Json::as_str);
    let Some(kind) = text(event, "type") else {
        return BridgeNews::Nothing;
    };
    BridgeNews::Happened(Happening {
        kind,
        ieee: part("/data/ieee_address").and_then(|a| a.parse().ok()),
        name: part("/data/friendly_name").map(tidy).unwrap_or_default(),
        status: part("/data/status").map(tidy),
    })
}

fn complaint(log: &Map<String, Json>) -> BridgeNews {
    let word = |key: &str| log.get(key).and_then(Json::as_str);
    match (word("level"), word("message")) {
        (Some("error" | "warning"), Some(message)) => {
            let message = message.chars().filter(|c| !c.is_control());
            BridgeNews::Complaint(message.take(LOG_MAX).collect())
        }
        _ => BridgeNews::Nothing,
    }
}

fn response(mut answer: Map<String, Json>) -> Response {
    let transaction = match answer.get("transaction") {
        Some(Json::String(text)) if text.len() <= 64 => Some(text.clone()),
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let word = |key: &str| answer.get(key).and_then(Json::as_str).map(tidy);
    let outcome = if word("status").as_deref() == Some("ok") {
        Ok(answer.remove("data").unwrap_or(Json::Null))
    } else {
        Err(word("error").unwrap_or_else(|| "no reason was given".to_owned()))
    };
    Response {
        transaction,
        outcome,
    }
}
