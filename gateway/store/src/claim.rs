//! What the link asks of the outbox, answered from disk. Owns fetching frames and what happens to
//! one that cannot be read: it is put aside, so it never blocks the ones behind it.

use crate::catalog::Place;
use crate::error::Doing;
use crate::intake::Urgent;
use crate::outbox::Occupancy;
use crate::readers::Reader;
use crate::shared::Shared;
use crate::state::StateTx;
use crate::{OutboxBatch, Position, StoreError};
use riser_model::Timestamp;
use riser_wire::Stream;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Batches of the newest epoch after a position.
pub(crate) fn after(
    reader: &mut Reader,
    stream: Stream,
    after: Position,
    max: usize,
) -> Result<Vec<OutboxBatch>, StoreError> {
    let head = *reader.shared.head(stream).borrow();
    let seq = if after.epoch == head.epoch {
        after.seq
    } else {
        0
    };
    let after = Position {
        epoch: head.epoch,
        seq,
    };
    if stream == Stream::Event {
        return events(reader, after, max);
    }
    let places = reader.shared.catalog().after(after, max);
    fetch(reader, &places)
}

/// Data that is not settled, newest hour first.
pub(crate) fn backfill(
    reader: &mut Reader,
    in_flight: &HashSet<Position>,
    below: Position,
    max: usize,
) -> Result<Vec<OutboxBatch>, StoreError> {
    let places = {
        let catalog = reader.shared.catalog();
        catalog.unsettled(&reader.shared.marks(), in_flight, below, max)
    };
    fetch(reader, &places)
}

