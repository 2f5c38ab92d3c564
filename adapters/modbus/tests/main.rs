//! Every test of the adapter. One binary, so that it is linked once.

mod cases;
mod codec;
mod config;
mod contract;
mod faults;
mod foreign;
mod peer;
mod readme;
mod support;
