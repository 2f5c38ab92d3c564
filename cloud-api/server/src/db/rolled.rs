//! Rollups of gateways that cannot send all their batches: stored as they arrived, named by their
//! stretch of time. Owns the rows of `rollup` and which minutes a gateway is told to be here.
//!
//! A rollup is never the record. Batches may come later; wherever there are as many samples of them
//! the rollup says nothing any more (`stretches`), and it goes once its hour is complete.

use super::events::SLOT_MAX;
use super::inbox::{EpochState, Inbox};
use super::{Db, DbError, Origin};
use bytes::Bytes;
use riser_model::ledger::HOUR;
use riser_model::{Slot, Timestamp};
use riser_wire::cells::Cell;
use riser_wire::limits::MAX_RANGES;
use riser_wire::{RollupHeader, read_rollup};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Stretches looked at for what a gateway is told. What it is not told of it sends again.
const TOLD: u32 = 20_000;

/// Minutes since 1970, inclusive.
pub type Minutes = (u64, u64);

/// A rollup that was decoded and found good.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// Its header.
    pub header: RollupHeader,
    /// Its cells.
    pub cells: Vec<(Slot, Cell)>,
    /// The octets as they arrived; these are kept.
    pub frame: Bytes,
}

impl Rollup {
    /// Decodes a frame whole.
    ///
    /// # Errors
    /// When it is damaged or none.
    pub fn decode(frame: Bytes) -> Result<Self, riser_wire::WireError> {
        let mut cells = Vec::new();
        let header = read_rollup(&frame, &mut |slot, cell| cells.push((slot, *cell)))?;
        Ok(Self {
            header,
            cells,
            frame,
        })
    }
}

/// Stores a frame; the same stretch sent again takes the place of what was there. Answers its
/// minutes once all its frames are here.
fn store(
    c: &Connection,
    inbox: &mut Inbox,
    (origin, rollup): (&Arc<Origin>, &Rollup),
    now: Timestamp,
) -> Result<Option<Minutes>, DbError> {
    let header = &rollup.header;
    let state = inbox.epoch(c, origin, header.epoch, now)?;
    let place = params![state.row, header.minute, header.minutes, header.pieces];
    c.prepare_cached(
        "DELETE FROM rollup WHERE epoch = ?1 AND minute = ?2 AND minutes = ?3 AND pieces <> ?4",
    )?
    .execute(place)?;
    c.prepare_cached(
        "INSERT INTO rollup (epoch, minute, minutes, piece, pieces, dictionary, received_at, frame)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET dictionary = excluded.dictionary,
           received_at = excluded.received_at, frame = excluded.frame",
    )?
    .execute(params![
        state.row,
        header.minute,
        header.minutes,
        header.piece,
        header.pieces,
        header.dictionary,
        now.0,
        &rollup.frame[..]
    ])
    .map_err(DbError::sqlite("store a rollup"))?;
    latest(c, state, rollup)?;
    c.prepare_cached("UPDATE gateway SET last_seen = ?2 WHERE row = ?1")?
        .execute([state.gateway, now.0])?;
    let here: u32 = c
        .prepare_cached(
            "SELECT count(*) FROM rollup WHERE epoch = ?1 AND minute = ?2 AND minutes = ?3",
        )?
        .query_row(params![state.row, header.minute, header.minutes], |r| {
            r.get(0)
        })?;
    let from = u64::from(header.minute);
    Ok((here == header.pieces).then(|| (from, from + u64::from(header.minutes) - 1)))
}

/// Moves present values on. Only where the last sample known was good enough and every one of the
/// stretch had a value: else nobody here knows what the newest is worth.
fn latest(c: &Connection, state: &EpochState, rollup: &Rollup) -> Result<(), DbError> {
    let mut move_on = c.prepare_cached(
        "UPDATE latest SET at = ?2,
           value = CASE kind WHEN 3 THEN ?3 ELSE CAST(?3 AS INTEGER) END
         WHERE point = ?1 AND at < ?2 AND quality < 128 AND kind IN (1, 2, 3)",
    )?;
    for (slot, cell) in &rollup.cells {
        let point = state.points.get(slot.index()).copied().flatten();
        if let (Some(point), true) = (point, cell.bad == 0 && slot.index() < SLOT_MAX) {
            let part = rollup.header.part(cell);
            move_on
                .execute(params![point, part.last_at.0, part.last])
                .map_err(DbError::sqlite("move a present value on"))?;
        }
    }
    Ok(())
}

/// The minutes that are here of a gateway, as far as it is told: ascending, not touching.
fn told(c: &Connection, origin: &Origin) -> Result<Vec<Minutes>, DbError> {
    let gateway: Option<i64> = c
        .prepare_cached("SELECT row FROM gateway WHERE tenant = ?1 AND id = ?2")?
        .query_row([origin.tenant.as_str(), origin.gateway.as_str()], |r| {
            r.get(0)
        })
        .optional()?;
    let Some(gateway) = gateway else {
        return Ok(Vec::new());
    };
    let mut query = c.prepare_cached(
        "SELECT r.minute, r.minute + r.minutes - 1 FROM epoch e JOIN rollup r ON r.epoch = e.row
         WHERE e.gateway = ?1 GROUP BY r.epoch, r.minute, r.minutes
         HAVING count(*) = max(r.pieces) ORDER BY r.minute DESC LIMIT ?2",
    )?;
    let rows = query.query_map([gateway, i64::from(TOLD)], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut minutes: Vec<Minutes> = rows.collect::<Result<_, _>>()?;
    minutes.sort_unstable();
    minutes.dedup_by(|next, before| {
        let touches = next.0 <= before.1 + 1;
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
    let over = minutes.len().saturating_sub(MAX_RANGES);
    minutes.drain(..over);
    Ok(minutes)
}

/// An hour is complete: what there is of it as rollups is there as batches too.
pub(super) fn forget(c: &Connection, gateway: i64, hour: i64) -> Result<(), DbError> {
    let minute = hour.div_euclid(Timestamp::MINUTE);
    c.prepare_cached(
        "DELETE FROM rollup WHERE minute >= ?2 AND minute < ?3
           AND epoch IN (SELECT row FROM epoch WHERE gateway = ?1)",
    )?
    .execute([gateway, minute, minute + HOUR / Timestamp::MINUTE])?;
    Ok(())
}

impl Db {
    /// Stores a frame of a rollup. Answers the minutes of its stretch once all of it is here.
    ///
    /// # Errors
    /// Why nothing was committed.
    pub async fn rollup(
        &self,
        origin: &Arc<Origin>,
        rollup: Rollup,
        now: Timestamp,
    ) -> Result<Option<Minutes>, DbError> {
        let origin = Arc::clone(origin);
        self.write_with(move |c, inbox| store(c, inbox, (&origin, &rollup), now))
            .await
    }

    /// Minutes of which rollups of a gateway are here: ascending, disjoint, the newest of too many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rolled_up(&self, origin: &Arc<Origin>) -> Result<Vec<Minutes>, DbError> {
        let origin = Arc::clone(origin);
        self.read(move |c| told(c, &origin)).await
    }
}
