//! What the runtime shows of itself. Owns the shapes that exist nowhere else; points, alarms and
//! commands are shown as their model types.

use riser_model::{Author, CommandRecord, Key, Level, PointView, Priority, Timestamp, Value};
use riser_rules::PriorityArray;
use serde::{Deserialize, Serialize};

/// Which points to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointFilter {
    /// Text that occurs in the path or a name, in any case.
    pub search: Option<String>,
    /// Only points of this device.
    pub device: Option<Key>,
    /// Only points of this quality.
    pub quality: Option<Level>,
    /// Skip this many.
    pub offset: usize,
    /// At most this many.
    pub limit: usize,
}

impl Default for PointFilter {
    fn default() -> Self {
        Self {
            search: None,
            device: None,
            quality: None,
            offset: 0,
            limit: 500,
        }
    }
}

/// A part of a list of points, in order of their paths.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PointPage {
    /// The points of this part.
    pub points: Vec<PointView>,
    /// How many there are in all parts.
    pub total: usize,
}

/// How many points are of which quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QualityCounts {
    /// Good ones.
    pub good: u64,
    /// Uncertain ones.
    pub uncertain: u64,
    /// Bad ones.
    pub bad: u64,
}

/// How the schedules are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScheduleState {
    /// How many are carried out.
    pub enabled: usize,
    /// Whether they wait for the time: nothing is switched until it is known.
    pub waiting: bool,
}

/// A held level of a point's priority array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LevelView {
    /// The level, 1 to 16.
    #[schema(value_type = u8)]
    pub level: Priority,
    /// The value held.
    pub value: Value,
    /// Who holds it.
    pub author: Author,
    /// Since when (gateway clock).
    pub since: Timestamp,
    /// Until when; `None` until released.
    pub until: Option<Timestamp>,
}

impl LevelView {
    pub(crate) fn of(array: &PriorityArray) -> Vec<Self> {
        array
            .iter()
            .map(|(level, held)| Self {
                level,
                value: held.value.clone(),
                author: held.author.clone(),
                since: held.since,
                until: held.until,
            })
            .collect()
    }
}

/// What an adapter is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdapterState {
    /// Being built.
    Starting,
    /// Running.
    Running,
    /// Ended with an error that may pass; started again after a while.
    BackingOff,
    /// Cannot work as configured; left alone until the configuration changes.
    Parked,
    /// Failed again and again in a way it should not; left alone for a long while.
    Quarantined,
    /// Ended because the gateway is going down.
    Stopped,
}

/// An adapter as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AdapterView {
    /// Name of the instance.
    pub name: String,
    /// Its protocol, such as `modbus`.
    pub kind: String,
    /// What it is doing.
    pub state: AdapterState,
    /// Since when.
    pub since: Timestamp,
    /// Times it was started again.
    pub restarts: u64,
    /// Points it has declared.
    pub points: u64,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
}

/// Why a command was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusedKind {
    /// There is no such point.
    UnknownPoint,
    /// Read-only, wrong type, outside the limits, or a hold that is over before it begins.
    NotAllowed,
    /// Too many commands wait already.
    Busy,
    /// The adapter of the point is parked or quarantined, or the gateway is going down.
    Unavailable,
}

/// A command that was not accepted. The refusal is recorded and on the feed like any outcome.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("command {} was refused: {}", .record.command.id.0, .record.outcome.detail)]
pub struct CommandRefused {
    /// Why, for programs.
    pub kind: RefusedKind,
    /// The command with its refusal, in words, in the outcome's detail.
    pub record: Box<CommandRecord>,
}

/// What shutting down was like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShutdownReport {
    /// Adapters and tasks that did not end within the grace and were cut off.
    pub late: Vec<String>,
}
