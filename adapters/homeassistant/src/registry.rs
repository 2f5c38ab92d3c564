//! Areas, devices and entities as Home Assistant's registries list them. Owns reading the three
//! lists; an entry that is not understood is left out.

use crate::codec::cut;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// What the registries say.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    devices: HashMap<String, Device>,
    entities: HashMap<String, Entity>,
    areas: HashMap<String, String>,
}

/// A device of the registry.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Device {
    pub(crate) id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    name_by_user: Option<String>,
    #[serde(default)]
    area_id: Option<String>,
    #[serde(default)]
    manufacturer: Option<String>,
    #[serde(default)]
    model: Option<String>,
    /// Who knows the device by which name, in pairs.
    #[serde(default)]
    identifiers: Value,
}

/// An entity of the registry.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entity {
    entity_id: String,
    /// Stays the same when the entity is renamed.
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) device_id: Option<String>,
    #[serde(default)]
    area_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    original_name: Option<String>,
}

#[derive(Deserialize)]
struct Area {
    area_id: String,
    name: String,
}

impl Registry {
    pub(crate) fn new(areas: &Value, devices: &Value, entities: &Value) -> Self {
        let areas = list::<Area>(areas);
        let devices = list::<Device>(devices);
        let entities = list::<Entity>(entities);
        Self {
            areas: areas.map(|a| (a.area_id, cut(&a.name))).collect(),
            devices: devices.map(|d| (d.id.clone(), d)).collect(),
            entities: entities.map(|e| (e.entity_id.clone(), e)).collect(),
        }
    }

    pub(crate) fn entity(&self, entity: &str) -> Option<&Entity> {
        self.entities.get(entity)
    }

    pub(crate) fn device_of(&self, entity: &Entity) -> Option<&Device> {
        self.devices.get(entity.device_id.as_deref()?)
    }

    /// Whether an entity is a point that a gateway of Riser offers by MQTT discovery.
    pub(crate) fn is_risers(&self, entity: &str) -> bool {
        let device = self.entity(entity).and_then(|e| self.device_of(e));
        device.is_some_and(Device::is_risers)
    }

    /// The area a device is in.
    pub(crate) fn area_of(&self, device: &Device) -> Option<&str> {
        let area = self.areas.get(device.area_id.as_deref()?)?;
        Some(area)
    }

    /// The area an entity without a device is in.
    pub(crate) fn area_of_entity(&self, entity: &Entity) -> Option<&str> {
        let area = self.areas.get(entity.area_id.as_deref()?)?;
        Some(area)
    }
}

impl Device {
    /// The name people gave it, or it has by itself.
    pub(crate) fn name(&self) -> String {
        let name = self.name_by_user.as_deref().or(self.name.as_deref());
        name.filter(|n| !n.trim().is_empty())
            .map_or_else(|| cut(&self.id), cut)
    }

    fn is_risers(&self) -> bool {
        let list = self.identifiers.as_array().map(Vec::as_slice);
        list.unwrap_or_default().iter().any(|pair| {
            let name = pair.get(1).and_then(Value::as_str).unwrap_or_default();
            pair.get(0).and_then(Value::as_str) == Some("mqtt") && name.starts_with("riser_")
        })
    }

    /// Maker and model, as far as known.
    pub(crate) fn make(&self) -> String {
        let parts = [self.manufacturer.as_deref(), self.model.as_deref()];
        cut(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

impl Entity {
    /// The name people gave it, or it has by itself, without its device's.
    pub(crate) fn name(&self) -> Option<String> {
        let name = self.name.as_deref().or(self.original_name.as_deref());
        name.filter(|n| !n.trim().is_empty()).map(cut)
    }
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> impl Iterator<Item = T> {
    let list = value.as_array().cloned().unwrap_or_default();
    list.into_iter()
        .filter_map(|entry| T::deserialize(entry).ok())
}
