//! One batch going into the SQLite inbox. Owns the order of the steps inside its transaction:
//! duplicate? → the frame itself → what it means → what is settled; and the news after it.

use super::commands::{self, Place};
use super::directory::{self, Directories};
use super::inbox::{EpochState, Inbox};
use super::log::{Batch, Committed, Content};
use super::text::signed;
use super::writer::{Job, guarded};
use super::{
    CloudEvent, DbError, Figures, GatewayChange, Origin, ValueBatch, ValueLane, alarms, audit,
    durable, latest, ledger,
};
use riser_model::{Event, Timestamp};
use riser_wire::Epoch;
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{broadcast, oneshot};

/// What an append needs of the database beside the connection.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) events: broadcast::Sender<CloudEvent>,
    pub(super) directories: Arc<Directories>,
    pub(super) figures: Arc<Figures>,
}

/// An append as a job of the writer.
pub(super) struct Append {
    batch: Option<Batch>,
    parts: Parts,
    outcome: Option<Result<Committed, DbError>>,
    news: Option<CloudEvent>,
    /// The directory as applied, for values that are never stored.
    paths: Option<(Epoch, Arc<super::SlotPaths>)>,
    origin: Arc<Origin>,
    size: (u64, u64),
    reply: oneshot::Sender<Result<Committed, DbError>>,
}

impl Append {
    pub(super) fn new(
        batch: Batch,
        parts: Parts,
        reply: oneshot::Sender<Result<Committed, DbError>>,
    ) -> Self {
        let size = (u64::from(batch.header.samples), batch.frame.len() as u64);
        Self {
            origin: Arc::clone(&batch.origin),
            batch: Some(batch),
            parts,
            outcome: None,
            news: None,
            paths: None,
            size,
            reply,
        }
    }

    fn apply(&mut self, c: &Connection, inbox: &mut Inbox) -> Result<Committed, DbError> {
        let Some(batch) = self.batch.take() else {
            return Err(DbError::Closed);
        };
        let header = batch.header;
        let state = inbox.epoch(c, &batch.origin, header.epoch, batch.received_at)?;
        let known = state.settled(header.stream).contains(header.seq);
        if known || !insert(c, state.row, &batch)? {
            let durable =
                state
                    .settled(header.stream)
                    .tell(header.epoch, header.stream, Some(header.seq));
            return Ok(Committed {
                fresh: false,
                durable,
            });
        }
        let place = Place {
            epoch: state.row,
            seq: header.seq,
        };
        match batch.content {
            Content::Data(samples) => {
                latest::apply(c, state, &samples, place)?;
                widen(c, state, header.last_at.since(header.first_at))?;
                if self.parts.events.receiver_count() > 0 {
                    let values = ValueBatch::samples(Arc::clone(&state.paths), samples);
                    self.news = Some(CloudEvent::Values {
                        origin: Arc::clone(&batch.origin),
                        lane: ValueLane::Stored,
                        batch: Arc::new(values),
                    });
                }
            }
            Content::Event(event) => {
                let told = (place, header.epoch, batch.received_at);
                self.event(c, state, event, told)?;
            }
        }
        let settled = state.settled(header.stream);
        if !settled.insert(header.seq) {
            return Err(DbError::Limit(too_many_gaps(&batch.origin)));
        }
        let durable = settled.tell(header.epoch, header.stream, Some(header.seq));
        let settled = settled.clone();
        durable::save(c, state.row, header.stream, &settled)?;
        c.prepare_cached("UPDATE gateway SET last_seen = ?2 WHERE row = ?1")?
            .execute([state.gateway, batch.received_at.0])?;
        Ok(Committed {
            fresh: true,
            durable,
        })
    }

