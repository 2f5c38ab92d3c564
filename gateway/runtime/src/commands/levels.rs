//! The priority arrays of all points and what a command makes of them. Owns the decision what is
//! written to a device and what an answer means; pure, so every case is a plain test.
//!
//! The array says what the gateway wants the point to hold. A command of a person that did not
//! work leaves the array as it was. The wish of a rule stays, because nobody stands there to
//! repeat it; the point then counts as unsettled and the winning value is written again when the
//! device answers.

use super::words::{join, level, who};
use riser_adapter::WriteResult;
use riser_model::{
    Author, AuthorKind, Command, CommandState, HeldBy, Priority, Slot, Timestamp, Value,
};
use riser_rules::{Held, PriorityArray};
use rustc_hash::FxHashMap;

/// What to do about a command now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plan {
    /// Nothing goes to the device; this is the outcome.
    Done(Verdict),
    /// This goes to the device.
    Write(Step),
}

/// A write on its way to the device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The winning value; `None` relinquishes.
    pub(crate) value: Option<Value>,
    /// Its level.
    pub(crate) winner: Option<Priority>,
    /// Levels whose value the device may still hold and should not.
    pub(crate) released: Vec<Priority>,
    /// What the level held before, to put back if the device does not take the value.
    before: Option<Held>,
    /// What this write is about, for the outcome; empty for a plain write.
    note: String,
}

impl Step {
    fn new(value: Option<Value>, before: Option<Held>, note: String) -> Self {
        Self {
            value,
            winner: None,
            released: Vec::new(),
            before,
            note,
        }
    }

    /// Says which level the value is of, and which levels the device should not hold any more: one
    /// that was given back, and those below the winner.
    pub(crate) fn place(&mut self, array: Option<&PriorityArray>, given_back: Option<Priority>) {
        let mut held = array.into_iter().flat_map(PriorityArray::iter);
        let winner = held.next().map(|(level, _)| level);
        let rest = held.map(|(level, _)| level).chain(given_back);
        let gone: std::collections::BTreeSet<_> = rest.filter(|l| Some(*l) != winner).collect();
        (self.winner, self.released) = (winner, gone.into_iter().collect());
    }
}

/// The outcome of a command, before it is stamped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) state: CommandState,
    pub(crate) detail: String,
    pub(crate) read_back: Option<Value>,
    pub(crate) held_by: Option<HeldBy>,
    /// Whether the device is known to hold the winning value, or nothing more can be done;
    /// `None` leaves that as it was.
    pub(crate) settled: Option<bool>,
}

impl Verdict {
    pub(crate) fn new(state: CommandState, detail: impl Into<String>) -> Self {
        Self {
            state,
            detail: detail.into(),
            read_back: None,
            held_by: None,
            settled: None,
        }
    }

    fn settled(mut self, settled: bool) -> Self {
        self.settled = Some(settled);
        self
    }

    fn read_back(mut self, value: Option<Value>) -> Self {
        self.read_back = value;
        self
    }
}

/// Every array in which a level is held.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    arrays: FxHashMap<Slot, PriorityArray>,
}

impl Levels {
    /// Takes over an array from before a restart.
    pub(crate) fn restore(&mut self, slot: Slot, array: PriorityArray) {
        if !array.is_empty() {
            self.arrays.insert(slot, array);
        }
    }

    /// Every array, to change its times.
    pub(crate) fn arrays_mut(&mut self) -> impl Iterator<Item = (Slot, &mut PriorityArray)> {
        self.arrays.iter_mut().map(|(slot, array)| (*slot, array))
    }

