//! What is known of the alarms of a lane's devices: what they told, and what they said when asked.
//! Owns how the two become one state for each object; asks nobody. Bounded.

use crate::codec::ObjectId;
use crate::codec::service::event::{EventState, Notification, Stamp, Standing};
use riser_model::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// Notifications that are remembered.
const TOLD: usize = 200;
/// Objects of one device that are remembered.
const OBJECTS: usize = 10_000;
/// Devices that are remembered: whoever tells something is one.
const DEVICES: usize = 10_000;

/// An object that is not as it should be, or was not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) state: EventState,
    /// To off normal, to fault, to normal.
    pub(super) acknowledged: [bool; 3],
    pub(super) stamps: [Option<Stamp>; 3],
    /// The states these transitions led to, where they were told.
    states: [Option<EventState>; 3],
    pub(super) priority: Option<u8>,
    pub(super) text: Option<String>,
    /// When it was heard of first in this state.
    pub(super) at: Timestamp,
}

impl Event {
    fn new(state: EventState, at: Timestamp) -> Self {
        Self {
            state,
            acknowledged: [true; 3],
            stamps: [None; 3],
            states: [None; 3],
            priority: None,
            text: None,
            at,
        }
    }

    /// Nothing is left to be said of it.
    fn is_over(&self) -> bool {
        self.state == EventState::NORMAL && self.acknowledged == [true; 3]
    }

    /// The state to acknowledge for a transition: the one it led to, as far as it is known.
    pub(super) fn state_of(&self, transition: usize) -> EventState {
        if self.state.transition() == transition {
            return self.state;
        }
        let told = self.states.get(transition).copied().flatten();
        told.unwrap_or(match transition {
            1 => EventState::FAULT,
            2 => EventState::NORMAL,
            _ => EventState::OFFNORMAL,
        })
    }
}

/// The events of a device.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) events: BTreeMap<ObjectId, Event>,
    pub(super) names: FxHashMap<ObjectId, String>,
    /// When it was asked last, and answered.
    pub(super) asked: Option<Timestamp>,
}

impl Book {
    /// Objects that are not as they should be.
    pub(super) fn active(&self) -> impl Iterator<Item = (&ObjectId, &Event)> {
        let events = self.events.iter();
        events.filter(|(_, e)| e.state != EventState::NORMAL)
    }

    /// How many objects have something nobody has acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        let open = |e: &&Event| e.acknowledged != [true; 3];
        self.events.values().filter(open).count()
    }

    /// The name of an object, as far as it is known.
    pub(super) fn name(&self, object: ObjectId) -> String {
        match self.names.get(&object) {
            Some(name) => format!("{name} ({object})"),
            None => object.to_string(),
        }
    }

    /// The latest that stands, for people; empty when nothing does.
    pub(super) fn latest(&self) -> String {
        let latest = self.active().max_by_key(|(_, event)| event.at);
        latest.map_or_else(String::new, |(object, event)| {
            let text = event.text.as_ref().filter(|t| !t.is_empty());
            let text = text.map_or_else(String::new, |text| format!(": {text}"));
            format!("{} {}{text}", self.name(*object), event.state)
        })
    }
}

/// What is known of the events of a lane.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    books: FxHashMap<u32, Book>,
    told: VecDeque<(Timestamp, Notification)>,
}

impl Ledger {
    /// The events of a device by its instance.
    pub(super) fn book(&self, device: u32) -> Option<&Book> {
        self.books.get(&device)
    }

    /// What a device told last, the newest first.
    pub(super) fn told(&self, device: u32) -> impl Iterator<Item = &(Timestamp, Notification)> {
        let told = self.told.iter().rev();
        told.filter(move |(_, n)| n.device == device)
    }

    fn open(&mut self, device: u32) -> Option<&mut Book> {
        if self.books.len() >= DEVICES && !self.books.contains_key(&device) {
            return None;
        }
        Some(self.books.entry(device).or_default())
    }

    /// A device is known from now on.
    pub(super) fn begin(&mut self, device: u32) {
        self.open(device);
    }

    /// Takes what a device tells.
    pub(super) fn hear(&mut self, told: &Notification, at: Timestamp) {
        while self.told.len() >= TOLD {
            self.told.pop_front();
        }
        self.told.push_back((at, told.clone()));
        let Some(book) = self.open(told.device) else {
            return;
        };
        if book.events.len() >= OBJECTS && !book.events.contains_key(&told.object) {
            return;
        }
        let known = book.events.entry(told.object);
        let event = known.or_insert_with(|| Event::new(told.to, at));
        let transition = told.to.transition();
        let place = |list: &mut [bool; 3], value| {
            if let Some(slot) = list.get_mut(transition) {
                *slot = value;
            }
        };
        if told.notify == ACKNOWLEDGED {
            place(&mut event.acknowledged, true);
        } else {
            place(&mut event.acknowledged, !told.ack_required);
            if let Some(slot) = event.stamps.get_mut(transition) {
                *slot = Some(told.stamp);
            }
            if let Some(slot) = event.states.get_mut(transition) {
                *slot = Some(told.to);
            }
            if event.state != told.to {
                event.at = at;
            }
            event.state = told.to;
            event.priority = Some(told.priority);
            event.text.clone_from(&told.text);
        }
        if event.is_over() {
            book.events.remove(&told.object);
        }
    }