fn events(
    reader: &mut Reader,
    after: Position,
    max: usize,
) -> Result<Vec<OutboxBatch>, StoreError> {
    let doing = "read events";
    let file = reader.state_file();
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let conn = reader.state()?;
    let mut query = conn
        .prepare_cached("SELECT seq, at, frame FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .doing(doing, &file)?;
    let rows = query
        .query_map(params![after.seq, limit], |r| {
            Ok(OutboxBatch {
                position: Position {
                    epoch: after.epoch,
                    seq: r.get(0)?,
                },
                stream: Stream::Event,
                frame: r.get::<_, Vec<u8>>(2)?.into(),
                samples: 0,
                at: Timestamp(r.get(1)?),
            })
        })
        .doing(doing, &file)?;
    rows.collect::<Result<_, _>>().doing(doing, &file)
}

/// Reads the frames at some places, file by file.
fn fetch(reader: &mut Reader, places: &[Place]) -> Result<Vec<OutboxBatch>, StoreError> {
    let mut found = Vec::with_capacity(places.len());
    for same_file in places.chunk_by(|a, b| a.name == b.name) {
        let Some(Place { name, path, .. }) = same_file.first() else {
            continue;
        };
        let fetched = crate::sqlite::open_reader(path).and_then(|conn| {
            let of = |place| fetch_one(&conn, path, place).map(|frame| (place, frame));
            same_file.iter().map(of).collect::<Result<Vec<_>, _>>()
        });
        match fetched {
            Ok(frames) => {
                for (place, frame) in frames {
                    found.extend(checked(&reader.shared, place, frame));
                }
            }
            Err(error) if error.is_damage() || !path.exists() => {
                tracing::warn!(
                    error = error.chain(),
                    "a day file is left out of the backlog"
                );
                let _ = reader
                    .shared
                    .intake
                    .urgent(Urgent::Damaged(name.clone(), error));
            }
            Err(_) if reader.shared.catalog().get(name).is_none() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn fetch_one(conn: &Connection, path: &Path, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
    let id = crate::scan::batch_id(place.no, place.position.seq);
    conn.prepare_cached("SELECT frame FROM batch WHERE id = ?1")
        .and_then(|mut q| q.query_row([id], |r| r.get(0)).optional())
        .doing("read a batch", path)
}

/// A frame that is what its place says. Anything else is put aside.
fn checked(shared: &Arc<Shared>, place: &Place, frame: Option<Vec<u8>>) -> Option<OutboxBatch> {
    let position = place.position;
    let reason = match frame.as_deref().map(riser_wire::peek) {
        Some(Ok(header)) if header.epoch == position.epoch && header.seq == position.seq => {
            return Some(OutboxBatch {
                position,
                stream: Stream::Data,
                frame: frame?.into(),
                samples: header.samples,
                at: header.first_at,
            });
        }
        Some(Ok(_)) => "it is another batch than its place says".to_owned(),
        Some(Err(error)) => error.to_string(),
        // It was durable in the meantime, and its day was compacted.
        None if shared.marks().covers(
            (position.epoch, Stream::Data),
            position.seq,
            position.seq,
        ) =>
        {
            return None;
        }
        None => "it is missing from its file".to_owned(),
    };
    tracing::warn!(epoch = %position.epoch, seq = position.seq, reason, "a stored batch is unusable");
    let task = Urgent::Task(Box::new(move |tx| {
        let result = tx.nested(|tx| refuse(tx, Stream::Data, position, &reason));
        Box::new(move |_| drop(result))
    }));
    if shared.intake.urgent(task).is_ok() {
        shared
            .marks()
            .settle((position.epoch, Stream::Data), position.seq, position.seq);
        crate::stats::count(&shared.counters.refused_batches, 1);
    }
    None
}

/// Records that a batch will never be accepted; false when that was known.
fn refuse(
    tx: &StateTx<'_>,
    stream: Stream,
    position: Position,
    reason: &str,
) -> Result<bool, StoreError> {
    let newest = stream == Stream::Event && position.epoch == tx.numbers.epoch;
    let added = tx.execute(
        "put a batch aside",
        "INSERT OR IGNORE INTO refused (epoch, stream, seq, at, reason, frame) \
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT frame FROM event WHERE seq = ?3 AND ?6))",
        params![
            position.epoch.0.as_bytes(),
            stream as i64,
            position.seq,
            tx.now().0,
            reason,
            newest
        ],
    )?;
    if newest {
        tx.execute(
            "put an event aside",
            "DELETE FROM event WHERE seq = ?1",
            [position.seq],
        )?;
    }
    Ok(added > 0)
}

/// Puts aside a batch the cloud refuses. It is queued at once, so that no confirmation that comes
/// later overtakes it.
pub(crate) fn quarantine(
    shared: &Arc<Shared>,
    stream: Stream,
    position: Position,
    reason: String,
) -> impl Future<Output = Result<(), StoreError>> + Send + 'static + use<> {
    let (done, answer) = oneshot::channel();
    let task = Urgent::Task(Box::new(move |tx| {
        let result = tx.nested(|tx| refuse(tx, stream, position, &reason));
        Box::new(move |committed| drop(done.send(committed.and(result))))
    }));
    let queued = shared.intake.urgent(task);
    let shared = Arc::clone(shared);
    async move {
        queued?;
        let added = answer.await.unwrap_or(Err(StoreError::Closed))?;
        let numbering = (position.epoch, stream);
        shared.marks().settle(numbering, position.seq, position.seq);
        // Not by whether it was settled here: the cloud's word that it is may have come first.
        if added {
            crate::stats::count(&shared.counters.refused_batches, 1);
        }
        Ok(())
    }
}

/// How much waits.
pub(crate) fn occupancy(shared: &Shared) -> Occupancy {
    let head = *shared.head(Stream::Event).borrow();
    let numbering = (head.epoch, Stream::Event);
    // What waits for the time does not wait for the cloud.
    let gate = shared.event_gate.load(std::sync::atomic::Ordering::Acquire);
    let last = head.seq.min(gate);
    let (mut sum, oldest, events, first_event) = {
        let catalog = shared.catalog();
        let marks = shared.marks();
        let (sum, oldest) = catalog.occupancy(&marks);
        let first = marks.of(numbering).and_then(|s| s.gaps(1, last).next());
        (sum, oldest, marks.missing(numbering, 1, last), first)
    };
    sum.batches += events;
    let mut recent = shared.recent();
    // The exact time where the batch is still in memory, as it is unless the link is far behind.
    let data = oldest.map(|o| recent.at(Stream::Data, o.position).unwrap_or(o.about));
    let event = first_event.and_then(|(seq, _)| {
        recent.at(
            Stream::Event,
            Position {
                epoch: head.epoch,
                seq,
            },
        )
    });
    sum.oldest_at = data.into_iter().chain(event).min();
    sum.put_aside = shared
        .counters
        .refused_batches
        .load(std::sync::atomic::Ordering::Relaxed);
    sum
}
