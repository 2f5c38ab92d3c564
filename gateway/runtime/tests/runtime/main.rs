//! The runtime with fake adapters and a real store: alarms, commands, supervision, points.
//!
//! Tests about waiting pause the time once the store has answered; those that wait for the disk
//! run on real time and wait for conditions with a deadline.

mod alarms;
mod building;
mod change;
mod clock;
mod commands;
mod fake;
mod intake;
mod ledger;
mod past;
mod points;
mod restart;
mod rules;
mod supervisor;
mod support;
mod watch;
