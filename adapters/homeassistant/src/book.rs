//! Which points the entities became. Owns their paths: given once, kept in the adapter's notes, and
//! the same after an entity or a device was renamed in Home Assistant.

use crate::codec::State;
use crate::config::Choice;
use crate::mapping::{Aspect, Plan, plans};
use crate::registry::{Device, Entity, Registry};
use riser_adapter::Memory;
use riser_model::{Key, Point, PointPath, Slot};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Entities taken; what is beyond is counted and told.
const ENTITIES: usize = 20_000;

/// The points, and what they are in Home Assistant.
#[derive(Default)]
pub(crate) struct Book {
    /// Every point, in the order it was declared in.
    pub(crate) points: Vec<Entry>,
    by_entity: HashMap<String, Vec<usize>>,
    by_slot: HashMap<Slot, usize>,
    /// Every device with its entities.
    pub(crate) devices: BTreeMap<Key, DeviceEntry>,
    /// Entities that are a gateway's own points, offered there by MQTT discovery.
    pub(crate) risers: BTreeSet<String>,
    /// Entities that were one too many.
    pub(crate) left_out: usize,
}

/// A point of an entity.
pub(crate) struct Entry {
    pub(crate) entity: String,
    pub(crate) plan: Plan,
    pub(crate) point: Arc<Point>,
    pub(crate) slot: Slot,
}

/// A device as it is shown.
pub(crate) struct DeviceEntry {
    pub(crate) name: String,
    pub(crate) make: String,
    pub(crate) entities: BTreeSet<String>,
}

impl Book {
    /// Makes the points of what Home Assistant says it has.
    pub(crate) async fn new(
        states: &[State],
        registry: &Registry,
        choice: &Choice,
        memory: &dyn Memory,
    ) -> Self {
        let mut book = Self::default();
        let mut names = Names::default();
        let mut sorted: Vec<&State> = states.iter().filter(|s| choice.takes(&s.entity)).collect();
        sorted.sort_by(|a, b| a.entity.cmp(&b.entity));
        for state in sorted {
            if book.by_entity.len() >= ENTITIES {
                book.left_out += 1;
                continue;
            }
            let entry = registry.entity(&state.entity);
            let id = entry.and_then(|e| e.id.as_deref()).unwrap_or(&state.entity);
            let known = options(id, memory).await;
            let planned = plans(state, &known);
            if planned.is_empty() {
                continue;
            }
            keep_options(id, &known, &planned, memory).await;
            let about = About::new(state, entry, registry);
            let path = names.path(id, &about, memory).await;
            book.add(state, planned, &about, &path);
        }
        book
    }

    fn add(&mut self, state: &State, plans: Vec<Plan>, about: &About<'_>, path: &PointPath) {
        let device = self.devices.entry(path.device.clone());
        let device = device.or_insert_with(|| DeviceEntry {
            name: about.device_name.clone(),
            make: about.device.map(Device::make).unwrap_or_default(),
            entities: BTreeSet::new(),
        });
        device.entities.insert(state.entity.clone());
        let device_name = device.name.clone();
        for plan in plans {
            let path = match plan.aspect.suffix() {
                Some(suffix) => suffixed(path, suffix),
                None => path.clone(),
            };
            let name = match plan.aspect.suffix() {
                Some(suffix) => format!("{} {suffix}", about.name),
                None => about.name.clone(),
            };
            let point = Point {
                path,
                name,
                device_name: device_name.clone(),
                kind: plan.kind,
                unit: plan.unit,
                access: plan.access,
                limits: plan.limits,
                labels: plan.labels.clone(),
                deadband: None,
                // States are told when they change; the connection itself is watched.
                stale_after_ms: 0,
            };
            let index = self.points.len();
            let of_entity = self.by_entity.entry(state.entity.clone()).or_default();
            of_entity.push(index);
            self.points.push(Entry {
                entity: state.entity.clone(),
                plan,
                point: Arc::new(point),
                slot: Slot(u32::MAX),
            });
        }
    }

    /// Takes over the slots the points were given, in their order.
    pub(crate) fn number(&mut self, slots: &[Slot]) {
        for (index, (entry, slot)) in self.points.iter_mut().zip(slots).enumerate() {
            entry.slot = *slot;
            self.by_slot.insert(*slot, index);
        }
    }

    /// The points of an entity.
    pub(crate) fn of_entity(&self, entity: &str) -> impl Iterator<Item = &Entry> {
        let indices = self.by_entity.get(entity).map(Vec::as_slice);
        let indices = indices.unwrap_or_default().iter();
        indices.filter_map(|index| self.points.get(*index))
    }

    pub(crate) fn has(&self, entity: &str) -> bool {
        self.by_entity.contains_key(entity)
    }

    pub(crate) fn at(&self, slot: Slot) -> Option<&Entry> {
        self.points.get(*self.by_slot.get(&slot)?)
    }
}

