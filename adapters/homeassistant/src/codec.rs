//! What Home Assistant says, read. Owns the shapes of its messages as far as they are used; total:
//! whatever a text holds, reading it ends with a message or with what is wrong with it.

use riser_model::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest text taken: the states of some 20,000 entities.
pub const MESSAGE_LIMIT: usize = 32 << 20;
/// Longest state and longest name taken, in characters; Home Assistant's own bound for states is 255.
const TEXT_LIMIT: usize = 255;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// First of all: it wants a token.
    AuthRequired {
        /// Version of Home Assistant.
        version: String,
    },
    /// The token is good.
    AuthOk,
    /// The token is not.
    AuthInvalid {
        /// Why, in its words.
        why: String,
    },
    /// The answer to a request.
    Result {
        /// Of which request.
        id: u64,
        /// What came of it: the answer, or what went wrong in its words.
        outcome: Result<Value, String>,
    },
    /// Something happened.
    Event(Event),
    /// The answer to a ping.
    Pong,
    /// A message of a kind that is not used.
    Other,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An entity has another state; `None` when it is gone.
    State {
        /// Which.
        entity: String,
        /// Its state now.
        state: Option<State>,
    },
    /// Entities, devices or areas are not what they were.
    Registry,
    /// Something that is not used.
    Other,
}

/// The state of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Which entity, such as `sensor.outside`.
    pub entity: String,
    /// Its state as text.
    pub state: String,
    /// Its attributes.
    pub attributes: Map<String, Value>,
}

impl State {
    /// Reads one entry of the list of states, or the new state of an event.
    ///
    /// # Errors
    /// What it lacks.
    pub fn read(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let entity = text("entity_id").ok_or("a state has no entity_id")?;
        let state = text("state").ok_or_else(|| format!("{} has no state", cut(entity)))?;
        Ok(Self {
            entity: cut(entity),
            state: cut(state),
            attributes: match value.get("attributes") {
                Some(Value::Object(attributes)) => attributes.clone(),
                _ => Map::new(),
            },
        })
    }

    /// The part of the entity's name before the dot.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.entity.split('.').next().unwrap_or_default()
    }

    /// An attribute as text.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// An attribute as number.
    #[must_use]
    pub fn number(&self, attribute: &str) -> Option<f64> {
        self.attributes
            .get(attribute)?
            .as_f64()
            .filter(|n| n.is_finite())
    }

    /// An attribute as list of texts.
    #[must_use]
    pub fn list(&self, attribute: &str) -> Vec<String> {
        let list = self.attributes.get(attribute).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(cut).collect()
    }
}

/// A text, not longer than is sensible.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    ha_version: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    event: Value,
}

/// Reads a text: one message, or several where it has gathered them.
///
/// # Errors
/// Why it is no message of Home Assistant.
pub fn read(text: &str) -> Result<Vec<Message>, String> {
    if text.len() > MESSAGE_LIMIT {
        return Err(format!("a message of {} octets", text.len()));
    }
    let gathered = text.trim_start().starts_with('[');
    let wrong = |e: serde_json::Error| format!("no message of Home Assistant: {e}");
    let raw: Vec<Raw> = match gathered {
        true => serde_json::from_str(text).map_err(wrong)?,
        false => vec![serde_json::from_str(text).map_err(wrong)?],
    };
    Ok(raw.into_iter().map(message).collect())
}

fn message(raw: Raw) -> Message {
    match raw.kind.as_str() {
        "auth_required" => Message::AuthRequired {
            version: cut(&raw.ha_version),
        },
        "auth_ok" => Message::AuthOk,
        "auth_invalid" => Message::AuthInvalid {
            why: cut(&raw.message),
        },
        "result" => Message::Result {
            id: raw.id,
            outcome: match raw.success {
                true => Ok(raw.result),
                false => Err(complaint(&raw.error)),
            },
        },
        "event" => Message::Event(event(&raw.event)),
        "pong" => Message::Pong,
        _ => Message::Other,
    }
}

fn complaint(error: &Value) -> String {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    match (text("code"), text("message")) {
        ("", "") => "it said no and not why".to_owned(),
        ("", why) => cut(why),
        (code, "") => cut(code),
        (code, why) => cut(&format!("{why} ({code})")),
    }
}

fn event(event: &Value) -> Event {
    match event.get("event_type").and_then(Value::as_str) {
        Some("state_changed") => state_changed(event),
        Some("entity_registry_updated" | "device_registry_updated" | "area_registry_updated") => {
            Event::Registry
        }
        _ => Event::Other,
    }
}