    /// Takes what a device said when it was asked: the whole of what stands.
    pub(super) fn answer(&mut self, device: u32, standing: &[Standing], at: Timestamp) {
        let Some(book) = self.open(device) else {
            return;
        };
        let mut before = std::mem::take(&mut book.events);
        for one in standing.iter().take(OBJECTS) {
            let known = before.remove(&one.object);
            let mut event = known.unwrap_or_else(|| Event::new(one.state, at));
            if event.state != one.state {
                event.state = one.state;
                event.at = at;
                event.text = None;
            }
            event.acknowledged = one.acknowledged;
            if let Some(stamps) = one.stamps {
                event.stamps = stamps.map(Some);
            }
            let priority = one
                .priorities
                .and_then(|p| p.get(one.state.transition()).copied());
            event.priority = priority.or(event.priority);
            book.events.insert(one.object, event);
        }
        let events = &book.events;
        book.names.retain(|object, _| events.contains_key(object));
        book.asked = Some(at);
    }

    /// Takes the names of objects.
    pub(super) fn name(&mut self, device: u32, names: Vec<(ObjectId, String)>) {
        if let Some(book) = self.open(device) {
            let events = &book.events;
            let known = names.into_iter().filter(|(o, _)| events.contains_key(o));
            book.names.extend(known);
        }
    }

    /// Objects with events whose names are not known.
    pub(super) fn nameless(&self, device: u32) -> Vec<ObjectId> {
        let Some(book) = self.books.get(&device) else {
            return Vec::new();
        };
        let objects = book.events.keys().copied();
        objects.filter(|o| !book.names.contains_key(o)).collect()
    }
}

/// Notify type "acknowledgement".
const ACKNOWLEDGED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ObjectType;

    fn told(to: EventState, notify: u32, at: u32) -> Notification {
        Notification {
            process: 1,
            device: 9,
            object: ObjectId::new(ObjectType::ANALOG_INPUT, 1),
            stamp: Stamp::Sequence(at),
            class: 1,
            priority: 3,
            kind: 5,
            text: Some("too warm".into()),
            notify,
            ack_required: notify != ACKNOWLEDGED,
            from: None,
            to,
        }
    }

    #[test]
    fn an_event_stands_until_it_is_over_and_acknowledged() {
        let mut ledger = Ledger::default();
        let high = EventState(3);
        ledger.hear(&told(high, 0, 1), Timestamp(10));
        let book = ledger.book(9).unwrap();
        assert_eq!((book.active().count(), book.unacknowledged()), (1, 1));
        assert_eq!(book.latest(), "analog-input:1 high limit: too warm");
        ledger.hear(&told(EventState::NORMAL, 0, 2), Timestamp(20));
        let book = ledger.book(9).unwrap();
        assert_eq!((book.active().count(), book.unacknowledged()), (0, 1));
        let event = book.events.values().next().unwrap();
        assert_eq!(event.state_of(0), high);
        ledger.hear(&told(high, ACKNOWLEDGED, 1), Timestamp(30));
        ledger.hear(&told(EventState::NORMAL, ACKNOWLEDGED, 2), Timestamp(31));
        assert!(ledger.book(9).unwrap().events.is_empty());
        assert_eq!(ledger.told(9).count(), 4);
    }

    #[test]
    fn what_a_device_says_when_asked_is_the_whole() {
        let mut ledger = Ledger::default();
        ledger.hear(&told(EventState(3), 0, 1), Timestamp(10));
        let other = Standing {
            object: ObjectId::new(ObjectType::BINARY_INPUT, 7),
            state: EventState::OFFNORMAL,
            acknowledged: [false, true, true],
            stamps: Some([Stamp::Sequence(5); 3]),
            notify: 0,
            priorities: Some([1, 2, 3]),
        };
        ledger.answer(9, std::slice::from_ref(&other), Timestamp(20));
        let book = ledger.book(9).unwrap();
        assert_eq!(book.events.len(), 1);
        assert_eq!(book.events.get(&other.object).unwrap().priority, Some(1));
        ledger.answer(9, &[], Timestamp(30));
        assert!(ledger.book(9).unwrap().events.is_empty());
    }

    #[test]
    fn a_storm_stays_within_its_bounds() {
        let mut ledger = Ledger::default();
        for device in 0..20_000 {
            let storm = Notification {
                device,
                ..told(EventState(3), 0, device)
            };
            ledger.hear(&storm, Timestamp(1));
        }
        assert_eq!((ledger.books.len(), ledger.told.len()), (DEVICES, TOLD));
    }
}
