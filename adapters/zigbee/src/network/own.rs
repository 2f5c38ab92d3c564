//! The bridge as a device of its own: is it there, may devices join and for how long, how many are
//! there and offline, what happened last. Owns these points, so that rules and alarms can use them.

use super::entity::{Entity, EntityId, EntityPoint};
use super::presence::Presence;
use super::{At, Network};
use crate::codec::bridge::Happening;
use crate::codec::{Family, Feature, Shape};
use crate::mapping::{EntityName, build};
use riser_model::{Key, Quality, Reading, ScanBatch, Value, ValueKind};
use serde_json::Value as Json;

/// The points: property, name, shape.
fn parts() -> Vec<(&'static str, &'static str, Shape)> {
    let number = |unit: Option<&str>| Shape::Numeric {
        unit: unit.map(str::to_owned),
        min: None,
        max: None,
        step: None,
    };
    let flag = || Shape::Binary {
        on: Json::Bool(true),
        off: Json::Bool(false),
    };
    vec![
        ("online", "Zigbee bridge reached", flag()),
        ("permit_join", "Devices may join", flag()),
        (
            "permit_join_left",
            "Devices may join, time left",
            number(Some("s")),
        ),
        ("devices", "Devices", number(None)),
        ("devices_offline", "Devices offline", number(None)),
        ("last_event", "Last event in the network", Shape::Text),
        ("version", "Version of zigbee2mqtt", Shape::Text),
        (
            "restart_required",
            "Settings need a restart of the bridge",
            flag(),
        ),
    ]
}

impl Network {
    /// Adds the bridge itself.
    pub(crate) fn add_bridge(&mut self) {
        let key = Key::slug(&format!("{}-bridge", self.name));
        let mut entity = Entity::new(EntityId::Bridge, key, "Zigbee bridge");
        entity.watch.shown = Presence::Unknown;
        let name = EntityName {
            key: &entity.key,
            name: "Zigbee bridge",
            stale_ms: 0,
        };
        for (property, label, shape) in parts() {
            let feature = Feature {
                path: vec![property.to_owned()],
                within: String::new(),
                label: label.to_owned(),
                family: Family::Generic,
                shape,
                published: true,
                settable: false,
                gettable: false,
                aside: true,
            };
            if let Some(mut point) = build(&feature, name) {
                if matches!(property, "devices" | "devices_offline") {
                    point.kind = ValueKind::Integer;
                }
                entity.points.push(EntityPoint::new(point, feature));
            }
        }
        self.effects.declare = true;
        self.entities.insert(EntityId::Bridge, entity);
    }

    /// Shows what has changed about the bridge.
    pub(crate) fn tell_own(&mut self, at: At) {
        let up = self.bridge.is_up();
        let devices = self
            .entities
            .values()
            .filter(|e| matches!(e.id, EntityId::Device(_)));
        let (mut all, mut offline) = (0, 0);
        for device in devices {
            all += 1;
            offline += i64::from(device.watch.shown == Presence::Offline);
        }
        let left = self.permit_left(at);
        let mut values = vec![("online", Value::Bool(up))];
        if up {
            values.extend([
                (
                    "permit_join",
                    Value::Bool(
                        left > 0
                            || (self.facts.permit_join && self.facts.permit_join_end.is_none()),
                    ),
                ),
                ("permit_join_left", Value::Float(left_seconds(left))),
                ("devices", Value::Int(all)),
                ("devices_offline", Value::Int(offline)),
                ("version", Value::text(&self.facts.version)),
                ("restart_required", Value::Bool(self.facts.restart_required)),
            ]);
        }
        let shown = if up {
            Presence::Online
        } else if self.bridge.lane() == riser_model::LaneState::Down {
            Presence::Offline
        } else {
            Presence::Unknown
        };
        if let Some(own) = self.entities.get_mut(&EntityId::Bridge) {
            own.touched |= own.watch.shown != shown;
            own.watch.shown = shown;
        }
        self.put(&values, at);
    }

    /// Seconds for which devices may still join.
    pub(crate) fn permit_left(&self, at: At) -> i64 {
        let end = self
            .facts
            .permit_join_end
            .filter(|_| self.facts.permit_join);
        let left = end.map_or(0, |end| end.saturating_sub(at.wall.0));
        left.clamp(0, 3_600_000) / 1000
    }

    /// Something happened that people who let a device join want to see.
    pub(crate) fn tell_happening(&mut self, what: &Happening, at: At) {
        let device = match what.ieee {
            Some(ieee) if what.name == ieee.to_string() || what.name.is_empty() => ieee.to_string(),
            Some(ieee) => format!("{} ({ieee})", what.name),
            None => what.name.clone(),
        };
        let text = match (what.kind.as_str(), what.status.as_deref()) {
            ("device_joined", _) => format!("{device} has joined"),
            ("device_announce", _) => format!("{device} has come back"),
            ("device_leave", _) => format!("{device} has left"),
            ("device_interview", Some("started")) => format!("{device} is being asked what it is"),
            ("device_interview", Some("successful")) => format!("{device} is known and ready"),
            ("device_interview", Some("failed")) => {
                format!("{device} did not say what it is; wake it and join it again")
            }
            _ => return,
        };
        self.put(&[("last_event", Value::text(&text))], at);
    }

    fn put(&mut self, values: &[(&str, Value)], at: At) {
        let Some(own) = self.entities.get_mut(&EntityId::Bridge) else {
            return;
        };
        let mut readings = Vec::new();
        for (property, value) in values {
            let mut points = own.points.iter_mut();
            let Some(point) = points.find(|p| p.feature.property() == *property) else {
                continue;
            };
            let new = point.last.as_ref() != Some(value);
            if let (true, Some(slot)) = (new, point.slot) {
                point.last = Some(value.clone());
                readings.push(Reading {
                    slot,
                    value: Some(value.clone()),
                    quality: Quality::GOOD,
                });
            }
        }
        if !readings.is_empty() {
            own.touched = true;
            self.effects.batches.push(ScanBatch {
                at: at.wall,
                readings,
            });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour at most")]
fn left_seconds(seconds: i64) -> f64 {
    seconds as f64
}
