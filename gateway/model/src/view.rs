//! A point as a screen shows it: description and present value together. Both HTTP faces answer
//! with this one shape, so the shared UI kit formats values the same way everywhere.

use crate::{Point, Quality, Slot, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// A point with its present value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PointView {
    /// What it is.
    #[serde(flatten)]
    pub point: Point,
    /// Its number on the live stream of this gateway.
    pub slot: Slot,
    /// Present value; absent when nothing was ever read.
    #[schema(value_type = Option<crate::value::PointValue>)]
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time of the value; absent when nothing was ever read.
    pub at: Option<Timestamp>,
}
