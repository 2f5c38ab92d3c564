//! Zigbee adapter: devices, groups and scenes of zigbee2mqtt over MQTT.

pub mod codec;
pub mod config;
mod client;
pub mod mapping;
mod network;
