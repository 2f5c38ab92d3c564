//! What goes over the live socket. Owns the JSON of both directions.

use riser_model::{Alarm, CommandRecord, LinkStatus, PointPath, Quality, Timestamp, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveRequest {
    /// The points to follow from now on, `device/point`, at most 500; replaces the set before.
    /// Each one's present value is told at once.
    #[schema(value_type = Vec<String>, max_items = 500)]
    pub subscribe: Vec<PointPath>,
}

/// One new present value.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LiveValue {
    /// `device/point`.
    #[schema(value_type = String)]
    pub path: PointPath,
    /// The value; null is unknown.
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
    /// New values, in the order they came.
    Values {
        /// Of points in the subscribed set only.
        values: Vec<LiveValue>,
    },
    /// An alarm was raised, acknowledged or cleared.
    Alarm {
        /// The whole record after the change.
        alarm: Alarm,
    },
    /// A command went a step further.
    Command {
        /// The whole record after the change.
        command: CommandRecord,
    },
    /// The link to the cloud has changed, or the connection has just been made.
    Link {
        /// How it is now.
        link: LinkStatus,
    },
    /// This client reads too slowly: so many values and messages were left out. Present values
    /// follow; ask for lists anew.
    Dropped {
        /// How many since the last such message, at least.
        count: u64,
    },
    /// The last message of the client was not acted upon.
    Error {
        /// Why, and what to do.
        message: String,
    },
}
