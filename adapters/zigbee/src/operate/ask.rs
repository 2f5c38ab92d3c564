//! What is sent for an operation: the request to the bridge with its payload, or a message to a
//! device. Owns zigbee2mqtt's names for them (its `bridge/request/…` topics).

use super::answer;
use super::list::Entry;
use super::parameters::{flag, number, text, wrong};
use crate::mapping::read_request;
use crate::network::Network;
use crate::network::entity::{Entity, EntityId};
use crate::requests::{Read, Scene, Shows};
use riser_adapter::AdapterError;
use serde_json::{Value as Json, json};
use toml::Table;

/// What is sent.
pub(crate) enum Sent {
    /// A request that is answered.
    Request {
        /// Below `bridge/request/`.
        path: &'static str,
        payload: Json,
        /// How long it may take, in milliseconds.
        patience: i64,
        read: Read,
        /// What is said when nothing has come by then, where that is good news.
        begun: Option<&'static str>,
    },
    /// A message to a device or group; nothing answers but its state.
    Message { topic: String, payload: Json },
    /// The same about a scene: lists, states and the log tell what becomes of it.
    Scene {
        topic: String,
        payload: Json,
        scene: Scene,
    },
}

const QUICK: i64 = 20_000;
const SLOW: i64 = 60_000;
const MAP: i64 = 300_000;
/// The bridge itself gives a device a minute to ask for firmware.
const CHECK: i64 = 90_000;
/// How long to look whether a firmware update fails to begin.
const BEGIN: i64 = 8_000;

fn request(path: &'static str, payload: Json, patience: i64) -> Sent {
    Sent::Request {
        path,
        payload,
        patience,
        read: answer::plain,
        begun: None,
    }
}

/// The message for an operation whose parameters have been checked.
pub(crate) fn prepare(
    entry: &Entry,
    given: &Table,
    network: &Network,
) -> Result<Sent, AdapterError> {
    let ask = Ask {
        entry,
        given,
        network,
    };
    match entry.name {
        "permit_join" => ask.permit_join(),
        "rename" => ask.rename(),
        "remove" => ask.with_device("device/remove", &["force", "block"], QUICK),
        "interview" => ask.with_device("device/interview", &[], SLOW),
        "configure" => ask.configure(),
        "read" => ask.read(),
        "bind" => ask.bind("device/bind"),
        "unbind" => ask.bind("device/unbind"),
        "configure_reporting" => ask.reporting(),
        "keep_state" => ask.keep_state(),
        "supervise" => Ok(supervise()),
        "group_add" => Ok(ask.group_add()),
        "group_remove" => ask.group_remove(),
        "group_member_add" => ask.member("group/members/add"),
        "group_member_remove" => ask.member("group/members/remove"),
        "scene_store" | "scene_add" | "scene_recall" | "scene_remove" => ask.scene(),
        "touchlink_scan" => Ok(request("touchlink/scan", json!({}), SLOW)),
        "touchlink_identify" => Ok(ask.touchlink("touchlink/identify")),
        "touchlink_reset" => Ok(ask.touchlink("touchlink/factory_reset")),
        "network_map" => Ok(ask.network_map()),
        "firmware_check" => ask.with_device("device/ota_update/check", &[], CHECK),
        "firmware_update" => ask.firmware_update(),
        "firmware_schedule" => ask.with_device("device/ota_update/schedule", &[], QUICK),
        "firmware_unschedule" => ask.with_device("device/ota_update/unschedule", &[], QUICK),
        _ => Ok(request("restart", json!({}), QUICK)),
    }
}

fn supervise() -> Sent {
    let options = json!({"availability": {"enabled": true}, "advanced": {"last_seen": "ISO_8601"}});
    request("options", json!({ "options": options }), QUICK)
}

struct Ask<'a> {
    entry: &'a Entry,
    given: &'a Table,
    network: &'a Network,
}

