//! A requested write and what really happened. Owns the states a command goes through; the
//! priorities are those of BACnet (ANSI/ASHRAE 135, clause 19.2): 1 highest, 16 lowest.

use crate::{PointPath, Timestamp, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies one command; chosen by whoever issues it, so a repeat has the same id.
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
pub struct CommandId(pub Uuid);

/// Write priority, 1 (highest) to 16 (lowest).
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
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    /// Manual operator, the level people write at.
    pub const MANUAL_OPERATOR: Self = Self(8);
    /// The lowest level.
    pub const LOWEST: Self = Self(16);

    /// Checks a level.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (1..=16).contains(&level).then_some(Self(level))
    }

    /// The level, 1 to 16.
    #[must_use]
    pub fn level(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = String;
    fn try_from(level: u8) -> Result<Self, String> {
        Self::new(level)
            .ok_or_else(|| format!("priority {level} is not between 1 (highest) and 16"))
    }
}

impl From<Priority> for u8 {
    fn from(p: Priority) -> Self {
        p.0
    }
}

/// What kind of author issued a command or an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// A person logged in on the gateway.
    Local,
    /// A person logged in on the cloud.
    Cloud,
    /// A rule of the gateway.
    Rule,
    /// Another system, by a protocol in which the gateway offers its points.
    System,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Author {
    /// Person on the gateway, person on the cloud, rule, or other system.
    pub kind: AuthorKind,
    /// Login name, rule key, or protocol and address of the other system.
    pub name: String,
}

/// A requested write of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Command {
    /// Identity; a second command with the same id has no second effect.
    pub id: CommandId,
    /// The point to write.
    #[schema(value_type = String)]
    pub path: PointPath,
    /// The value to hold at `priority`; `None` releases that level.
    #[schema(value_type = Option<crate::value::PointValue>)]
    pub value: Option<Value>,
    /// The level to write at.
    #[schema(value_type = u8)]
    pub priority: Priority,
    /// When it was issued (issuer's clock).
    pub issued_at: Timestamp,
    /// Not to be begun after this time; it then ends as expired.
    pub expires_at: Timestamp,
    /// Until when the level is held; `None` holds it until released.
    pub hold_until: Option<Timestamp>,
    /// Who issued it.
    pub author: Author,
}

/// Where a command stands. The last five are outcomes and final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Accepted by the cloud or the API, not yet at the adapter.
    Requested,
    /// Handed to the adapter.
    Sent,
    /// Written, and the read-back shows the value.
    Applied,
    /// Taken, but something of higher priority, or the device itself, holds another value.
    AcceptedNotEffective,
    /// Not allowed: limits, access, role, or the device said no.
    Refused,
    /// Too old before it could be begun.
    Expired,
    /// Tried, and it is not known to have worked.
    Failed,
}

impl CommandState {
    /// True once nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Requested | Self::Sent)
    }
}

/// Who holds a point against a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldBy {
    /// The level that wins.
    #[schema(value_type = u8)]
    pub priority: Priority,
    /// Who wrote that level; unknown where the device holds it by itself.
    pub author: Option<Author>,
}

/// What happened to a command so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outcome {
    /// Which command.
    pub command: CommandId,
    /// Where it stands.
    pub state: CommandState,
    /// When it got there (gateway clock).
    pub at: Timestamp,
    /// What was tried, what came back, what to do; empty when applied.
    pub detail: String,
    /// What the device reported afterwards.
    #[schema(value_type = Option<crate::value::PointValue>)]
    pub read_back: Option<Value>,
    /// Who holds the point, for `accepted_not_effective`.
    pub held_by: Option<HeldBy>,
}

/// A command with where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommandRecord {
    /// What was requested.
    pub command: Command,
    /// What happened so far.
    pub outcome: Outcome,
}
