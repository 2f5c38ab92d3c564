//! The JSON of requests and answers that exist only on the local HTTP face. Owns their shape;
//! points, trends, alarms, commands and health travel as their model types.

mod audit;
pub(crate) mod commissioning;

pub(crate) use audit::{AuditAcknowledgeRequest, AuditChain, AuditList};

use crate::face::BackupHealth;
use riser_model::{
    Alarm, Author, ClockState, CommandRecord, DeviceHealth, GatewayId, LaneHealth, LinkState,
    LinkStatus, PointView, Priority, Role, TenantId, Timestamp, Value,
};
use riser_model::{DiskStage, Wear};
use riser_runtime::{AdapterView, LevelView, QualityCounts, ScheduleState};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The schema derive takes any type named `Value` for arbitrary JSON; this one is not.
type PointValue = Value;

/// Which gateway this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayName {
    /// Its name within its tenant.
    #[schema(value_type = String)]
    pub id: GatewayId,
    /// The name people read.
    pub name: String,
    /// Version of the software.
    pub version: String,
}

/// What a browser must know before anybody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Setup {
    /// Whether somebody owns this gateway; if not, `claim` is the first step.
    pub claimed: bool,
    /// Which gateway this is.
    pub gateway: GatewayName,
}

/// Takes a new gateway into possession.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The code of this unit, as printed by `riserd claim-code`. Case, blanks and dashes do not
    /// matter.
    #[schema(max_length = 64)]
    pub code: String,
    /// Login name of the first person.
    #[schema(min_length = 1, max_length = 64)]
    pub user: String,
    /// Password of the first person.
    #[schema(min_length = 10, max_length = 256)]
    pub password: String,
}

/// Who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Login name.
    #[schema(max_length = 64)]
    pub user: String,
    /// Password.
    #[schema(max_length = 256)]
    pub password: String,
}

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Login name.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// When the session ends unless it is used before.
    pub expires_at: Timestamp,
}

/// This gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayFacts {
    /// Its name within its tenant.
    #[schema(value_type = String)]
    pub id: GatewayId,
    /// The name people read.
    pub name: String,
    /// Whose it is.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// Version of the software.
    pub version: String,
    /// When the daemon was started.
    pub started_at: Timestamp,
    /// The gateway's clock, to tell ages by.
    pub now: Timestamp,
    /// How far that clock is to be trusted.
    pub clock: ClockState,
}

/// Open alarms, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct AlarmCounts {
    /// Open ones to be acted upon at once.
    pub critical: u32,
    /// Open ones to be acted upon soon.
    pub high: u32,
    /// Open ones to be acted upon today.
    pub medium: u32,
    /// Open ones to be acted upon at leisure.
    pub low: u32,
    /// Those of all priorities nobody has acknowledged.
    pub unacknowledged: u32,
}

/// Devices, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DeviceCounts {
    /// Those that answer.
    pub online: u32,
    /// Those that answer in part.
    pub degraded: u32,
    /// Those that do not answer.
    pub offline: u32,
    /// Those not heard of yet.
    pub unknown: u32,
}

/// Whether the disk takes what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Disk {
    /// The last write worked.
    Ok,
    /// Writes fail; samples wait in memory and the write is repeated.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What was tried and what came back, in words.
        error: String,
    },
}

/// The local history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreFacts {
    /// Whether the disk takes what it is given.
    pub disk: Disk,
    /// Day files there are.
    pub history_files: u64,
    /// Their octets, as far as batches go.
    pub history_bytes: u64,
    /// Free octets on the disk, where known.
    pub free_bytes: Option<u64>,
    /// Samples written since start.
    pub committed_samples: u64,
    /// Samples waiting for the disk.
    pub queued_samples: u64,
    /// Samples lost since start, because the disk did not keep up.
    pub dropped_samples: u64,
    /// Samples held back until the time is known.
    pub held_samples: u64,
    /// What is given up because the disk fills.
    pub stage: DiskStage,
    /// How worn the disk is, where it is an eMMC.
    pub wear: Option<Wear>,
}

/// The gateway at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Overview {
    /// This gateway.
    pub gateway: GatewayFacts,
    /// The link to the cloud.
    pub link: LinkStatus,
    /// Open alarms.
    pub alarms: AlarmCounts,
    /// Devices.
    pub devices: DeviceCounts,
    /// Points by quality.
    pub points: QualityCounts,
    /// How the schedules are doing.
    pub schedules: ScheduleState,
    /// The local history.
    pub store: StoreFacts,
    /// The adapters.
    pub adapters: Vec<AdapterView>,
    /// The scheduled backups and their restore drills; absent where none are configured.
    pub backup: Option<BackupHealth>,
}

/// A part of the list of points.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PointList {
    /// The points of this part, by path.
    pub points: Vec<PointView>,
    /// How many there are in all parts.
    pub total: u64,
}

/// A held level of a point's priority array.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HeldLevel {
    /// The level, 1 to 16.
    #[schema(value_type = u8, minimum = 1, maximum = 16)]
    pub level: Priority,
    /// The value held.
    #[schema(value_type = PointValue)]
    pub value: Value,
    /// Who holds it.
    pub author: Author,
    /// Since when (gateway clock).
    pub since: Timestamp,
    /// Until when; null until released.
    pub until: Option<Timestamp>,
}

impl From<LevelView> for HeldLevel {
    fn from(held: LevelView) -> Self {
        Self {
            level: held.level,
            value: held.value,
            author: held.author,
            since: held.since,
            until: held.until,
        }
    }
}

/// Everything about one point.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PointDetail {
    /// The point and its present value.
    pub view: PointView,
    /// The held levels, highest priority first; the first one wins.
    pub priority_array: Vec<HeldLevel>,
    /// The lane its device hangs on, once known.
    pub lane: Option<LaneHealth>,
    /// Its device, once known.
    pub device_health: Option<DeviceHealth>,
    /// The newest command for it.
    pub last_command: Option<CommandRecord>,
}

/// Writes a point.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRequest {
    /// The value to hold; `null` gives the level back.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<PointValue>, required = true)]
    pub value: Option<Value>,
    /// The level to write at, 1 (highest) to 16; 8, manual operator, if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 16)]
    pub priority: Option<u8>,
    /// How long to hold the level; until released if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub hold_seconds: Option<u32>,
    /// Not to be begun after so many seconds; 30 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3600)]
    pub ttl_seconds: Option<u32>,
    /// Identity of the command; a repeat with the same one has no second effect.
    #[serde(default)]
    pub id: Option<Uuid>,
}

/// A missing value must not be taken for `null`, which gives a level back.
fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Value>, D::Error> {
    Option::deserialize(source)
}

/// Commands, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CommandList {
    /// The commands with where they stand.
    pub commands: Vec<CommandRecord>,
}

/// Every device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeviceList {
    /// By key.
    pub devices: Vec<DeviceHealth>,
}

/// Every lane.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LaneList {
    /// By name.
    pub lanes: Vec<LaneHealth>,
}

/// Alarms, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlarmList {
    /// The alarms.
    pub alarms: Vec<Alarm>,
}

/// Takes an alarm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// What is known or done about it; may be empty.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub comment: String,
}

/// Whether the gateway does its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HealthReport {
    /// True while values are collected and stored.
    pub collecting: bool,
    /// Why not, in words.
    pub reasons: Vec<String>,
    /// The link to the cloud. `degraded` is a connection over which nothing becomes durable.
    pub link: LinkState,
}
