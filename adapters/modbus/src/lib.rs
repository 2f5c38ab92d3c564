//! Modbus adapter: TCP, RTU on a serial port, RTU over TCP and Modbus/TCP Security.
//!
//! The path of one read: `poll::schedule` says a scan group is due → `lane` sends its next request
//! (`poll::merge` made it) → `client::session` puts it on the wire and takes the answer that belongs
//! to it → `codec` checks the answer against the request → `lane::points` and `mapping` turn registers
//! into readings → one `ScanBatch` goes to the sample sink. A write takes the same lane, before scans
//! (`lane::writes`), and ends with a read-back.
//!
//! Deliberately absent: a cache of registers, a server, any knowledge of storage, rules or the link.

mod adapter;
pub mod client;
pub mod codec;
pub mod config;
mod discover;
mod lane;
pub mod mapping;
mod poll;
pub mod timing;

use riser_adapter::{Built, ConfigError, Kind};

/// Modbus, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "modbus",
    sample: include_str!("../sample.toml"),
    build,
    discover: Some(discover::make),
};

fn build(table: &toml::Table, context: &riser_adapter::BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table, context)?;
    let points = config.points();
    Ok(Built::new(Box::new(adapter::Modbus { config }), points))
}
