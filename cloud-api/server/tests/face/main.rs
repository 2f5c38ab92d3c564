//! The HTTP face from outside: a real server on loopback over a real database, filled through the
//! commit log as the ingest does. Each file below asks for one thing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod alarms;
mod audit;
mod commands;
mod configuration;
mod edge;
mod history;
mod isolation;
mod ledger;
mod live;
mod login;
#[cfg(test)]
mod rolled;
mod site;
mod walk;
