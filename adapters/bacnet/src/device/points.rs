//! The points of a device while it is read: when each is due, how it is kept up to date, what was
//! last said of it. Pure; time comes in as an argument.

use crate::codec::service::Refusal;
use crate::codec::service::property::{Reference, single};
use crate::codec::{Bits, Datum, ObjectId, PropertyId};
use crate::mapping::{self, Reading};
use riser_model::{Point, Quality, Reading as SlotReading, Reason, Slot, Value, ValueKind};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How a point is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Read at its interval.
    Poll,
    /// Read at its interval, as a subscription was refused; asked again then.
    Fallback { again: Instant },
    /// To be subscribed to.
    Wanted,
    /// Asked for.
    Subscribing,
    /// Subscribed to, and read now and then.
    Subscribed { renew: Instant },
}

/// One point.
#[derive(Debug)]
pub(crate) struct LivePoint {
    pub(crate) point: Arc<Point>,
    pub(crate) slot: Slot,
    pub(crate) reference: Reference,
    pub(crate) interval: Duration,
    pub(crate) mode: Mode,
    due: Instant,
    /// The object has no status flags, or they do not come with its value.
    flagless: bool,
    /// As it was last read, for the type of a value to be written.
    pub(crate) last: Option<Datum>,
    value: Option<Value>,
    down: bool,
}

/// Points of a device.
#[derive(Debug, Default)]
pub(crate) struct Points {
    all: Vec<LivePoint>,
    by_object: FxHashMap<ObjectId, Vec<usize>>,
    by_slot: FxHashMap<Slot, usize>,
    verify: Duration,
    jitter: u32,
}

/// What is read in one go: points, and the properties of each.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) members: Vec<usize>,
    pub(crate) references: Vec<Reference>,
    /// For each property: which member, and whether it is its status flags.
    places: Vec<(usize, bool)>,
    pub(crate) late: bool,
}

/// Points in one round, so that the first values do not wait for the last.
const ROUND: usize = 400;
/// Longest value of which the type is remembered.
const REMEMBERED: usize = 64;

