//! BACnet/IP adapter: a client of the devices on an IP network and behind its routers.

pub mod client;
pub mod codec;
