//! Who is told of changes (clause 13.1). Pure. Owns the table of subscriptions with its limit, their
//! lifetimes, what counts as a change, and how long one who does not answer is told.

use super::objects::{Object, Objects, Shape};
use super::present::Shown;
use crate::client::Address;
use crate::codec::service::Refusal;
use crate::codec::service::cov::Active;
use crate::codec::service::error::code;
use crate::codec::service::property::Reference;
use crate::codec::{Datum, ObjectId, PropertyId};
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Notifications in a row nobody answered, after which a subscription without an end ends.
const UNANSWERED: u32 = 10;
/// Longest pause before one who does not answer is told again.
const PAUSE: Duration = Duration::from_secs(60);

/// Pause before the first notification: stacks make room for it once they have heard that they may
/// subscribe.
pub(crate) const FIRST: Duration = Duration::from_millis(50);

/// Who is told of what: a subscriber may have many, each under a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subscriber {
    pub(crate) from: Address,
    pub(crate) process: u32,
    pub(crate) object: ObjectId,
}

/// A notification that is due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Due {
    pub(crate) who: Subscriber,
    pub(crate) confirmed: bool,
    pub(crate) remaining: u32,
}

#[derive(Debug)]
struct Subscription {
    confirmed: bool,
    until: Option<Instant>,
    /// What was told last; nothing yet, or nothing that arrived.
    told: Option<(Option<Datum>, [bool; 4])>,
    /// A notification waits for its answer.
    waiting: bool,
    /// Changed while one waited.
    behind: bool,
    unanswered: u32,
    not_before: Option<Instant>,
}

/// Every subscription.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    most: usize,
    all: FxHashMap<Subscriber, Subscription>,
    by_object: FxHashMap<ObjectId, Vec<Subscriber>>,
}

impl Subscriptions {
    /// None yet, and so many at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            all: FxHashMap::default(),
            by_object: FxHashMap::default(),
        }
    }

    /// Nobody is told of anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes a subscription, or renews one. A lifetime of 0 does not end.
    pub(crate) fn subscribe(
        &mut self,
        who: Subscriber,
        confirmed: bool,
        seconds: u32,
        now: Instant,
    ) -> Result<(), Refusal> {
        if self.all.len() >= self.most && !self.all.contains_key(&who) {
            return Err(Refusal::Error {
                class: code::RESOURCES,
                code: code::NO_SPACE_TO_ADD,
            });
        }
        let lifetime = Duration::from_secs(seconds.into());
        let subscription = Subscription {
            confirmed,
            until: (seconds > 0).then(|| now + lifetime),
            told: None,
            waiting: self.all.get(&who).is_some_and(|s| s.waiting),
            behind: false,
            unanswered: 0,
            not_before: Some(now + FIRST),
        };
        if self.all.insert(who.clone(), subscription).is_none() {
            self.by_object.entry(who.object).or_default().push(who);
        }
        Ok(())
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn cancel(&mut self, who: &Subscriber) {
        self.all.remove(who);
        if let Some(list) = self.by_object.get_mut(&who.object) {
            list.retain(|w| w != who);
            if list.is_empty() {
                self.by_object.remove(&who.object);
            }
        }
    }

    /// Ends what has run out, and what nobody answers; and all whose object is gone.
    pub(crate) fn expire(&mut self, now: Instant, there: impl Fn(ObjectId) -> bool) {
        let over = |who: &Subscriber, s: &Subscription| {
            let endless = s.until.is_none() && s.unanswered >= UNANSWERED;
            s.until.is_some_and(|until| until <= now) || endless || !there(who.object)
        };
        let all = self.all.iter().filter(|(who, s)| over(who, s));
        let gone: Vec<Subscriber> = all.map(|(who, _)| who.clone()).collect();
        gone.iter().for_each(|who| self.cancel(who));
    }

    /// Objects somebody is told of.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> {
        self.by_object.keys().copied()
    }

    /// Whether somebody is told of an object.
    pub(crate) fn has(&self, object: ObjectId) -> bool {
        self.by_object.contains_key(&object)
    }

    /// Who has to be told that an object shows this now. They count as told.
    pub(crate) fn due(&mut self, object: &Object, shown: &Shown, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for who in self.by_object.get(&object.id).into_iter().flatten() {
            let Some(s) = self.all.get_mut(who) else {
                continue;
            };
            let changed = s
                .told
                .as_ref()
                .is_none_or(|told| changed(told, shown, object));
            let paused = s.not_before.is_some_and(|at| now < at);
            if !changed || paused {
                continue;
            }
            if s.waiting {
                s.behind = true;
                continue;
            }
            s.told = Some((shown.value.clone(), shown.flags));
            s.waiting = s.confirmed;
            s.behind = false;
            s.not_before = None;
            due.push(Due {
                who: who.clone(),
                confirmed: s.confirmed,
                remaining: remaining(s.until, now),
            });
        }
        due
    }

    /// Objects somebody should have been told of and was not reached.
    pub(crate) fn late(&self, now: Instant) -> Vec<ObjectId> {
        let late = |s: &Subscription| !s.waiting && s.not_before.is_some_and(|at| at <= now);
        let late = self.all.iter().filter(|(_, s)| late(s));
        late.map(|(who, _)| who.object).collect()
    }

    /// A notification was answered, or it was not. True when there is more to tell.
    pub(crate) fn ended(&mut self, who: &Subscriber, answered: bool, now: Instant) -> bool {
        let Some(s) = self.all.get_mut(who) else {
            return false;
        };
        s.waiting = false;
        if answered {
            s.unanswered = 0;
            s.not_before = None;
            return s.behind;
        }
        s.unanswered += 1;
        s.told = None;
        let pause = Duration::from_secs(1 << s.unanswered.min(6)).min(PAUSE);
        s.not_before = Some(now + pause);
        false
    }

    /// Everybody, as the device lists them.
    pub(crate) fn active<'a>(&'a self, objects: &'a Objects) -> impl Iterator<Item = Active> + 'a {
        let now = Instant::now();
        self.all.iter().map(move |(who, s)| {
            let object = objects.find(who.object);
            let analog = object.filter(|o| matches!(o.shape, Shape::Analog { .. }));
            Active {
                subscriber: subscriber(&who.from),
                process: who.process,
                watched: Reference::new(who.object, PropertyId::PRESENT_VALUE),
                confirmed: s.confirmed,
                remaining: remaining(s.until, now),
                increment: analog.map(|o| o.increment),
            }
        })
    }
}

