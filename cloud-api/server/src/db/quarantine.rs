//! Frames that could not be used. Owns the rows of `quarantine` and how much of it one gateway
//! may fill. A frame in quarantine counts as settled: the rest of its stream flows past it.

use super::append::too_many_gaps;
use super::text::signed;
use super::{Db, DbError, Origin, durable, gateways};
use bytes::Bytes;
use riser_model::Timestamp;
use riser_wire::{BatchHeader, Durable, Epoch, Stream};
use rusqlite::params;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Frames kept of one gateway; of further ones only the reason is.
const FRAMES_MAX: i64 = 1000;
/// Rows kept of one gateway; the oldest goes first.
const ROWS_MAX: i64 = 10_000;

/// A frame to put aside.
#[derive(Debug, Clone)]
pub struct Poison {
    /// Its header, where that could be read.
    pub header: Option<BatchHeader>,
    /// The octets as they arrived.
    pub frame: Bytes,
    /// What is wrong, in words.
    pub reason: String,
}

/// One frame in quarantine, as its gateway is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoisonNote {
    /// Which stream.
    pub stream: Stream,
    /// Which number.
    pub seq: u64,
    /// What is wrong.
    pub reason: String,
}

impl Db {
    /// Puts a frame aside. Answers what is settled of its stream, where its header says which.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn quarantine(
        &self,
        origin: &Arc<Origin>,
        poison: Poison,
        now: Timestamp,
    ) -> Result<Option<Durable>, DbError> {
        let of = Arc::clone(origin);
        let settled = self
            .write_with(move |c, inbox| {
                let gateway = gateways::ensure(c, &of, now)?;
                insert(c, gateway, &poison, now)?;
                let Some(header) = poison.header else {
                    return Ok(None);
                };
                let state = inbox.epoch(c, &of, header.epoch, now)?;
                let row = state.row;
                let set = state.settled(header.stream);
                if !set.insert(header.seq) {
                    return Err(DbError::Limit(too_many_gaps(&of)));
                }
                durable::save(c, row, header.stream, set)?;
                Ok(Some(set.tell(
                    header.epoch,
                    header.stream,
                    Some(header.seq),
                )))
            })
            .await?;
        self.figures().quarantined.fetch_add(1, Ordering::Relaxed);
        Ok(settled)
    }

    /// What of an epoch is in quarantine, newest 256, so that a gateway that missed the word
    /// hears it again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn quarantined(
        &self,
        origin: &Arc<Origin>,
        epoch: Epoch,
    ) -> Result<Vec<PoisonNote>, DbError> {
        let of = Arc::clone(origin);
        self.read(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(Vec::new());
            };
            let mut query = c.prepare_cached(
                "SELECT stream, seq, reason FROM quarantine
                 WHERE gateway = ?1 AND epoch = ?2 AND seq IS NOT NULL ORDER BY row DESC LIMIT 256",
            )?;
            let notes = query.query_map(params![gateway, epoch.0.as_bytes()], |r| {
                let stream = if r.get::<_, i64>(0)? == Stream::Event as i64 {
                    Stream::Event
                } else {
                    Stream::Data
                };
                Ok(PoisonNote {
                    stream,
                    seq: super::text::unsigned(r.get(1)?),
                    reason: r.get(2)?,
                })
            })?;
            Ok(notes.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn insert(
    c: &rusqlite::Connection,
    gateway: i64,
    poison: &Poison,
    now: Timestamp,
) -> Result<(), DbError> {
    let rows: i64 = c
        .prepare_cached("SELECT count(*) FROM quarantine WHERE gateway = ?1")?
        .query_row([gateway], |r| r.get(0))?;
    if rows >= ROWS_MAX {
        c.prepare_cached(
            "DELETE FROM quarantine WHERE row = (SELECT min(row) FROM quarantine WHERE gateway = ?1)",
        )?
        .execute([gateway])?;
    }
    let header = poison.header.as_ref();
    c.prepare_cached(
        "INSERT INTO quarantine (gateway, epoch, stream, seq, received_at, reason, frame)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        gateway,
        header.map(|h| h.epoch.0.as_bytes().to_vec()),
        header.map(|h| h.stream as i64),
        header.map(|h| signed(h.seq)),
        now.0,
        poison.reason,
        (rows < FRAMES_MAX).then_some(&poison.frame[..])
    ])
    .map_err(DbError::sqlite("put a frame into quarantine"))?;
    Ok(())
}
