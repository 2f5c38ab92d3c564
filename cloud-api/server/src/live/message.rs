//! What goes over the live socket. Owns the JSON of both directions; the queue in front of a
//! socket is `viewer`, the choice of who gets what is `hub`.

use crate::app::shape::Gateway;
use riser_model::{
    Alarm, CommandRecord, GatewayId, PointPath, Quality, TenantId, Timestamp, Value,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a client says. The first message carries the token; later ones may renew it or replace
/// the set of points.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveRequest {
    /// The access token.
    #[serde(default)]
    pub token: Option<String>,
    /// With the token, for whoever may cross tenants: the one to look into.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantId>,
    /// The points to follow from now on, at most 500; replaces the set before.
    #[serde(default)]
    pub subscribe: Option<Vec<LivePoint>>,
}

/// A point of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LivePoint {
    /// The gateway.
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    /// `device/point`.
    #[schema(value_type = String)]
    pub path: PointPath,
}

/// One new present value.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LiveValue {
    /// The gateway.
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    /// `device/point`.
    #[schema(value_type = String)]
    pub path: PointPath,
    /// The value; null is unknown.
    #[schema(value_type = Option<riser_model::value::PointValue>)]
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time.
    pub at: Timestamp,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    /// The token was accepted; values and alarms may flow.
    Ready {
        /// When the token ends. A newer one sent before then keeps the socket open.
        expires_at: Timestamp,
    },
    /// New values, in the order they came.
    Values {
        /// Of points in the subscribed set only.
        values: Vec<LiveValue>,
    },
    /// An alarm was raised, acknowledged or cleared.
    Alarm {
        /// Whose.
        #[schema(value_type = String)]
        tenant: TenantId,
        /// Whose.
        #[schema(value_type = String)]
        gateway: GatewayId,
        /// The whole record after the change.
        alarm: Alarm,
    },
    /// A command went a step further.
    Command {
        /// Whose.
        #[schema(value_type = String)]
        tenant: TenantId,
        /// Whose.
        #[schema(value_type = String)]
        gateway: GatewayId,
        /// The whole record after the change.
        command: CommandRecord,
    },
    /// A gateway connected, disconnected or sent a heartbeat.
    Gateway {
        /// How it is now.
        gateway: Gateway,
    },
    /// This client reads too slowly: so many messages or values were left out. Ask for lists anew.
    Dropped {
        /// How many since the last such message.
        count: u64,
    },
    /// The last message was not acted upon.
    Error {
        /// Stable word for programs.
        code: String,
        /// Why, and what to do.
        message: String,
    },
}
