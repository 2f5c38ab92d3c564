//! Tuya adapter: devices of the local protocol, versions 3.1 to 3.5, without the vendor's cloud.
//!
//! The path of one read through this folder: `lan` hears the device announce itself → `device::reach`
//! chooses address and version → `client::greet` connects and proves the key → `poll` says what is due
//! → `codec::request` words the question, `codec::payload` and `codec::frame` wrap it → the answer
//! comes back the same way as a `codec::message` → `mapping` turns data points into readings → one
//! `ScanBatch` goes to the sample sink. A write takes the same connection (`device::writes`) and ends
//! when the device shows the value.
//!
//! Deliberately absent: the vendor's cloud, fetching keys from it, any knowledge of storage, rules or
//! the link.

mod adapter;
pub mod client;
pub mod codec;
pub mod config;
mod device;
mod discover;
mod lan;
pub mod mapping;
mod operate;
mod poll;

use riser_adapter::{BuildContext, Built, ConfigError, Kind};
use std::sync::Arc;

/// Tuya, as the daemon knows it.
pub const KIND: Kind = Kind {
    name: "tuya",
    sample: include_str!("../sample.toml"),
    build,
    discover: Some(discover::make),
};

fn build(table: &toml::Table, context: &BuildContext) -> Result<Built, ConfigError> {
    let config = config::Config::new(table, context)?;
    let points = config.points();
    let links = Arc::new(operate::Links::new(&config));
    let adapter = adapter::Tuya {
        config,
        links: Arc::clone(&links),
    };
    let built = Built::new(Box::new(adapter), points);
    Ok(built
        .browse(Arc::<operate::Links>::clone(&links))
        .operate(links))
}