impl Points {
    pub(crate) fn new(verify: Duration) -> Self {
        Self {
            verify,
            jitter: rand::random_range(0..=1000),
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, point: LivePoint) {
        let at = self.all.len();
        self.by_slot.insert(point.slot, at);
        if point.reference.property == PropertyId::PRESENT_VALUE {
            self.by_object
                .entry(point.reference.object)
                .or_default()
                .push(at);
        }
        self.all.push(point);
    }

    pub(crate) fn get(&self, at: usize) -> Option<&LivePoint> {
        self.all.get(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut LivePoint> {
        self.all.get_mut(at)
    }

    pub(crate) fn slot(&self, slot: Slot) -> Option<usize> {
        self.by_slot.get(&slot).copied()
    }

    pub(crate) fn of_object(&self, object: ObjectId) -> &[usize] {
        self.by_object.get(&object).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &LivePoint> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut LivePoint> {
        self.all.iter_mut()
    }

    /// When the next point is to be read.
    pub(crate) fn next_read(&self) -> Option<Instant> {
        self.all.iter().map(|p| p.due).min()
    }

    /// When the next subscription is to be made or renewed.
    pub(crate) fn next_subscription(&self) -> Option<Instant> {
        let renewals = self.all.iter().filter_map(|p| match p.mode {
            Mode::Wanted => Some(Instant::now()),
            Mode::Subscribed { renew } | Mode::Fallback { again: renew } => Some(renew),
            Mode::Poll | Mode::Subscribing => None,
        });
        renewals.min()
    }

    /// Everything is due at once: the device has just been found.
    pub(crate) fn restart(&mut self, now: Instant) {
        for point in &mut self.all {
            point.due = now;
            if point.mode != Mode::Poll {
                point.mode = Mode::Wanted;
            }
        }
    }

    /// Subscribed values are read at once: changes may have been told that did not arrive.
    pub(crate) fn doubt(&mut self, now: Instant) {
        for point in &mut self.all {
            if matches!(point.mode, Mode::Subscribed { .. } | Mode::Subscribing) {
                point.hasten(now);
            }
        }
    }

    /// Takes what is due.
    pub(crate) fn round(&mut self, now: Instant) -> Option<Round> {
        let mut round = Round::default();
        let verify = self.verify;
        for (at, point) in self.all.iter_mut().enumerate() {
            if point.due > now || round.members.len() >= ROUND {
                continue;
            }
            let every = match point.mode {
                Mode::Subscribed { .. } => verify,
                Mode::Subscribing => point.interval.min(verify),
                Mode::Poll | Mode::Fallback { .. } | Mode::Wanted => point.interval,
            };
            let next = point.due + every;
            if next <= now {
                round.late = point.value.is_some();
                point.due = now + every;
            } else {
                point.due = next;
            }
            let member = round.members.len();
            round.members.push(at);
            round.references.push(point.reference);
            round.places.push((member, false));
            if point.reference.property == PropertyId::PRESENT_VALUE && !point.flagless {
                let flags = Reference::new(point.reference.object, PropertyId::STATUS_FLAGS);
                round.references.push(flags);
                round.places.push((member, true));
            }
        }
        (!round.members.is_empty()).then_some(round)
    }

    /// Takes points whose subscription is to be made or renewed.
    pub(crate) fn unsubscribed(&mut self, now: Instant, most: usize) -> Vec<(usize, ObjectId)> {
        let mut taken = Vec::new();
        for (at, point) in self.all.iter_mut().enumerate() {
            let due = match point.mode {
                Mode::Wanted => true,
                Mode::Subscribed { renew } | Mode::Fallback { again: renew } => renew <= now,
                Mode::Poll | Mode::Subscribing => false,
            };
            if due && taken.len() < most {
                point.mode = Mode::Subscribing;
                taken.push((at, point.reference.object));
            }
        }
        taken
    }

    /// A little apart, so that not everything of a site is renewed in the same second.
    pub(crate) fn spread(&self, time: Duration) -> Duration {
        time - time / 10_000 * self.jitter
    }

    /// What a round gives, as readings.
    pub(crate) fn take(
        &mut self,
        round: &Round,
        read: &[Result<Vec<u8>, Refusal>],
    ) -> Vec<SlotReading> {
        let mut flags: Vec<Option<Bits>> = vec![None; round.members.len()];
        for ((member, is_flags), value) in round.places.iter().zip(read) {
            if !is_flags {
                continue;
            }
            match value.as_ref().map(|octets| single(octets)) {
                Ok(Ok(Datum::Bits(bits))) => {
                    if let Some(slot) = flags.get_mut(*member) {
                        *slot = Some(bits);
                    }
                }
                _ => {
                    let at = round.members.get(*member);
                    if let Some(point) = at.and_then(|at| self.all.get_mut(*at)) {
                        point.flagless = true;
                    }
                }
            }
        }
        let mut readings = Vec::with_capacity(round.members.len());
        for ((member, is_flags), value) in round.places.iter().zip(read) {
            let at = round.members.get(*member).copied();
            let Some(point) = at.and_then(|at| self.all.get_mut(at)).filter(|_| !is_flags) else {
                continue;
            };
            let flags = flags.get(*member).and_then(Option::as_ref);
            readings.push(point.take(value.as_ref().map(Vec::as_slice), flags));
        }
        readings
    }

    /// Every point is bad from now on, said once.
    pub(crate) fn mark_down(&mut self) -> Vec<SlotReading> {
        self.all
            .iter_mut()
            .filter_map(|p| {
                let told = std::mem::replace(&mut p.down, true);
                (!told).then(|| SlotReading {
                    slot: p.slot,
                    value: p.value.clone(),
                    quality: Quality::bad(Reason::DeviceDown),
                })
            })
            .collect()
    }
}

impl LivePoint {
    pub(crate) fn new(
        point: Arc<Point>,
        slot: Slot,
        reference: Reference,
        (interval, cov): (Duration, bool),
    ) -> Self {
        Self {
            point,
            slot,
            reference,
            interval,
            mode: if cov { Mode::Wanted } else { Mode::Poll },
            due: Instant::now(),
            flagless: false,
            last: None,
            value: None,
            down: false,
        }
    }

    /// Is read at this time at the latest.
    pub(crate) fn hasten(&mut self, to: Instant) {
        self.due = self.due.min(to);
    }

    /// Is not read before this time.
    pub(crate) fn postpone(&mut self, to: Instant) {
        self.due = to;
    }

    /// What was read of it, as a reading.
    pub(crate) fn take(
        &mut self,
        value: Result<&[u8], &Refusal>,
        flags: Option<&Bits>,
    ) -> SlotReading {
        let Reading { value, quality } = match value {
            Ok(octets) => {
                if octets.len() <= REMEMBERED
                    && let Ok(datum) = single(octets)
                    && datum != Datum::Null
                {
                    self.last = Some(datum);
                }
                mapping::reading(self.point.kind, octets, flags)
            }
            Err(refusal) => mapping::refused(*refusal),
        };
        let (value, quality) = self.checked(value, quality);
        self.down = false;
        if value.is_some() {
            self.value.clone_from(&value);
        }
        SlotReading {
            slot: self.slot,
            value,
            quality,
        }
    }

    /// A state nobody has named is shown, and doubted.
    fn checked(&self, value: Option<Value>, quality: Quality) -> (Option<Value>, Quality) {
        let unknown = matches!(&value, Some(Value::Int(state))
            if self.point.kind == ValueKind::Enum
                && !self.point.labels.is_empty()
                && self.point.labels.iter().all(|l| l.state != *state));
        match unknown && quality.is_good() {
            true => (value, Quality::uncertain(Reason::OutOfRange)),
            false => (value, quality),
        }
    }
}
