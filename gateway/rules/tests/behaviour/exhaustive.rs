//! Walks every sequence of events to depth 7 through the alarm states and through the whole
//! engine, and compares each step with an oracle written in another way: three booleans instead
//! of a table of states, and counting seconds instead of deadlines.

use crate::support::{SLOT, above, ack, alarm_rule, engine, notifications, scan};
use riser_model::{AlarmState, Quality, Reason, Value};
use riser_rules::alarm::{Input, transition};
use riser_rules::{Effect, RuleEngine, Tick};

const DEPTH: u32 = 7;

/// An occurrence as three facts.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    open: bool,
    present: bool,
    acknowledged: bool,
    occurrences: u32,
}

impl Facts {
    fn raise(&mut self) {
        if !self.open {
            self.open = true;
            self.acknowledged = false;
            self.occurrences += 1;
        }
        self.present = true;
    }

    fn clear(&mut self) {
        self.present = false;
        self.open &= !self.acknowledged;
    }

    fn acknowledge(&mut self) {
        self.acknowledged |= self.open;
        self.open &= self.present;
    }

    fn state(self) -> AlarmState {
        match (self.open, self.present, self.acknowledged) {
            (false, ..) => AlarmState::Normal,
            (true, true, false) => AlarmState::ActiveUnacknowledged,
            (true, true, true) => AlarmState::ActiveAcknowledged,
            (true, false, _) => AlarmState::ClearedUnacknowledged,
        }
    }
}

/// Every sequence of `kinds` symbols of length `DEPTH`, as digits of a counter.
fn sequences(kinds: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..kinds.pow(DEPTH)).map(move |mut n| {
        (0..DEPTH)
            .map(|_| {
                let symbol = n % kinds;
                n /= kinds;
                symbol
            })
            .collect()
    })
}

#[test]
fn every_sequence_of_inputs_reaches_the_state_the_facts_say() {
    let mut steps = 0;
    for sequence in sequences(3) {
        let mut state = AlarmState::Normal;
        let mut facts = Facts::default();
        for symbol in sequence {
            let before = facts.state();
            let input = match symbol {
                0 => {
                    facts.raise();
                    Input::Raise
                }
                1 => {
                    facts.clear();
                    Input::Clear
                }
                _ => {
                    facts.acknowledge();
                    Input::Acknowledge
                }
            };
            let next = transition(state, input);
            assert_eq!(
                next.is_some(),
                before != facts.state(),
                "{state:?} {input:?}"
            );
            state = next.unwrap_or(state);
            assert_eq!(state, facts.state());
            steps += 1;
        }
    }
    assert_eq!(steps, 3_usize.pow(DEPTH) * DEPTH as usize);
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    hysteresis: f64,
    on_s: u64,
    off_s: u64,
    flap_raises: u8,
    flap_window_s: u64,
}

/// The engine's behaviour, second by second.
struct Oracle {
    setup: Setup,
    facts: Facts,
    raw: Option<bool>,
    present: Option<bool>,
    trusted: bool,
    lasted: u64,
    now: u64,
    raises: Vec<u64>,
    flapping: bool,
    still: u64,
    notifications: usize,
}

impl Oracle {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            facts: Facts::default(),
            raw: None,
            present: None,
            trusted: false,
            lasted: 0,
            now: 0,
            raises: Vec::new(),
            flapping: false,
            still: 0,
            notifications: 0,
        }
    }

    fn second(&mut self) {
        self.now += 1;
        if !self.trusted {
            return;
        }
        self.still += 1;
        if self.raw != self.present {
            self.lasted += 1;
            self.mature();
        }
        if self.flapping && self.still >= self.setup.flap_window_s {
            self.flapping = false;
            self.raises.clear();
            if self.present == Some(false) {
                self.facts.clear();
            }
        }
    }

    fn reading(&mut self, value: Option<f64>) {
        self.trusted = value.is_some();
        let Some(value) = value else { return };
        let end = if self.raw == Some(true) {
            80.0 - self.setup.hysteresis
        } else {
            80.0
        };
        let raw = value > end;
        if self.raw != Some(raw) {
            self.lasted = 0;
        }
        self.raw = Some(raw);
        if self.raw != self.present {
            self.mature();
        }
    }

    fn mature(&mut self) {
        let delay = match (self.raw, self.present) {
            (Some(true), _) => self.setup.on_s,
            (_, None) => 0,
            _ => self.setup.off_s,
        };
        if self.lasted < delay {
            return;
        }
        self.present = self.raw;
        self.still = 0;
        if self.flapping {
            return;
        }
        if self.present != Some(true) {
            self.facts.clear();
            return;
        }
        self.notifications += 1;
        self.facts.raise();
        let (now, window) = (self.now, self.setup.flap_window_s);
        self.raises.retain(|t| now - t < window);
        self.raises.push(now);
        self.flapping = self.raises.len() >= usize::from(self.setup.flap_raises);
    }
}

