//! `held.db`. Owns its rows; knows nothing of when they leave.

use super::Correction;
use crate::StoreError;
use crate::error::Doing;
use crate::ledger::{Count, FileLanes, Lanes, encode_counts};
use crate::sqlite::{HELD, open_writer, quick_check};
use riser_model::{ClockState, Timestamp};
use riser_wire::Epoch;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};

/// The file, open for writing.
pub(crate) struct HeldFile {
    conn: Connection,
    file: PathBuf,
    lanes: FileLanes,
}

/// A batch that is to wait.
pub(crate) struct HeldFrame {
    pub(crate) samples: u64,
    pub(crate) frame: Vec<u8>,
    /// How many of the samples are of which stamp and lane of the ledger.
    pub(crate) counts: Vec<Count>,
}

/// A batch that waits.
pub(crate) struct HeldBatch {
    pub(crate) id: i64,
    pub(crate) line: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) samples: u64,
    pub(crate) counts: Option<Vec<u8>>,
}

/// Batches on their way.
pub(crate) struct MovingBatches {
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    pub(crate) ids: Vec<i64>,
}

impl HeldFile {
    /// Opens or makes it.
    pub(crate) fn open(file: &Path) -> Result<Self, StoreError> {
        let conn = open_writer(file, &HELD)?;
        if let Some(detail) = quick_check(&conn, file)? {
            let what = "batch that is held back";
            return Err(StoreError::Record { what, detail });
        }
        Ok(Self {
            lanes: FileLanes::load(&conn, file)?,
            conn,
            file: file.to_owned(),
        })
    }

    /// The lanes its counts refer to.
    pub(crate) fn lanes(&self) -> &FileLanes {
        &self.lanes
    }

    /// Lets batches wait; all of them or none.
    pub(crate) fn push(
        &mut self,
        (line, lanes): (&str, &Lanes),
        frames: &[HeldFrame],
    ) -> Result<(), StoreError> {
        let tx = self.conn.transaction();
        let tx = tx.doing("begin a transaction", &self.file)?;
        for held in frames {
            let names = self.lanes.localise((&tx, &self.file), lanes, &held.counts);
            let counts = encode_counts(&names?);
            let sql = "INSERT INTO batch (line, samples, frame, counts) VALUES (?1, ?2, ?3, ?4)";
            let values = params![line, held.samples, held.frame, counts];
            tx.prepare_cached(sql)
                .and_then(|mut s| s.execute(values))
                .doing("hold a batch back", &self.file)?;
        }
        tx.commit().doing("commit", &self.file)
    }

    /// Samples and octets that wait.
    pub(crate) fn totals(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT ifnull(sum(samples), 0), ifnull(sum(length(frame)), 0) FROM batch";
        self.conn
            .query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?)))
            .doing("count what is held back", &self.file)
    }

    /// Writes what became of a line.
    pub(crate) fn settle(&self, line: &str, c: &Correction) -> Result<(), StoreError> {
        let synchronised = c.clock == ClockState::Synchronised;
        let sql = "INSERT OR REPLACE INTO outcome VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![line, c.since.0, c.until.0, c.by_ms, synchronised];
        self.conn
            .execute(sql, values)
            .doing("write what became of a line of time", &self.file)
            .map(drop)
    }

    /// What became of a line, if that is known.
    pub(crate) fn outcome(&self, line: &str) -> Result<Option<Correction>, StoreError> {
        let sql = "SELECT since, until, by_ms, synchronised FROM outcome WHERE line = ?1";
        self.conn
            .query_row(sql, [line], |r| {
                Ok(Correction {
                    since: Timestamp(r.get(0)?),
                    until: Timestamp(r.get(1)?),
                    by_ms: r.get(2)?,
                    clock: match r.get(3)? {
                        true => ClockState::Synchronised,
                        false => ClockState::Unsynchronised,
                    },
                })
            })
            .optional()
            .doing("read what became of a line of time", &self.file)
    }

    /// The oldest batches that are not of the line which still waits.
    pub(crate) fn free(&self, waits: Option<&str>, n: usize) -> Result<Vec<HeldBatch>, StoreError> {
        let sql = "SELECT id, line, frame, samples, counts FROM batch \
                   WHERE line IS NOT ?1 ORDER BY id LIMIT ?2";
        let read = || {
            let mut query = self.conn.prepare_cached(sql)?;
            let rows = query.query_map(params![waits, n], |r| {
                Ok(HeldBatch {
                    id: r.get(0)?,
                    line: r.get(1)?,
                    frame: r.get(2)?,
                    samples: r.get(3)?,
                    counts: r.get(4)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().doing("read what is held back", &self.file)
    }

    /// Lists batches as on their way.
    pub(crate) fn begin_moving(&self, moving: &MovingBatches) -> Result<(), StoreError> {
        let ids = crate::records::to_json("list of batches", &moving.ids)?;
        let sql = "INSERT OR REPLACE INTO moving VALUES (1, ?1, ?2, ?3)";
        let values = params![moving.epoch.0.as_bytes(), moving.seq, ids];
        self.conn
            .execute(sql, values)
            .doing("note batches on their way", &self.file)
            .map(drop)
    }

    /// The batches that were on their way.
    pub(crate) fn moving(&self) -> Result<Option<MovingBatches>, StoreError> {
        let sql = "SELECT epoch, seq, ids FROM moving";
        let row = self.conn.query_row(sql, [], |r| {
            Ok((r.get::<_, [u8; 16]>(0)?, r.get(1)?, r.get::<_, String>(2)?))
        });
        let row = row
            .optional()
            .doing("read what was on its way", &self.file)?;
        row.map(|(epoch, seq, ids)| {
            Ok(MovingBatches {
                epoch: Epoch(uuid::Uuid::from_bytes(epoch)),
                seq,
                ids: crate::records::from_json("list of batches", &ids)?,
            })
        })
        .transpose()
    }

    /// Forgets batches that have arrived, and that they were on their way.
    pub(crate) fn arrived(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let tx = self.conn.transaction();
        let tx = tx.doing("begin a transaction", &self.file)?;
        for id in ids {
            tx.prepare_cached("DELETE FROM batch WHERE id = ?1")
                .and_then(|mut s| s.execute([id]))
                .doing("forget a batch that has arrived", &self.file)?;
        }
        tx.execute("DELETE FROM moving", [])
            .doing("forget batches on their way", &self.file)?;
        tx.commit().doing("commit", &self.file)
    }

    /// Forgets what became of lines of which nothing waits, and gives the room back.
    pub(crate) fn tidy(&self, waits: Option<&str>) -> Result<(), StoreError> {
        let sql = "DELETE FROM outcome WHERE line IS NOT ?1 \
                   AND line NOT IN (SELECT DISTINCT line FROM batch)";
        self.conn
            .execute(sql, [waits])
            .and_then(|_| self.conn.execute_batch("VACUUM"))
            .doing("tidy up", &self.file)
    }
}
