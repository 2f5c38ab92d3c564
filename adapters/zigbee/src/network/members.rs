//! Who is in the network: what becomes of `bridge/devices` and `bridge/groups`. Owns that a device is
//! its address: a new name changes topics and what people read, and nothing else.

use super::entity::{Entity, EntityId, EntityPoint};
use super::{At, Network, Route};
use crate::codec::{
    BridgeDevice, BridgeGroup, Family, Feature, Interview, Power, Role, Scene, Shape, device, topic,
};
use crate::config::{DeviceConfig, Ieee, key_of};
use crate::mapping::{EntityName, build};
use riser_model::{Access, Key, Label, Point};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The property that recalls a scene.
const SCENE: &str = "scene_recall";

impl Network {
    /// Takes over the list of devices.
    pub(crate) fn apply_devices(&mut self, devices: Vec<BridgeDevice>, at: At) {
        let devices = devices.into_iter().filter(|d| d.role != Role::Coordinator);
        let mut seen = BTreeSet::new();
        for device in devices {
            let id = EntityId::Device(device.ieee);
            seen.insert(id);
            self.apply_device(id, &device);
        }
        self.drop_others(&seen, |id| matches!(id, EntityId::Device(_)), at);
        self.regroup();
    }

    fn apply_device(&mut self, id: EntityId, device: &BridgeDevice) {
        let config = self.config.devices.get(&device.ieee).cloned();
        let config = config.unwrap_or_default();
        let key = config.key.clone().unwrap_or_else(|| key_of(device.ieee));
        let timing = self.config.timing;
        let battery = device.power == Power::Battery;
        let stale = if battery {
            timing.battery_stale_ms
        } else {
            timing.stale_ms
        };
        let settle = if battery {
            timing.battery_settle
        } else {
            timing.settle
        };
        let mut entity = self.entities.remove(&id).unwrap_or_else(|| {
            self.effects.declare = true;
            Entity::new(id, key, &device.name)
        });
        self.rename(&mut entity, &device.name);
        entity.model.clone_from(&device.model);
        entity.description.clone_from(&device.description);
        entity.power = device.power;
        entity.disabled = device.disabled;
        entity.scenes.clone_from(&device.scenes);
        entity.stale_ms = config.stale_ms.unwrap_or(stale);
        entity.settle = config.settle.unwrap_or(settle);
        entity.remark = remark(device);
        entity.touched = true;
        let skip = |f: &Feature| {
            let property = f.property();
            self.config.skip.contains(property) || config.skip.contains(property)
        };
        let mut features: Vec<Feature> = device
            .features
            .iter()
            .filter(|f| !skip(f))
            .cloned()
            .collect();
        features.extend(firmware(device.updatable));
        features.extend(scene_feature(&device.scenes));
        self.update_points(&mut entity, &features, (&device.scenes, Some(&config)));
        self.entities.insert(id, entity);
    }

    /// Takes over the list of groups.
    pub(crate) fn apply_groups(&mut self, groups: &[BridgeGroup], at: At) {
        let mut seen = BTreeSet::new();
        for group in groups {
            let id = EntityId::Group(group.id);
            seen.insert(id);
            let key = Key::slug(&format!("{}-group-{}", self.name, group.id));
            let mut entity = self.entities.remove(&id).unwrap_or_else(|| {
                self.effects.declare = true;
                Entity::new(id, key, &group.name)
            });
            self.rename(&mut entity, &group.name);
            entity.model = format!("{} devices", group.members.len());
            entity.power = Power::Mains;
            entity.stale_ms = self.config.timing.battery_stale_ms;
            entity.settle = self.config.timing.settle;
            entity.touched = true;
            entity.members.clone_from(&group.members);
            entity.scenes.clone_from(&group.scenes);
            self.entities.insert(id, entity);
        }
        self.drop_others(&seen, |id| matches!(id, EntityId::Group(_)), at);
        self.regroup();
    }

    /// What a group can do is what all its members can; those may have changed.
    fn regroup(&mut self) {
        let groups: Vec<EntityId> = self.entities.keys().copied().collect();
        for id in groups
            .into_iter()
            .filter(|id| matches!(id, EntityId::Group(_)))
        {
            let Some(mut entity) = self.entities.remove(&id) else {
                continue;
            };
            let mut features = self.common(&entity.members);
            features.extend(scene_feature(&entity.scenes));
            let scenes = entity.scenes.clone();
            self.update_points(&mut entity, &features, (&scenes, None));
            self.entities.insert(id, entity);
        }
    }

