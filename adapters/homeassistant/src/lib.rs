//! Home Assistant: its entities as points, its long-term statistics as history.
//!
//! The path of a value through this folder: `client` receives a text, [`codec`] reads it, `book`
//! knows which points an entity became, [`mapping`] makes readings of its state, `adapter` hands
//! them over. The path of a write: `adapter` takes the command, [`mapping`] makes a service call of
//! it, `writes` waits until the state shows it. `poll` asks for the past, `discover` finds servers
//! nobody has configured. `face` is the other way round: the gateway's points in Home Assistant.
//!
//! Source: the WebSocket API of Home Assistant, <https://developers.home-assistant.io/docs/api/websocket>.

mod adapter;
mod book;
mod client;
pub mod codec;
pub mod config;
mod discover;
pub mod face;
pub mod mapping;
mod poll;
mod registry;
mod report;
mod tls;
mod writes;

use riser_adapter::{BuildContext, Built, ConfigError, Kind};

/// Home Assistant, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "homeassistant",
    sample: include_str!("../sample.toml"),
    build,
    discover: Some(discover::make),
};

fn build(table: &toml::Table, context: &BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table, context)?;
    // The points are Home Assistant's to tell: they are declared once it has.
    Ok(Built::new(
        Box::new(adapter::HomeAssistant { config }),
        Vec::new(),
    ))
}
