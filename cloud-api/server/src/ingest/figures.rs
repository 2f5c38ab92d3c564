//! Counters of the ingest since start. Owns nothing but the numbers.

use std::sync::atomic::AtomicU64;

/// Counters of the ingest.
#[derive(Debug, Default)]
pub struct Figures {
    /// TLS handshakes that failed.
    pub handshakes_failed: AtomicU64,
    /// Connections dropped before their handshake was done because too many were waiting.
    pub pending_dropped: AtomicU64,
    /// Connections let go before their handshake because too many came at once.
    pub handshakes_put_off: AtomicU64,
    /// Gateways asked to come back later because too many came at once.
    pub sessions_put_off: AtomicU64,
    /// CONNECTs, publishes and subscriptions refused.
    pub refused: AtomicU64,
    /// Watched values passed on.
    pub watch_values: AtomicU64,
    /// Watched values dropped because their gateway had not said hello yet.
    pub watch_dropped: AtomicU64,
    /// Messages down that found their way full; each is sent again in another way.
    pub down_dropped: AtomicU64,
}
