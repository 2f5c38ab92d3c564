//! Batches that were put aside because the cloud refuses them or they cannot be read: which, why, and
//! their octets, of a running store or of its folder alone. Owns reading them; what puts them aside
//! is `claim`.

use crate::error::Doing;
use crate::scan::{batch_id, epoch_of};
use crate::sqlite::open_reader;
use crate::{Position, Store, StoreConfig, StoreError};
use riser_model::Timestamp;
use riser_wire::Stream;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};

/// Most batches listed at once.
const MOST: usize = 1_000;

/// A batch that will not be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAside {
    /// Its number.
    pub position: Position,
    /// Event or data.
    pub stream: Stream,
    /// When it was put aside.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// Source times of its first and last sample; none for an event, and once its day was compacted
    /// or dropped.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Its samples, where the span is known.
    pub samples: Option<u32>,
    /// Octets kept of it; none where there are none any more.
    pub octets: Option<u64>,
}

/// Batches put aside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PutAsideList {
    /// How many there are.
    pub total: u64,
    /// The newest of them, newest first.
    pub batches: Vec<PutAside>,
}

impl Store {
    /// What was put aside, the newest `limit` of it (1,000 at most).
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn put_aside(&self, limit: usize) -> Result<PutAsideList, StoreError> {
        let dir = self.shared.config.dir.clone();
        self.read(move |r| {
            let file = r.state_file();
            list(r.state()?, (&file, &dir), limit)
        })
        .await
    }

    /// The octets of a batch that was put aside, as they are kept; `None` where there are none.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn put_aside_frame(
        &self,
        stream: Stream,
        position: Position,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let dir = self.shared.config.dir.clone();
        self.read(move |r| {
            let file = r.state_file();
            frame(r.state()?, (&file, &dir), stream, position)
        })
        .await
    }
}

/// What was put aside in the store in `dir`, which may be in use.
///
/// # Errors
/// There is no store, or its `state.db` cannot be read.
pub fn read_put_aside(dir: &Path, limit: usize) -> Result<PutAsideList, StoreError> {
    let file = StoreConfig::new(dir).state_file();
    list(&open_reader(&file)?, (&file, dir), limit)
}

/// The octets of one of them; `None` where there are none.
///
/// # Errors
/// There is no store, or its `state.db` cannot be read.
pub fn read_put_aside_frame(
    dir: &Path,
    stream: Stream,
    position: Position,
) -> Result<Option<Vec<u8>>, StoreError> {
    let file = StoreConfig::new(dir).state_file();
    frame(&open_reader(&file)?, (&file, dir), stream, position)
}

fn row(row: &Row<'_>) -> rusqlite::Result<PutAside> {
    let stream = match row.get::<_, i64>(1)? {
        1 => Stream::Event,
        _ => Stream::Data,
    };
    Ok(PutAside {
        position: Position {
            epoch: epoch_of(row, 0)?,
            seq: row.get(2)?,
        },
        stream,
        at: Timestamp(row.get(3)?),
        reason: row.get(4)?,
        span: None,
        samples: None,
        octets: row.get(5)?,
    })
}

fn list(
    state: &Connection,
    (file, dir): (&Path, &Path),
    limit: usize,
) -> Result<PutAsideList, StoreError> {
    let doing = "read what was put aside";
    let total = state
        .query_row("SELECT count(*) FROM refused", [], |r| r.get(0))
        .doing(doing, file)?;
    let sql = "SELECT epoch, stream, seq, at, reason, length(frame) FROM refused \
               ORDER BY at DESC, seq DESC LIMIT ?1";
    let mut query = state.prepare_cached(sql).doing(doing, file)?;
    let rows = query.query_map([limit.min(MOST)], row).doing(doing, file)?;
    let mut batches: Vec<PutAside> = rows.collect::<Result<_, _>>().doing(doing, file)?;
    let mut open = batches.iter().filter(|b| b.stream == Stream::Data).count();
    for path in newest_first(dir)? {
        if open == 0 {
            break;
        }
        // A day that cannot be read says nothing; the rest of the list does.
        let Ok(day) = open_reader(&path) else {
            continue;
        };
        let sought = |b: &&mut PutAside| b.stream == Stream::Data && b.octets.is_none();
        for batch in batches.iter_mut().filter(sought) {
            if describe(&day, batch).unwrap_or(false) {
                open -= 1;
            }
        }
    }
    Ok(PutAsideList { total, batches })
}

/// Day files, the newest first.
fn newest_first(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let days = crate::files::days(&StoreConfig::new(dir).history_dir())?;
    Ok(days.into_iter().rev().map(|(_, path)| path).collect())
}

fn key(day: &Connection, position: Position) -> rusqlite::Result<Option<i64>> {
    let no = day
        .prepare_cached("SELECT no FROM epoch WHERE id = ?1")?
        .query_row([position.epoch.0.as_bytes()], |r| r.get(0))
        .optional()?;
    Ok(no.map(|no| batch_id(no, position.seq)))
}

/// Takes over what a day's file says of a batch; false when it is not in there.
fn describe(day: &Connection, batch: &mut PutAside) -> rusqlite::Result<bool> {
    let Some(id) = key(day, batch.position)? else {
        return Ok(false);
    };
    let sql = "SELECT first_at, last_at, samples, length(frame) FROM batch WHERE id = ?1";
    let found = day.prepare_cached(sql)?.query_row([id], |r| {
        let span = (Timestamp(r.get(0)?), Timestamp(r.get(1)?));
        Ok((span, r.get(2)?, r.get(3)?))
    });
    let Some((span, samples, octets)) = found.optional()? else {
        return Ok(false);
    };
    batch.span = Some(span);
    batch.samples = Some(samples);
    batch.octets = Some(octets);
    Ok(true)
}

fn frame(
    state: &Connection,
    (file, dir): (&Path, &Path),
    stream: Stream,
    position: Position,
) -> Result<Option<Vec<u8>>, StoreError> {
    let doing = "read what was put aside";
    let sql = "SELECT frame FROM refused WHERE epoch = ?1 AND stream = ?2 AND seq = ?3";
    let which = params![position.epoch.0.as_bytes(), stream as i64, position.seq];
    let kept: Option<Option<Vec<u8>>> = state
        .query_row(sql, which, |r| r.get(0))
        .optional()
        .doing(doing, file)?;
    match (kept, stream) {
        (None, _) => Ok(None),
        (Some(frame), Stream::Event) => Ok(frame),
        (Some(_), Stream::Data) => in_history(dir, position),
    }
}

fn in_history(dir: &Path, position: Position) -> Result<Option<Vec<u8>>, StoreError> {
    for path in newest_first(dir)? {
        let day = open_reader(&path)?;
        let read = || {
            let Some(id) = key(&day, position)? else {
                return Ok(None);
            };
            day.query_row("SELECT frame FROM batch WHERE id = ?1", params![id], |r| {
                r.get(0)
            })
            .optional()
        };
        if let Some(frame) = read().doing("read a batch", &path)? {
            return Ok(Some(frame));
        }
    }
    Ok(None)
}
