//! Evaluates every rule against the readings as they come. Owns the running state of the rules
//! and the open alarms; carries nothing out, hands back effects.
//!
//! Rules hang on the slots of their points, so a scan costs one look-up per reading and touches
//! only the rules of points in it. Bad quality, no value, and values from before (`initial`,
//! `stale`) hold every state: they never raise, clear or write anything, and delays stand still.

use crate::alarm;
use crate::own::{self, OwnAlarms, Present};
use crate::rule::Rule;
use crate::running::{NONE, Running, Sink};
use riser_model::{
    Acknowledgement, Alarm, AlarmId, AlarmState, Key, Level, PointPath, Priority, Reading, Reason,
    ScanBatch, Slot, Timestamp, Value,
};
use std::collections::HashMap;

/// Milliseconds on a clock that never steps, from any zero. Delays run on it, so setting the wall
/// clock neither fires nor starves a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub i64);

impl Tick {
    /// Milliseconds from `earlier` to this instant.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// An alarm record changed: keep it, show it, send it.
    Alarm {
        /// The whole record after the change.
        alarm: Alarm,
        /// Whether a person should be told: true exactly when it became active.
        notify: bool,
    },
    /// A point is to be written or its level given back, by the way of every command.
    Write {
        /// The rule that wants it.
        rule: Key,
        /// The point.
        path: PointPath,
        /// The value to hold; `None` releases the level.
        value: Option<Value>,
        /// The level.
        priority: Priority,
    },
}

/// Why an alarm could not be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeError {
    /// Over already, or never seen on this gateway.
    #[error("alarm {} is not open: it is over already, or this gateway never raised it", .0.0)]
    NotOpen(AlarmId),
}

/// One rule as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleView {
    /// The rule.
    pub rule: Rule,
    /// Whether its condition is present; `None` until a trusted reading came.
    pub present: Option<bool>,
    /// Whether a delay is running or standing still.
    pub waiting: bool,
    /// Whether its alarm counts as flapping.
    pub flapping: bool,
    /// Changes of the condition held back as flapping since start.
    pub suppressed: u64,
}

/// All rules of a gateway, running.
pub struct RuleEngine {
    rules: Vec<Running>,
    /// The first rule of each point that has one.
    heads: HashMap<PointPath, u32>,
    /// By slot: the first rule of the point; the others follow by `Running::next`.
    first: Vec<u32>,
    /// Open alarms whose rule is gone; they wait for their acknowledgement.
    orphans: Vec<Alarm>,
    /// Alarms about the gateway itself.
    own: OwnAlarms,
    /// No rule is due before this; may be too early, never too late.
    due: Option<Tick>,
    new_id: Box<dyn FnMut() -> AlarmId + Send>,
}

impl RuleEngine {
    /// An engine over the enabled ones of `rules`; `new_id` names new alarm occurrences.
    #[must_use]
    pub fn new(rules: Vec<Rule>, new_id: Box<dyn FnMut() -> AlarmId + Send>) -> Self {
        let enabled = rules.into_iter().filter(|r| r.enabled);
        let mut engine = Self {
            rules: enabled.map(Running::new).collect(),
            heads: HashMap::new(),
            first: Vec::new(),
            orphans: Vec::new(),
            own: OwnAlarms::default(),
            due: None,
            new_id,
        };
        engine.line_up();
        engine
    }

    /// Puts the rules of each point in a line.
    fn line_up(&mut self) {
        self.heads.clear();
        for (index, running) in self.rules.iter_mut().enumerate().rev() {
            let index = u32::try_from(index).unwrap_or(NONE);
            let head = self.heads.insert(running.rule.point.clone(), index);
            running.next = head.unwrap_or(NONE);
        }
    }

    /// Takes other rules. One that stays as it was keeps its state, delays and alarm; alarms and
    /// held levels of the others are taken over as after a restart (see [`Self::seed`]). Every slot
    /// has to be bound again afterwards.
    pub fn replace(&mut self, rules: Vec<Rule>, holding: &[Key], at: Timestamp) -> Vec<Effect> {
        let mut old = std::mem::take(&mut self.rules);
        let mut kept = Vec::new();
        for rule in rules.into_iter().filter(|r| r.enabled) {
            let same = old.iter().position(|running| running.rule == rule);
            self.rules.push(match same {
                Some(index) => {
                    kept.push(rule.key);
                    old.swap_remove(index)
                }
                None => Running::new(rule),
            });
        }
        self.line_up();
        self.first.clear();
        // Looked at with the next tick, whatever is due then.
        self.due = Some(Tick(i64::MIN));
        let mut open: Vec<Alarm> = old.iter().filter_map(Running::open).cloned().collect();
        open.append(&mut self.orphans);
        let holding: Vec<Key> = holding
            .iter()
            .filter(|k| !kept.contains(k))
            .cloned()
            .collect();
        self.seed(open, &holding, at)
    }

    /// Tells the engine the slot of a point. Returns whether any rule looks at it.
    pub fn bind(&mut self, path: &PointPath, slot: Slot) -> bool {
        let Some(head) = self.heads.get(path) else {
            return false;
        };
        if self.first.len() <= slot.index() {
            self.first.resize(slot.index() + 1, NONE);
        }
        self.first[slot.index()] = *head;
        true
    }

