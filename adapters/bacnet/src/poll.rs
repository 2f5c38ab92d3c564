//! Reading many properties of a device in as few requests as it bears. `ladder` is the way down from
//! large answers to single properties, `peer` the device as it is asked, `learn` its whole object list,
//! `schedules` the kinds of its schedules' values.

pub mod ladder;
pub mod learn;
pub mod peer;
mod schedules;

pub use ladder::Habits;
pub use peer::{Caps, Peer};