/// What is known of an entity besides its state.
struct About<'a> {
    device: Option<&'a Device>,
    /// Name of the point.
    name: String,
    device_name: String,
    /// What of its entity id becomes a key.
    object: &'a str,
    domain: &'a str,
}

impl<'a> About<'a> {
    fn new(state: &'a State, entry: Option<&Entity>, registry: &'a Registry) -> Self {
        let (domain, object) = state.entity.split_once('.').unwrap_or(("", &state.entity));
        let device = entry.and_then(|e| registry.device_of(e));
        let friendly = state.text("friendly_name").map(str::to_owned);
        let own = entry.and_then(Entity::name);
        let name = own.or(friendly).unwrap_or_else(|| object.replace('_', " "));
        let area = match (device, entry) {
            (Some(device), _) => registry.area_of(device),
            (None, Some(entry)) => registry.area_of_entity(entry),
            (None, None) => None,
        };
        let plain = device.map_or_else(|| format!("Home Assistant {domain}"), Device::name);
        let device_name = match area {
            Some(area) => format!("{plain} ({area})"),
            None => plain,
        };
        Self {
            device,
            name,
            device_name,
            object,
            domain,
        }
    }
}

/// Paths given so far.
#[derive(Default)]
struct Names {
    paths: BTreeSet<PointPath>,
    /// Keys of devices by what they are: the device's id, or the domain.
    devices: HashMap<String, Key>,
    taken: BTreeSet<Key>,
}

impl Names {
    async fn path(&mut self, id: &str, about: &About<'_>, memory: &dyn Memory) -> PointPath {
        let note = format!("point/{id}");
        let noted = memory.get(&note).await.and_then(|text| text.parse().ok());
        if let Some(path) = noted.filter(|path| !self.paths.contains(path)) {
            self.paths.insert(PointPath::clone(&path));
            return path;
        }
        let device = self.device(about, memory).await;
        let object = own_part(about.object, device.as_str());
        let point = distinct(&Key::slug(object), |key| {
            self.paths.contains(&PointPath {
                device: device.clone(),
                point: key.clone(),
            })
        });
        let path = PointPath { device, point };
        self.paths.insert(path.clone());
        memory.put(&note, Some(path.to_string())).await;
        path
    }

    async fn device(&mut self, about: &About<'_>, memory: &dyn Memory) -> Key {
        let id = about.device.map_or(about.domain, |d| d.id.as_str());
        if let Some(key) = self.devices.get(id) {
            return key.clone();
        }
        let note = format!("device/{id}");
        let noted = memory
            .get(&note)
            .await
            .and_then(|text| Key::new(&text).ok());
        let key = match noted {
            Some(key) if !self.taken.contains(&key) => key,
            _ => {
                let name = about
                    .device
                    .map_or_else(|| about.domain.to_owned(), Device::name);
                let key = distinct(&Key::slug(&name), |key| self.taken.contains(key));
                memory.put(&note, Some(key.to_string())).await;
                key
            }
        };
        self.taken.insert(key.clone());
        self.devices.insert(id.to_owned(), key.clone());
        key
    }
}

/// An entity's name without that of its device in front.
fn own_part<'a>(object: &'a str, device: &str) -> &'a str {
    let device = device.replace('-', "_");
    let rest = object.strip_prefix(device.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix('_'));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(object)
}

/// The key, or it with the first number that makes it one of its own.
fn distinct(key: &Key, taken: impl Fn(&Key) -> bool) -> Key {
    let numbered = (2..).map(|n: u32| suffix_key(key, &n.to_string()));
    let mut all = std::iter::once(key.clone()).chain(numbered);
    all.find(|key| !taken(key)).unwrap_or_else(|| key.clone())
}

/// A key with something behind it, short enough.
fn suffix_key(key: &Key, suffix: &str) -> Key {
    let room = riser_model::id::KEY_MAX.saturating_sub(suffix.len() + 1);
    let stem: String = key.as_str().chars().take(room).collect();
    Key::slug(&format!("{}_{suffix}", stem.trim_end_matches(['-', '_'])))
}

fn suffixed(path: &PointPath, suffix: &str) -> PointPath {
    PointPath {
        device: path.device.clone(),
        point: suffix_key(&path.point, suffix),
    }
}

async fn options(id: &str, memory: &dyn Memory) -> Vec<String> {
    let noted = memory.get(&format!("options/{id}")).await;
    let options = noted.and_then(|text| serde_json::from_str(&text).ok());
    options.unwrap_or_default()
}

/// Keeps the order of an entity's options, for it is their meaning.
async fn keep_options(id: &str, known: &[String], plans: &[Plan], memory: &dyn Memory) {
    let choice = plans.iter().find(|p| p.aspect == Aspect::Choice);
    let Some(plan) = choice.filter(|p| p.options != known) else {
        return;
    };
    if let Ok(text) = serde_json::to_string(&plan.options) {
        memory.put(&format!("options/{id}"), Some(text)).await;
    }
}
