//! Observations on their way from a device to the store. Owns the two shapes of the hot path:
//! what an adapter hands over per scan group, and one flat sample.

use crate::{Quality, Slot, Timestamp, Value};

/// One point as read in a scan. `value` beside a bad quality is the last one known, if any.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The point.
    pub slot: Slot,
    /// What was read; `None` is unknown, never zero.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

/// What one request to a device yielded: one source time, many readings.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanBatch {
    /// When the device answered (gateway clock), or the device's own stamp where it has one.
    pub at: Timestamp,
    /// The readings, in no particular order, each slot at most once.
    pub readings: Vec<Reading>,
}

/// One observation of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The point.
    pub slot: Slot,
    /// Source time.
    pub at: Timestamp,
    /// What was observed; `None` is unknown.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}
