//! BACnet/IP adapter: a client of the devices on an IP network and behind its routers.
//!
//! The path of one read: `device::points` says which points are due → `poll::ladder` puts their
//! properties into as few requests as the device bears → `client` sends each and takes the answer that
//! belongs to it, in parts if need be → `codec` reads it → `mapping` makes values and qualities → one
//! `ScanBatch` goes to the sample sink. A notification of a subscription enters at `device::cov`; a
//! write (`device::writes`) takes turns with reads and ends with a look at value and priority array.
//!
//! Deliberately absent: a cache of properties, any knowledge of storage, rules or the link.

mod adapter;
mod browse;
pub mod client;
pub mod codec;
pub mod config;
mod device;
pub mod directory;
mod discover;
mod lane;
pub mod mapping;
mod operate;
pub mod poll;
mod server;

pub use server::KIND as SERVER_KIND;

use riser_adapter::{BuildContext, Built, ConfigError, Kind};
use std::sync::Arc;

/// BACnet/IP, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "bacnet",
    sample: include_str!("../sample.toml"),
    build,
    discover: Some(discover::make),
};

fn build(table: &toml::Table, _context: &BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table)?;
    let mut points = config.points();
    let devices = config.lanes.iter().flat_map(|l| &l.devices);
    points.extend(devices.flat_map(operate::event_points));
    let peers = device::Peers::default();
    let browse = browse::Tree::new(&config, peers.clone());
    let desk = operate::Desk::default();
    let operate = operate::Operations::new(&config, peers.clone(), desk.clone());
    let adapter = adapter::Bacnet {
        config,
        peers,
        desk,
    };
    let built = Built::new(Box::new(adapter), points);
    Ok(built.browse(Arc::new(browse)).operate(Arc::new(operate)))
}
