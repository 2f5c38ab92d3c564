//! What a point is to others: its object with name, type, texts and units. Owns which type a point
//! becomes, and finding objects by identifier, name and slot.
//!
//! A point that may be written here is a value object with a priority array, any other an input: a
//! management system offers to write the first and not the second. Text has one type for both.

use super::config::{Config, Terms};
use super::numbers::Numbers;
use crate::codec::{ObjectId, ObjectType};
use riser_model::{Limits, Point, PointPath, PointView, Slot, Unit, ValueKind};
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Objects at most; its list is what a client has to bear.
pub(crate) const OBJECTS: usize = 50_000;
/// "No units" (clause 21).
const NO_UNITS: u32 = 95;

/// How the value of a point is written in BACnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A real number.
    Analog {
        /// Only whole ones are taken.
        whole: bool,
        /// Number of the unit.
        units: u32,
    },
    /// Two states with their texts, if they have any.
    Binary(Option<[String; 2]>),
    /// States counted from 1: the gateway's number of each, and its text.
    Multistate(Vec<(i64, String)>),
    /// Text.
    Text,
}

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    pub(crate) slot: Slot,
    pub(crate) path: PointPath,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) shape: Shape,
    pub(crate) commandable: bool,
    pub(crate) increment: f32,
    pub(crate) limits: Limits,
}

/// Every object, in order of identifiers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects {
    list: Vec<Arc<Object>>,
    names: FxHashMap<String, usize>,
    slots: FxHashMap<Slot, usize>,
    /// Points that are meant and not shown, as there are too many.
    pub(crate) left_out: usize,
}

impl Objects {
    /// Of these points, as far as they are meant.
    pub(crate) fn new(views: &[PointView], config: &Config, numbers: &mut Numbers) -> Self {
        let mut list = Vec::new();
        let mut left_out = 0;
        for view in views {
            let Some(terms) = config.terms(&view.point.path) else {
                continue;
            };
            if list.len() < OBJECTS {
                list.push(Arc::new(object(view, terms, numbers)));
            } else {
                left_out += 1;
            }
        }
        list.sort_by_key(|o| o.id);
        let mut objects = Self {
            left_out,
            ..Self::default()
        };
        objects.list = unique(list, &config.device.name);
        for (at, object) in objects.list.iter().enumerate() {
            objects.names.insert(object.name.clone(), at);
            objects.slots.insert(object.slot, at);
        }
        objects
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Object>] {
        &self.list
    }

    /// By its identifier.
    pub(crate) fn find(&self, id: ObjectId) -> Option<&Arc<Object>> {
        let at = self.list.binary_search_by_key(&id, |o| o.id).ok()?;
        self.list.get(at)
    }

    /// By its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Object>> {
        self.names.get(name).and_then(|at| self.list.get(*at))
    }

    /// By its point.
    pub(crate) fn of(&self, slot: Slot) -> Option<&Arc<Object>> {
        self.slots.get(&slot).and_then(|at| self.list.get(*at))
    }

    /// A number that changes when an object comes, goes or is renamed.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        for object in &self.list {
            (object.id, &object.name).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Names are unique in a device: a second one of a name goes by its path, and the path belongs to the
/// point that has it.
fn unique(list: Vec<Arc<Object>>, device: &str) -> Vec<Arc<Object>> {
    let paths: FxHashMap<String, ObjectId> =
        list.iter().map(|o| (o.path.to_string(), o.id)).collect();
    let mut seen: FxHashMap<String, ()> = [(device.to_owned(), ())].into_iter().collect();
    let rename = |object: Arc<Object>| {
        let others = paths.get(&object.name).is_some_and(|id| *id != object.id);
        if !others && seen.insert(object.name.clone(), ()).is_none() {
            return object;
        }
        let mut renamed = Object::clone(&object);
        renamed.name = object.path.to_string();
        seen.insert(renamed.name.clone(), ());
        Arc::new(renamed)
    };
    list.into_iter().map(rename).collect()
}

fn object(view: &PointView, terms: Terms<'_>, numbers: &mut Numbers) -> Object {
    let point = &view.point;
    let shape = shape(point);
    let commandable = terms.writable && point.access.writable();
    let kind = match (&shape, commandable) {
        (Shape::Analog { .. }, false) => ObjectType::ANALOG_INPUT,
        (Shape::Analog { .. }, true) => ObjectType::ANALOG_VALUE,
        (Shape::Binary(_), false) => ObjectType::BINARY_INPUT,
        (Shape::Binary(_), true) => ObjectType::BINARY_VALUE,
        (Shape::Multistate(_), false) => ObjectType::MULTI_STATE_INPUT,
        (Shape::Multistate(_), true) => ObjectType::MULTI_STATE_VALUE,
        (Shape::Text, _) => ObjectType::CHARACTERSTRING_VALUE,
    };
    let wanted = terms.named.and_then(|n| n.instance);
    let name = terms.named.and_then(|n| n.name.clone());
    let description = terms.named.and_then(|n| n.description.clone());
    #[expect(clippy::cast_possible_truncation, reason = "an increment of 32 bits")]
    let step = point.deadband.or(point.limits.step).map(|x| x as f32);
    let step = step.filter(|x| x.is_finite() && *x >= 0.0);
    Object {
        id: ObjectId::new(kind, numbers.of(&point.path, kind, wanted)),
        slot: view.slot,
        path: point.path.clone(),
        name: name.unwrap_or_else(|| point.path.to_string()),
        description: description.unwrap_or_else(|| described(point)),
        shape,
        commandable,
        increment: terms.increment.or(step).unwrap_or(0.0),
        limits: point.limits,
    }
}

fn described(point: &Point) -> String {
    match point.device_name.is_empty() {
        true => point.name.clone(),
        false => format!("{}: {}", point.device_name, point.name),
    }
}

fn shape(point: &Point) -> Shape {
    let label = |state| {
        let label = point.labels.iter().find(|l| l.state == state);
        label.map(|l| l.text.clone())
    };
    match point.kind {
        ValueKind::Bool => Shape::Binary(label(0).zip(label(1)).map(<[_; 2]>::from)),
        ValueKind::Enum if !point.labels.is_empty() => {
            let labels = point.labels.iter();
            Shape::Multistate(labels.map(|l| (l.state, l.text.clone())).collect())
        }
        ValueKind::Text => Shape::Text,
        ValueKind::Float | ValueKind::Integer | ValueKind::Enum => Shape::Analog {
            whole: point.kind != ValueKind::Float,
            units: point
                .unit
                .and_then(Unit::bacnet)
                .map_or(NO_UNITS, u32::from),
        },
    }
}
