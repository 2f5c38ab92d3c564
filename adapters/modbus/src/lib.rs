//! Modbus adapter: TCP, RTU, RTU over TCP and Modbus/TCP Security.

pub mod codec;
pub mod config;
pub mod mapping;
pub mod timing;