impl Ask<'_> {
    fn entity(&self, parameter: &str) -> Result<&Entity, AdapterError> {
        let given = text(self.given, parameter);
        let found = self
            .network
            .find(given)
            .filter(|e| e.id != EntityId::Bridge);
        found.ok_or_else(|| {
            let keys = self.network.entities.values().map(|e| e.key.as_str());
            let near = riser_adapter::config::nearest(given, keys).unwrap_or("none");
            let advice = format!("there is no such device or group; the nearest is '{near}'");
            wrong(self.entry.name, &format!("'{given}'"), advice)
        })
    }

    /// How the bridge knows it: a device by its address, as its name may change any moment.
    fn id(&self, parameter: &str) -> Result<String, AdapterError> {
        let entity = self.entity(parameter)?;
        Ok(match entity.id {
            EntityId::Device(ieee) => ieee.to_string(),
            EntityId::Group(_) | EntityId::Bridge => entity.name.clone(),
        })
    }

    fn device(&self, parameter: &str) -> Result<String, AdapterError> {
        match self.entity(parameter)?.id {
            EntityId::Device(ieee) => Ok(ieee.to_string()),
            _ => Err(wrong(
                self.entry.name,
                &format!("'{}'", text(self.given, parameter)),
                "it is a group; name a device",
            )),
        }
    }

    fn group(&self, parameter: &str) -> Result<String, AdapterError> {
        let entity = self.entity(parameter)?;
        match entity.id {
            EntityId::Group(_) => Ok(entity.name.clone()),
            _ => Err(wrong(
                self.entry.name,
                &format!("'{}'", text(self.given, parameter)),
                "it is a device; name a group",
            )),
        }
    }

    fn with_device(
        &self,
        path: &'static str,
        flags: &[&str],
        patience: i64,
    ) -> Result<Sent, AdapterError> {
        let mut payload = json!({"id": self.device("device")?});
        for name in flags {
            payload[*name] = json!(flag(self.given, name));
        }
        Ok(request(path, payload, patience))
    }

    fn permit_join(&self) -> Result<Sent, AdapterError> {
        let mut payload = json!({"time": number(self.given, "seconds")});
        if self.given.contains_key("through") {
            payload["device"] = json!(self.device("through")?);
        }
        Ok(request("permit_join", payload, QUICK))
    }

    fn rename(&self) -> Result<Sent, AdapterError> {
        let name = text(self.given, "name").trim();
        if !crate::codec::topic::usable(name) {
            let advice =
                "a name may not have + or #, nor begin or end with a slash, nor be the bridge's";
            return Err(wrong(self.entry.name, &format!("'{name}'"), advice));
        }
        let path = match self.entity("device")?.id {
            EntityId::Group(_) => "group/rename",
            _ => "device/rename",
        };
        Ok(request(
            path,
            json!({"from": self.id("device")?, "to": name}),
            QUICK,
        ))
    }

    fn configure(&self) -> Result<Sent, AdapterError> {
        Ok(request(
            "device/configure",
            json!({"id": self.device("device")?}),
            SLOW,
        ))
    }

    fn read(&self) -> Result<Sent, AdapterError> {
        let entity = self.entity("device")?;
        let payload = read_request(entity.read_features()).ok_or_else(|| {
            let advice = "it has nothing that can be asked for; it reports by itself";
            wrong(self.entry.name, entity.key.as_str(), advice)
        })?;
        let topic = self.network.topic_of(entity, "get");
        Ok(Sent::Message { topic, payload })
    }

    fn bind(&self, path: &'static str) -> Result<Sent, AdapterError> {
        let to = match text(self.given, "to") {
            stick if stick.eq_ignore_ascii_case("coordinator") => "Coordinator".to_owned(),
            _ => self.id("to")?,
        };
        let mut payload = json!({"from": self.device("from")?, "to": to});
        for key in ["from_endpoint", "to_endpoint"] {
            if self.given.contains_key(key) {
                payload[key] = endpoint(text(self.given, key));
            }
        }
        let clusters = text(self.given, "clusters").split(',').map(str::trim);
        let clusters: Vec<&str> = clusters.filter(|c| !c.is_empty()).collect();
        if !clusters.is_empty() {
            payload["clusters"] = json!(clusters);
        }
        Ok(request(path, payload, SLOW))
    }

    fn reporting(&self) -> Result<Sent, AdapterError> {
        let mut payload = json!({
            "id": self.device("device")?,
            "endpoint": number(self.given, "endpoint"),
            "cluster": text(self.given, "cluster"),
            "attribute": text(self.given, "attribute"),
            "minimum_report_interval": number(self.given, "minimum"),
            "maximum_report_interval": number(self.given, "maximum"),
        });
        if self.given.contains_key("change") {
            payload["reportable_change"] = json!(number(self.given, "change"));
        }
        Ok(request("device/configure_reporting", payload, SLOW))
    }

    fn keep_state(&self) -> Result<Sent, AdapterError> {
        let path = match self.entity("device")?.id {
            EntityId::Group(_) => "group/options",
            _ => "device/options",
        };
        let options = json!({"retain": flag(self.given, "on")});
        Ok(request(
            path,
            json!({"id": self.id("device")?, "options": options}),
            QUICK,
        ))
    }

    fn group_add(&self) -> Sent {
        let mut payload = json!({"friendly_name": text(self.given, "name")});
        if self.given.contains_key("id") {
            payload["id"] = json!(number(self.given, "id").to_string());
        }
        request("group/add", payload, QUICK)
    }

    fn group_remove(&self) -> Result<Sent, AdapterError> {
        Ok(request(
            "group/remove",
            json!({"id": self.group("group")?, "force": false}),
            SLOW,
        ))
    }

    fn member(&self, path: &'static str) -> Result<Sent, AdapterError> {
        let payload = json!({"group": self.group("group")?, "device": self.device("device")?});
        Ok(request(path, payload, SLOW))
    }

    fn scene(&self) -> Result<Sent, AdapterError> {
        let entity = self.entity("device")?;
        let id = number(self.given, "scene");
        let name = text(self.given, "name");
        let shows = match self.entry.name {
            "scene_store" | "scene_add" => Shows::Listed,
            "scene_remove" => Shows::Gone,
            _ => Shows::State,
        };
        let payload = match self.entry.name {
            "scene_store" if name.is_empty() => json!({ "scene_store": id }),
            "scene_store" => json!({"scene_store": {"ID": id, "name": name}}),
            "scene_add" => json!({"scene_add": self.new_scene(id, name)}),
            other => json!({ other: id }),
        };
        let scene = Scene {
            of: entity.id,
            name: entity.name.clone(),
            number: u8::try_from(id).unwrap_or_default(),
            shows,
        };
        let topic = self.network.topic_of(entity, "set");
        Ok(Sent::Scene {
            topic,
            payload,
            scene,
        })
    }

    fn new_scene(&self, id: i64, name: &str) -> Json {
        let mut scene =
            json!({"ID": id, "state": if flag(self.given, "on") { "ON" } else { "OFF" }});
        if !name.is_empty() {
            scene["name"] = json!(name);
        }
        for key in ["brightness", "color_temp", "transition"] {
            if self.given.contains_key(key) {
                scene[key] = json!(number(self.given, key));
            }
        }
        scene
    }

    fn touchlink(&self, path: &'static str) -> Sent {
        let payload = json!({
            "ieee_address": text(self.given, "address"),
            "channel": number(self.given, "channel"),
        });
        request(path, payload, SLOW)
    }

    fn network_map(&self) -> Sent {
        let payload = json!({"type": "raw", "routes": flag(self.given, "routes")});
        Sent::Request {
            path: "networkmap",
            payload,
            patience: MAP,
            read: answer::map,
            begun: None,
        }
    }

    fn firmware_update(&self) -> Result<Sent, AdapterError> {
        let entity = self.entity("device")?;
        if entity
            .points
            .iter()
            .all(|p| p.feature.property() != "update")
        {
            let advice = "zigbee2mqtt has no way to update this model";
            return Err(wrong(self.entry.name, entity.key.as_str(), advice));
        }
        Ok(Sent::Request {
            path: "device/ota_update/update",
            payload: json!({"id": self.device("device")?}),
            patience: BEGIN,
            read: answer::plain,
            begun: Some("the update has begun; its progress is shown in update_progress"),
        })
    }
}

/// An endpoint by number or by name.
fn endpoint(text: &str) -> Json {
    text.parse::<u8>()
        .map_or_else(|_| json!(text), |n| json!(n))
}
