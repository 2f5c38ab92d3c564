//! Live values to whoever looks. Owns who follows what, the bounded queue of each socket and the
//! leases that make gateways send watched points at once; the WebSocket itself is `http::live`.

pub mod hub;
pub mod message;
mod pump;
pub mod viewer;

pub use hub::Hub;
pub use pump::Pump;