    pub(crate) fn array(&self, slot: Slot) -> Option<&PriorityArray> {
        self.arrays.get(&slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &PriorityArray)> {
        self.arrays.iter().map(|(slot, array)| (*slot, array))
    }

    /// Whether a command can be answered without the device.
    pub(crate) fn needs_device(&self, slot: Slot, command: &Command) -> bool {
        let Some(array) = self.arrays.get(&slot) else {
            return true;
        };
        array.held_against(command.priority).is_none()
            && (command.value.is_some()
                || array
                    .winner()
                    .is_none_or(|(winner, _)| winner == command.priority))
    }

    /// Changes the array as a command says, and tells what follows from it.
    pub(crate) fn plan(&mut self, slot: Slot, command: &Command, now: Timestamp) -> Plan {
        match &command.value {
            Some(value) => self.plan_write(slot, command, value, now),
            None => self.plan_release(slot, command),
        }
    }

    fn plan_write(&mut self, slot: Slot, command: &Command, value: &Value, now: Timestamp) -> Plan {
        let array = self.arrays.entry(slot).or_default();
        let held_by = array.held_against(command.priority);
        let before = array.write(command.priority, held(command, value, now));
        let Some(by) = held_by else {
            return Plan::Write(Step::new(Some(value.clone()), before, String::new()));
        };
        let detail = format!(
            "{} holds the value from now on, but {} wins{}; release that level, or write at a higher priority",
            level(command.priority),
            level(by.priority),
            by.author
                .as_ref()
                .map_or_else(String::new, |a| format!(" (held by {})", who(a)))
        );
        let mut verdict = Verdict::new(CommandState::AcceptedNotEffective, detail);
        verdict.held_by = Some(by);
        Plan::Done(verdict)
    }

    fn plan_release(&mut self, slot: Slot, command: &Command) -> Plan {
        let array = self.arrays.entry(slot).or_default();
        let before = array.release(command.priority);
        let after = array.winner().map(|(p, h)| (p, h.clone()));
        if array.is_empty() {
            self.arrays.remove(&slot);
        }
        let released = match &before {
            Some(_) => format!("{} is released", level(command.priority)),
            None => format!("{} was not held by this gateway", level(command.priority)),
        };
        match (before, after) {
            (Some(_), Some((winner, held))) if winner.level() > command.priority.level() => {
                let (level, who) = (level(winner), who(&held.author));
                let note = format!("{released}; {level} ({who}) holds now");
                Plan::Write(Step::new(Some(held.value), None, note))
            }
            (_, Some((winner, held))) => Plan::Done(Verdict::new(
                CommandState::Applied,
                format!(
                    "{released}; {} ({}) holds the point",
                    level(winner),
                    who(&held.author)
                ),
            )),
            (_, None) => {
                let note = format!("{released}; nothing else holds the point");
                Plan::Write(Step::new(None, None, note))
            }
        }
    }

    /// What a repeated write is: the winner as it is now, or nothing if it is another one by now.
    pub(crate) fn plan_repeat(&self, slot: Slot, command: &Command) -> Plan {
        let winner = self.arrays.get(&slot).and_then(PriorityArray::winner);
        let same = match (&command.value, winner) {
            (Some(value), Some((level, held))) => level == command.priority && held.value == *value,
            (None, None) => true,
            _ => false,
        };
        if !same {
            let detail = "another value has won meanwhile; nothing was written";
            return Plan::Done(Verdict::new(CommandState::Expired, detail));
        }
        let before = winner.map(|(_, held)| held.clone());
        Plan::Write(Step::new(command.value.clone(), before, String::new()))
    }

    /// What the device's answer means for a command, and for its level.
    pub(crate) fn conclude(
        &mut self,
        slot: Slot,
        command: &Command,
        step: Step,
        result: WriteResult,
    ) -> Verdict {
        let written = step.value.clone();
        let mut verdict = self.judge(slot, command, step, result);
        // While the write was under way another value may have won: a hold ended, a rule wished.
        if verdict.settled == Some(true) && self.wanted(slot) != written.as_ref() {
            verdict.settled = Some(false);
        }
        verdict
    }

    /// The value that wins; `None` when nothing is held.
    fn wanted(&self, slot: Slot) -> Option<&Value> {
        let winner = self.arrays.get(&slot)?.winner();
        winner.map(|(_, held)| &held.value)
    }

    fn judge(&mut self, slot: Slot, command: &Command, step: Step, result: WriteResult) -> Verdict {
        let releasing = command.value.is_none();
        let with = |text: &str| join(&step.note, text);
        match result {
            WriteResult::Applied(read_back) => Verdict::new(CommandState::Applied, step.note)
                .read_back(read_back)
                .settled(true),
            WriteResult::NotEffective { read_back, detail } => {
                Verdict::new(CommandState::AcceptedNotEffective, with(&detail))
                    .read_back(read_back)
                    .settled(true)
            }
            WriteResult::Refused(text) if releasing && step.value.is_none() => Verdict::new(
                CommandState::Applied,
                with(&format!("the device was left as it is: {text}")),
            )
            .settled(true),
            WriteResult::Refused(text) if releasing => Verdict::new(
                CommandState::AcceptedNotEffective,
                with(&format!("but the device refused its value: {text}")),
            )
            .settled(true),
            WriteResult::Refused(text) => {
                self.put_back(slot, command, step.before);
                Verdict::new(CommandState::Refused, text)
            }
            WriteResult::Failed(text) => {
                if releasing || command.author.kind == AuthorKind::Rule {
                    let again = "; it is tried again when the device answers";
                    let detail = with(&format!("{text}{again}"));
                    return Verdict::new(CommandState::Failed, detail).settled(false);
                }
                self.put_back(slot, command, step.before);
                let verdict = Verdict::new(CommandState::Failed, text);
                // The device may hold the new value though the array no longer does.
                match self.arrays.contains_key(&slot) {
                    true => verdict.settled(false),
                    false => verdict,
                }
            }
        }
    }

    /// Undoes a write, unless the level was written again meanwhile.
    fn put_back(&mut self, slot: Slot, command: &Command, before: Option<Held>) {
        let Some(array) = self.arrays.get_mut(&slot) else {
            return;
        };
        let ours = array
            .level(command.priority)
            .is_some_and(|h| h.command == command.id);
        if !ours {
            return;
        }
        match before {
            Some(held) => drop(array.write(command.priority, held)),
            None => drop(array.release(command.priority)),
        }
        if array.is_empty() {
            self.arrays.remove(&slot);
        }
    }

    /// Changes the array without asking the device: what a rule wants stays wanted though its
    /// command could not be begun. Returns whether the winning value is another one now.
    pub(crate) fn wish(&mut self, slot: Slot, command: &Command, now: Timestamp) -> bool {
        let array = self.arrays.entry(slot).or_default();
        let before = array.winner().map(|(p, h)| (p, h.value.clone()));
        match &command.value {
            Some(value) => drop(array.write(command.priority, held(command, value, now))),
            None => drop(array.release(command.priority)),
        }
        let changed = before != array.winner().map(|(p, h)| (p, h.value.clone()));
        if array.is_empty() {
            self.arrays.remove(&slot);
        }
        changed
    }

    /// Gives back every level whose time is over.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Ended> {
        self.end(|array| array.expire(now))
    }

