//! One rule while it runs: its condition, its open alarm, its flap state. Owns the step from
//! "the condition changed" to effects; which rule looks at which reading is the engine's.

use crate::alarm;
use crate::condition::{Change, Detector};
use crate::engine::{Effect, RuleView, Tick, earliest};
use crate::flap::{Flap, Verdict};
use crate::rule::{Action, AlarmAction, OnEnd, Rule, WriteAction};
use riser_model::{Acknowledgement, Alarm, AlarmId, AlarmState, Timestamp, Value};

/// Index that stands for "no further rule".
pub(crate) const NONE: u32 = u32::MAX;

/// Source of alarm identities.
type NewId = Box<dyn FnMut() -> AlarmId + Send>;

/// A rule with its state.
pub(crate) struct Running {
    pub(crate) rule: Rule,
    /// The next rule of the same point.
    pub(crate) next: u32,
    detector: Detector,
    open: Option<Alarm>,
    flap: Option<Flap>,
    /// Whether this rule may hold a level it has to give back.
    engaged: bool,
    /// Source time of the last end of the condition, for a clear told late.
    ended_at: Timestamp,
}

impl Running {
    pub(crate) fn new(rule: Rule) -> Self {
        let flap = match &rule.action {
            Action::RaiseAlarm(a) => Some(Flap::new(a.flap_raises, a.flap_window_ms)),
            Action::Write(_) => None,
        };
        Self {
            rule,
            next: NONE,
            detector: Detector::default(),
            open: None,
            flap,
            engaged: false,
            ended_at: Timestamp::default(),
        }
    }

    /// Whether an alarm from before a restart belongs to this rule as it is now.
    pub(crate) fn owns(&self, alarm: &Alarm) -> bool {
        matches!(self.rule.action, Action::RaiseAlarm(_))
            && self.rule.key == alarm.rule
            && self.rule.point == alarm.path
            && self.open.is_none()
            && alarm.state != AlarmState::Normal
    }

    pub(crate) fn seed_alarm(&mut self, alarm: Alarm) {
        if alarm.state.is_active() {
            self.detector = Detector::seeded(Some(true));
        }
        self.open = Some(alarm);
    }

    /// The rule held a level before a restart: it writes again if the condition is still present,
    /// and gives the level back if it is not.
    pub(crate) fn seed_write(&mut self) {
        if matches!(self.rule.action, Action::Write(_)) {
            self.detector = Detector::seeded(None);
            self.engaged = true;
        }
    }

    pub(crate) fn has_open(&self, id: AlarmId) -> bool {
        self.open.as_ref().is_some_and(|a| a.id == id)
    }

    pub(crate) fn open(&self) -> Option<&Alarm> {
        self.open.as_ref()
    }

    /// Changes the stamps it will tell of later.
    pub(crate) fn restamp(&mut self, put: &dyn Fn(Timestamp) -> Timestamp) {
        self.open
            .iter_mut()
            .for_each(|open| alarm::restamp(open, put));
        self.detector.restamp(put);
        self.ended_at = put(self.ended_at);
    }

    pub(crate) fn suppressed(&self) -> u64 {
        self.flap.as_ref().map_or(0, Flap::suppressed)
    }

