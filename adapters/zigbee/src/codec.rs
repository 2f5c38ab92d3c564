//! What zigbee2mqtt publishes, from octets to typed messages: sync, total, bounded, no I/O. A broken
//! part of a message costs that part only; what is beyond a bound is left out and counted.

pub mod bridge;
pub mod device;
pub mod exposes;
pub mod payload;
pub mod topic;

pub use bridge::{BridgeNews, Response};
pub use device::{BridgeDevice, BridgeGroup, Interview, Power, Role, Scene};
pub use exposes::{Family, Feature, Shape};
pub use payload::{Malformed, Said};
