//! A state as published: which of its values become readings, with which stamp and quality. Owns the
//! difference between what a device says now and what broker or bridge have kept from before.

use super::entity::{Entity, EntityId, EntityPoint};
use super::presence::{BridgeView, Presence};
use super::{At, Effects, Network};
use crate::codec::payload::{Malformed, STATE_MAX, last_seen, object};
use crate::codec::{Family, Feature};
use crate::mapping::{EntityName, build, read, value};
use riser_model::{Quality, Reading, Reason, ScanBatch, Timestamp, Value};
use serde_json::{Map, Value as Json};

/// Properties that are no values of the device.
const NO_VALUES: [&str; 6] = [
    "last_seen",
    "device",
    "elapsed",
    "update",
    "color_options",
    "group",
];
/// Properties without a feature that become points, for one device.
const PLAIN_MAX: usize = 32;
/// How long after its start the bridge publishes what it has kept, in milliseconds.
const REPUBLISHING: i64 = 15_000;
/// A stamp this young is of the very message that carries it, in milliseconds.
const YOUNG: i64 = 10_000;
/// How long after a return of power what a device does is compared with what it was told.
const COMPARING: i64 = 60_000;

/// What a state had for one point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// Which point of the device.
    pub(crate) index: usize,
    /// Its value.
    pub(crate) value: Option<Value>,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The device spoke.
    No,
    /// The bridge repeats what it knows.
    ByBridge,
    /// The broker repeats what it was given, who knows when.
    ByBroker,
}

impl Network {
    /// Takes a state. What came back is for whoever waits for a write to show.
    pub(crate) fn state(
        &mut self,
        id: EntityId,
        payload: &[u8],
        retained: bool,
        at: At,
    ) -> Result<Vec<Report>, Malformed> {
        if payload.is_empty() {
            return Ok(Vec::new());
        }
        let state = object(payload, STATE_MAX)?;
        let view = self.bridge.view();
        let Some(entity) = self.entities.get_mut(&id) else {
            return Ok(Vec::new());
        };
        if entity.add_plain(&state) {
            self.effects.declare = true;
        }
        let seen = last_seen(&state).filter(|ms| *ms <= at.wall.0.saturating_add(YOUNG));
        let kept = kept(retained, seen, view, at);
        let reports = entity.take(&state, (kept, seen), at, &mut self.effects);
        if kept == Kept::No {
            entity.compare(&reports, at);
        }
        // What the broker has kept says nothing of a write under way.
        Ok(if kept == Kept::ByBroker {
            Vec::new()
        } else {
            reports
        })
    }
}

fn kept(retained: bool, seen: Option<i64>, view: BridgeView, at: At) -> Kept {
    let young = seen.map(|seen| at.wall.0.saturating_sub(seen) <= YOUNG);
    let starting = match view {
        BridgeView::Up { since, .. } => at.steady.saturating_sub(since) < REPUBLISHING,
        BridgeView::Away { .. } => true,
    };
    match (retained, young) {
        (true, _) => Kept::ByBroker,
        (false, Some(true)) => Kept::No,
        (false, Some(false)) => Kept::ByBridge,
        (false, None) if starting => Kept::ByBridge,
        (false, None) => Kept::No,
    }
}

impl Entity {
    fn take(
        &mut self,
        state: &Map<String, Json>,
        (kept, seen): (Kept, Option<i64>),
        at: At,
        effects: &mut Effects,
    ) -> Vec<Report> {
        let age = seen.map(|seen| at.wall.0.saturating_sub(seen).max(0));
        match (kept, age) {
            (Kept::No, _) => {
                self.watch.hear(at.steady.saturating_sub(age.unwrap_or(0)));
                self.fresh = Some(at.steady);
            }
            (_, Some(age)) => self.watch.note(at.steady.saturating_sub(age)),
            (Kept::ByBridge, None) => self.watch.note(at.steady),
            (Kept::ByBroker, None) => {}
        }
        let quality = self.quality_of(kept, age);
        let stamp = match seen.map(Timestamp) {
            Some(seen) if seen > self.last_at && seen < at.wall => seen,
            _ => at.wall.max(self.last_at),
        };
        let mut reports = Vec::new();
        let mut readings = Vec::new();
        let mut back = Vec::new();
        for (index, point) in self.points.iter_mut().enumerate() {
            let Some(raw) = value::find(state, &point.feature.path) else {
                continue;
            };
            if point.feature.is_action() {
                if kept == Kept::No {
                    point.happen(raw, &mut readings, &mut back);
                }
                continue;
            }
            let (value, own) = read(raw, &point.feature.shape, &point.point);
            reports.push(Report {
                index,
                value: value.clone(),
            });
            if let Some(reading) = point.show(value, own, quality) {
                readings.push(reading);
            }
        }
        if !readings.is_empty() {
            self.last_at = stamp;
            effects.batches.push(ScanBatch {
                at: stamp,
                readings,
            });
        }
        if !back.is_empty() {
            let at = Timestamp(stamp.0.saturating_add(1));
            self.last_at = at;
            effects.batches.push(ScanBatch { at, readings: back });
        }
        self.touched = true;
        reports
    }

