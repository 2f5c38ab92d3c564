//! `bridge/devices` and `bridge/groups`: who is in the network. Owns the typed form of an entry; a
//! broken entry is left out and the rest stays.

use super::exposes::{Feature, flatten};
use super::payload::{LIST_MAX, Malformed, array, text, tidy};
use crate::config::Ieee;
use serde_json::Value as Json;

/// Devices of one network, at most.
pub const DEVICES_MAX: usize = 4_000;
/// Groups, scenes of one place, and members of one group, at most.
const PARTS_MAX: usize = 1_000;

/// Part a device plays in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The stick itself.
    Coordinator,
    /// Always on, passes on for others.
    Router,
    /// Sleeps, or may.
    EndDevice,
}

/// Where a device's power comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Mains or a supply: it can be asked.
    Mains,
    /// A battery: it sleeps and speaks when it wants to.
    Battery,
    /// Not told.
    Unknown,
}

/// How far the bridge knows a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interview {
    /// It told all.
    Done,
    /// It is being asked, or has not been yet.
    Running,
    /// It did not answer to the end.
    Failed,
}

/// A scene stored in a device or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// Its number.
    pub id: u8,
    /// Its name.
    pub name: String,
}

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeDevice {
    /// Its address, for life.
    pub ieee: Ieee,
    /// Its present name.
    pub name: String,
    /// Its part in the network.
    pub role: Role,
    /// Its power.
    pub power: Power,
    /// The bridge does not speak to it.
    pub disabled: bool,
    /// How far it is known.
    pub interview: Interview,
    /// The bridge knows its model.
    pub supported: bool,
    /// Vendor and model.
    pub model: String,
    /// What it is, in words.
    pub description: String,
    /// Version of its software.
    pub firmware: Option<String>,
    /// Its firmware can be replaced over the air.
    pub updatable: bool,
    /// What it can tell and be told.
    pub features: Vec<Feature>,
    /// Features left out because something is wrong with them.
    pub left_out: usize,
    /// Scenes stored in it.
    pub scenes: Vec<Scene>,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeGroup {
    /// Its number, for life.
    pub id: u32,
    /// Its present name.
    pub name: String,
    /// The devices in it.
    pub members: Vec<Ieee>,
    /// Scenes stored in its members.
    pub scenes: Vec<Scene>,
}

/// Reads `bridge/devices`; the second is how many entries were left out.
pub fn devices(payload: &[u8]) -> Result<(Vec<BridgeDevice>, usize), Malformed> {
    let list = array(payload, LIST_MAX)?;
    let all = list.len();
    let mut found: Vec<BridgeDevice> = Vec::new();
    for device in list.iter().take(DEVICES_MAX).filter_map(device) {
        found.push(device);
    }
    found.sort_by_key(|d| d.ieee);
    found.dedup_by_key(|d| d.ieee);
    let left_out = all - found.len();
    Ok((found, left_out))
}

fn device(entry: &Json) -> Option<BridgeDevice> {
    let flag = |key: &str| entry.get(key).and_then(Json::as_bool).unwrap_or_default();
    let ieee: Ieee = entry.get("ieee_address")?.as_str()?.parse().ok()?;
    let role = match entry.get("type").and_then(Json::as_str) {
        Some("Coordinator") => Role::Coordinator,
        Some("Router") => Role::Router,
        _ => Role::EndDevice,
    };
    let definition = entry.get("definition").filter(|d| d.is_object());
    let part = |key: &str| definition.and_then(|d| text(d, key)).unwrap_or_default();
    let exposes = definition.and_then(|d| d.get("exposes"));
    let (features, left_out) = exposes.map(flatten).unwrap_or_default();
    let name = entry.get("friendly_name").and_then(Json::as_str);
    let model = format!("{} {}", part("vendor"), part("model"));
    Some(BridgeDevice {
        ieee,
        name: name.map_or_else(|| ieee.to_string(), str::to_owned),
        role,
        power: power(entry.get("power_source").and_then(Json::as_str), role),
        disabled: flag("disabled"),
        interview: interview(entry),
        supported: definition.is_some() && flag("supported"),
        model: match model.trim() {
            "" => text(entry, "model_id").unwrap_or_default(),
            known => known.to_owned(),
        },
        description: part("description"),
        firmware: text(entry, "software_build_id").filter(|f| !f.is_empty()),
        updatable: definition.is_some_and(|d| d.get("supports_ota") == Some(&Json::Bool(true))),
        features,
        left_out,
        scenes: endpoint_scenes(entry),
    })
}

fn power(source: Option<&str>, role: Role) -> Power {
    match source {
        Some("Battery") => Power::Battery,
        Some("Unknown" | "") | None if role == Role::Router => Power::Mains,
        Some("Unknown" | "") | None => Power::Unknown,
        Some(_) => Power::Mains,
    }
}

fn interview(entry: &Json) -> Interview {
    let flag = |key: &str| entry.get(key).and_then(Json::as_bool);
    match entry.get("interview_state").and_then(Json::as_str) {
        Some("SUCCESSFUL") => Interview::Done,
        Some("FAILED") => Interview::Failed,
        Some(_) => Interview::Running,
        None => match (flag("interview_completed"), flag("interviewing")) {
            (Some(false), Some(true)) => Interview::Running,
            (Some(false), _) => Interview::Failed,
            _ => Interview::Done,
        },
    }
}

fn endpoint_scenes(entry: &Json) -> Vec<Scene> {
    let endpoints = entry.get("endpoints").and_then(Json::as_object);
    let endpoints = endpoints.into_iter().flat_map(|e| e.values());
    let mut found: Vec<Scene> = Vec::new();
    for scene in endpoints.filter_map(|e| e.get("scenes")).flat_map(scenes) {
        if found.len() < PARTS_MAX && found.iter().all(|s| s.id != scene.id) {
            found.push(scene);
        }
    }
    found
}

fn scenes(list: &Json) -> Vec<Scene> {
    let list = list.as_array().into_iter().flatten().take(PARTS_MAX);
    list.filter_map(|scene| {
        let id = u8::try_from(scene.get("id")?.as_u64()?).ok()?;
        let name = text(scene, "name").filter(|n| !n.is_empty());
        Some(Scene {
            id,
            name: name.unwrap_or_else(|| format!("Scene {id}")),
        })
    })
    .collect()
}

/// Reads `bridge/groups`; the second is how many entries were left out.
pub fn groups(payload: &[u8]) -> Result<(Vec<BridgeGroup>, usize), Malformed> {
    let list = array(payload, LIST_MAX)?;
    let all = list.len();
    let mut found: Vec<BridgeGroup> = list.iter().take(PARTS_MAX).filter_map(group).collect();
    found.sort_by_key(|g| g.id);
    found.dedup_by_key(|g| g.id);
    let left_out = all - found.len();
    Ok((found, left_out))
}

fn group(entry: &Json) -> Option<BridgeGroup> {
    let id = u32::try_from(entry.get("id")?.as_u64()?).ok()?;
    let name = entry.get("friendly_name").and_then(Json::as_str);
    let members = entry.get("members").and_then(Json::as_array);
    let members = members.into_iter().flatten().take(PARTS_MAX);
    let ieee = |m: &Json| m.get("ieee_address")?.as_str()?.parse().ok();
    Some(BridgeGroup {
        id,
        name: name.map_or_else(|| format!("group {id}"), str::to_owned),
        members: members.filter_map(ieee).collect(),
        scenes: entry.get("scenes").map(scenes).unwrap_or_default(),
    })
}

/// A device's name as it may be shown.
#[must_use]
pub fn shown(name: &str) -> String {
    tidy(name)
}
