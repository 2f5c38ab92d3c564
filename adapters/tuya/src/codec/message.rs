//! What a deciphered payload says: data points of a device or of one behind a gateway, which
//! sub-devices are there, or a complaint. Every shape firmware has been seen to send is accepted.

use super::payload::Opened;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Data points of one report, at most.
const POINTS_MAX: usize = 256;

/// A message from a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Sequence number.
    pub sequence: u32,
    /// Command.
    pub command: u32,
    /// Return code; none is as good as zero.
    pub code: Option<u32>,
    /// What it says.
    pub content: Content,
    /// It came unciphered though the version ciphers.
    pub clear: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing: an acknowledgement.
    Nothing,
    /// Data points.
    Report(Report),
    /// Which sub-devices can be reached, and which not.
    SubDevices {
        /// Nodes that can.
        online: Vec<String>,
        /// Nodes that cannot.
        offline: Vec<String>,
    },
    /// Text, such as a complaint.
    Text(String),
    /// Something else.
    Other,
}

/// Data points of one device.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The node behind a gateway; none is the device itself.
    pub node: Option<String>,
    /// Values by number.
    pub points: BTreeMap<u16, Json>,
}

impl Message {
    /// Understands an opened frame. Never fails: what is not understood is [`Content::Other`].
    #[must_use]
    pub fn new(opened: &Opened) -> Self {
        Self {
            sequence: opened.sequence,
            command: opened.command,
            code: opened.code,
            content: content(&opened.plain),
            clear: opened.clear,
        }
    }

    /// The device says that it does not understand the way it was asked for its data points, which
    /// must then be asked for by name.
    #[must_use]
    pub fn wants_names(&self) -> bool {
        matches!(&self.content, Content::Text(text) if text.contains("data unvalid"))
    }

    /// Whether it is a refusal, and in which words.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let code = self.code.filter(|c| *c != 0)?;
        Some(match &self.content {
            Content::Text(text) => format!(
                "code {code}, '{}'",
                text.chars().take(80).collect::<String>()
            ),
            _ => format!("code {code}"),
        })
    }
}

fn content(plain: &[u8]) -> Content {
    if plain.iter().all(|o| *o == 0) {
        return Content::Nothing;
    }
    let Ok(text) = std::str::from_utf8(plain) else {
        return Content::Other;
    };
    let Ok(json) = serde_json::from_str::<Json>(text.trim_matches('\0')) else {
        return Content::Text(text.chars().take(200).collect());
    };
    let inner = json.get("data").filter(|d| d.is_object()).unwrap_or(&json);
    if let Some(points) = inner.get("dps").and_then(Json::as_object) {
        let node = [inner, &json]
            .into_iter()
            .find_map(|at| at.get("cid")?.as_str());
        let points = points.iter().take(POINTS_MAX);
        return Content::Report(Report {
            node: node.map(str::to_owned),
            points: points
                .filter_map(|(k, v)| Some((k.parse().ok()?, v.clone())))
                .collect(),
        });
    }
    match (nodes(inner, "online"), nodes(inner, "offline")) {
        (None, None) => Content::Other,
        (online, offline) => Content::SubDevices {
            online: online.unwrap_or_default(),
            offline: offline.unwrap_or_default(),
        },
    }
}

fn nodes(json: &Json, key: &str) -> Option<Vec<String>> {
    let list = json.get(key)?.as_array()?.iter().take(POINTS_MAX);
    Some(list.filter_map(|n| n.as_str().map(str::to_owned)).collect())
}