/// The real engine with what it told so far.
struct Subject {
    engine: RuleEngine,
    now_ms: i64,
    told: Vec<Effect>,
}

impl Subject {
    fn read(&mut self, value: Option<f64>) {
        let quality = match value {
            Some(_) => Quality::GOOD,
            None => Quality::bad(Reason::DeviceDown),
        };
        // A bad reading carries the last known value, which must not count.
        let value = Some(Value::Float(value.unwrap_or(90.0)));
        let scan = scan(self.now_ms, value, quality);
        let before = self.told.len();
        self.engine
            .evaluate(Tick(self.now_ms), &scan, &mut self.told);
        if quality != Quality::GOOD {
            let due_before = self.told[before..].iter().all(|e| {
                matches!(e, Effect::Alarm { alarm, .. }
                    if alarm.raised_at < scan.at)
            });
            assert!(due_before, "a bad reading made something happen");
        }
    }

    fn state(&self) -> AlarmState {
        self.engine
            .open_alarms()
            .next()
            .map_or(AlarmState::Normal, |a| a.state)
    }

    fn acknowledge(&mut self) {
        let open = self.engine.open_alarms().next().map(|a| a.id);
        if let Some(id) = open {
            self.engine
                .acknowledge(id, ack(self.now_ms))
                .expect("it is open");
        }
    }
}

fn walk(setup: Setup) {
    for sequence in sequences(6) {
        let condition = above(setup.hysteresis, setup.on_s, setup.off_s);
        let rule = alarm_rule(condition, setup.flap_raises, setup.flap_window_s * 1000);
        let mut subject = Subject {
            engine: engine(vec![rule]),
            now_ms: 0,
            told: Vec::new(),
        };
        let mut oracle = Oracle::new(setup);
        for (step, symbol) in sequence.iter().enumerate() {
            let seconds = if *symbol == 4 { 4 } else { 1 };
            subject.now_ms += seconds * 1000;
            (0..seconds).for_each(|_| oracle.second());
            match symbol {
                0..=2 => {
                    let value = [90.0, 78.0, 70.0][*symbol];
                    subject.read(Some(value));
                    oracle.reading(Some(value));
                }
                3 => {
                    subject.read(None);
                    oracle.reading(None);
                }
                4 => subject.engine.tick(Tick(subject.now_ms), &mut subject.told),
                _ => {
                    // The engine learns of time only by ticks and readings.
                    subject.engine.tick(Tick(subject.now_ms), &mut subject.told);
                    subject.acknowledge();
                    oracle.facts.acknowledge();
                }
            }
            let place = || format!("{setup:?} {sequence:?} step {step}");
            assert_eq!(subject.state(), oracle.facts.state(), "{}", place());
            assert_eq!(
                notifications(&subject.told),
                oracle.notifications,
                "{}",
                place()
            );
            let view = subject.engine.views().next().expect("one rule");
            assert_eq!(view.present, oracle.present, "{}", place());
            assert_eq!(view.flapping, oracle.flapping, "{}", place());
            let newest = subject
                .engine
                .open_alarms()
                .next()
                .map(|a| a.id.0.as_u128());
            let expected = oracle
                .facts
                .open
                .then(|| u128::from(oracle.facts.occurrences));
            assert_eq!(newest, expected, "{}", place());
        }
        let due = subject.engine.next_deadline();
        assert!(due.is_none_or(|d| d > Tick(0)), "{SLOT:?}");
    }
}

#[test]
fn hysteresis_and_delays_follow_the_oracle() {
    walk(Setup {
        hysteresis: 5.0,
        on_s: 3,
        off_s: 2,
        flap_raises: 200,
        flap_window_s: 900,
    });
}

#[test]
fn flapping_without_delays_follows_the_oracle() {
    walk(Setup {
        hysteresis: 0.0,
        on_s: 0,
        off_s: 0,
        flap_raises: 2,
        flap_window_s: 4,
    });
}

#[test]
fn flapping_with_delays_follows_the_oracle() {
    walk(Setup {
        hysteresis: 5.0,
        on_s: 1,
        off_s: 1,
        flap_raises: 2,
        flap_window_s: 3,
    });
}
