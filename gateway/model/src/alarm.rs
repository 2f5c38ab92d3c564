//! One abnormal condition and its history, in the words of ANSI/ISA-18.2. Owns the record; the
//! transitions live in `riser_rules::alarm`.

use crate::{Author, Key, PointPath, Timestamp, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies one occurrence of an alarm.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct AlarmId(pub Uuid);

/// How soon a person must act.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlarmPriority {
    /// At leisure.
    Low,
    /// Today.
    Medium,
    /// Soon.
    High,
    /// At once.
    Critical,
}

/// ISA-18.2 state of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Condition present, nobody has seen it.
    ActiveUnacknowledged,
    /// Condition present, somebody has taken it.
    ActiveAcknowledged,
    /// Condition gone, nobody has seen it.
    ClearedUnacknowledged,
    /// Condition gone and acknowledged: the occurrence is over.
    Normal,
}

impl AlarmState {
    /// True while the condition is present.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::ActiveUnacknowledged | Self::ActiveAcknowledged)
    }

    /// True while a person is still asked to acknowledge.
    #[must_use]
    pub fn needs_acknowledgement(self) -> bool {
        matches!(
            self,
            Self::ActiveUnacknowledged | Self::ClearedUnacknowledged
        )
    }
}

/// Who took an alarm and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Acknowledgement {
    /// Who.
    pub by: Author,
    /// When (clock of whoever recorded it first; the earliest wins).
    pub at: Timestamp,
    /// What they wrote.
    pub comment: String,
}

/// One occurrence of one alarm condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alarm {
    /// Identity of the occurrence.
    pub id: AlarmId,
    /// The rule that raised it.
    #[schema(value_type = String)]
    pub rule: Key,
    /// The point it is about.
    #[schema(value_type = String)]
    pub path: PointPath,
    /// How soon a person must act.
    pub priority: AlarmPriority,
    /// What is wrong, in words.
    pub message: String,
    /// Where it stands.
    pub state: AlarmState,
    /// When the condition was met (source time of the sample).
    pub raised_at: Timestamp,
    /// The value that raised it.
    #[schema(value_type = Option<crate::value::PointValue>)]
    pub value: Option<Value>,
    /// The limit it broke, in the point's unit.
    pub limit: Option<f64>,
    /// When the condition ended.
    pub cleared_at: Option<Timestamp>,
    /// Who took it.
    pub acknowledged: Option<Acknowledgement>,
}
