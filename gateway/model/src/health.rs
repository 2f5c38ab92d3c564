//! How lanes, devices and the cloud link are doing, as people see it.

use crate::{Key, Timestamp};
use serde::{Deserialize, Serialize};

/// State of a lane: what must be serial on the field side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Not opened yet, or being opened.
    #[default]
    Connecting,
    /// Open, and the last request was answered.
    Up,
    /// Open, but some devices do not answer.
    Degraded,
    /// Cannot be opened, or nothing answers.
    Down,
}

/// A lane and its figures since start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LaneHealth {
    /// Name, such as `tcp 192.0.2.7:502` or `serial /dev/ttyS1`.
    pub lane: String,
    /// The adapter's kind.
    pub adapter: String,
    /// How it is.
    pub state: LaneState,
    /// Requests sent.
    pub requests: u64,
    /// Requests that timed out.
    pub timeouts: u64,
    /// Answers that did not belong to their request and were thrown away.
    pub desyncs: u64,
    /// Scans that began later than one whole interval.
    pub overruns: u64,
    /// Times the connection was made.
    pub connects: u64,
    /// Part of the time a request was outstanding, 0 to 1, over the last report interval.
    pub utilisation: f64,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
}

/// State of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Not heard of yet.
    #[default]
    Unknown,
    /// Answers.
    Online,
    /// Answers in part.
    Degraded,
    /// Does not answer.
    Offline,
}

/// Circuit breaker of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Requests flow.
    #[default]
    Closed,
    /// Parked; a probe goes out now and then.
    Open,
    /// A probe is on its way.
    HalfOpen,
}

/// A device and its figures since start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceHealth {
    /// The device.
    #[schema(value_type = String)]
    pub device: Key,
    /// The name people read.
    pub name: String,
    /// The adapter's kind.
    pub adapter: String,
    /// The lane it hangs on.
    pub lane: String,
    /// Address on the lane, such as `unit 3`.
    pub address: String,
    /// How it is.
    pub state: DeviceState,
    /// Circuit breaker.
    pub breaker: Breaker,
    /// Last good answer.
    pub last_ok: Option<Timestamp>,
    /// Failed requests in a row.
    pub failures: u32,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Answer time in milliseconds, smoothed.
    pub latency_ms: Option<f64>,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
}

/// State of the link to the cloud, as true end to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// No cloud is configured: the gateway works alone.
    #[default]
    Disabled,
    /// No connection.
    Offline,
    /// Being made.
    Connecting,
    /// Connected, a heartbeat came back, and old batches are still being sent.
    CatchingUp,
    /// Connected, a heartbeat went through queue, cloud and back, and nothing old is left.
    Live,
    /// Connected, but the cloud does not confirm what is sent.
    Degraded,
}

/// The link to the cloud with its figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LinkStatus {
    /// How it is.
    pub state: LinkState,
    /// Since when.
    pub since: Timestamp,
    /// Where to, such as `mqtts://cloud.example:8883`.
    pub url: String,
    /// Last heartbeat that came back.
    pub last_heartbeat: Option<Timestamp>,
    /// Round trip of that heartbeat, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// Batches stored here that the cloud has not called durable.
    pub backlog_batches: u64,
    /// Their size in octets.
    pub backlog_bytes: u64,
    /// Age in milliseconds of the oldest of them.
    pub backlog_age_ms: u64,
    /// Octets sent since start.
    pub bytes_sent: u64,
    /// Samples sent since start, resends included.
    pub samples_sent: u64,
    /// Connections made since start.
    pub connects: u64,
    /// Batches kept aside with their reason since start: refused by the cloud, or damaged here.
    pub quarantined: u64,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
}
