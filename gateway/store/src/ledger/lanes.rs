//! Which lane a slot is on. Owns the rule for a device that was moved: samples from before the move
//! stay with the lane they came from, also when they are counted later.

use crate::error::Doing;
use crate::{Store, StoreError};
use riser_model::{ScanBatch, Slot, Timestamp};
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    lane: u32,
    since: i64,
    before: u32,
}

/// Lanes by slot. Lane 0 has no name: nobody said where the point is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes {
    slots: Vec<Place>,
    names: Vec<String>,
    /// Counts the changes, so that of two at once the later one stays.
    turn: u64,
}

impl Lanes {
    pub(crate) fn load(conn: &Connection, file: &Path) -> Result<Self, StoreError> {
        let doing = "read the lanes of the ledger";
        let mut lanes = Self::default();
        let mut query = conn
            .prepare("SELECT no, name FROM ledger_lane")
            .doing(doing, file)?;
        let mut rows = query.query([]).doing(doing, file)?;
        while let Some(row) = rows.next().doing(doing, file)? {
            let read = || Ok::<(u32, String), rusqlite::Error>((row.get(0)?, row.get(1)?));
            let (no, name) = read().doing(doing, file)?;
            lanes.name(no, name);
        }
        let mut query = conn
            .prepare("SELECT slot, lane, since, before FROM ledger_slot")
            .doing(doing, file)?;
        let mut rows = query.query([]).doing(doing, file)?;
        while let Some(row) = rows.next().doing(doing, file)? {
            let read = || {
                let place = Place {
                    lane: row.get(1)?,
                    since: row.get(2)?,
                    before: row.get(3)?,
                };
                Ok::<_, rusqlite::Error>((Slot(row.get(0)?), place))
            };
            let (slot, place) = read().doing(doing, file)?;
            lanes.place(slot, place);
        }
        Ok(lanes)
    }

    fn name(&mut self, no: u32, name: String) {
        let index = no as usize;
        if self.names.len() <= index {
            self.names.resize(index + 1, String::new());
        }
        self.names[index] = name;
    }

    fn place(&mut self, slot: Slot, place: Place) {
        let index = slot.index();
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Place::default());
        }
        self.slots[index] = place;
    }

    /// The lane a sample came from.
    pub(crate) fn of(&self, slot: Slot, at: Timestamp) -> u32 {
        match self.slots.get(slot.index()) {
            Some(place) if at.0 < place.since => place.before,
            Some(place) => place.lane,
            None => 0,
        }
    }

    /// Shows how many samples of a scan are of which lane. Nearly always it is one run: a scan is of
    /// one device.
    pub(crate) fn runs(&self, scan: &ScanBatch, visit: &mut dyn FnMut(u32, u64)) {
        let of = |slot: Slot| self.of(slot, scan.at);
        for run in scan.readings.chunk_by(|a, b| of(a.slot) == of(b.slot)) {
            if let Some(first) = run.first() {
                visit(of(first.slot), run.len() as u64);
            }
        }
    }

    fn now(&self, slot: Slot) -> u32 {
        self.slots.get(slot.index()).map_or(0, |place| place.lane)
    }

    /// The name of a lane; empty for lane 0.
    pub(crate) fn called(&self, lane: u32) -> &str {
        self.names.get(lane as usize).map_or("", String::as_str)
    }

    /// The number of a lane.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        let no = self.names.iter().position(|n| n == name)?;
        u32::try_from(no).ok().filter(|no| *no > 0)
    }
}

impl Store {
    /// Says on which lanes points are; samples are counted by lane from then on. Points nobody
    /// names count under the empty name.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub async fn assign_lanes(&self, places: Vec<(Slot, Arc<str>)>) -> Result<(), StoreError> {
        let moved: Vec<(Slot, Arc<str>)> = {
            let inner = self.shared.ledger.lock();
            let stays = |(slot, name): &(Slot, Arc<str>)| {
                let known = inner.lanes.number(name);
                known.is_some() && known == Some(inner.lanes.now(*slot))
            };
            places.into_iter().filter(|place| !stays(place)).collect()
        };
        if moved.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let writing = Arc::clone(&self.shared);
        let lanes = self
            .write(move |tx| {
                let mut numbers: FxHashMap<Arc<str>, u32> = FxHashMap::default();
                for (slot, name) in moved {
                    let no = if let Some(no) = numbers.get(&name) {
                        *no
                    } else {
                        let sql = "INSERT INTO ledger_lane (name) VALUES (?1) \
                                   ON CONFLICT (name) DO UPDATE SET name = ?1 RETURNING no";
                        let no = tx.value("name a lane", sql, [&*name])?;
                        numbers.insert(name, no);
                        no
                    };
                    let sql = "INSERT INTO ledger_slot VALUES (?1, ?2, \
                               -9223372036854775808, 0) ON CONFLICT (slot) DO UPDATE \
                               SET before = lane, lane = ?2, since = ?3";
                    let values = params![slot.0, no, tx.now().0];
                    tx.execute("put a point on its lane", sql, values)?;
                }
                let mut lanes = Lanes::load(tx.conn(), tx.file())?;
                // Here is the one thread that writes: turns are in the order of the commits.
                let mut inner = writing.ledger.lock();
                inner.lane_turn += 1;
                lanes.turn = inner.lane_turn;
                Ok(lanes)
            })
            .await?;
        let mut inner = shared.ledger.lock();
        if lanes.turn > inner.lanes.turn {
            inner.lanes = Arc::new(lanes);
        }
        Ok(())
    }
}
