//! Every end-to-end test, in one program so that the product is linked once. Each takes its turn.

mod audit;
mod backfill;
mod broker;
mod building;
mod configuration;
mod five;
#[path = "../../../../adapters/homeassistant/tests/support/mod.rs"]
#[expect(dead_code, reason = "the adapter's own tests use the rest of it")]
mod homeassistant;
mod kill;
mod outage;
mod refused;
