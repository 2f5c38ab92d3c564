//! What a client may send, with the two versions of the protocol already apart. Owns the shapes
//! only.

use bytes::Bytes;

/// What a client asks for when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) client_id: String,
    pub(super) keep_alive_s: u16,
    pub(super) will: bool,
    pub(super) authentication_method: bool,
    /// Wants a session that outlives the connection, which there is none of here.
    pub(super) lasting: bool,
}

/// What a client publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    /// Absent with QoS 0.
    pub(super) id: Option<u16>,
    pub(super) exactly_once: bool,
    pub(super) retain: bool,
    pub(super) payload: Bytes,
}

/// A packet a client may send, version apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Connect(Connect),
    Publish(Publish),
    Subscribe { id: u16, filters: Vec<String> },
    Unsubscribe { id: u16, filters: Vec<String> },
    Ping,
    Disconnect,
}
