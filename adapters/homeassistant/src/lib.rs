//! Home Assistant: its entities as points, its long-term statistics as history.
//!
//! The path of a value through this folder: `socket` receives a text, [`message`] reads it, `book`
//! knows which points an entity became, [`entity`] makes readings of its state, `adapter` hands
//! them over. The path of a write: `adapter` takes the command, [`entity`] makes a service call of
//! it, `writes` waits until the state shows it. `statistics` fills in the past, `discover` finds
//! servers nobody has configured.
//!
//! Source: the WebSocket API of Home Assistant, <https://developers.home-assistant.io/docs/api/websocket>.

mod adapter;
mod book;
pub mod config;
mod discover;
pub mod entity;
mod hours;
pub mod message;
mod registry;
mod report;
mod session;
mod socket;
mod statistics;
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
