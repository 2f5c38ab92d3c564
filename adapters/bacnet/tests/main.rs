//! Every test of the adapter. One binary, so that it is linked once.

mod cases;
mod codec;
mod constructed;
mod contract;
mod cov;
mod ede;
mod foreign;
mod levels;
mod network;
mod operate;
mod peer;
mod readme;
mod scale;
mod served;
mod server;
mod shown;
mod support;
mod told;

#[path = "../benches/rig/mod.rs"]
mod rig;
