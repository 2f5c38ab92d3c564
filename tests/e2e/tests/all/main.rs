//! Every end-to-end test, in one program so that the product is linked once. Each takes its turn.

mod audit;
mod broker;
mod building;
mod configuration;
mod kill;
mod outage;
mod refused;