    /// Gives back the levels of rules that no longer write them.
    pub(crate) fn end_rules(
        &mut self,
        mut writes: impl FnMut(Slot, &str, Priority) -> bool,
    ) -> Vec<Ended> {
        let mut ended = Vec::new();
        for slot in self.arrays.keys().copied().collect::<Vec<_>>() {
            ended.extend(self.end_at(slot, |array| {
                let gone: Vec<Priority> = array
                    .iter()
                    .filter(|(level, held)| {
                        held.author.kind == AuthorKind::Rule
                            && !writes(slot, &held.author.name, *level)
                    })
                    .map(|(level, _)| level)
                    .collect();
                gone.into_iter()
                    .filter_map(|level| Some((level, array.release(level)?)))
                    .collect()
            }));
        }
        ended
    }

    fn end(
        &mut self,
        mut take: impl FnMut(&mut PriorityArray) -> Vec<(Priority, Held)>,
    ) -> Vec<Ended> {
        let slots: Vec<Slot> = self.arrays.keys().copied().collect();
        slots
            .into_iter()
            .filter_map(|slot| self.end_at(slot, &mut take))
            .collect()
    }

    fn end_at(
        &mut self,
        slot: Slot,
        take: impl FnOnce(&mut PriorityArray) -> Vec<(Priority, Held)>,
    ) -> Option<Ended> {
        let array = self.arrays.get_mut(&slot)?;
        let before = array.winner().map(|(level, _)| level);
        let taken = take(array);
        let after = array.winner().map(|(level, _)| level);
        if array.is_empty() {
            self.arrays.remove(&slot);
        }
        let levels = taken.len();
        let (level, held) = taken.into_iter().next()?;
        Some(Ended {
            slot,
            level,
            author: held.author,
            levels,
            winner_changed: before != after,
        })
    }
}

