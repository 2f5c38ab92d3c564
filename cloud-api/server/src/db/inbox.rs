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

type EpochKey = (Arc<Origin>, Epoch);

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    epochs: FxHashMap<EpochKey, EpochState>,
    /// What the job under way may have changed.
    touched: Vec<EpochKey>,
}

impl Inbox {
    /// A job begins.
    pub(super) fn begin(&mut self) {
        self.touched.clear();
    }

    /// The job was rolled back, alone: what others did stands, so one gateway whose jobs always
    /// fail does not make every other one's directory be read again.
    pub(super) fn forget_job(&mut self) {
        for key in self.touched.drain(..) {
            self.epochs.remove(&key);
        }
    }

    /// The whole transaction was rolled back.
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
        self.touched.push(key.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::Key;
    use uuid::Uuid;

    fn origin(gateway: &str) -> Arc<Origin> {
        Arc::new(Origin {
            tenant: Key::slug("acme"),
            gateway: Key::slug(gateway),
        })
    }

    #[test]
    fn a_job_that_fails_costs_no_other_gateway_its_memory() {
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(include_str!("schema.sql")).unwrap();
        let (mut inbox, epoch, now) = (Inbox::default(), Epoch(Uuid::from_u128(1)), Timestamp(1));
        let (good, bad) = (origin("good"), origin("bad"));
        inbox.begin();
        inbox.epoch(&c, &good, epoch, now).unwrap();
        inbox.begin();
        let state = inbox.epoch(&c, &bad, epoch, now).unwrap();
        assert!(state.settled(Stream::Data).insert(7));
        inbox.forget_job();
        assert!(inbox.epochs.contains_key(&(good, epoch)));
        let state = inbox.epoch(&c, &bad, epoch, now).unwrap();
        assert!(!state.settled(Stream::Data).contains(7));
    }
}
