//! The cloud service: MQTT ingest, commit log, HTTP API, live stream and dashboard.
