//! What the writer keeps in memory between transactions, so that a batch costs no look-ups. Owns
//! the rule that memory never stands against the disk: after anything was rolled back it is
//! forgotten and read again.

use super::durable::{self, RangeSet};
use super::{DbError, Origin, SlotPaths, directory, gateways};
use riser_model::Timestamp;
use riser_wire::{Epoch, Stream};
use rusqlite::Connection;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Epochs kept in memory; with more, all are forgotten and read again as they are needed.
const EPOCHS_MAX: usize = 20_000;

/// One numbering of one gateway.
#[derive(Debug)]
pub(super) struct EpochState {
    /// epoch.row
    pub(super) row: i64,
    /// gateway.row
    pub(super) gateway: i64,
    /// Version of the newest directory applied.
    pub(super) dictionary: u32,
    /// Longest span of a data batch, in milliseconds.
    pub(super) longest_ms: i64,
    /// Slot → point.row.
    pub(super) points: Vec<Option<i64>>,
    /// Slot → path.
    pub(super) paths: Arc<SlotPaths>,
    event: RangeSet,
    data: RangeSet,
}

impl EpochState {
    /// What is settled of a stream.
    pub(super) fn settled(&mut self, stream: Stream) -> &mut RangeSet {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Data => &mut self.data,
        }
    }
}

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    epochs: FxHashMap<(Arc<Origin>, Epoch), EpochState>,
}

impl Inbox {
    /// Something was rolled back.
    pub(super) fn forget(&mut self) {
        self.epochs.clear();
    }

    /// The state of an epoch; entered with its gateway when it is new.
    pub(super) fn epoch(
        &mut self,
        c: &Connection,
        origin: &Arc<Origin>,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<&mut EpochState, DbError> {
        let key = (Arc::clone(origin), epoch);
        if !self.epochs.contains_key(&key) {
            if self.epochs.len() >= EPOCHS_MAX {
                self.epochs.clear();
            }
            let state = load(c, origin, epoch, now)?;
            self.epochs.insert(key.clone(), state);
        }
        self.epochs
            .get_mut(&key)
            .ok_or_else(|| DbError::stored("epoch", "it was entered and is not there"))
    }
}

fn load(
    c: &Connection,
    origin: &Origin,
    epoch: Epoch,
    now: Timestamp,
) -> Result<EpochState, DbError> {
    let gateway = gateways::ensure(c, origin, now)?;
    let row = gateways::ensure_epoch(c, gateway, epoch, now)?;
    let (dictionary, longest_ms) = c
        .prepare_cached("SELECT dictionary, longest_ms FROM epoch WHERE row = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let (points, paths) = directory::load(c, row)?;
    Ok(EpochState {
        row,
        gateway,
        dictionary,
        longest_ms,
        points,
        paths: Arc::new(paths),
        event: durable::load(c, row, Stream::Event)?,
        data: durable::load(c, row, Stream::Data)?,
    })
}
