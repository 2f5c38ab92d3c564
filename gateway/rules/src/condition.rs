//! Whether the condition of one rule is present: comparison with hysteresis, then delays. Owns
//! nothing of what follows from it.
//!
//! Readings drive a Schmitt trigger; a change of its output must then last for the on- or
//! off-delay. A reading that cannot be trusted stops the delays where they are: it neither
//! confirms nor denies, so it must not make anything happen.

use crate::Tick;
use crate::rule::{Comparison, Condition};
use riser_model::{Timestamp, Value};

/// The condition became present or ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Present or not.
    pub(crate) present: bool,
    /// Source time of the reading that began the change.
    pub(crate) at: Timestamp,
    /// The value of that reading; `None` when the state was taken over from before a restart.
    pub(crate) value: Option<Value>,
}

/// A change that waits for its delay.
#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    /// Milliseconds still to wait, counted from `running_since`.
    left: i64,
    /// `None` while readings cannot be trusted.
    running_since: Option<Tick>,
}

/// State of one condition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Detector {
    raw: Option<bool>,
    present: Option<bool>,
    pending: Option<Pending>,
}

impl Detector {
    /// A condition known to have been met before a restart, so hysteresis goes on from there.
    /// `present` is what the rule has already told: nothing, or that it is present.
    pub(crate) fn seeded(present: Option<bool>) -> Self {
        Self {
            raw: Some(true),
            present,
            pending: None,
        }
    }

    /// Present, absent, or not known yet.
    pub(crate) fn present(&self) -> Option<bool> {
        self.present
    }

    /// Whether a change waits for its delay.
    pub(crate) fn waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes a trusted reading. The caller lets time pass first ([`Detector::tick`]): a delay that
    /// has run out counts before a reading that contradicts it.
    pub(crate) fn feed(
        &mut self,
        condition: &Condition,
        now: Tick,
        reading: (Timestamp, &Value),
    ) -> Option<Change> {
        let (at, value) = reading;
        let Some(raw) = compare(condition, self.raw == Some(true), value) else {
            self.hold(now);
            return None;
        };
        self.raw = Some(raw);
        if self.present == Some(raw) {
            self.pending = None;
            return None;
        }
        match &mut self.pending {
            Some(p) if p.change.present == raw => {
                p.running_since.get_or_insert(now);
            }
            slot => {
                // Not knowing is not presence: the first absent reading needs no off-delay.
                let delay = match (raw, self.present) {
                    (true, _) => condition.on_delay_ms,
                    (false, Some(_)) => condition.off_delay_ms,
                    (false, None) => 0,
                };
                *slot = Some(Pending {
                    change: Change {
                        present: raw,
                        at,
                        value: Some(value.clone()),
                    },
                    left: i64::try_from(delay).unwrap_or(i64::MAX),
                    running_since: Some(now),
                });
            }
        }
        self.tick(now)
    }

    /// Takes a reading that cannot be trusted: stops a running delay.
    pub(crate) fn hold(&mut self, now: Tick) {
        if let Some(p) = &mut self.pending
            && let Some(since) = p.running_since.take()
        {
            p.left = p.left.saturating_sub(now.since(since)).max(0);
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Tick) -> Option<Change> {
        if self.deadline()? > now {
            return None;
        }
        let change = self.pending.take()?.change;
        self.present = Some(change.present);
        Some(change)
    }

    /// Changes the stamp of a change that waits.
    pub(crate) fn restamp(&mut self, put: &dyn Fn(Timestamp) -> Timestamp) {
        if let Some(pending) = &mut self.pending {
            pending.change.at = put(pending.change.at);
        }
    }

    /// When the running delay ends.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        let p = self.pending.as_ref()?;
        Some(Tick(p.running_since?.0.saturating_add(p.left)))
    }
}

/// Whether the condition holds for a value; `None` when the two cannot be compared.
fn compare(condition: &Condition, was: bool, value: &Value) -> Option<bool> {
    let same = match (&condition.limit, value) {
        (Value::Text(a), Value::Text(b)) => Some(a == b),
        (Value::Text(_), _) | (_, Value::Text(_)) => None,
        (limit, value) => limit.as_f64().zip(value.as_f64()).map(|(a, b)| a == b),
    };
    let back = if was { condition.hysteresis } else { 0.0 };
    let numbers = || value.as_f64().zip(condition.limit.as_f64());
    match condition.test {
        Comparison::Above => numbers().map(|(x, limit)| x > limit - back),
        Comparison::Below => numbers().map(|(x, limit)| x < limit + back),
        Comparison::Equals => same,
        Comparison::NotEquals => same.map(|s| !s),
    }
}