/// Levels of one point that were given back because their time, or their rule, was over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) slot: Slot,
    /// The highest of them.
    pub(crate) level: Priority,
    /// Who held it.
    pub(crate) author: Author,
    /// How many.
    pub(crate) levels: usize,
    /// Whether another value wins now, so that the device must be told.
    pub(crate) winner_changed: bool,
}

fn held(command: &Command, value: &Value, now: Timestamp) -> Held {
    Held {
        value: value.clone(),
        author: command.author.clone(),
        command: command.id,
        since: now,
        until: command.hold_until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::CommandId;
    use uuid::Uuid;

    const SLOT: Slot = Slot(4);
    const NOW: Timestamp = Timestamp(1_000);

    fn author(kind: AuthorKind, name: &str) -> Author {
        Author {
            kind,
            name: name.into(),
        }
    }

    fn command(level: u8, value: Option<f64>) -> Command {
        Command {
            id: CommandId(Uuid::new_v4()),
            path: "ahu-1/setpoint".parse().unwrap(),
            value: value.map(Value::Float),
            priority: Priority::new(level).unwrap(),
            issued_at: NOW,
            expires_at: Timestamp(60_000),
            hold_until: None,
            author: author(AuthorKind::Local, "anna"),
        }
    }

    fn by_rule(mut command: Command) -> Command {
        command.author = author(AuthorKind::Rule, "frost");
        command
    }

    fn step(plan: Plan) -> Step {
        match plan {
            Plan::Write(step) => step,
            Plan::Done(verdict) => panic!("ended: {verdict:?}"),
        }
    }

    fn done(plan: Plan) -> Verdict {
        match plan {
            Plan::Done(verdict) => verdict,
            Plan::Write(step) => panic!("goes to the device: {step:?}"),
        }
    }

    fn write(levels: &mut Levels, command: &Command) {
        let step = step(levels.plan(SLOT, command, NOW));
        let applied = WriteResult::Applied(command.value.clone());
        let verdict = levels.conclude(SLOT, command, step, applied);
        assert_eq!(verdict.state, CommandState::Applied);
    }

    fn winner(levels: &Levels) -> Option<(u8, Value)> {
        let (level, held) = levels.array(SLOT)?.winner()?;
        Some((level.level(), held.value.clone()))
    }

    #[test]
    fn a_lower_write_is_kept_but_does_not_reach_the_device() {
        let mut levels = Levels::default();
        write(&mut levels, &command(8, Some(21.0)));
        let lower = command(10, Some(5.0));
        assert!(!levels.needs_device(SLOT, &lower));
        let verdict = done(levels.plan(SLOT, &lower, NOW));
        assert_eq!(verdict.state, CommandState::AcceptedNotEffective);
        let by = verdict.held_by.unwrap();
        assert_eq!(by.priority.level(), 8);
        assert_eq!(by.author.unwrap().name, "anna");
        assert!(
            verdict.detail.contains("level 8 wins (held by anna)"),
            "{}",
            verdict.detail
        );

        // Releasing level 8 writes what level 10 holds.
        let release = command(8, None);
        assert!(levels.needs_device(SLOT, &release));
        let step = step(levels.plan(SLOT, &release, NOW));
        assert_eq!(step.value, Some(Value::Float(5.0)));
        let read_back = WriteResult::Applied(Some(Value::Float(5.0)));
        let verdict = levels.conclude(SLOT, &release, step, read_back);
        assert_eq!(verdict.state, CommandState::Applied);
        assert!(
            verdict.detail.contains("level 8 is released; level 10"),
            "{}",
            verdict.detail
        );
    }

    #[test]
    fn releasing_the_last_level_relinquishes_or_says_that_the_device_was_left_alone() {
        for (result, words) in [
            (WriteResult::Applied(None), "nothing else holds the point"),
            (
                WriteResult::Refused("no relinquish in Modbus".into()),
                "the device was left as it is: no relinquish in Modbus",
            ),
        ] {
            let mut levels = Levels::default();
            write(&mut levels, &command(8, Some(21.0)));
            let release = command(8, None);
            let step = step(levels.plan(SLOT, &release, NOW));
            assert_eq!(step.value, None);
            let verdict = levels.conclude(SLOT, &release, step, result);
            assert_eq!(verdict.state, CommandState::Applied);
            assert!(verdict.detail.contains(words), "{}", verdict.detail);
            assert!(levels.array(SLOT).is_none());
        }
    }

    #[test]
    fn releasing_a_level_that_does_not_win_touches_no_device() {
        let mut levels = Levels::default();
        write(&mut levels, &command(8, Some(21.0)));
        done(levels.plan(SLOT, &command(10, Some(5.0)), NOW));
        let verdict = done(levels.plan(SLOT, &command(10, None), NOW));
        assert_eq!(verdict.state, CommandState::Applied);
        assert!(
            verdict.detail.contains("level 10 is released; level 8"),
            "{}",
            verdict.detail
        );
        let verdict = done(levels.plan(SLOT, &command(10, None), NOW));
        assert!(
            verdict.detail.contains("level 10 was not held"),
            "{}",
            verdict.detail
        );
        assert_eq!(winner(&levels), Some((8, Value::Float(21.0))));
    }

    #[test]
    fn what_the_device_refuses_leaves_the_array_as_it_was() {
        let mut levels = Levels::default();
        write(&mut levels, &command(8, Some(21.0)));
        let refused = command(8, Some(99.0));
        let step = step(levels.plan(SLOT, &refused, NOW));
        let verdict = levels.conclude(SLOT, &refused, step, WriteResult::Refused("no".into()));
        assert_eq!(verdict.state, CommandState::Refused);
        assert_eq!(winner(&levels), Some((8, Value::Float(21.0))));
    }

    #[test]
    fn a_failed_write_of_a_person_is_undone_and_one_of_a_rule_stays_wanted() {
        let mut levels = Levels::default();
        let failed = || WriteResult::Failed("timed out".into());
        let person = command(8, Some(21.0));
        let first = step(levels.plan(SLOT, &person, NOW));
        let verdict = levels.conclude(SLOT, &person, first, failed());
        assert_eq!(
            (verdict.state, verdict.settled),
            (CommandState::Failed, None)
        );
        assert_eq!(winner(&levels), None);

        let rule = by_rule(command(10, Some(5.0)));
        let second = step(levels.plan(SLOT, &rule, NOW));
        let verdict = levels.conclude(SLOT, &rule, second, failed());
        assert_eq!(
            (verdict.state, verdict.settled),
            (CommandState::Failed, Some(false))
        );
        assert_eq!(winner(&levels), Some((10, Value::Float(5.0))));

        // Over a rule's value: the device may hold either, so the winner is written again.
        let third = step(levels.plan(SLOT, &person, NOW));
        let verdict = levels.conclude(SLOT, &person, third, failed());
        assert_eq!(verdict.settled, Some(false));
        assert_eq!(winner(&levels), Some((10, Value::Float(5.0))));
    }

    #[test]
    fn a_write_that_was_overtaken_settles_nothing() {
        let mut levels = Levels::default();
        let person = command(8, Some(21.0));
        let under_way = step(levels.plan(SLOT, &person, NOW));
        assert!(levels.wish(SLOT, &by_rule(command(5, Some(100.0))), NOW));
        let verdict = levels.conclude(SLOT, &person, under_way, WriteResult::Applied(None));
        assert_eq!(verdict.state, CommandState::Applied);
        assert_eq!(verdict.settled, Some(false), "the device does not hold 100");
    }

    #[test]
    fn a_read_back_that_differs_is_told_and_the_level_stays() {
        let mut levels = Levels::default();
        let c = command(8, Some(21.0));
        let step = step(levels.plan(SLOT, &c, NOW));
        let result = WriteResult::NotEffective {
            read_back: Some(Value::Float(19.0)),
            detail: "reads 19 after writing 21".into(),
        };
        let verdict = levels.conclude(SLOT, &c, step, result);
        assert_eq!(verdict.state, CommandState::AcceptedNotEffective);
        assert_eq!(verdict.read_back, Some(Value::Float(19.0)));
        assert_eq!(verdict.held_by, None);
        assert_eq!(winner(&levels), Some((8, Value::Float(21.0))));
    }

    #[test]
    fn a_hold_that_ends_tells_whether_another_value_wins() {
        let mut levels = Levels::default();
        let mut high = command(8, Some(21.0));
        high.hold_until = Some(Timestamp(2_000));
        let mut low = command(12, Some(5.0));
        low.hold_until = Some(Timestamp(1_500));
        write(&mut levels, &high);
        done(levels.plan(SLOT, &low, NOW));
        done(levels.plan(SLOT, &command(16, Some(1.0)), NOW));
        assert_eq!(levels.expire(Timestamp(1_499)), vec![]);
        let ended = levels.expire(Timestamp(1_500));
        assert_eq!(
            (ended[0].level.level(), ended[0].winner_changed),
            (12, false)
        );
        let ended = levels.expire(Timestamp(2_000));
        assert_eq!((ended[0].level.level(), ended[0].winner_changed), (8, true));
        assert_eq!(winner(&levels), Some((16, Value::Float(1.0))));
    }

    #[test]
    fn a_repeat_writes_the_winner_and_nothing_else() {
        let mut levels = Levels::default();
        let rule = by_rule(command(10, Some(5.0)));
        levels.wish(SLOT, &rule, NOW);
        let repeat = by_rule(command(10, Some(5.0)));
        let again = step(levels.plan_repeat(SLOT, &repeat));
        assert_eq!(again.value, Some(Value::Float(5.0)));
        let verdict = levels.conclude(SLOT, &repeat, again, WriteResult::Refused("no".into()));
        assert_eq!(verdict.state, CommandState::Refused);
        assert_eq!(winner(&levels), Some((10, Value::Float(5.0))));
        write(&mut levels, &command(8, Some(21.0)));
        let verdict = done(levels.plan_repeat(SLOT, &repeat));
        assert_eq!(verdict.state, CommandState::Expired);
    }

    #[test]
    fn levels_of_rules_that_no_longer_write_are_given_back() {
        let mut levels = Levels::default();
        write(&mut levels, &by_rule(command(10, Some(5.0))));
        done(levels.plan(SLOT, &command(12, Some(7.0)), NOW));
        assert_eq!(levels.end_rules(|_, rule, _| rule == "frost"), vec![]);
        let ended = levels.end_rules(|_, _, _| false);
        assert_eq!(ended.len(), 1);
        assert!(ended[0].winner_changed);
        assert_eq!(winner(&levels), Some((12, Value::Float(7.0))));
    }
}
