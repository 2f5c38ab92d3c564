//! Octets of the local protocol and what they mean: sync, no input or output, no panic, bounded.
//! Owns frames (`frame`), ciphers (`crypto`), payloads (`payload`), what they say (`message`), what
//! is asked (`request`) and what devices announce (`beacon`). Knows no socket and no time.

pub mod beacon;
pub mod crypto;
pub mod frame;
pub mod message;
pub mod payload;
pub mod request;
pub mod version;

pub use crypto::LocalKey;
pub use message::{Content, Message, Report};
pub use version::Version;

/// Commands of the protocol, as far as they are used here.
pub mod command {
    /// Session key negotiation, first message: our nonce.
    pub const NEGOTIATE_START: u32 = 0x03;
    /// The device's nonce, and proof that it has the key.
    pub const NEGOTIATE_ANSWER: u32 = 0x04;
    /// Our proof.
    pub const NEGOTIATE_FINISH: u32 = 0x05;
    /// Set data points (3.1 to 3.3).
    pub const CONTROL: u32 = 0x07;
    /// The device reports data points.
    pub const STATUS: u32 = 0x08;
    /// Sign of life.
    pub const HEARTBEAT: u32 = 0x09;
    /// Read data points (3.1 to 3.3).
    pub const QUERY: u32 = 0x0a;
    /// Set data points (3.4, 3.5), or read named ones (3.2).
    pub const CONTROL_NEW: u32 = 0x0d;
    /// Read data points (3.4, 3.5).
    pub const QUERY_NEW: u32 = 0x10;
    /// Have data points measured anew.
    pub const REFRESH: u32 = 0x12;
    /// Ask who is there (3.5, by datagram).
    pub const WHO_IS_THERE: u32 = 0x25;
    /// Ask a gateway about its sub-devices.
    pub const SUB_DEVICES: u32 = 0x40;
}
