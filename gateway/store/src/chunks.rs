//! Reading chunks of a compacted day file. Owns which rows a question touches: rounds by their
//! times, then one row a point and round; a body is opened only when its figures are not enough.

use crate::StoreError;
use crate::chunk::{self, Figures, Series, Sums, Zip};
use crate::error::Doing;
use crate::octets::Bad;
use riser_model::Slot;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;

/// Key of a chunk.
pub(crate) fn chunk_id(round: i64, slot: Slot) -> i64 {
    round << 32 | i64::from(slot.0)
}

/// The slot in a key.
pub(crate) fn slot_of(id: i64) -> u32 {
    u32::try_from(id & i64::from(u32::MAX)).unwrap_or(0)
}

/// A chunk without its samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) sums: Sums,
    times: i64,
}

/// A chunk with them.
pub(crate) struct Found {
    pub(crate) id: i64,
    pub(crate) series: Series,
}

impl Found {
    pub(crate) fn slot(&self) -> u32 {
        slot_of(self.id)
    }
}

/// Reads chunks of one file; remembers the times it opened last.
pub(crate) struct Chunks<'c> {
    conn: &'c Connection,
    file: &'c Path,
    zip: Zip,
    times: Option<(i64, Vec<i64>)>,
}

const HEAD: &str = "SELECT id, first_at, last_at, samples, usable, min, max, sum, first, last, \
                    used_at, times FROM chunk";

fn head(r: &Row<'_>) -> rusqlite::Result<Head> {
    let figures = match r.get::<_, Option<f64>>(5)? {
        None => None,
        Some(min) => Some(Figures {
            min,
            max: r.get(6)?,
            sum: r.get(7)?,
            first: r.get(8)?,
            last: r.get(9)?,
            used_at: r.get(10)?,
        }),
    };
    let sums = Sums {
        first_at: r.get(1)?,
        last_at: r.get(2)?,
        samples: r.get(3)?,
        usable: r.get(4)?,
        figures,
    };
    Ok(Head {
        id: r.get(0)?,
        sums,
        times: r.get(11)?,
    })
}

impl<'c> Chunks<'c> {
    pub(crate) fn new(conn: &'c Connection, file: &'c Path) -> Result<Self, StoreError> {
        Ok(Self {
            conn,
            file,
            zip: Zip::new().doing("set up compression for", file)?,
            times: None,
        })
    }

    /// Rounds with samples of `[from, to)`, in order.
    pub(crate) fn rounds(&self, from: i64, to: i64) -> Result<Vec<i64>, StoreError> {
        let doing = "list the rounds";
        let sql = "SELECT no FROM round WHERE last_at >= ?1 AND first_at < ?2 ORDER BY no";
        let mut query = self.conn.prepare_cached(sql).doing(doing, self.file)?;
        let rows = query
            .query_map([from, to], |r| r.get(0))
            .doing(doing, self.file)?;
        rows.collect::<Result<_, _>>().doing(doing, self.file)
    }

    /// A point's chunk of a round.
    pub(crate) fn head(&self, round: i64, slot: Slot) -> Result<Option<Head>, StoreError> {
        self.conn
            .prepare_cached(&format!("{HEAD} WHERE id = ?1"))
            .and_then(|mut q| q.query_row([chunk_id(round, slot)], head).optional())
            .doing("look at a chunk", self.file)
    }

    /// The first chunk behind a key.
    pub(crate) fn head_after(&self, id: i64) -> Result<Option<Head>, StoreError> {
        self.conn
            .prepare_cached(&format!("{HEAD} WHERE id > ?1 ORDER BY id LIMIT 1"))
            .and_then(|mut q| q.query_row([id], head).optional())
            .doing("look at a chunk", self.file)
    }

    /// The samples of a chunk. The inner error is damage of this chunk alone.
    pub(crate) fn open(&mut self, head: &Head) -> Result<Result<Series, Bad>, StoreError> {
        let times = match self.times_of(head.times)? {
            Ok(times) => times,
            Err(bad) => return Ok(Err(bad)),
        };
        let body = self.blob("SELECT body FROM chunk WHERE id = ?1", head.id)?;
        let Some(body) = body else {
            return Ok(Err(Bad("its row is gone")));
        };
        Ok(chunk::decode(&body, times, &mut self.zip))
    }

    /// The first chunk behind a key with its samples; damage is an error.
    pub(crate) fn after(&mut self, id: i64) -> Result<Option<Found>, StoreError> {
        let Some(head) = self.head_after(id)? else {
            return Ok(None);
        };
        let (id, slot) = (head.id, slot_of(head.id));
        let series = self.open(&head)?.map_err(|bad| StoreError::Compaction {
            detail: format!("a chunk of slot {slot} is damaged: {bad}"),
        })?;
        Ok(Some(Found { id, series }))
    }

    fn times_of(&mut self, id: i64) -> Result<Result<Vec<i64>, Bad>, StoreError> {
        if let Some((known, times)) = &self.times
            && *known == id
        {
            return Ok(Ok(times.clone()));
        }
        let body = self.blob("SELECT body FROM times WHERE id = ?1", id)?;
        let Some(body) = body else {
            return Ok(Err(Bad("its times are gone")));
        };
        let times = chunk::decode_times(&body, &mut self.zip);
        if let Ok(times) = &times {
            self.times = Some((id, times.clone()));
        }
        Ok(times)
    }

    fn blob(&self, sql: &str, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut q| q.query_row(params![id], |r| r.get(0)).optional())
            .doing("read a chunk", self.file)
    }
}