    fn common(&self, members: &[Ieee]) -> Vec<Feature> {
        let device = |ieee: &Ieee| self.entities.get(&EntityId::Device(*ieee));
        let mut members = members.iter().filter_map(device);
        let Some(first) = members.next() else {
            return Vec::new();
        };
        let lasting = |f: &&Feature| f.family != Family::Generic && f.settable && f.published;
        let features = first.points.iter().map(|p| &p.feature).filter(lasting);
        let mut common: Vec<Feature> = features.cloned().collect();
        for member in members {
            common.retain_mut(|feature| {
                let same = member
                    .points
                    .iter()
                    .find(|p| p.feature.path == feature.path);
                same.is_some_and(|p| narrow(&mut feature.shape, &p.feature.shape))
            });
        }
        common
    }

    fn rename(&mut self, entity: &mut Entity, name: &str) {
        let topics = |name: &str| {
            let state = format!("{}/{name}", self.config.base);
            (format!("{state}/availability"), state)
        };
        if entity.name != name {
            let (availability, state) = topics(&entity.name);
            for old in [state, availability] {
                // Another device may have taken the old name over already.
                let mine = self
                    .routes
                    .get(&old)
                    .is_some_and(|r| r.entity() == entity.id);
                if mine && self.routes.remove(&old).is_some() {
                    self.effects.unsubscribe.push(old);
                }
            }
            name.clone_into(&mut entity.name);
            entity.touched = true;
        }
        if !topic::usable(name) {
            return;
        }
        let (availability, state) = topics(name);
        let routes = [
            (state, Route::State(entity.id)),
            (availability, Route::Availability(entity.id)),
        ];
        for (topic, route) in routes {
            if self.routes.insert(topic.clone(), route) != Some(route) {
                self.effects.unsubscribe.retain(|old| *old != topic);
                self.effects.subscribe.push(topic);
            }
        }
    }

    fn drop_others(&mut self, seen: &BTreeSet<EntityId>, of: impl Fn(&EntityId) -> bool, at: At) {
        let gone = self
            .entities
            .keys()
            .filter(|id| of(id) && !seen.contains(id));
        for id in gone.copied().collect::<Vec<_>>() {
            if let Some(entity) = self.entities.remove(&id) {
                let topics = self.routes.iter().filter(|(_, route)| route.entity() == id);
                let topics: Vec<String> = topics.map(|(topic, _)| topic.clone()).collect();
                self.routes.retain(|_, route| route.entity() != id);
                self.effects.unsubscribe.extend(topics);
                self.slots.retain(|_, (of, _)| *of != id);
                self.numbers.forget(id);
                self.farewell(&entity, at);
            }
        }
    }

    /// Brings the points in line with the features; what is known of a point that stays is kept.
    pub(crate) fn update_points(
        &mut self,
        entity: &mut Entity,
        features: &[Feature],
        (scenes, config): (&[Scene], Option<&DeviceConfig>),
    ) {
        let of = EntityName {
            key: &entity.key,
            name: &device::shown(&entity.name),
            stale_ms: entity.stale_ms,
        };
        let mut points: Vec<EntityPoint> = Vec::with_capacity(features.len());
        for feature in features {
            let Some(mut point) = build(feature, of) else {
                continue;
            };
            if feature.property() == SCENE {
                point.labels = scenes.iter().map(label).collect();
            }
            dress(&mut point, config);
            if points.iter().all(|p| p.point.path != point.path) {
                let mut point = EntityPoint::new(point, feature.clone());
                self.number_states(entity.id, &mut point);
                points.push(point);
            }
        }
        // Properties no feature describes were found in states, and stay.
        for old in std::mem::take(&mut entity.points) {
            let same = points.iter_mut().find(|p| p.point.path == old.point.path);
            match same {
                Some(point) => point.keep(old, &mut entity.declared),
                None if old.plain => points.push(old),
                None => entity.declared = false,
            }
        }
        entity.declared &= points.iter().all(|p| p.slot.is_some());
        entity.declared |= points.is_empty();
        self.effects.declare |= !entity.declared;
        entity.points = points;
        let id = entity.id;
        self.slots.retain(|_, (of, _)| *of != id);
        let slots = entity.points.iter().enumerate();
        let slots = slots.filter_map(|(i, p)| Some((p.slot?, (id, i))));
        self.slots.extend(slots);
    }
}

