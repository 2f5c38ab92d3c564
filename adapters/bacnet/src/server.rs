//! The server face: the gateway as a BACnet device of its own, so that a building's management system
//! reads and writes points of any protocol through it.
//!
//! The path of one read: `client` hears a request and hands it over → `asked` puts its parts together
//! and says which service it is → `read` looks the property up in `objects` (what a point is to
//! others), `present` (its value, flags and reliability now) or `device` → `answer` sends it, in parts
//! if need be. A write (`write`) goes through the gateway's own priority array; a subscription (`cov`)
//! is told by `tell`.
//!
//! Deliberately absent: a copy of values, objects others can create, alarms, schedules and logs.

mod answer;
mod asked;
mod config;
mod cov;
mod device;
mod face;
mod numbers;
mod objects;
mod parts;
mod pattern;
mod present;
mod properties;
mod read;
mod tell;
mod write;

use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterContext, AdapterError, BuildContext, Built, ConfigError, Kind,
};

/// The server face, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "bacnet-server",
    sample: include_str!("../server.sample.toml"),
    build,
    discover: None,
};

fn build(table: &toml::Table, _context: &BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table)?;
    Ok(Built::new(Box::new(Server(config)), Vec::new()))
}

/// A checked configuration, ready to run.
struct Server(config::Config);

impl Adapter for Server {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(face::run(self.0, context))
    }

    fn doubts(&self) -> Vec<String> {
        self.0.doubts()
    }
}
