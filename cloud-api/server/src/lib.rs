//! The cloud service: MQTT ingest, commit log, HTTP API, live stream and dashboard.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod http;
pub mod ingest;
pub mod live;
pub mod log;
pub mod pki;
pub mod service;
pub mod tenancy;