    /// How far what was kept is to be trusted.
    fn quality_of(&self, kept: Kept, age: Option<i64>) -> Quality {
        if self.watch.shown == Presence::Offline && kept != Kept::No {
            return Quality::bad(Reason::DeviceDown);
        }
        let stale = i64::from(self.stale_ms);
        match (kept, age) {
            (Kept::No, _) | (Kept::ByBridge, None) => Quality::GOOD,
            (_, Some(age)) if stale > 0 && age > stale => Quality::bad(Reason::Stale),
            (_, Some(_)) => Quality::GOOD,
            (Kept::ByBroker, None) => Quality::uncertain(Reason::Initial),
        }
    }

    /// Adds points for properties no feature describes. Returns whether there are new ones.
    fn add_plain(&mut self, state: &Map<String, Json>) -> bool {
        let plain = self.points.iter().filter(|p| p.plain).count();
        let mut room = PLAIN_MAX.saturating_sub(plain);
        let before = self.points.len();
        for (property, value) in state {
            let known = self.points.iter().any(|p| p.feature.property() == property);
            let odd = property.is_empty() || property.len() > 64;
            if room == 0 || known || odd || NO_VALUES.contains(&property.as_str()) {
                continue;
            }
            let Some(shape) = value::plain_shape(value) else {
                continue;
            };
            let feature = Feature {
                path: vec![property.clone()],
                within: String::new(),
                label: crate::codec::payload::tidy(property),
                family: Family::Generic,
                shape,
                published: true,
                settable: false,
                gettable: false,
                aside: true,
            };
            let name = EntityName {
                key: &self.key,
                name: &crate::codec::device::shown(&self.name),
                stale_ms: self.stale_ms,
            };
            let Some(point) = build(&feature, name) else {
                continue;
            };
            if self.points.iter().all(|p| p.point.path != point.path) {
                let mut point = EntityPoint::new(point, feature);
                point.plain = true;
                self.points.push(point);
                room -= 1;
            }
        }
        let added = self.points.len() > before;
        self.declared &= !added;
        added
    }

    /// After a return of power: whether it does what it was told.
    fn compare(&mut self, reports: &[Report], at: At) {
        let within = |since: i64| at.steady.saturating_sub(since) <= COMPARING;
        if !self.announced.is_some_and(within) {
            self.announced = None;
            if self.differs.is_none() {
                return;
            }
        }
        let mut differences = Vec::new();
        for report in reports {
            let Some(point) = self.points.get(report.index) else {
                continue;
            };
            if let (Some(desired), Some(value)) = (&point.desired, &report.value)
                && !crate::mapping::encode::shows(&point.point, desired, value)
            {
                let (told, does) = (point.words(desired), point.words(value));
                differences.push(format!(
                    "{} is {does} and was set to {told}",
                    point.point.name
                ));
            }
        }
        self.differs = (!differences.is_empty())
            .then(|| format!("since its power came back, {}", differences.join(", ")));
    }
}

impl EntityPoint {
    /// The reading for a value that was read. One that tells nothing new of a silent device is none.
    fn show(&mut self, value: Option<Value>, own: Quality, kept: Quality) -> Option<Reading> {
        let quality = if own.is_good() { kept } else { own };
        let same = self.quality == Some(quality) && (value == self.last || value.is_none());
        let better = self.quality == Some(Quality::GOOD) && value == self.last;
        if let Some(value) = &value {
            self.last = Some(value.clone());
        }
        // What was kept is repeated at every connection; a reading each time would say nothing.
        if (!kept.is_good() && (same || better)) || self.slot.is_none() {
            return None;
        }
        self.quality = Some(quality);
        Some(Reading {
            slot: self.slot?,
            value: value.or_else(|| self.last.clone()),
            quality,
        })
    }

    /// A button was pressed: that state, and none again.
    fn happen(&mut self, raw: &Json, now: &mut Vec<Reading>, then: &mut Vec<Reading>) {
        let idle = raw.is_null() || raw.as_str() == Some("");
        let Some(slot) = self.slot else { return };
        if idle {
            return;
        }
        let (value, quality) = read(raw, &self.feature.shape, &self.point);
        now.push(Reading {
            slot,
            value,
            quality,
        });
        let none = match self.feature.shape {
            crate::codec::Shape::Enum(_) => Value::Int(0),
            _ => Value::text(""),
        };
        self.last = Some(none.clone());
        self.quality = Some(Quality::GOOD);
        then.push(Reading {
            slot,
            value: Some(none),
            quality: Quality::GOOD,
        });
    }

    /// A value as people read it.
    pub(crate) fn words(&self, value: &Value) -> String {
        let state = match value {
            Value::Int(state) => Some(*state),
            Value::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        };
        let label = state.and_then(|s| self.point.labels.iter().find(|l| l.state == s));
        let unit = self.point.unit.map(|u| format!(" {u}")).unwrap_or_default();
        label.map_or_else(|| format!("{value}{unit}"), |l| l.text.clone())
    }
}
