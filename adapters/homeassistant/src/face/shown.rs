//! What Home Assistant is shown: every offered point as an entity, what was told of it last, and what is
//! gone. Owns what changes between two looks at the gateway's points, and when something is forgotten.

use super::config::{Config, Names};
use super::entity::{Component, state};
use riser_model::{Point, PointView, Quality, Slot, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::time::Instant;

/// Points offered at most; what is beyond is counted and told.
const POINTS: usize = 5_000;
/// Descriptions of an earlier run that are kept in mind.
const FORMER: usize = 20_000;

/// A message: topic, and retained text; an empty one makes the broker forget.
pub(super) type Telling = (String, String);

/// An offered point.
pub(super) struct Entity {
    pub(super) point: Point,
    pub(super) component: Component,
    slot: Slot,
    config: String,
    told: Option<(Option<Value>, Quality)>,
    told_at: Instant,
    last_write: Option<String>,
    gone: Option<Instant>,
}

/// Everything that is offered.
pub(super) struct Shown {
    names: Names,
    entities: BTreeMap<String, Entity>,
    by_slot: HashMap<Slot, String>,
    former: HashMap<(Component, String), Instant>,
    /// Points that were one too many.
    pub(super) left_out: usize,
}

impl Shown {
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            entities: BTreeMap::new(),
            by_slot: HashMap::new(),
            former: HashMap::new(),
            left_out: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entities.len()
    }

    /// An entity by its name in topics.
    pub(super) fn entity(&self, object: &str) -> Option<&Entity> {
        self.entities.get(object).filter(|e| e.gone.is_none())
    }

    /// Looks which points there are; answers what has to be told.
    pub(super) fn look(&mut self, points: Vec<PointView>, config: &Config) -> Vec<Telling> {
        let mut out = Vec::new();
        let (mut here, mut left) = (HashSet::new(), HashSet::new());
        self.left_out = 0;
        for view in points {
            let object = Names::object(&view.point.path);
            let path = view.point.path.to_string();
            if !config.choice.takes(&path) {
                left.insert(object);
            } else if here.len() >= POINTS {
                self.left_out += 1;
                left.insert(object);
            } else {
                let may = config.writable.as_ref().is_some_and(|w| w.takes(&path));
                self.offer(&object, &view, may, &mut out);
                here.insert(object);
            }
        }
        self.drop_left(&left, &mut out);
        let (names, now) = (&self.names, Instant::now());
        for (object, entity) in &mut self.entities {
            if !here.contains(object) && entity.gone.is_none() {
                entity.gone = Some(now);
                let gone = r#"{"value":null,"available":"offline","about":{"quality":"bad"}}"#;
                out.push((names.topic(object, "state"), gone.to_owned()));
            }
        }
        out
    }

    fn offer(&mut self, object: &str, view: &PointView, may: bool, out: &mut Vec<Telling>) {
        let component = Component::of(&view.point, may);
        let now = Instant::now();
        let entity = self.entities.entry(object.to_owned());
        let entity = entity.or_insert_with(|| Entity {
            point: view.point.clone(),
            component,
            slot: view.slot,
            config: String::new(),
            told: None,
            told_at: now,
            last_write: None,
            gone: None,
        });
        if entity.component != component {
            // It is another entity there now: the former has to go first.
            let former = self.names.config(entity.component.name(), object);
            out.push((former, String::new()));
            entity.component = component;
            entity.config.clear();
        }
        if entity.config.is_empty() || entity.point != view.point {
            entity.point.clone_from(&view.point);
            entity.config = self.names.describe(&view.point, component);
            let topic = self.names.config(component.name(), object);
            out.push((topic, entity.config.clone()));
            entity.told = None;
        }
        if entity.gone.take().is_some() {
            entity.told = None;
        }
        self.by_slot.insert(view.slot, object.to_owned());
        entity.slot = view.slot;
        if entity.told.as_ref() != Some(&(view.value.clone(), view.quality)) {
            out.push(entity.tell(&self.names, view, now));
        }
    }

    /// What is there and not to be offered is forgotten at once.
    fn drop_left(&mut self, left: &HashSet<String>, out: &mut Vec<Telling>) {
        let not_offered = |object: &String| left.contains(object);
        let now: Vec<String> = self
            .entities
            .keys()
            .filter(|o| not_offered(o))
            .cloned()
            .collect();
        for object in now {
            self.forget(&object, out);
        }
        let former = self.former.keys().filter(|(_, o)| not_offered(o));
        let former: Vec<_> = former.cloned().collect();
        for of in former {
            self.forget_former(&of, out);
        }
    }

    /// A scan has brought something of this point: what has to be told, if anything.
    pub(super) fn changed(
        &mut self,
        view: &PointView,
        repeat: std::time::Duration,
    ) -> Option<Telling> {
        let object = self.by_slot.get(&view.slot)?;
        let entity = self.entities.get_mut(object)?;
        let same = entity.told.as_ref() == Some(&(view.value.clone(), view.quality));
        if entity.gone.is_some() || (same && entity.told_at.elapsed() < repeat) {
            return None;
        }
        Some(entity.tell(&self.names, view, Instant::now()))
    }

    /// Keeps what came of a write; the point's slot, so that its state is told anew.
    pub(super) fn written(&mut self, object: &str, outcome: String) -> Option<Slot> {
        let entity = self.entities.get_mut(object)?;
        entity.last_write = Some(outcome);
        entity.told = None;
        Some(entity.slot)
    }

    /// Whether a slot is offered.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.by_slot.contains_key(&slot)
    }

    /// Everything there is to tell to a broker that knows nothing: descriptions first.
    pub(super) fn everything(&mut self) -> Vec<Telling> {
        let mut out = vec![self.names.gateway()];
        for (object, entity) in &mut self.entities {
            entity.told = None;
            if entity.gone.is_none() {
                let topic = self.names.config(entity.component.name(), object);
                out.push((topic, entity.config.clone()));
            }
        }
        out
    }

    /// The broker keeps a description below this gateway's name: of now, or of an earlier run.
    pub(super) fn kept(&mut self, component: &str, object: &str) -> Option<Telling> {
        let known = Component::ALL.into_iter().find(|c| c.name() == component)?;
        if !object.contains("-P-") {
            return None;
        }
        match self.entities.get(object) {
            Some(entity) if entity.component == known => return None,
            Some(_) => return Some((self.names.config(component, object), String::new())),
            None if self.former.len() < FORMER => {}
            None => return None,
        }
        let of = (known, object.to_owned());
        self.former.entry(of).or_insert_with(Instant::now);
        None
    }

    /// Forgets what has been gone for long enough.
    pub(super) fn forget_old(&mut self, after: std::time::Duration) -> Vec<Telling> {
        let mut out = Vec::new();
        let old = |since: &Instant| since.elapsed() >= after;
        let gone = self.entities.iter();
        let gone = gone.filter(|(_, e)| e.gone.as_ref().is_some_and(old));
        let gone: Vec<String> = gone.map(|(object, _)| object.clone()).collect();
        for object in gone {
            self.forget(&object, &mut out);
        }
        let former = self.former.iter().filter(|(_, since)| old(since));
        let former: Vec<_> = former.map(|(of, _)| of.clone()).collect();
        for of in former {
            self.forget_former(&of, &mut out);
        }
        out
    }

    fn forget(&mut self, object: &str, out: &mut Vec<Telling>) {
        let Some(entity) = self.entities.remove(object) else {
            return;
        };
        if self.by_slot.get(&entity.slot).is_some_and(|o| o == object) {
            self.by_slot.remove(&entity.slot);
        }
        let config = self.names.config(entity.component.name(), object);
        out.push((config, String::new()));
        out.push((self.names.topic(object, "state"), String::new()));
    }

    fn forget_former(&mut self, of: &(Component, String), out: &mut Vec<Telling>) {
        self.former.remove(of);
        let (component, object) = of;
        match self.entities.get(object) {
            Some(entity) if entity.component == *component => {}
            now => {
                if now.is_none() {
                    out.push((self.names.topic(object, "state"), String::new()));
                }
                out.push((self.names.config(component.name(), object), String::new()));
            }
        }
    }
}

impl Entity {
    fn tell(&mut self, names: &Names, view: &PointView, now: Instant) -> Telling {
        self.told = Some((view.value.clone(), view.quality));
        self.told_at = now;
        let text = state(view, self.component, self.last_write.as_deref());
        let object = Names::object(&view.point.path);
        (names.topic(&object, "state"), text)
    }
}
