//! One device or group: its points, what they last showed, whether it is there. Owns what a change of
//! presence does to the points, and the health people see.

use super::At;
use super::presence::{Patience, Presence, Watch};
use crate::codec::{Feature, Power, Scene};
use crate::config::{Ieee, Timing};
use riser_model::{
    Breaker, DeviceHealth, DeviceState, Key, Point, Quality, Reading, Reason, ScanBatch, Slot,
    Timestamp, Value,
};
use std::sync::Arc;
use std::time::Duration;

/// A state that came so shortly before a device was called online belongs to its return, in milliseconds.
const JUST_NOW: i64 = 10_000;
/// Properties asked for in one read.
pub(crate) const READ_MAX: usize = 6;

/// What an entity is, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EntityId {
    /// The bridge itself.
    Bridge,
    /// A device.
    Device(Ieee),
    /// A group.
    Group(u32),
}

/// A point and what it last showed.
#[derive(Debug, Clone)]
pub(crate) struct EntityPoint {
    pub(crate) point: Arc<Point>,
    pub(crate) feature: Feature,
    pub(crate) slot: Option<Slot>,
    /// The last value that was read.
    pub(crate) last: Option<Value>,
    /// How the last reading was marked.
    pub(crate) quality: Option<Quality>,
    /// What was last written with effect.
    pub(crate) desired: Option<Value>,
    /// No feature describes it: it was found in a state.
    pub(crate) plain: bool,
}

impl EntityPoint {
    pub(crate) fn new(point: Point, feature: Feature) -> Self {
        Self {
            point: Arc::new(point),
            feature,
            slot: None,
            last: None,
            quality: None,
            desired: None,
            plain: false,
        }
    }

    /// Takes over what is known of the same point as it was described before.
    pub(crate) fn keep(&mut self, old: Self, declared: &mut bool) {
        *declared &= *old.point == *self.point;
        let kind = old.point.kind == self.point.kind && old.point.labels == self.point.labels;
        self.slot = old.slot;
        self.last = old.last.filter(|_| kind);
        self.desired = old.desired.filter(|_| kind);
        self.quality = old.quality;
    }
}

/// One device or group.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) id: EntityId,
    pub(crate) key: Key,
    /// Its present name, as in topics.
    pub(crate) name: String,
    /// Vendor and model; for a group how many are in it.
    pub(crate) model: String,
    pub(crate) description: String,
    pub(crate) power: Power,
    pub(crate) disabled: bool,
    pub(crate) stale_ms: u32,
    pub(crate) settle: Duration,
    pub(crate) points: Vec<EntityPoint>,
    /// The devices of a group.
    pub(crate) members: Vec<Ieee>,
    /// The scenes stored in it.
    pub(crate) scenes: Vec<Scene>,
    /// Every point has its slot, or is refused one.
    pub(crate) declared: bool,
    pub(crate) watch: Watch,
    /// The last state, on the steady clock.
    pub(crate) fresh: Option<i64>,
    /// The stamp of the last reading.
    pub(crate) last_at: Timestamp,
    /// When it was last asked to say its state.
    pub(crate) asked: Option<i64>,
    /// It came back to power, and what it does since is still to be compared.
    pub(crate) announced: Option<i64>,
    /// When it is read once more: whatever has just started may miss the first question.
    pub(crate) read_again: Option<i64>,
    /// What is odd about it as the bridge has it, in words.
    pub(crate) remark: Option<String>,
    /// Why its points could not be declared.
    pub(crate) conflict: Option<String>,
    /// After a return of power it does something else than it was told.
    pub(crate) differs: Option<String>,
    /// What went wrong with the last write, in words.
    pub(crate) trouble: Option<String>,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) latency_ms: Option<f64>,
    /// Something about its health is to be shown.
    pub(crate) touched: bool,
}

impl Entity {
    pub(crate) fn new(id: EntityId, key: Key, name: &str) -> Self {
        Self {
            id,
            key,
            name: name.to_owned(),
            model: String::new(),
            description: String::new(),
            power: Power::Unknown,
            disabled: false,
            stale_ms: 0,
            settle: Duration::from_secs(10),
            points: Vec::new(),
            members: Vec::new(),
            scenes: Vec::new(),
            declared: false,
            watch: Watch::default(),
            fresh: None,
            last_at: Timestamp(0),
            asked: None,
            announced: None,
            read_again: None,
            remark: None,
            conflict: None,
            differs: None,
            trouble: None,
            requests: 0,
            errors: 0,
            latency_ms: None,
            touched: true,
        }
    }