impl Route {
    /// Whose topic it is.
    pub(crate) fn entity(self) -> EntityId {
        match self {
            Self::State(id) | Self::Availability(id) => id,
        }
    }
}

fn label(scene: &Scene) -> Label {
    Label {
        state: scene.id.into(),
        text: scene.name.clone(),
    }
}

/// What the configuration says of a point goes before what the bridge says, where it may.
fn dress(point: &mut Point, config: Option<&DeviceConfig>) {
    let Some(given) = config.and_then(|c| c.points.get(&point.path.point)) else {
        return;
    };
    let given: &Arc<Point> = given;
    if given.name != given.path.point.as_str() {
        point.name.clone_from(&given.name);
    }
    point.deadband = given.deadband;
    point.stale_after_ms = given.stale_after_ms;
    if given.limits != riser_model::Limits::default() {
        point.limits = given.limits;
    }
    if given.access == Access::Read && point.access == Access::ReadWrite {
        point.access = Access::Read;
    }
}

/// Narrows a shape to what another also has; `false` when they do not go together.
fn narrow(shape: &mut Shape, other: &Shape) -> bool {
    match (shape, other) {
        (
            Shape::Numeric { min, max, .. },
            Shape::Numeric {
                min: low,
                max: high,
                ..
            },
        ) => {
            let least = |a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64| match (a, b) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (one, other) => one.or(other),
            };
            *min = least(*min, *low, f64::max);
            *max = least(*max, *high, f64::min);
            true
        }
        (Shape::Enum(states), Shape::Enum(others)) => {
            states.retain(|s| others.contains(s));
            !states.is_empty()
        }
        (shape, other) => shape == other,
    }
}

fn scene_feature(scenes: &[Scene]) -> Option<Feature> {
    (!scenes.is_empty()).then(|| Feature {
        path: vec![SCENE.to_owned()],
        within: String::new(),
        label: "Recall scene".to_owned(),
        family: Family::Generic,
        shape: Shape::Scene,
        published: false,
        settable: true,
        gettable: false,
        aside: true,
    })
}

/// What a device that takes firmware over the air tells about it.
fn firmware(updatable: bool) -> Vec<Feature> {
    let states = ["idle", "available", "updating", "scheduled"].map(str::to_owned);
    let numeric = |unit: Option<&str>| Shape::Numeric {
        unit: unit.map(str::to_owned),
        min: None,
        max: None,
        step: None,
    };
    let parts = [
        ("state", "Firmware update", Shape::Enum(states.to_vec())),
        ("progress", "Firmware update, progress", numeric(Some("%"))),
        ("installed_version", "Firmware version", numeric(None)),
        (
            "latest_version",
            "Firmware version available",
            numeric(None),
        ),
    ];
    let parts = parts.into_iter().filter(|_| updatable);
    parts
        .map(|(key, label, shape)| Feature {
            path: vec!["update".to_owned(), key.to_owned()],
            within: String::new(),
            label: label.to_owned(),
            family: Family::Generic,
            shape,
            published: true,
            settable: false,
            gettable: false,
            aside: true,
        })
        .collect()
}

/// What is odd about a device as the bridge has it.
pub(crate) fn remark(device: &BridgeDevice) -> Option<String> {
    let mut parts = Vec::new();
    match device.interview {
        Interview::Done => {}
        Interview::Running => parts.push("zigbee2mqtt is still asking it what it is; keep it awake near the stick".to_owned()),
        Interview::Failed => parts.push("zigbee2mqtt could not find out what it is; wake it, hold it near the stick and join it again".to_owned()),
    }
    if device.disabled {
        parts.push("it is disabled in zigbee2mqtt".to_owned());
    }
    if !device.supported && device.interview == Interview::Done {
        parts.push(format!(
            "zigbee2mqtt does not know the model '{}'; only what it sends by itself is shown",
            device.model
        ));
    }
    if device.left_out > 0 {
        parts.push(format!(
            "{} features could not be read and are left out",
            device.left_out
        ));
    }
    if !topic::usable(&device.name) {
        parts.push(format!(
            "its name '{}' cannot stand in a topic; rename it",
            device::shown(&device.name)
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
