//! Every test of the adapter. One binary, so that it is linked once.

mod cases;
mod codec;
mod contract;
mod discover;
mod foreign;
mod numbers;
mod operations;
mod peer;
mod readme;
mod restarts;
mod support;
mod trouble;
