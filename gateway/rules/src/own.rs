//! Conditions of the gateway itself: a backup that could not be restored, an audit log somebody
//! wrote into. Owns their open alarms; they go through the same states as those of rules, but are
//! raised and cleared by whoever watches the condition, not by a reading.

use crate::alarm;
use riser_model::{
    Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, Key, PointPath, Timestamp,
};

/// Device in the paths of these alarms: no point is there.
pub const GATEWAY_DEVICE: &str = "riserd";

/// What is wrong, for [`crate::RuleEngine::condition`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// How soon a person must act.
    pub priority: AlarmPriority,
    /// What is wrong and what to do, in words.
    pub message: String,
}

/// Path of the alarms about one subject.
#[must_use]
pub fn own_path(subject: &str) -> PointPath {
    PointPath::new(Key::slug(GATEWAY_DEVICE), Key::slug(subject))
}

/// Whether an alarm is about the gateway itself.
#[must_use]
pub fn is_own(alarm: &Alarm) -> bool {
    alarm.path.device.as_str() == GATEWAY_DEVICE
}

/// The open ones.
#[derive(Debug, Default)]
pub(crate) struct OwnAlarms(Vec<Alarm>);

impl OwnAlarms {
    pub(crate) fn open(&self) -> impl Iterator<Item = &Alarm> {
        self.0.iter()
    }

    pub(crate) fn open_mut(&mut self) -> impl Iterator<Item = &mut Alarm> {
        self.0.iter_mut()
    }

    pub(crate) fn seed(&mut self, alarm: Alarm) {
        self.0.push(alarm);
    }

    /// Takes note of a condition; answers with the alarm where it changed, and whether it became
    /// active.
    pub(crate) fn set(
        &mut self,
        subject: &str,
        present: Option<Present>,
        (at, id): (Timestamp, &mut dyn FnMut() -> AlarmId),
    ) -> Option<(Alarm, bool)> {
        let path = own_path(subject);
        let known = self.0.iter().position(|a| a.path == path);
        match (known, present) {
            (None, None) => None,
            (None, Some(present)) => {
                let alarm = Alarm {
                    id: id(),
                    rule: Key::slug(subject),
                    path,
                    priority: present.priority,
                    message: present.message,
                    state: AlarmState::ActiveUnacknowledged,
                    raised_at: at,
                    value: None,
                    limit: None,
                    cleared_at: None,
                    acknowledged: None,
                };
                self.0.push(alarm.clone());
                Some((alarm, true))
            }
            (Some(index), Some(present)) => {
                let known = &mut self.0[index];
                let raised = alarm::reactivate(known, None);
                let changed = known.message != present.message;
                known.message = present.message;
                known.priority = present.priority;
                (raised || changed).then(|| (known.clone(), raised))
            }
            (Some(index), None) => {
                let cleared = alarm::clear(&mut self.0[index], at);
                cleared.then(|| (self.let_go(index), false))
            }
        }
    }

    pub(crate) fn acknowledge(
        &mut self,
        id: AlarmId,
        by: Acknowledgement,
    ) -> Option<(Alarm, bool)> {
        let index = self.0.iter().position(|a| a.id == id)?;
        let changed = alarm::acknowledge(&mut self.0[index], by);
        Some((self.let_go(index), changed))
    }

    /// Forgets one that is over.
    fn let_go(&mut self, index: usize) -> Alarm {
        let alarm = self.0[index].clone();
        if alarm.state == AlarmState::Normal {
            self.0.swap_remove(index);
        }
        alarm
    }
}

#[cfg(test)]
mod tests {
    use crate::{Effect, RuleEngine};
    use riser_model::{
        Acknowledgement, AlarmId, AlarmPriority, AlarmState, Author, AuthorKind, Timestamp,
    };

    fn engine() -> RuleEngine {
        let mut n = 0;
        RuleEngine::new(
            Vec::new(),
            Box::new(move || {
                n += 1;
                AlarmId(uuid::Uuid::from_u128(n))
            }),
        )
    }

    fn failed(message: &str) -> Option<super::Present> {
        Some(super::Present {
            priority: AlarmPriority::High,
            message: message.to_owned(),
        })
    }

    fn told(effect: Option<Effect>) -> (AlarmState, bool, AlarmId) {
        let Some(Effect::Alarm { alarm, notify }) = effect else {
            panic!("an alarm: {effect:?}");
        };
        (alarm.state, notify, alarm.id)
    }

    fn taken() -> Acknowledgement {
        Acknowledgement {
            by: Author {
                kind: AuthorKind::Local,
                name: "anna".to_owned(),
            },
            at: Timestamp(5),
            comment: String::new(),
        }
    }

    #[test]
    fn a_condition_is_one_alarm_until_it_is_over_and_taken() {
        let mut engine = engine();
        let t = Timestamp;
        assert_eq!(engine.condition("backup", None, t(1)), None);
        let first = told(engine.condition("backup", failed("a"), t(2)));
        assert_eq!((first.0, first.1), (AlarmState::ActiveUnacknowledged, true));
        assert_eq!(
            engine.condition("backup", failed("a"), t(3)),
            None,
            "stands"
        );
        let news = told(engine.condition("backup", failed("b"), t(3)));
        assert_eq!(
            (news.1, news.2),
            (false, first.2),
            "other words, same alarm"
        );
        let gone = told(engine.condition("backup", None, t(4)));
        assert_eq!(gone.0, AlarmState::ClearedUnacknowledged);
        let again = told(engine.condition("backup", failed("b"), t(5)));
        assert_eq!(
            (again.1, again.2),
            (true, first.2),
            "nobody has seen it yet"
        );
        let (alarm, changed) = engine.acknowledge(first.2, taken()).unwrap();
        assert_eq!(
            (alarm.state, changed),
            (AlarmState::ActiveAcknowledged, true)
        );
        let over = told(engine.condition("backup", None, t(6)));
        assert_eq!(over.0, AlarmState::Normal);
        assert_eq!(engine.open_alarms().count(), 0);
        let second = told(engine.condition("backup", failed("b"), t(7)));
        assert_ne!(second.2, first.2, "another occurrence");
    }

    #[test]
    fn one_from_before_a_restart_stands_until_the_condition_is_looked_at_again() {
        let mut before = engine();
        let effect = before.condition("audit", failed("changed"), Timestamp(1));
        let id = told(effect).2;
        let open: Vec<_> = before.open_alarms().cloned().collect();
        let mut after = engine();
        assert_eq!(after.seed(open, &[], Timestamp(9)), vec![]);
        assert_eq!(
            after.condition("audit", failed("changed"), Timestamp(9)),
            None
        );
        let gone = told(after.condition("audit", None, Timestamp(10)));
        assert_eq!((gone.0, gone.2), (AlarmState::ClearedUnacknowledged, id));
        let (alarm, _) = after.acknowledge(id, taken()).unwrap();
        assert_eq!(alarm.state, AlarmState::Normal);
        assert_eq!(after.open_alarms().count(), 0);
    }
}
