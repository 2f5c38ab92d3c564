//! JSON payloads as they arrive. Owns their bounds and the small readers every other part uses.

use serde_json::{Map, Value as Json};

/// Longest payload of the bridge's lists, in octets; a network of a thousand devices needs about 8 MiB.
pub const LIST_MAX: usize = 16 * 1024 * 1024;
/// Longest payload of a device's state, in octets.
pub const STATE_MAX: usize = 256 * 1024;
/// Longest text taken over from a list, in characters.
pub const TEXT_MAX: usize = 256;

/// A payload nothing can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than anything zigbee2mqtt sends.
    #[error("{length} octets are more than the {most} that are read")]
    TooLong {
        /// Its length.
        length: usize,
        /// What is read.
        most: usize,
    },
    /// Not JSON.
    #[error("it is no JSON: {0}")]
    NotJson(String),
    /// JSON of another kind.
    #[error("it is JSON, but {given} and not {wanted}")]
    Kind {
        /// What it is.
        given: &'static str,
        /// What was expected.
        wanted: &'static str,
    },
}

/// Reads any JSON up to a length.
pub fn json(payload: &[u8], most: usize) -> Result<Json, Malformed> {
    if payload.len() > most {
        let length = payload.len();
        return Err(Malformed::TooLong { length, most });
    }
    // The parser itself stops at a depth of 128.
    serde_json::from_slice(payload).map_err(|e| Malformed::NotJson(e.to_string()))
}

/// Reads a JSON object.
pub fn object(payload: &[u8], most: usize) -> Result<Map<String, Json>, Malformed> {
    match json(payload, most)? {
        Json::Object(map) => Ok(map),
        other => Err(wrong(&other, "an object")),
    }
}

/// Reads a JSON array.
pub fn array(payload: &[u8], most: usize) -> Result<Vec<Json>, Malformed> {
    match json(payload, most)? {
        Json::Array(list) => Ok(list),
        other => Err(wrong(&other, "a list")),
    }
}

fn wrong(given: &Json, wanted: &'static str) -> Malformed {
    let given = match given {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    };
    Malformed::Kind { given, wanted }
}

/// A text member, cut to [`TEXT_MAX`]; control characters are left out.
#[must_use]
pub fn text(of: &Json, key: &str) -> Option<String> {
    of.get(key)?.as_str().map(tidy)
}

/// Text as people may see it.
#[must_use]
pub fn tidy(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(TEXT_MAX).collect()
}

/// What a topic that says online or offline says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// There.
    Online,
    /// Not there.
    Offline,
    /// The topic was cleared: nothing is said any more.
    Nothing,
}

/// Reads availability or the bridge's state: `{"state":"online"}`, plain `online`, or empty.
pub fn said(payload: &[u8]) -> Result<Said, Malformed> {
    let text = std::str::from_utf8(payload).unwrap_or_default().trim();
    let word = match text {
        "" if payload.is_empty() => return Ok(Said::Nothing),
        "online" => return Ok(Said::Online),
        "offline" => return Ok(Said::Offline),
        _ => object(payload, STATE_MAX)?,
    };
    match word.get("state").and_then(Json::as_str) {
        Some("online") => Ok(Said::Online),
        Some("offline") => Ok(Said::Offline),
        _ => Err(Malformed::Kind {
            given: "something else",
            wanted: "online or offline",
        }),
    }
}

/// The stamp `last_seen`, in milliseconds since 1970: ISO 8601, or a number.
#[must_use]
pub fn last_seen(state: &Map<String, Json>) -> Option<i64> {
    match state.get("last_seen")? {
        Json::Number(n) => n.as_i64().filter(|ms| *ms > 0),
        Json::String(text) if text.len() <= 64 => {
            let stamp: jiff::Timestamp = text.parse().ok()?;
            Some(stamp.as_millisecond())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_is_read_in_every_form_and_an_empty_one_is_a_removal() {
        assert_eq!(said(br#"{"state":"online"}"#), Ok(Said::Online));
        assert_eq!(said(br#"{"state":"offline"}"#), Ok(Said::Offline));
        assert_eq!(said(b"offline"), Ok(Said::Offline));
        assert_eq!(said(b""), Ok(Said::Nothing));
        for bad in [&b"maybe"[..], b"{}", b"[1]", b"\xff\xfe", b"{\"state\":1}"] {
            assert!(said(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn last_seen_is_read_in_every_form() {
        let read = |text: &str| last_seen(&object(text.as_bytes(), 1000).unwrap());
        let iso = read(r#"{"last_seen":"2026-11-21T12:00:00.500Z"}"#);
        assert_eq!(iso, read(r#"{"last_seen":1795262400500}"#));
        let local = read(r#"{"last_seen":"2026-11-21T13:00:00+01:00"}"#);
        assert_eq!(local, read(r#"{"last_seen":1795262400000}"#));
        for bad in [
            r#"{"last_seen":"yesterday"}"#,
            r#"{"last_seen":null}"#,
            "{}",
            r#"{"last_seen":-5}"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
