//! Tests of the store over its files. One binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod audit;
mod check;
mod common;
mod compact;
mod compact_kill;
mod configurations;
mod damage;
mod export;
mod full_disk;
mod held;
mod kill;
mod ledger;
mod ledger_damage;
mod outbox;
mod records;
mod retention;
mod rolled;
mod series;
mod upgrade;