fn state_changed(event: &Value) -> Event {
    let data = event.get("data");
    let entity = data
        .and_then(|d| d.get("entity_id"))
        .and_then(Value::as_str);
    let Some(entity) = entity.map(cut) else {
        return Event::Other;
    };
    match data.and_then(|d| d.get("new_state")) {
        None | Some(Value::Null) => Event::State {
            entity,
            state: None,
        },
        Some(state) => match State::read(state) {
            Ok(state) if state.entity == entity => Event::State {
                entity,
                state: Some(state),
            },
            _ => Event::Other,
        },
    }
}

/// A row of statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Begin of its period.
    pub start: Timestamp,
    /// Mean over it.
    pub mean: Option<f64>,
    /// Reading at its end.
    pub state: Option<f64>,
}

/// Reads the rows of one statistic; those that are none are left out and counted.
#[must_use]
pub fn rows(value: &Value) -> (Vec<Row>, usize) {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Row> = list.iter().filter_map(row).collect();
    let unread = list.len() - rows.len();
    (rows, unread)
}

fn row(value: &Value) -> Option<Row> {
    let number = |key: &str| value.get(key)?.as_f64().filter(|n| n.is_finite());
    Some(Row {
        start: instant(value.get("start")?)?,
        mean: number("mean"),
        state: number("state"),
    })
}

/// A point in time: milliseconds, or a text before 2023.
fn instant(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        let at: jiff::Timestamp = text.parse().ok()?;
        return Some(Timestamp(at.as_millisecond()));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded to what jiff can hold, and truncation saturates"
    )]
    let ms = value.as_f64().filter(|n| n.is_finite())? as i64;
    jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(Timestamp(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_told_apart() {
        let one = |value: Value| read(&value.to_string()).unwrap().remove(0);
        let required = json!({"type": "auth_required", "ha_version": "2024.3.3"});
        let version = "2024.3.3".to_owned();
        assert_eq!(one(required), Message::AuthRequired { version });
        let result = json!({"id": 4, "type": "result", "success": true, "result": [1]});
        let outcome = Ok(json!([1]));
        assert_eq!(one(result), Message::Result { id: 4, outcome });
        let failed = json!({"id": 5, "type": "result", "success": false,
            "error": {"code": "not_found", "message": "Service not found."}});
        let outcome = Err("Service not found. (not_found)".to_owned());
        assert_eq!(one(failed), Message::Result { id: 5, outcome });
        assert_eq!(one(json!({"id": 6, "type": "pong"})), Message::Pong);
        assert_eq!(one(json!({"type": "something"})), Message::Other);
        let two = read("[{\"type\":\"pong\"},{\"type\":\"auth_ok\"}]").unwrap();
        assert_eq!(two, [Message::Pong, Message::AuthOk]);
    }

    #[test]
    fn a_changed_state_and_a_gone_one_are_events() {
        let changed = |new: Value| {
            let text = json!({"id": 1, "type": "event", "event": {"event_type": "state_changed",
                "data": {"entity_id": "sensor.a", "new_state": new}}});
            read(&text.to_string()).unwrap().remove(0)
        };
        let new = json!({"entity_id": "sensor.a", "state": "21.5", "attributes": {"x": 1}});
        let state = State::read(&new).ok();
        assert!(state.is_some());
        let entity = "sensor.a".to_owned();
        let gone = Message::Event(Event::State {
            entity: entity.clone(),
            state: None,
        });
        assert_eq!(changed(new), Message::Event(Event::State { entity, state }));
        assert_eq!(changed(Value::Null), gone);
        assert_eq!(changed(json!({"state": "x"})), Message::Event(Event::Other));
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        for text in ["", "x", "{}", "[1]", "{\"type\":1}", "\"type\"", "null"] {
            let error = read(text).unwrap_err();
            assert!(error.contains("no message"), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }

    #[test]
    fn rows_are_read_with_either_kind_of_time() {
        let value = json!([{"start": 1_700_000_000_000_i64, "mean": 1.5}, {"start":
            "2023-11-14T22:00:00+00:00", "state": 7}, {"mean": 1}, {"start": 1e300}, 5]);
        let (rows, unread) = rows(&value);
        assert_eq!((rows.len(), unread), (2, 3));
        assert_eq!(
            (rows[0].start.0, rows[0].mean),
            (1_700_000_000_000, Some(1.5))
        );
        assert_eq!(
            (rows[1].start.0, rows[1].state),
            (1_699_999_200_000, Some(7.0))
        );
    }
}
