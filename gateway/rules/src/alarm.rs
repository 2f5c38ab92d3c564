//! The states of one alarm occurrence, after ANSI/ISA-18.2. Owns the transition table and what a
//! transition does to the record; when a condition is present is decided elsewhere.
//!
//! | state \ input           | raise                   | clear                  | acknowledge          |
//! |-------------------------|-------------------------|------------------------|----------------------|
//! | normal                  | active/unacknowledged ¹ | –                      | –                    |
//! | active/unacknowledged   | –                       | cleared/unacknowledged | active/acknowledged  |
//! | active/acknowledged     | –                       | normal                 | –                    |
//! | cleared/unacknowledged  | active/unacknowledged ² | –                      | normal               |
//!
//! ¹ A new occurrence with a new id: the last one is over and stays in the history.
//! ² The same occurrence again: nobody has seen it yet, so a second line in the list would only
//! say the same thing twice. `raised_at` stays that of the first raise, `value` becomes the newest.
//!
//! So a rule has at most one open occurrence at any time.

use riser_model::{Acknowledgement, Alarm, AlarmState, AuthorKind, Timestamp, Value};

/// What can happen to an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The condition is present.
    Raise,
    /// The condition is gone.
    Clear,
    /// A person has taken it.
    Acknowledge,
}

/// The state after an input; `None` when the input changes nothing.
#[must_use]
pub fn transition(state: AlarmState, input: Input) -> Option<AlarmState> {
    use AlarmState as S;
    match (state, input) {
        (S::Normal | S::ClearedUnacknowledged, Input::Raise) => Some(S::ActiveUnacknowledged),
        (S::ActiveUnacknowledged, Input::Clear) => Some(S::ClearedUnacknowledged),
        (S::ActiveAcknowledged, Input::Clear) => Some(S::Normal),
        (S::ActiveUnacknowledged, Input::Acknowledge) => Some(S::ActiveAcknowledged),
        (S::ClearedUnacknowledged, Input::Acknowledge) => Some(S::Normal),
        (S::ActiveUnacknowledged | S::ActiveAcknowledged, Input::Raise)
        | (S::Normal | S::ClearedUnacknowledged, Input::Clear)
        | (S::Normal | S::ActiveAcknowledged, Input::Acknowledge) => None,
    }
}

/// Makes a cleared, unacknowledged occurrence active again. Returns whether the record changed;
/// an occurrence that is over is never raised again, that takes a new one.
pub fn reactivate(alarm: &mut Alarm, value: Option<Value>) -> bool {
    if alarm.state == AlarmState::Normal {
        return false;
    }
    let Some(state) = transition(alarm.state, Input::Raise) else {
        return false;
    };
    alarm.state = state;
    alarm.value = value;
    alarm.cleared_at = None;
    true
}

/// Ends the condition of an occurrence at the given source time. Returns whether it changed.
pub fn clear(alarm: &mut Alarm, at: Timestamp) -> bool {
    let Some(state) = transition(alarm.state, Input::Clear) else {
        return false;
    };
    alarm.state = state;
    alarm.cleared_at = Some(at);
    true
}

/// Records that a person has taken it. Returns whether the record changed.
///
/// The same alarm can be taken on the gateway and in the cloud while the link is down; the
/// earliest acknowledgement wins, whichever arrives first.
pub fn acknowledge(alarm: &mut Alarm, acknowledgement: Acknowledgement) -> bool {
    if let Some(state) = transition(alarm.state, Input::Acknowledge) {
        alarm.state = state;
        alarm.acknowledged = Some(acknowledgement);
        return true;
    }
    match &alarm.acknowledged {
        Some(known) if acknowledgement.at < known.at => {
            alarm.acknowledged = Some(acknowledgement);
            true
        }
        _ => false,
    }
}

/// Changes the stamps of an alarm, but not of what a person did elsewhere, by another clock.
pub fn restamp(alarm: &mut Alarm, put: &dyn Fn(Timestamp) -> Timestamp) {
    alarm.raised_at = put(alarm.raised_at);
    alarm.cleared_at = alarm.cleared_at.map(put);
    if let Some(taken) = &mut alarm.acknowledged
        && taken.by.kind != AuthorKind::Cloud
    {
        taken.at = put(taken.at);
    }
}
