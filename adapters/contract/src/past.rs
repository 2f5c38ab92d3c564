//! What an adapter may know of the time before now: history it fills in late, and notes it has made
//! about its devices. Owns the two edges to the store and their errors.

use futures_util::future::BoxFuture;
use riser_model::{ScanBatch, Slot, Timestamp};

/// History a device or another system recorded itself, filled in where the gateway has none.
///
/// Back-filled samples are stored and sent like any others, but they are never present values, no
/// rule sees them, and nobody watching is shown them. Filling in is to be repeatable: ask
/// [`Past::stamps`] what is there and add what is not, so that neither a restart nor a kill makes
/// doubles.
pub trait Past: Send + Sync {
    /// Stamps of the samples stored of a point in `[from, to)`, ascending. At most 100,000; ask in
    /// shorter stretches where there may be more.
    fn stamps(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'static, Result<Vec<Timestamp>, PastError>>;

    /// Stores readings with the stamps they were recorded with, by the device's clock. Resolves when
    /// they are on the disk. Slots have to be the adapter's own; stamps may not lie in the future.
    fn add(&self, scans: Vec<ScanBatch>) -> BoxFuture<'static, Result<(), PastError>>;
}

/// Why the past could not be read or filled in. Nothing is lost: ask again later.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// What was to be added is not acceptable; asking again does not help.
    #[error("history was refused: {0}")]
    Refused(String),
    /// Not now: the disk is full or slow, the time is not known yet, or the gateway is going down.
    #[error("history cannot be {doing} now")]
    Unavailable {
        /// What was tried: read, stored.
        doing: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Notes an adapter makes about its devices and finds again after a restart: which protocol version
/// one speaks, how many properties another takes at once. Never configuration, never a secret, and
/// never anything that is not found out again when it is lost.
pub trait Memory: Send + Sync {
    /// A note; `None` when there is none or it cannot be read.
    fn get(&self, key: &str) -> BoxFuture<'static, Option<String>>;

    /// Makes, replaces or (`None`) removes a note. At most [`NOTE_LIMIT`] octets; a longer one is
    /// not taken. A note that cannot be kept is logged, and forgotten.
    fn put(&self, key: &str, note: Option<String>) -> BoxFuture<'static, ()>;
}

/// Octets of a note, at most.
pub const NOTE_LIMIT: usize = 4096;
