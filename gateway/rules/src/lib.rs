//! Pure rule evaluation: (state, readings, now) -> effects. Owns the rule types, the conditions
//! with their delays, the ISA-18.2 alarm states, flap limiting and the priority array.
//!
//! Nothing here reads a clock, draws a random number, waits or touches a device: time and alarm
//! identities are passed in, effects are handed back, and whoever calls carries them out. That is
//! what lets `tests/exhaustive.rs` walk every sequence of events.

pub mod alarm;
pub mod check;
mod condition;
pub mod config;
pub mod engine;
mod flap;
pub mod own;
pub mod priority;
pub mod rule;
mod running;
pub mod schedule;

pub use check::check;
pub use config::{RuleError, nearest, parse_rule};
pub use engine::{AcknowledgeError, Effect, RuleEngine, RuleView, Tick};
pub use own::Present;
pub use priority::{Held, PriorityArray};
pub use rule::{Action, AlarmAction, Comparison, Condition, OnEnd, Rule, WriteAction};
pub use schedule::{Day, InForce, Schedule, Switch, Timetable, check_schedules};
