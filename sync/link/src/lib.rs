//! Outbox drain, uplink state machine, downlink and identity over MQTT 5 with mutual TLS.
