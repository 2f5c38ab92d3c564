//! The connection to the broker: one client for each connection, and its reports. Owns MQTT; knows nothing of zigbee2mqtt but the topics it is told.

pub(crate) mod connection;
pub(crate) mod driver;
pub(crate) mod outbox;

pub(crate) use connection::Connection;
pub(crate) use driver::{Heard, Refusal};
pub(crate) use outbox::{Outbox, Purpose};
