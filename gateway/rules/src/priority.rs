//! The sixteen levels a point can be written at, for every protocol alike, after the command
//! prioritisation of ANSI/ASHRAE 135, clause 19.2. Owns which value wins and what expires; who may
//! write, and carrying the winner to the device, is the runtime's.

use riser_model::{Author, CommandId, HeldBy, Priority, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one level holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The value held.
    pub value: Value,
    /// Who wrote it.
    pub author: Author,
    /// The command it came by.
    pub command: CommandId,
    /// When it was written (gateway clock).
    pub since: Timestamp,
    /// Until when it is held; `None` holds it until released.
    pub until: Option<Timestamp>,
}

/// The levels of one point. Level 1 wins over level 16; a level nobody holds does not count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriorityArray {
    // Few of the sixteen are ever held, and of few points.
    levels: BTreeMap<u8, Held>,
}

impl PriorityArray {
    /// Holds a value at a level; returns what the level held before.
    pub fn write(&mut self, priority: Priority, held: Held) -> Option<Held> {
        self.levels.insert(priority.level(), held)
    }

    /// Gives a level back; returns what it held.
    pub fn release(&mut self, priority: Priority) -> Option<Held> {
        self.levels.remove(&priority.level())
    }

    /// Gives back every level whose time is over; returns them, highest priority first.
    pub fn expire(&mut self, now: Timestamp) -> Vec<(Priority, Held)> {
        let over: Vec<u8> = self
            .levels
            .iter()
            .filter(|(_, h)| h.until.is_some_and(|until| until <= now))
            .map(|(level, _)| *level)
            .collect();
        over.into_iter()
            .filter_map(|level| Priority::new(level).zip(self.levels.remove(&level)))
            .collect()
    }

    /// Changes when the levels were written and end; what each answers is put in their place.
    pub fn restamp(
        &mut self,
        put: &dyn Fn(Timestamp, Option<Timestamp>) -> (Timestamp, Option<Timestamp>),
    ) {
        for held in self.levels.values_mut() {
            (held.since, held.until) = put(held.since, held.until);
        }
    }

    /// The level that wins.
    #[must_use]
    pub fn winner(&self) -> Option<(Priority, &Held)> {
        self.iter().next()
    }

    /// Who holds the point against a write at `priority`: the winner, if it stands higher.
    #[must_use]
    pub fn held_against(&self, priority: Priority) -> Option<HeldBy> {
        self.winner()
            .filter(|(winner, _)| winner.level() < priority.level())
            .map(|(winner, held)| HeldBy {
                priority: winner,
                author: Some(held.author.clone()),
            })
    }

    /// What a level holds.
    #[must_use]
    pub fn level(&self, priority: Priority) -> Option<&Held> {
        self.levels.get(&priority.level())
    }

    /// The earliest time at which a level expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.levels.values().filter_map(|h| h.until).min()
    }

    /// Every held level, highest priority first.
    pub fn iter(&self) -> impl Iterator<Item = (Priority, &Held)> {
        self.levels
            .iter()
            .filter_map(|(level, held)| Some((Priority::new(*level)?, held)))
    }

    /// Whether no level is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }
}
