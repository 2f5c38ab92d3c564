//! The other way round: the gateway's points offered to Home Assistant by MQTT discovery.
//!
//! The path of a value: `adapter` hears of a scan, `shown` knows which entity its point is, [`entity`]
//! writes state and description, `outbox` keeps the last text of every topic, `connection` publishes.
//! The path of a command: `connection` hears it, `commands` makes a value of it and asks the gateway.
//!
//! Source: MQTT discovery of Home Assistant, <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>.

mod adapter;
mod commands;
pub mod config;
mod connection;
mod driver;
pub mod entity;
mod outbox;
mod report;
mod shown;
mod units;

use riser_adapter::{BuildContext, Built, ConfigError, Kind};

/// Home Assistant by MQTT discovery, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "homeassistant-mqtt",
    sample: include_str!("../homeassistant-mqtt.sample.toml"),
    build,
    discover: None,
};

fn build(table: &toml::Table, context: &BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table, context)?;
    // It has no points of its own.
    Ok(Built::new(Box::new(adapter::Face { config }), Vec::new()))
}
