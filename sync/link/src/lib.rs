//! The link to the cloud: drains the store's outbox over MQTT 5 with mutual TLS and hears what
//! comes back. Owns the connection, the order of sending and the state people see; owns no data:
//! rows leave the store only when the cloud calls them durable.
//!
//! ```text
//! store.outbox ─► lanes (event › live › backfill) ─► window ─► driver ─► MQTT broker ─► cloud
//! runtime      ─► watch, QoS 0 ──────────────────────────────►   │
//! inbox of commands ◄── downlink ◄── session ◄───────────────────┘
//! ```
//!
//! - `uplink` keeps one `session` going after the other, with `backoff` in between.
//! - `session` is one connection: it owns every decision and never waits on the network.
//! - `driver` is the one task that touches rumqttc. A new client is built for every connection, so
//!   nothing of a lost one can linger.
//! - `lanes`, `window`, `vitals`, `backoff`, `budget` are pure: state and time in, decisions out.
//!
//! A third-party MQTT 5 broker may stand in between. A PUBACK moves the window and frees nothing.

mod backoff;
mod budget;
mod config;
mod counters;
mod downlink;
mod driver;
mod errands;
mod hear;
mod hold;
mod identity;
mod lanes;
mod report;
mod rollups;
mod session;
mod speech;
mod split;
mod trouble;
mod uplink;
mod vitals;
mod window;

pub use backoff::{Parting, Patience};
pub use config::{LinkConfig, Timings};
pub use counters::LinkCounts;
pub use downlink::Downlink;
pub use uplink::{LinkHandle, LinkMeter, Uplink};
