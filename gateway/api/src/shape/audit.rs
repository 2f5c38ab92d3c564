//! The JSON of the audit log. Owns its shape; an entry travels as its model type.

use riser_model::{AuditEntry, Timestamp};
use riser_store::{AuditBreak, AuditReport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who knows of a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AuditBreakTaken {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they wrote.
    pub comment: String,
}

/// One place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AuditBreakFact {
    /// Number of the entry that is named.
    pub no: u64,
    /// What is wrong with it.
    pub reason: String,
    /// Who acknowledged it; null while nobody has.
    pub acknowledged: Option<AuditBreakTaken>,
}

impl From<AuditBreak> for AuditBreakFact {
    fn from(found: AuditBreak) -> Self {
        Self {
            no: found.broken.no(),
            reason: found.broken.to_string(),
            acknowledged: found.acknowledged.map(|taken| AuditBreakTaken {
                at: taken.at,
                by: taken.by,
                comment: taken.comment,
            }),
        }
    }
}

/// Whether the audit log is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AuditChain {
    /// There is no break, or none that nobody has acknowledged.
    pub ok: bool,
    /// Number of the first entry of a break nobody has acknowledged.
    pub broken_at: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
    /// Every break that was found; an acknowledged one stays.
    pub breaks: Vec<AuditBreakFact>,
    /// Entries up to this number were dropped by age or number.
    pub pruned: u64,
    /// The newest entry.
    pub last: u64,
    /// Entries that are kept and sound.
    pub sound: u64,
    /// When this was checked.
    pub checked_at: Timestamp,
}

impl AuditChain {
    pub(crate) fn of(report: AuditReport, checked_at: Timestamp) -> Self {
        Self {
            ok: report.broken.is_none(),
            broken_at: report.broken.as_ref().map(riser_model::ChainBreak::no),
            reason: report.broken.map(|broken| broken.to_string()),
            breaks: report.breaks.into_iter().map(Into::into).collect(),
            pruned: report.pruned,
            last: report.last,
            sound: report.sound,
            checked_at,
        }
    }
}

/// Entries of the audit log, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AuditList {
    /// Whether the log is whole.
    pub chain: AuditChain,
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Says that somebody knows of the breaks there are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditAcknowledgeRequest {
    /// What is known or done about them.
    #[schema(min_length = 1, max_length = 500)]
    pub comment: String,
}
