//! What the adapter knows of one Zigbee network: the bridge, its devices and groups, and whether each
//! is there. Owns no connection, no task and no clock: messages and moments come in, effects go out.

pub(crate) mod bridge;
pub(crate) mod entity;
pub(crate) mod members;
pub(crate) mod numbers;
pub(crate) mod own;
pub mod presence;
pub(crate) mod states;

use crate::codec::Said;
use crate::codec::bridge::{BridgeFacts, Happening};
use crate::config::{Config, Ieee};
use bridge::BridgeWatch;
use entity::{Entity, EntityId, EntityPoint};
use presence::Presence;
use riser_model::{Key, Point, Quality, Reading, Reason, ScanBatch, Slot, Timestamp};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long after a return of power a device is read once more, in milliseconds.
const READ_AGAIN: i64 = 3_000;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// What is stamped with.
    pub(crate) wall: Timestamp,
    /// What durations are reckoned by, in milliseconds.
    pub(crate) steady: i64,
}

/// What a message or the passing of time leads to.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Readings, in order.
    pub(crate) batches: Vec<ScanBatch>,
    /// Topics to be subscribed to.
    pub(crate) subscribe: Vec<String>,
    /// Topics not wanted any more.
    pub(crate) unsubscribe: Vec<String>,
    /// Devices to be read.
    pub(crate) reads: Vec<Ask>,
    /// Devices that are gone.
    pub(crate) gone: Vec<Key>,
    /// New points wait for their slots.
    pub(crate) declare: bool,
}

/// A device to be read, and whether also when it has spoken meanwhile: what it says right after a
/// return of power is what the bridge remembers.
pub(crate) type Ask = (EntityId, bool);

/// A point that waits for its slot: whose, which, what.
pub(crate) type Undeclared = (EntityId, usize, Arc<Point>);

/// Where a topic leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The state of a device or group.
    State(EntityId),
    /// Its availability.
    Availability(EntityId),
}

/// One Zigbee network.
pub(crate) struct Network {
    pub(crate) config: Arc<Config>,
    /// Name of the instance.
    pub(crate) name: String,
    pub(crate) bridge: BridgeWatch,
    pub(crate) facts: BridgeFacts,
    pub(crate) entities: BTreeMap<EntityId, Entity>,
    pub(crate) routes: FxHashMap<String, Route>,
    pub(crate) slots: FxHashMap<Slot, (EntityId, usize)>,
    /// Which number each state has.
    pub(crate) numbers: numbers::Numbers,
    /// Messages that could not be read, since start.
    pub(crate) unreadable: u64,
    pub(crate) effects: Effects,
}

impl Network {
    pub(crate) fn new(config: Arc<Config>, name: &str, at: At) -> Self {
        let mut network = Self {
            name: name.to_owned(),
            bridge: BridgeWatch::new(at.steady),
            facts: BridgeFacts::default(),
            entities: BTreeMap::new(),
            routes: FxHashMap::default(),
            slots: FxHashMap::default(),
            numbers: numbers::Numbers::default(),
            unreadable: 0,
            effects: Effects::default(),
            config,
        };
        network.add_bridge();
        network
    }

    /// Every topic to be subscribed to on a new connection.
    pub(crate) fn topics(&self) -> Vec<String> {
        let base = &self.config.base;
        let bridge = crate::codec::topic::BRIDGE;
        let bridge = bridge.iter().map(|t| format!("{base}/{t}"));
        bridge.chain(self.routes.keys().cloned()).collect()
    }

    /// Points that have no slot yet, in the order [`Network::declared`] wants them.
    pub(crate) fn undeclared(&self) -> Vec<Undeclared> {
        let entities = self.entities.iter().filter(|(_, e)| !e.declared);
        entities
            .flat_map(|(id, e)| e.points.iter().enumerate().map(|(i, p)| (*id, i, p)))
            .map(|(id, i, p)| (id, i, Arc::clone(&p.point)))
            .collect()
    }

    /// Takes the slots of points. What was read of one before it had its slot is told now.
    pub(crate) fn declared(&mut self, points: &[Undeclared], slots: &[Slot], at: At) {
        let mut readings = Vec::new();
        for ((id, index, _), slot) in points.iter().zip(slots) {
            self.slots.insert(*slot, (*id, *index));
            let Some(entity) = self.entities.get_mut(id) else {
                continue;
            };
            entity.declared = true;
            let Some(point) = entity.points.get_mut(*index) else {
                continue;
            };
            point.slot = Some(*slot);
            if point.last.is_some() && point.quality.is_none() {
                point.quality = Some(Quality::GOOD);
                readings.push(Reading {
                    slot: *slot,
                    value: point.last.clone(),
                    quality: Quality::GOOD,
                });
            }
        }
        if !readings.is_empty() {
            let at = at.wall;
            self.effects.batches.push(ScanBatch { at, readings });
        }
    }

