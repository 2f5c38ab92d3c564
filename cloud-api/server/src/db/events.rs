//! What has just happened, for the live stream: told after the commit, except watched values,
//! which are never stored. Owns the shapes and the resolution of slots to paths.

use super::DbError;
use riser_model::{
    Alarm, CommandRecord, GatewayId, Key, PointPath, Quality, Sample, ScanBatch, Slot, TenantId,
    Timestamp, Value,
};
use std::sync::Arc;

/// A gateway within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Whose building.
    pub tenant: TenantId,
    /// Which gateway of theirs.
    pub gateway: GatewayId,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.tenant, self.gateway)
    }
}

impl Origin {
    /// Reads the two names back from their columns.
    pub(super) fn stored(tenant: &str, gateway: &str) -> Result<Self, DbError> {
        let name = |text: &str| Key::new(text).map_err(|e| DbError::stored("name", e));
        Ok(Self {
            tenant: name(tenant)?,
            gateway: name(gateway)?,
        })
    }
}

/// Slot → path of one epoch. Slots without a point answer `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotPaths(Vec<Option<PointPath>>);

/// Slots above this are not resolved: a gateway numbers its points densely from 0.
pub const SLOT_MAX: usize = 1_000_000;

impl SlotPaths {
    /// The path of a slot, if the directory has it.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&PointPath> {
        self.0.get(slot.index()).and_then(Option::as_ref)
    }

    /// Enters a slot; those from [`SLOT_MAX`] on are left out.
    pub fn set(&mut self, slot: Slot, path: PointPath) {
        if slot.index() >= SLOT_MAX {
            return;
        }
        if self.0.len() <= slot.index() {
            self.0.resize(slot.index() + 1, None);
        }
        self.0[slot.index()] = Some(path);
    }
}

/// By which way values came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueLane {
    /// Sent the moment they were read; not stored.
    Watch,
    /// Out of a committed batch: may be old (backfill) or known already by the watch lane.
    Stored,
}

#[derive(Debug)]
enum Content {
    Scans(Vec<ScanBatch>),
    Samples(Vec<Sample>),
}

/// Values of one gateway with the directory that names them.
#[derive(Debug)]
pub struct ValueBatch {
    paths: Arc<SlotPaths>,
    content: Content,
}

impl ValueBatch {
    /// Values as the watch lane carries them.
    #[must_use]
    pub fn scans(paths: Arc<SlotPaths>, scans: Vec<ScanBatch>) -> Self {
        Self {
            paths,
            content: Content::Scans(scans),
        }
    }

    /// Values out of a batch.
    #[must_use]
    pub fn samples(paths: Arc<SlotPaths>, samples: Vec<Sample>) -> Self {
        Self {
            paths,
            content: Content::Samples(samples),
        }
    }

    /// Visits every value whose point is known: path, source time, value, quality. Values of one
    /// point come in order of time.
    pub fn for_each(&self, mut visit: impl FnMut(&PointPath, Timestamp, Option<&Value>, Quality)) {
        match &self.content {
            Content::Scans(scans) => {
                for scan in scans {
                    for reading in &scan.readings {
                        if let Some(path) = self.paths.get(reading.slot) {
                            visit(path, scan.at, reading.value.as_ref(), reading.quality);
                        }
                    }
                }
            }
            Content::Samples(samples) => {
                for sample in samples {
                    if let Some(path) = self.paths.get(sample.slot) {
                        visit(path, sample.at, sample.value.as_ref(), sample.quality);
                    }
                }
            }
        }
    }
}

/// What changed of a gateway; its row says how it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayChange {
    /// It connected.
    Connected,
    /// Its connection ended.
    Disconnected,
    /// A heartbeat came: lag and backlog are new.
    Heartbeat,
    /// Its points have changed.
    Directory,
}

/// One piece of news.
#[derive(Debug, Clone)]
pub enum CloudEvent {
    /// Values of points.
    Values {
        /// Whose.
        origin: Arc<Origin>,
        /// By which way.
        lane: ValueLane,
        /// The values.
        batch: Arc<ValueBatch>,
    },
    /// An alarm was raised, acknowledged or cleared.
    Alarm {
        /// Whose.
        origin: Arc<Origin>,
        /// Its whole record.
        alarm: Arc<Alarm>,
    },
    /// A command was issued or went a step further.
    Command {
        /// Whose.
        origin: Arc<Origin>,
        /// The command with where it stands.
        record: Arc<CommandRecord>,
    },
    /// A gateway's row has changed.
    Gateway {
        /// Which.
        origin: Arc<Origin>,
        /// What of it.
        change: GatewayChange,
    },
}
