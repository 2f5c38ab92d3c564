//! What adapter tests are made of: a gateway in miniature around one adapter (`harness`) with history and notes (`past`) and the points of others (`building`), peers that
//! answer in octets (`peer`, `script`), recorded cases (`cases`), the contract every adapter must
//! pass (`contract`), and foreign programs as peers (`programs`). For tests only; nothing ships it.
#![expect(
    clippy::panic,
    reason = "a test kit says what is wrong by failing the test that uses it"
)]

pub mod building;
pub mod cases;
pub mod contract;
pub mod harness;
pub mod past;
pub mod peer;
pub mod programs;
pub mod registry;
pub mod script;
mod start;
pub mod waiting;

pub use building::BuildingInMemory;
pub use harness::{Observed, Running};
pub use past::{Notes, PastInMemory};
pub use peer::{Mode, Peer, Reply, Respond};
pub use registry::Registry;