    /// Points that may not be declared: another adapter has them.
    pub(crate) fn not_declared(&mut self, id: EntityId, why: &str) {
        if let Some(entity) = self.entities.get_mut(&id) {
            entity.declared = true;
            entity.conflict = Some(why.to_owned());
            entity.touched = true;
        }
    }

    /// The device or group and the point behind a slot.
    pub(crate) fn target(&self, slot: Slot) -> Option<(&Entity, &EntityPoint)> {
        let (id, index) = self.slots.get(&slot)?;
        let entity = self.entities.get(id)?;
        Some((entity, entity.points.get(*index)?))
    }

    /// Availability was said, or taken back.
    pub(crate) fn availability(&mut self, id: EntityId, said: Said, at: At) {
        if let Some(entity) = self.entities.get_mut(&id) {
            entity.watch.say(said, at.steady);
        }
    }

    /// Something happened in the network.
    pub(crate) fn happened(&mut self, what: &Happening, at: At) {
        let id = what.ieee.map(EntityId::Device);
        if what.kind == "device_announce"
            && let Some(id) = id
            && let Some(entity) = self.entities.get_mut(&id)
        {
            // It had no power and is back: what it does now may not be what it was told.
            entity.announced = Some(at.steady);
            entity.read_again = Some(at.steady + READ_AGAIN);
            self.effects.reads.push((id, true));
        }
        self.tell_happening(what, at);
    }

    /// Looks who is there now, and shows what has changed.
    pub(crate) fn refresh(&mut self, at: At) {
        let view = self.bridge.view();
        let supervised = self.facts.supervises;
        let passive = self.facts.passive_minutes.unwrap_or(1_500);
        for entity in self.entities.values_mut() {
            if entity.id == EntityId::Bridge {
                continue;
            }
            let limits = entity.limits(&self.config.timing, i64::from(passive) * 60_000);
            let now = entity.watch.judge(at.steady, view, &limits);
            let before = std::mem::replace(&mut entity.watch.shown, now);
            if before != now {
                entity.touched = true;
                let batch = entity.changed(before, at);
                self.effects.batches.extend(batch);
                if now == Presence::Online && before == Presence::Offline {
                    self.effects.reads.push((entity.id, false));
                }
            }
            if entity.read_again.is_some_and(|when| at.steady >= when) {
                entity.read_again = None;
                self.effects.reads.push((entity.id, true));
            }
            if !supervised && entity.wants_refresh(at.steady, self.config.timing.refresh) {
                self.effects.reads.push((entity.id, false));
            }
        }
        self.tell_own(at);
    }

    /// Every value is doubtful from now on, because nobody would say that it changed. Once the bridge
    /// is back, whoever can be asked is asked, also who has spoken meanwhile: a bridge that starts
    /// publishes what it remembers, and that may be older than what the device does now.
    pub(crate) fn bridge_is_back(&mut self, at: At) {
        for (id, entity) in &mut self.entities {
            entity.watch.bridge_started();
            entity.asked = Some(at.steady);
            if entity.readable() {
                self.effects.reads.push((*id, true));
            }
        }
    }

    /// Ends what a device has shown: it is gone.
    fn farewell(&mut self, entity: &Entity, at: At) {
        let readings: Vec<Reading> = entity
            .points
            .iter()
            .filter_map(|p| {
                Some(Reading {
                    slot: p.slot?,
                    value: p.last.clone(),
                    quality: Quality::bad(Reason::NotConfigured),
                })
            })
            .collect();
        if !readings.is_empty() {
            self.effects.batches.push(ScanBatch {
                at: at.wall,
                readings,
            });
        }
        self.effects.gone.push(entity.key.clone());
    }

    /// A topic to a device or group: a device by its address, which no renaming changes.
    pub(crate) fn topic_of(&self, entity: &Entity, verb: &str) -> String {
        let base = &self.config.base;
        match entity.id {
            EntityId::Device(ieee) => format!("{base}/{ieee}/{verb}"),
            EntityId::Group(_) | EntityId::Bridge => format!("{base}/{}/{verb}", entity.name),
        }
    }

    /// The device of an address, a key or a name, as people may write it.
    pub(crate) fn find(&self, text: &str) -> Option<&Entity> {
        if let Ok(ieee) = text.parse::<Ieee>() {
            return self.entities.get(&EntityId::Device(ieee));
        }
        let mut entities = self.entities.values();
        entities.find(|e| e.key.as_str() == text || e.name == text)
    }
}
