//! Every test of the adapter. One binary, so that it is linked once.

mod cases;
mod codec;
mod contract;
mod foreign;
mod peer;
mod profiles;
mod support;