    fn event(
        &mut self,
        c: &Connection,
        state: &mut EpochState,
        event: Event,
        (place, epoch, now): (Place, Epoch, Timestamp),
    ) -> Result<(), DbError> {
        let origin = Arc::clone(&self.origin);
        self.news = match event {
            Event::Directory(points) => {
                directory::apply(c, state, &points)?;
                self.paths = Some((epoch, Arc::clone(&state.paths)));
                Some(CloudEvent::Gateway {
                    origin,
                    change: GatewayChange::Directory,
                })
            }
            Event::Alarm(alarm) => {
                alarms::alarm_event(c, state.gateway, &alarm, place)?.then(|| CloudEvent::Alarm {
                    origin,
                    alarm: Arc::new(alarm),
                })
            }
            Event::Command(command) => {
                commands::command_event(c, state.gateway, &command)?.map(|record| {
                    CloudEvent::Command {
                        origin,
                        record: Arc::new(record),
                    }
                })
            }
            Event::Outcome(outcome) => commands::outcome_event(c, state.gateway, &outcome, place)?
                .map(|record| CloudEvent::Command {
                    origin,
                    record: Arc::new(record),
                }),
            Event::Loss {
                lane,
                samples,
                reason,
                ..
            } => {
                tracing::warn!(%origin, lane, samples, reason, "the gateway had to drop samples");
                c.prepare_cached(
                    "UPDATE gateway SET lost_samples = lost_samples + ?2 WHERE row = ?1",
                )?
                .execute([state.gateway, signed(samples)])?;
                Some(CloudEvent::Gateway {
                    origin,
                    change: GatewayChange::Heartbeat,
                })
            }
            Event::Ledger(report) => {
                ledger::ledger_event(c, state.gateway, &report, place)?;
                None
            }
            Event::Audit(entry) => {
                audit::audit_event(c, state.gateway, &entry, now)?.map(|alarm| CloudEvent::Alarm {
                    origin,
                    alarm: Arc::new(alarm),
                })
            }
        };
        Ok(())
    }

    fn after_commit(&mut self, fresh: bool) {
        let figures = &self.parts.figures;
        if !fresh {
            figures.duplicates.fetch_add(1, Ordering::Relaxed);
            return;
        }
        figures.batches.fetch_add(1, Ordering::Relaxed);
        figures.samples.fetch_add(self.size.0, Ordering::Relaxed);
        figures.bytes.fetch_add(self.size.1, Ordering::Relaxed);
        if let Some((epoch, paths)) = self.paths.take() {
            self.parts.directories.set(&self.origin, epoch, paths);
        }
        if let Some(news) = self.news.take() {
            // Without a listener there is nobody to tell.
            let _ = self.parts.events.send(news);
        }
    }
}

impl Job for Append {
    fn run(&mut self, connection: &Connection, inbox: &mut Inbox) -> bool {
        let outcome = guarded(|| self.apply(connection, inbox));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn tell(mut self: Box<Self>, failure: Option<&DbError>) {
        let outcome = match (self.outcome.take(), failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure.clone()),
            (Some(Ok(committed)), None) => {
                self.after_commit(committed.fresh);
                Ok(committed)
            }
            (None, None) => Err(DbError::Closed),
        };
        // The session may be gone; the batch is stored all the same.
        let _ = self.reply.send(outcome);
    }
}

/// What a gateway is told whose stream has too many holes.
pub(super) fn too_many_gaps(origin: &Origin) -> String {
    format!(
        "{origin} has left too many holes in its numbering (more than {}); send the missing \
         batches first",
        durable::GAPS_MAX
    )
}

/// False when the unique key says the batch is there already.
fn insert(c: &Connection, epoch: i64, batch: &Batch) -> Result<bool, DbError> {
    let header = &batch.header;
    let changed = c
        .prepare_cached(
            "INSERT INTO batch (epoch, stream, seq, first_at, last_at, samples, dictionary, received_at, frame)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            epoch,
            header.stream as i64,
            signed(header.seq),
            header.first_at.0,
            header.last_at.0,
            header.samples,
            header.dictionary,
            batch.received_at.0,
            &batch.frame[..]
        ])
        .map_err(DbError::sqlite("store a batch"))?;
    Ok(changed > 0)
}

/// Keeps the longest span up to date that a search in time must look back.
fn widen(c: &Connection, state: &mut EpochState, span_ms: i64) -> Result<(), DbError> {
    if span_ms <= state.longest_ms {
        return Ok(());
    }
    c.prepare_cached("UPDATE epoch SET longest_ms = ?2 WHERE row = ?1")?
        .execute([state.row, span_ms])?;
    state.longest_ms = span_ms;
    Ok(())
}
