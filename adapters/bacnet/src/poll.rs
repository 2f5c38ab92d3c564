//! Reading many properties of a device in as few requests as it bears. `ladder` is the way down from
//! large answers to single properties, `peer` the device as it is asked, `learn` its whole object list.

pub mod ladder;
pub mod learn;
pub mod peer;

pub use ladder::Habits;
pub use peer::{Caps, Peer};
