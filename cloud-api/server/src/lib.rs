//! The cloud service: MQTT ingest, commit log, HTTP API, live stream and dashboard.

pub mod app;
pub mod clock;
pub mod db;
pub mod http;
pub mod ingest;
pub mod live;
pub mod pki;
pub mod tenancy;
