//! Faults and what must hold whatever they hit. One binary, so that scenarios can take turns.

mod budget;
mod completeness;
mod consumer;
mod damage;
mod day;
mod failing;
mod full;
mod kill;
mod ledger;
mod link;
mod mass;
mod poison;
mod power;
mod reconnect;
mod waiting;
mod wrong_clock;