    pub(crate) fn view(&self) -> RuleView {
        RuleView {
            rule: self.rule.clone(),
            present: self.detector.present(),
            waiting: self.detector.waiting(),
            flapping: self.flap.as_ref().is_some_and(Flap::flapping),
            suppressed: self.suppressed(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Tick> {
        let settle = self.flap.as_ref().and_then(Flap::deadline);
        earliest(self.detector.deadline(), settle)
    }

    pub(crate) fn acknowledge(&mut self, by: Acknowledgement) -> Option<(Alarm, bool)> {
        let open = self.open.as_mut()?;
        let changed = alarm::acknowledge(open, by);
        let alarm = open.clone();
        self.drop_if_over();
        Some((alarm, changed))
    }

    /// Takes one reading; `None` is one that cannot be trusted.
    pub(crate) fn read(
        &mut self,
        now: Tick,
        reading: Option<(Timestamp, &Value)>,
        sink: &mut Sink<'_>,
    ) {
        self.tick(now, sink);
        let Some(reading) = reading else {
            self.detector.hold(now);
            if let Some(flap) = &mut self.flap {
                flap.hold(now);
            }
            return;
        };
        if let Some(flap) = &mut self.flap {
            flap.resume(now);
        }
        if let Some(change) = self.detector.feed(&self.rule.condition, now, reading) {
            self.apply(change, now, sink);
        }
    }

    /// Lets time pass. What is due happens in its order and at its own time, however late the
    /// tick comes; a delay goes before the settling of a flap that is due at the same moment.
    pub(crate) fn tick(&mut self, now: Tick, sink: &mut Sink<'_>) {
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            if let Some(change) = self.detector.tick(due) {
                self.apply(change, due, sink);
            } else if self.flap.as_mut().is_some_and(|f| f.settles(due)) {
                self.settle(sink);
            } else {
                return;
            }
        }
    }

    fn apply(&mut self, change: Change, now: Tick, sink: &mut Sink<'_>) {
        if !change.present {
            self.ended_at = change.at;
        }
        let verdict = self.flap.as_mut().map(|f| f.change(change.present, now));
        match (&self.rule.action, verdict) {
            (Action::Write(write), _) => {
                let effect = write_effect(&self.rule, write, change.present, self.engaged);
                self.engaged = change.present;
                sink.effects.extend(effect);
            }
            (Action::RaiseAlarm(_), Some(Verdict::Suppress)) => {}
            (Action::RaiseAlarm(_), _) if !change.present => self.clear(None, sink),
            (Action::RaiseAlarm(a), verdict) => {
                let message = match verdict {
                    Some(Verdict::TellFlapping) => flapping_message(a),
                    _ => a.message.clone(),
                };
                self.raise(change, message, sink);
            }
        }
    }

    fn raise(&mut self, change: Change, message: String, sink: &mut Sink<'_>) {
        let Action::RaiseAlarm(action) = &self.rule.action else {
            return;
        };
        match &mut self.open {
            Some(open) => {
                if !alarm::reactivate(open, change.value) {
                    return;
                }
                open.message = message;
            }
            None => {
                self.open = Some(Alarm {
                    id: (sink.new_id)(),
                    rule: self.rule.key.clone(),
                    path: self.rule.point.clone(),
                    priority: action.priority,
                    message,
                    state: AlarmState::ActiveUnacknowledged,
                    raised_at: change.at,
                    value: change.value,
                    limit: self.rule.condition.limit.as_f64(),
                    cleared_at: None,
                    acknowledged: None,
                });
            }
        }
        self.tell(true, sink);
    }

    fn clear(&mut self, message: Option<String>, sink: &mut Sink<'_>) {
        let at = self.ended_at;
        let Some(open) = self.open.as_mut() else {
            return;
        };
        if !alarm::clear(open, at) {
            return;
        }
        if let Some(message) = message {
            open.message = message;
        }
        self.tell(false, sink);
        self.drop_if_over();
    }

    /// Flapping is over: the alarm goes by the condition again.
    fn settle(&mut self, sink: &mut Sink<'_>) {
        let Action::RaiseAlarm(action) = &self.rule.action else {
            return;
        };
        let message = action.message.clone();
        if self.detector.present() == Some(false) {
            self.clear(Some(message), sink);
        } else if let Some(open) = &mut self.open {
            open.message = message;
            self.tell(false, sink);
        }
    }

    fn tell(&self, notify: bool, sink: &mut Sink<'_>) {
        sink.effects.extend(
            self.open
                .clone()
                .map(|alarm| Effect::Alarm { alarm, notify }),
        );
    }

    fn drop_if_over(&mut self) {
        if self
            .open
            .as_ref()
            .is_some_and(|a| a.state == AlarmState::Normal)
        {
            self.open = None;
        }
    }
}

/// Where effects go and identities come from.
pub(crate) struct Sink<'a> {
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) new_id: &'a mut NewId,
}

fn write_effect(rule: &Rule, write: &WriteAction, present: bool, engaged: bool) -> Option<Effect> {
    let value = match (present, &write.on_end) {
        (true, _) => Some(write.value.clone()),
        (false, _) if !engaged => return None,
        (false, OnEnd::Keep) => return None,
        (false, OnEnd::Release) => None,
        (false, OnEnd::Write(value)) => Some(value.clone()),
    };
    Some(Effect::Write {
        rule: rule.key.clone(),
        path: write.point.clone(),
        value,
        priority: write.priority,
    })
}

fn flapping_message(action: &AlarmAction) -> String {
    format!(
        "{} (flapping: raised {} times within {} s; kept standing until it keeps still)",
        action.message,
        action.flap_raises,
        action.flap_window_ms / 1000
    )
}