    /// Takes over the alarms that were open before a restart, and the rules that hold a level of
    /// some priority array. Alarms whose rule is gone are cleared at `at`; they stay open until
    /// somebody acknowledges them.
    pub fn seed(&mut self, open: Vec<Alarm>, holding: &[Key], at: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        for mut alarm in open {
            let owner = self.rules.iter_mut().find(|r| r.owns(&alarm));
            if let Some(running) = owner {
                running.seed_alarm(alarm);
                continue;
            }
            if own::is_own(&alarm) {
                self.own.seed(alarm);
                continue;
            }
            if alarm::clear(&mut alarm, at) {
                alarm.message.push_str(" (its rule was removed)");
                effects.push(Effect::Alarm {
                    alarm: alarm.clone(),
                    notify: false,
                });
            }
            if alarm.state != AlarmState::Normal {
                self.orphans.push(alarm);
            }
        }
        for running in &mut self.rules {
            if holding.contains(&running.rule.key) {
                running.seed_write();
            }
        }
        effects
    }

    /// Evaluates one scan, at once.
    pub fn evaluate(&mut self, now: Tick, scan: &ScanBatch, effects: &mut Vec<Effect>) {
        let mut sink = Sink {
            effects,
            new_id: &mut self.new_id,
        };
        for reading in &scan.readings {
            let mut index = match self.first.get(reading.slot.index()) {
                Some(head) if *head != NONE => *head,
                _ => continue,
            };
            while let Some(running) = self.rules.get_mut(index as usize) {
                running.read(now, usable(reading).map(|v| (scan.at, v)), &mut sink);
                self.due = earliest(self.due, running.deadline());
                index = running.next;
            }
        }
    }

    /// Lets time pass for delays and flapping. Cheap when nothing is due.
    pub fn tick(&mut self, now: Tick, effects: &mut Vec<Effect>) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let mut sink = Sink {
            effects,
            new_id: &mut self.new_id,
        };
        for running in &mut self.rules {
            running.tick(now, &mut sink);
            self.due = earliest(self.due, running.deadline());
        }
    }

    /// When `tick` may have something to do; `None` when nothing waits.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.due
    }

    /// Records an acknowledgement. The answer is the record after it, and whether it changed.
    pub fn acknowledge(
        &mut self,
        id: AlarmId,
        acknowledgement: Acknowledgement,
    ) -> Result<(Alarm, bool), AcknowledgeError> {
        if let Some(running) = self.rules.iter_mut().find(|r| r.has_open(id)) {
            return running
                .acknowledge(acknowledgement)
                .ok_or(AcknowledgeError::NotOpen(id));
        }
        if self.own.open().any(|a| a.id == id) {
            let taken = self.own.acknowledge(id, acknowledgement);
            return taken.ok_or(AcknowledgeError::NotOpen(id));
        }
        let index = self
            .orphans
            .iter()
            .position(|a| a.id == id)
            .ok_or(AcknowledgeError::NotOpen(id))?;
        let mut alarm = self.orphans.swap_remove(index);
        let changed = alarm::acknowledge(&mut alarm, acknowledgement);
        Ok((alarm, changed))
    }

    /// Every open occurrence.
    pub fn open_alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.rules
            .iter()
            .filter_map(Running::open)
            .chain(&self.orphans)
            .chain(self.own.open())
    }

    /// Takes note of a condition of the gateway itself: present with what is wrong, or not. May be
    /// told as often as it is looked at. The effect is there where its alarm changed.
    pub fn condition(
        &mut self,
        subject: &str,
        present: Option<Present>,
        at: Timestamp,
    ) -> Option<Effect> {
        let changed = self.own.set(subject, present, (at, &mut self.new_id))?;
        let (alarm, notify) = changed;
        Some(Effect::Alarm { alarm, notify })
    }

    /// Changes the stamps of what is told later: the time was not known when they were made.
    pub fn restamp(&mut self, put: &dyn Fn(Timestamp) -> Timestamp) {
        self.rules.iter_mut().for_each(|rule| rule.restamp(put));
        let others = self.orphans.iter_mut().chain(self.own.open_mut());
        others.for_each(|open| alarm::restamp(open, put));
    }

    /// The rules that run.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|running| &running.rule)
    }

    /// Every running rule as it stands.
    pub fn views(&self) -> impl Iterator<Item = RuleView> {
        self.rules.iter().map(Running::view)
    }

    /// Changes of conditions held back as flapping since start, of all rules.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.rules.iter().map(Running::suppressed).sum()
    }
}

impl std::fmt::Debug for RuleEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleEngine")
            .field("rules", &self.rules.len())
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// The value of a reading if a rule may act on it.
fn usable(reading: &Reading) -> Option<&Value> {
    let from_before = matches!(
        reading.quality.reason,
        Some(Reason::Initial | Reason::Stale)
    );
    match reading.quality.level {
        Level::Bad => None,
        Level::Uncertain if from_before => None,
        Level::Good | Level::Uncertain => reading.value.as_ref(),
    }
}

pub(crate) fn earliest(a: Option<Tick>, b: Option<Tick>) -> Option<Tick> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