fn subscriber(from: &Address) -> (u16, Vec<u8>) {
    match &from.remote {
        Some(remote) => (remote.network, remote.mac.clone()),
        None => {
            let mut mac = from.ip.ip().octets().to_vec();
            mac.extend(from.ip.port().to_be_bytes());
            (0, mac)
        }
    }
}

/// Whole seconds, so that a subscription that lasts yet never says 0.
fn remaining(until: Option<Instant>, now: Instant) -> u32 {
    let left = until.map(|until| until.saturating_duration_since(now));
    let seconds = left.map_or(0, |left| left.as_millis().div_ceil(1000).max(1));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

fn changed(told: &(Option<Datum>, [bool; 4]), shown: &Shown, object: &Object) -> bool {
    if told.1 != shown.flags {
        return true;
    }
    match (&told.0, &shown.value) {
        (Some(Datum::Real(a)), Some(Datum::Real(b))) => {
            a.to_bits() != b.to_bits() && (a - b).abs() >= object.increment
        }
        (a, b) => a != b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::parse_ip;
    use crate::codec::ObjectType;
    use riser_model::{Limits, Slot};

    const ID: ObjectId = ObjectId::new(ObjectType::ANALOG_INPUT, 1);

    fn object() -> Object {
        Object {
            id: ID,
            slot: Slot(0),
            path: "a/b".parse().unwrap(),
            name: String::new(),
            description: String::new(),
            shape: Shape::Analog {
                whole: false,
                units: 62,
            },
            commandable: false,
            increment: 0.5,
            limits: Limits::default(),
        }
    }

    fn who(process: u32) -> Subscriber {
        Subscriber {
            from: Address::local(parse_ip("192.0.2.1").unwrap()),
            process,
            object: ID,
        }
    }

    fn shows(value: f32, fault: bool) -> Shown {
        Shown {
            value: Some(Datum::Real(value)),
            flags: [false, fault, false, false],
            reliability: 0,
        }
    }

    #[tokio::test]
    async fn a_change_is_an_increment_or_a_flag() {
        let (mut table, object, now) = (Subscriptions::new(9), object(), Instant::now());
        table.subscribe(who(1), false, 60, now).unwrap();
        assert!(table.due(&object, &shows(20.0, false), now).is_empty());
        let soon = now + FIRST;
        let mut told = |value, fault| table.due(&object, &shows(value, fault), soon).len();
        assert_eq!(told(20.0, false), 1, "the first says how it is");
        assert_eq!(told(20.4, false), 0);
        assert_eq!(told(20.5, false), 1);
        assert_eq!(told(20.5, true), 1);
        assert_eq!(told(20.5, true), 0);
        assert_eq!(told(20.0, true), 1);
    }

    #[tokio::test]
    async fn the_table_is_bounded_and_ends_what_has_run_out() {
        let (mut table, now) = (Subscriptions::new(2), Instant::now());
        table.subscribe(who(1), false, 60, now).unwrap();
        table.subscribe(who(2), false, 0, now).unwrap();
        let full = table.subscribe(who(3), false, 60, now);
        assert_eq!(full, Err(Refusal::Error { class: 3, code: 19 }));
        table.subscribe(who(1), true, 5, now).unwrap();
        let later = now + Duration::from_secs(6);
        table.expire(later, |_| true);
        table.subscribe(who(3), false, 60, later).unwrap();
        table.cancel(&who(3));
        table.cancel(&who(3));
        assert!(table.has(ID));
        table.expire(later, |_| false);
        assert!(table.is_empty() && !table.has(ID));
    }

    #[tokio::test]
    async fn one_who_does_not_answer_is_told_again_and_not_for_ever() {
        let (mut table, object, mut now) = (Subscriptions::new(2), object(), Instant::now());
        table.subscribe(who(1), true, 0, now).unwrap();
        now += FIRST;
        assert_eq!(table.due(&object, &shows(1.0, false), now).len(), 1);
        // Changed while the first waits for its answer: told once that has come.
        assert!(table.due(&object, &shows(2.0, false), now).is_empty());
        assert!(table.ended(&who(1), true, now));
        assert_eq!(table.due(&object, &shows(2.0, false), now).len(), 1);
        for _ in 0..UNANSWERED {
            assert!(!table.is_empty());
            assert!(!table.ended(&who(1), false, now));
            assert!(table.late(now).is_empty());
            now += PAUSE;
            assert_eq!(table.late(now), [ID]);
            assert_eq!(table.due(&object, &shows(2.0, false), now).len(), 1);
            table.expire(now, |_| true);
        }
        assert!(table.is_empty());
    }
}
