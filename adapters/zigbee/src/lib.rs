//! Zigbee adapter: devices, groups and scenes of zigbee2mqtt over MQTT.
//!
//! The path of one reading: `client::driver` polls the MQTT client and reports a message →
//! `hub::news` finds out whose topic it is → `codec` reads the payload → `network::states` and `mapping`
//! turn its properties into readings → `adapter` hands one `ScanBatch` to the sample sink. Points
//! come from the bridge's own list of devices (`codec::exposes`, `network::members`) while it runs. A
//! write goes `hub::commands` → `writes` → `client::outbox`, and ends when a state shows it.
//!
//! Deliberately absent: the radio (zigbee2mqtt has it), a copy of its device definitions, any
//! retained or queued command, any knowledge of storage, rules or the link.

mod adapter;
mod client;
pub mod codec;
pub mod config;
mod discover;
mod hub;
pub mod mapping;
mod network;
mod operate;
mod poll;
pub mod replay;
mod requests;
mod writes;

pub use network::presence;

use riser_adapter::{Built, ConfigError, Kind};
use std::sync::Arc;

/// Zigbee, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "zigbee",
    sample: include_str!("../sample.toml"),
    build,
    discover: Some(discover::make),
};

fn build(table: &toml::Table, context: &riser_adapter::BuildContext) -> Result<Built, ConfigError> {
    let config = Arc::new(config::Config::new(table, context)?);
    let (remote, wanted) = operate::Remote::new();
    let points = config.points();
    let adapter = adapter::Zigbee {
        config,
        remote: remote.clone(),
        wanted,
    };
    let remote = Arc::new(remote);
    Ok(Built::new(Box::new(adapter), points)
        .browse(remote.clone())
        .operate(remote))
}
