//! The gateway's points as an adapter may show them to others: a building's management system that
//! reads Riser by BACnet, Home Assistant that discovers it by MQTT. Owns the two edges to the
//! runtime. An adapter that only reads devices leaves both alone.

use futures_util::future::BoxFuture;
use riser_model::{
    Author, CommandRecord, PointPath, PointView, Priority, ScanBatch, Slot, Timestamp, Value,
};
use std::sync::Arc;
use tokio::sync::broadcast;

/// The points of every adapter, and the way to write them.
#[derive(Clone)]
pub struct Building {
    /// Reads them.
    pub points: Arc<dyn PointSource>,
    /// Writes them.
    pub writes: Arc<dyn PointWriter>,
}

/// The points of the gateway as others may see them.
pub trait PointSource: Send + Sync {
    /// Every point with its present value, in order of paths.
    fn points(&self) -> Vec<PointView>;

    /// One of them; `None` when there is no such point (any more).
    fn point(&self, slot: Slot) -> Option<PointView>;

    /// Every scan from now on. A listener that is too slow loses the oldest and hears of it.
    fn changes(&self) -> broadcast::Receiver<Arc<ScanBatch>>;
}

/// The way others write points: every write goes through the gateway's priority array, limits and
/// audit log like one of a person.
pub trait PointWriter: Send + Sync {
    /// Holds a value at a level until it is released, or releases the level (`None`), and answers
    /// with what came of it, or how far it got within a few seconds. A refusal is a record too.
    /// `by` names who wrote, such as `bacnet 192.0.2.9`; it is kept with the level and the command.
    fn write(
        &self,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
        by: String,
    ) -> BoxFuture<'static, CommandRecord>;

    /// The levels a point is held at, the highest first.
    fn levels(&self, path: &PointPath) -> Vec<HeldLevel>;
}

/// A held level of a priority array.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldLevel {
    /// Which.
    pub level: Priority,
    /// At what.
    pub value: Value,
    /// By whom.
    pub author: Author,
    /// Until when; `None` until released.
    pub until: Option<Timestamp>,
}
