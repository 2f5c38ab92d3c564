//! Versions of the configuration and what became of them. Owns the shapes people and programs see;
//! what may stand in a document is the daemon's, where documents are kept is the store's.

use crate::{AuditHash, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest document that is taken from outside, in octets.
pub const DOCUMENT_MAX: usize = 1 << 20;
/// Longest note to a change, in characters.
pub const NOTE_MAX: usize = 200;
/// Points a preview lists at most.
pub const POINTS_MAX: usize = 500;
/// Longest window for confirming a change, in seconds: a week.
pub const CONFIRM_MAX: u32 = 7 * 86_400;
/// What stands in place of a secret wherever a document is shown. A document that is given back with
/// it keeps the secret it stands for.
pub const HIDDEN: &str = "<hidden>";

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationState {
    /// Runs, and is taken back by itself unless somebody confirms it in time.
    Waiting,
    /// Counts: it runs, or ran until a later one took its place.
    Confirmed,
    /// Was taken back.
    Reverted,
}

/// One version of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationVersion {
    /// Its number here, from 1.
    pub version: u32,
    /// SHA-256 of its canonical form: comments, order and layout do not matter.
    #[schema(value_type = String)]
    pub sha256: AuditHash,
    /// When it was applied.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Who applied it.
    pub actor: String,
    /// From where: an address, `console`, `cloud` (with the person's address behind it where the cloud
    /// knows it), `file` or `gateway`.
    pub source: String,
    /// What the one who applied it wrote to it.
    pub note: String,
    /// What became of it.
    pub state: ConfigurationState,
    /// While it waits: when it is taken back by itself.
    #[schema(value_type = Option<i64>)]
    pub until: Option<Timestamp>,
    /// When it was confirmed or taken back.
    #[schema(value_type = Option<i64>)]
    pub ended_at: Option<Timestamp>,
    /// Who confirmed it or took it back.
    pub ended_by: String,
    /// Why it was taken back.
    pub reason: String,
    /// Whether the gateway has run steadily on it.
    pub proven: bool,
    /// Whether it is the one that runs.
    pub running: bool,
}

/// One difference between two documents. Secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationDifference {
    /// Where, such as `adapter[modbus].device[ahu-1].address`.
    pub at: String,
    /// What stood there; absent where nothing did.
    pub before: Option<String>,
    /// What stands there now; absent where nothing does.
    pub after: Option<String>,
}

/// What a change would do, or has done, to what runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationEffects {
    /// Adapters that are started.
    pub started: Vec<String>,
    /// Adapters that are started again, as their part has changed.
    pub restarted: Vec<String>,
    /// Adapters that are stopped.
    pub stopped: Vec<String>,
    /// Whether the rules are swapped.
    pub rules: bool,
    /// Whether the schedules are swapped.
    #[serde(default)]
    pub schedules: bool,
    /// Whether the link to the cloud is made again.
    pub link: bool,
    /// Sections that are only taken up by starting everything again, in the same process.
    pub whole: Vec<String>,
}

/// What is asked of the configuration, from wherever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum ConfigurationAsk {
    /// Says what a document would change, and changes nothing.
    Check {
        /// TOML.
        document: String,
    },
    /// Says what a document would bring, and every problem with its place; changes nothing.
    Preview {
        /// TOML.
        document: String,
    },
    /// Applies a document.
    Apply {
        /// TOML.
        document: String,
        /// Seconds until it is taken back unless confirmed; at once for good without.
        confirm_seconds: Option<u32>,
        /// Why, in the words of whoever does it.
        note: String,
    },
    /// Confirms the version that waits.
    Confirm {
        /// Only if it is this one.
        version: Option<u32>,
    },
    /// Takes back the version that waits, or applies an earlier one again.
    Revert {
        /// The earlier one; the one before the running one without.
        version: Option<u32>,
        /// Why.
        reason: String,
        /// Seconds until an earlier one is taken back unless confirmed; at once for good without.
        confirm_seconds: Option<u32>,
    },
    /// Shows a document, secrets hidden.
    Show {
        /// Which; the one that runs without.
        version: Option<u32>,
    },
    /// Compares two documents.
    Compare {
        /// The older one; the one before `to` without.
        from: Option<u32>,
        /// The newer one; the one that runs without.
        to: Option<u32>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum ConfigurationReply {
    /// To a check or a change.
    Done(ConfigurationAnswer),
    /// To `Preview`.
    Previewed(ConfigurationPreview),
    /// To `Show`.
    Shown {
        /// What is known of it.
        version: ConfigurationVersion,
        /// TOML, secrets hidden.
        document: String,
    },
    /// To `Compare`.
    Compared {
        /// The older one.
        from: u32,
        /// The newer one.
        to: u32,
        /// What is different, in order of places.
        differences: Vec<ConfigurationDifference>,
    },
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationAnswer {
    /// The version that runs now.
    pub version: ConfigurationVersion,
    /// Whether anything was changed: an equal document changes nothing.
    pub changed: bool,
    /// SHA-256 of the canonical form of what was asked for.
    #[schema(value_type = String)]
    pub sha256: AuditHash,
    /// The differences to what ran before.
    pub differences: Vec<ConfigurationDifference>,
    /// What they do.
    pub effects: ConfigurationEffects,
}

/// What a document would bring.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationPreview {
    /// What applying it would do; absent where it cannot be used.
    pub answer: Option<ConfigurationAnswer>,
    /// What is wrong with it.
    pub problems: Vec<ConfigurationProblem>,
    /// The points that would appear, as far as the configuration names them; 500 at most.
    pub points: Vec<ConfigurationPoint>,
    /// How many there would be.
    pub points_total: u64,
    /// What would work and is hardly meant.
    pub doubts: Vec<String>,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationProblem {
    /// Where, such as `adapter[0].device[3].unit`; empty for the whole.
    pub at: String,
    /// What is wrong and what to write instead.
    pub text: String,
}

/// A point that would appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationPoint {
    /// `device/point`.
    pub path: String,
    /// The name people read.
    pub name: String,
    /// Unit of its value, where it has one.
    pub unit: Option<String>,
    /// Whether it can be written.
    pub writable: bool,
}

/// Why it was not done. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationRefusal {
    /// Why, for programs.
    pub kind: ConfigurationRefusalKind,
    /// Why and what to do; one line for each problem.
    pub message: String,
}

/// Why it was not done, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationRefusalKind {
    /// The document cannot be used.
    Invalid,
    /// Another change waits to be confirmed, or none does.
    Conflict,
    /// There is no such version.
    Unknown,
    /// It could not be carried out just now.
    Failed,
}
