//! Why something a client wants is refused: the MQTT 5 code and a sentence for a person. Owns
//! the codes in use.
//!
//! source: MQTT Version 5.0, clause 2.4.

use std::time::Duration;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: u8,
    pub(super) text: String,
    /// When the gateway shall come back, where it is to.
    pub(super) retry_after: Option<Duration>,
}

impl Reason {
    pub(super) const UNSPECIFIED: u8 = 0x80;
    pub(super) const PROTOCOL: u8 = 0x82;
    pub(super) const IMPLEMENTATION: u8 = 0x83;
    pub(super) const CLIENT_ID: u8 = 0x85;
    pub(super) const NOT_AUTHORIZED: u8 = 0x87;
    pub(super) const SERVER_BUSY: u8 = 0x89;
    pub(super) const SHUTTING_DOWN: u8 = 0x8B;
    pub(super) const AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(super) const KEEP_ALIVE: u8 = 0x8D;
    pub(super) const TAKEN_OVER: u8 = 0x8E;
    pub(super) const QUOTA: u8 = 0x97;
    pub(super) const PAYLOAD: u8 = 0x99;
    pub(super) const RETAIN: u8 = 0x9A;
    pub(super) const QOS: u8 = 0x9B;
    pub(super) const SHARED: u8 = 0x9E;

    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            retry_after: None,
        }
    }

    /// The same, with when to come back.
    pub(super) fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