    /// How patient to be with it.
    pub(crate) fn limits(&self, timing: &Timing, passive_ms: i64) -> Patience {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let startup = ms(timing.startup);
        let unheard = match self.power {
            // It speaks when it wants to; a bridge that just started cannot have heard it.
            Power::Battery => startup.max(passive_ms),
            Power::Mains | Power::Unknown => startup,
        };
        Patience {
            grace: ms(timing.grace),
            offline_delay: ms(timing.offline_delay),
            startup,
            unheard,
            stale: i64::from(self.stale_ms),
        }
    }

    /// It can be asked: it does not sleep, and has something to tell.
    pub(crate) fn readable(&self) -> bool {
        !self.disabled && self.power == Power::Mains && self.read_features().next().is_some()
    }

    /// What a read asks for.
    pub(crate) fn read_features(&self) -> impl Iterator<Item = &Feature> {
        let features = self.points.iter().map(|p| &p.feature);
        let asked = features.filter(|f| f.gettable && f.published && !f.aside);
        asked.take(READ_MAX)
    }

    /// Nobody supervises it, and it was not heard for so long.
    pub(crate) fn wants_refresh(&mut self, now: i64, after: Duration) -> bool {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let last = self.asked.max(self.fresh).max(self.watch.heard());
        let due = self.readable() && last.is_some_and(|last| now.saturating_sub(last) >= after);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// What the points show after a change of presence.
    pub(crate) fn changed(&mut self, before: Presence, at: At) -> Option<ScanBatch> {
        let just_now = self.fresh.is_some_and(|f| at.steady - f <= JUST_NOW);
        let quality = match (before, self.watch.shown) {
            (_, Presence::Offline) => Quality::bad(Reason::DeviceDown),
            (_, Presence::Stale) => Quality::bad(Reason::Stale),
            (_, Presence::Unknown) => Quality::uncertain(Reason::Stale),
            (_, Presence::Online) if just_now => Quality::GOOD,
            (Presence::Offline, Presence::Online) => Quality::uncertain(Reason::Stale),
            (_, Presence::Online) => return None,
        };
        let down = self.watch.shown == Presence::Offline;
        let mut readings = Vec::new();
        for point in &mut self.points {
            let Some(slot) = point.slot else { continue };
            let known = point.last.is_some() || down;
            let readable = point.point.access != riser_model::Access::Write;
            if known && readable && point.quality != Some(quality) {
                let better = point.last.is_some() || !quality.is_good();
                if !better {
                    continue;
                }
                point.quality = Some(quality);
                readings.push(Reading {
                    slot,
                    value: point.last.clone(),
                    quality,
                });
            }
        }
        self.last_at = self.last_at.max(at.wall);
        (!readings.is_empty()).then_some(ScanBatch {
            at: at.wall,
            readings,
        })
    }

    /// Its health as people see it.
    pub(crate) fn health(&self, adapter: &str, at: At) -> DeviceHealth {
        let address = match self.id {
            EntityId::Bridge => "bridge".to_owned(),
            EntityId::Device(ieee) => format!("{ieee} {}", self.model).trim().to_owned(),
            EntityId::Group(id) => format!("group {id}"),
        };
        let ago = self
            .watch
            .heard()
            .map(|heard| at.steady.saturating_sub(heard));
        DeviceHealth {
            device: self.key.clone(),
            name: self.name.clone(),
            adapter: adapter.to_owned(),
            lane: adapter.to_owned(),
            address,
            state: self.state(),
            breaker: Breaker::Closed,
            last_ok: ago.map(|ago| Timestamp(at.wall.0.saturating_sub(ago))),
            failures: u32::from(self.trouble.is_some()),
            requests: self.requests,
            errors: self.errors,
            latency_ms: self.latency_ms,
            last_error: self.words(),
        }
    }

    fn state(&self) -> DeviceState {
        match self.watch.shown {
            Presence::Unknown => DeviceState::Unknown,
            Presence::Offline => DeviceState::Offline,
            Presence::Stale => DeviceState::Degraded,
            Presence::Online if self.conflict.is_some() => DeviceState::Degraded,
            Presence::Online => DeviceState::Online,
        }
    }

    fn words(&self) -> Option<String> {
        let presence = match self.watch.shown {
            _ if self.id == EntityId::Bridge => None,
            Presence::Offline if self.power == Power::Battery => Some(
                "zigbee2mqtt has not heard it for longer than its passive timeout; check its battery and the distance to the next router".to_owned(),
            ),
            Presence::Offline => Some(
                "it does not answer zigbee2mqtt; check its power and the distance to the next router".to_owned(),
            ),
            Presence::Stale => Some(format!(
                "silent for more than {} min and not supervised; switch availability on in zigbee2mqtt",
                self.stale_ms / 60_000
            )),
            _ => None,
        };
        let all = [
            &self.conflict,
            &self.remark,
            &presence,
            &self.differs,
            &self.trouble,
        ];
        let all: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}
