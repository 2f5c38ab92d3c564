//! Frames in quarantine, read for people. Owns the order and the bound of the list.

use super::scope::{self, Sought};
use super::text::unsigned;
use super::{Db, DbError};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, Timestamp};
use riser_wire::Stream;
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

/// Most frames listed at once.
const MOST: usize = 1_000;

/// One frame that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Names it here.
    pub row: i64,
    /// Its numbering; none when even the header was unreadable, as with stream and number.
    pub epoch: Option<Uuid>,
    /// Which stream.
    pub stream: Option<Stream>,
    /// Its number.
    pub seq: Option<u64>,
    /// When it came.
    pub received_at: Timestamp,
    /// What is wrong with it, in words.
    pub reason: String,
    /// Octets kept of it; none once the gateway's share was used up.
    pub octets: Option<u64>,
}

/// Frames of a gateway in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuarantineList {
    /// How many there are.
    pub total: u64,
    /// The newest of them, newest first.
    pub frames: Vec<Quarantined>,
}

fn frame(r: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let stream = r.get::<_, Option<i64>>(2)?;
    let of = |code| Stream::ALL.into_iter().find(|s| *s as i64 == code);
    Ok(Quarantined {
        row: r.get(0)?,
        epoch: r.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes),
        stream: stream.and_then(of),
        seq: r.get::<_, Option<i64>>(3)?.map(unsigned),
        received_at: Timestamp(r.get(4)?),
        reason: r.get(5)?,
        octets: r.get::<_, Option<i64>>(6)?.map(unsigned),
    })
}

impl Db {
    /// What of a gateway is in quarantine, the newest `limit` of it (1,000 at most).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn quarantine_list(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        limit: usize,
    ) -> Result<Sought<QuarantineList>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| {
                let total = c
                    .prepare_cached("SELECT count(*) FROM quarantine WHERE gateway = ?1")?
                    .query_row([g.row], |r| r.get(0))?;
                let mut query = c.prepare_cached(
                    "SELECT row, epoch, stream, seq, received_at, reason, length(frame)
                     FROM quarantine WHERE gateway = ?1 ORDER BY row DESC LIMIT ?2",
                )?;
                let frames = query.query_map(params![g.row, limit.min(MOST)], frame)?;
                let frames = frames.collect::<Result<_, _>>()?;
                Ok(Some(QuarantineList { total, frames }))
            })
        })
        .await
    }

    /// The octets of a frame in quarantine.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn quarantined_frame(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        row: i64,
    ) -> Result<Sought<Vec<u8>>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| {
                let kept: Option<Option<Vec<u8>>> = c
                    .prepare_cached("SELECT frame FROM quarantine WHERE gateway = ?1 AND row = ?2")?
                    .query_row(params![g.row, row], |r| r.get(0))
                    .optional()?;
                Ok(kept.flatten())
            })
        })
        .await
    }
}
