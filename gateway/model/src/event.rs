//! What travels on the event stream: few, small, committed and sent at once.

use crate::{Alarm, AuditEntry, Command, LedgerReport, Outcome, Point, Slot, Timestamp};
use serde::{Deserialize, Serialize};

/// All points of a gateway with their slots: the dictionary a batch refers to by version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointDirectory {
    /// Grows by one with every change; a batch names the version it was written under.
    pub version: u32,
    /// Every point that ever had a slot in this epoch and still exists.
    pub points: Vec<(Slot, Point)>,
}

/// One entry of the event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The points have changed. Sent before any data that needs it.
    Directory(PointDirectory),
    /// An alarm was raised, acknowledged or cleared: its whole record after the change.
    Alarm(Alarm),
    /// A command issued on the gateway itself (person or rule), so the cloud knows of it.
    Command(Command),
    /// A command went a step further.
    Outcome(Outcome),
    /// Samples were dropped: how many, of which lane, why. Never silent.
    Loss {
        /// When it was noticed.
        at: Timestamp,
        /// What was lost, such as `intake` or `history`.
        lane: String,
        /// How many samples.
        samples: u64,
        /// Why.
        reason: String,
    },
    /// Somebody did something that is kept for ever: an entry of the audit log.
    Audit(AuditEntry),
    /// Hours of the loss ledger that are closed, or closed before and changed since.
    Ledger(LedgerReport),
}
