//! What the application answers with, as JSON. Owns the shapes that are not already those of
//! `riser_model`; rows of the database never leave `db`.

use riser_model::{
    Alarm, CommandRecord, GatewayId, PointView, Quality, Role, TenantId, Timestamp, Value,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identity.
    pub id: Uuid,
    /// Login name.
    pub email: String,
    /// Name people read.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The tenant they belong to; absent for somebody who runs the platform.
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantId>,
}

/// A log-in that worked. The refresh token travels beside it, in a cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Send as `Authorization: Bearer …`.
    pub access_token: String,
    /// Seconds until the access token ends.
    pub expires_in: u32,
    /// Who logged in.
    pub user: User,
}

/// One customer of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Identity, also in topics and certificates.
    #[schema(value_type = String)]
    pub id: TenantId,
    /// Name people read.
    pub name: String,
    /// When it was set up.
    pub created_at: Timestamp,
    /// Gateways that ever connected.
    pub gateways: u64,
}

/// A gateway and how its link is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gateway {
    /// The customer it belongs to.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// Identity within the tenant.
    #[schema(value_type = String)]
    pub id: GatewayId,
    /// Name people read.
    pub name: String,
    /// Version of its software; empty before it first said.
    pub version: String,
    /// Whether it has a connection now.
    pub connected: bool,
    /// Since when it is connected.
    pub connected_since: Option<Timestamp>,
    /// When anything was last heard of it (cloud clock).
    pub last_seen: Option<Timestamp>,
    /// When its last heartbeat came (cloud clock).
    pub heartbeat_at: Option<Timestamp>,
    /// How long that heartbeat took from the gateway to here, in milliseconds, by the two clocks.
    pub lag_ms: Option<i64>,
    /// Batches it still holds that are not durable here, by its own count.
    pub backlog_batches: u64,
    /// Their size in octets.
    pub backlog_bytes: u64,
    /// Age in milliseconds of the oldest of them, by its own clock.
    pub backlog_age_ms: u64,
    /// Samples it says it had to drop since it was first heard of.
    pub lost_samples: u64,
    /// Points it has.
    pub points: u64,
    /// Alarms that are active or not acknowledged.
    pub alarms_open: u64,
}

/// A point with everything its page shows at first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PointDetail {
    /// Description and present value.
    pub view: PointView,
    /// The newest command to it, with what became of it.
    pub last_command: Option<CommandRecord>,
}

/// One stored observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SampleView {
    /// Source time.
    pub at: Timestamp,
    /// What was observed; null is unknown.
    #[schema(value_type = Option<riser_model::value::PointValue>)]
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

/// An alarm with where it stands and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GatewayAlarm {
    /// The customer.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The gateway that raised it.
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    /// The alarm.
    #[serde(flatten)]
    pub alarm: Alarm,
}

/// All tenants whoever asks may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantList {
    /// In order of id.
    pub tenants: Vec<Tenant>,
}

/// Gateways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GatewayList {
    /// In order of tenant and id.
    pub gateways: Vec<Gateway>,
}

/// One page of points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PointPage {
    /// In order of path.
    pub points: Vec<PointView>,
    /// How many match in all.
    pub total: u64,
}

/// Stored observations of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SampleList {
    /// In order of time.
    pub samples: Vec<SampleView>,
    /// True when the limit cut the list: ask again from just after the last one.
    pub truncated: bool,
}

/// Commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandList {
    /// Newest first.
    pub commands: Vec<CommandRecord>,
}

/// Alarms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmList {
    /// Newest first.
    pub alarms: Vec<GatewayAlarm>,
}

/// A requested write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRequest {
    /// The value to hold; null releases the level. It must be there, so that a forgotten field
    /// never releases anything.
    #[serde(deserialize_with = "present")]
    #[schema(required, value_type = Option<riser_model::value::PointValue>)]
    pub value: Option<Value>,
    /// Level to write at, 1 (highest) to 16; 8, manual operator, if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 16)]
    pub priority: Option<u8>,
    /// Seconds after which the level is released by itself; held until released if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub hold_seconds: Option<u32>,
    /// Seconds within which the gateway must begin; 30 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3_600)]
    pub ttl_seconds: Option<u32>,
    /// Identity chosen by the client, so that a repeat has no second effect.
    #[serde(default)]
    pub id: Option<Uuid>,
}

/// Taking an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// What to write beside it, at most 1,000 characters; may be empty.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub comment: String,
}

/// `deserialize_with` makes the field required while null stays allowed.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    Option::deserialize(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_a_value_is_not_a_release() {
        assert!(serde_json::from_str::<WriteRequest>("{}").is_err());
        let release: WriteRequest = serde_json::from_str(r#"{"value":null}"#).unwrap();
        assert_eq!(release.value, None);
        assert!(serde_json::from_str::<WriteRequest>(r#"{"value":1,"ttl":3}"#).is_err());
    }

    #[test]
    fn a_number_json_cannot_carry_becomes_null() {
        let sample = SampleView {
            at: Timestamp(1),
            value: Some(Value::Float(f64::NAN)),
            quality: Quality::GOOD,
        };
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(text, r#"{"at":1,"value":null,"quality":{"level":"good"}}"#);
    }
}
