//! The MQTT face of the cloud: gateways come in here. Owns the endpoint, the client of a
//! third-party broker, and the one pipeline behind both; knows no HTTP.

pub mod downlink;

pub use downlink::{Downlink, DownlinkError};
