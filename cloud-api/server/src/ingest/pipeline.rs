//! What a message from a gateway leads to, whichever way it came. Owns decoding, the decision
//! between storing and quarantine, and the answer; the endpoint and the broker client only carry.

use super::figures::Figures;
use super::reason::Reason;
use crate::clock::Clock;
use crate::db::{
    Batch, CloudEvent, CommitLog, Content, Db, DbError, Origin, Poison, Rollup, SLOT_MAX,
    ValueBatch, ValueLane,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use riser_model::{Event, chain};
use riser_wire::topic::UpTopic;
use riser_wire::{
    BatchHeader, Down, Durable, Epoch, Stream, Up, WireError, decode_data, decode_event, peek,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Most samples of one frame taken here. Gateways keep to a sixteenth of it; a frame of well
/// compressed nothing must not become a gigabyte in a service that others use too.
const SAMPLES_MAX: usize = 16 * riser_wire::limits::SOFT_SAMPLES;

/// What a gateway is to be answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Why the message was not taken; it may be sent again.
    pub(super) refused: Option<Reason>,
    /// To be sent before anything else.
    pub(super) first: Vec<Down>,
    /// What is settled now.
    pub(super) durable: Vec<Durable>,
    /// Whether that should be told at once.
    pub(super) urgent: bool,
    /// The gateway has introduced itself with this epoch.
    pub(super) epoch: Option<Epoch>,
}

impl Answer {
    fn refused(code: u8, text: String) -> Self {
        Self {
            refused: Some(Reason::new(code, text)),
            ..Self::default()
        }
    }
}

/// Resolves when it is known what became of a message.
pub(super) type Settle = BoxFuture<'static, Answer>;

/// The way from a message to the database and back. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pipeline {
    pub(super) db: Db,
    pub(super) log: Arc<dyn CommitLog>,
    pub(super) clock: Clock,
    pub(super) figures: Arc<Figures>,
}

impl Pipeline {
    /// Takes a message. Returns when it has its place in the commit queue, so calling this in
    /// order of arrival keeps that order; waits when the queue is full.
    pub(super) async fn take(
        &self,
        origin: &Arc<Origin>,
        epoch: Option<Epoch>,
        lane: UpTopic,
        payload: Bytes,
    ) -> Settle {
        match lane {
            UpTopic::Data => self.batch(origin, Stream::Data, payload).await,
            UpTopic::Event => self.batch(origin, Stream::Event, payload).await,
            UpTopic::Rollup => self.rollup(origin, payload),
            UpTopic::Watch | UpTopic::Hello | UpTopic::Heartbeat => {
                match Up::decode(lane, &payload) {
                    Ok(up) => self.message(origin, epoch, up),
                    Err(error) => unreadable(lane.level(), &error),
                }
            }
        }
    }

    fn message(&self, origin: &Arc<Origin>, epoch: Option<Epoch>, up: Up) -> Settle {
        let (db, origin, now) = (self.db.clone(), Arc::clone(origin), self.clock.now());
        match up {
            Up::Watch(scans) => {
                let values = scans.iter().map(|s| s.readings.len() as u64).sum();
                let paths = epoch.and_then(|epoch| db.paths(&origin, epoch));
                let Some(paths) = paths else {
                    // Before its hello nobody knows what its slots mean.
                    self.figures
                        .watch_dropped
                        .fetch_add(values, Ordering::Relaxed);
                    return ready(Answer::default()).boxed();
                };
                self.figures
                    .watch_values
                    .fetch_add(values, Ordering::Relaxed);
                let batch = Arc::new(ValueBatch::scans(paths, scans));
                db.announce(CloudEvent::Values {
                    origin,
                    lane: ValueLane::Watch,
                    batch,
                });
                ready(Answer::default()).boxed()
            }
            Up::Heartbeat(beat) => async move {
                match db.gateway_heartbeat(&origin, beat, now).await {
                    Ok(()) => Answer {
                        first: vec![Down::Heartbeat { nonce: beat.nonce }],
                        ..Answer::default()
                    },
                    Err(error) => failed("heartbeat", &error),
                }
            }
            .boxed(),
            Up::Hello(hello) => async move {
                let (epoch, rollups) = (hello.epoch, hello.rollups);
                let greeted = greet(&db, &origin, (epoch, rollups), async {
                    db.gateway_hello(&origin, hello, now).await
                });
                greeted
                    .await
                    .unwrap_or_else(|error| failed("hello", &error))
            }
            .boxed(),
            Up::Batch(_) | Up::Rollup(_) => unreadable(
                "hello",
                &WireError::Malformed("a frame does not belong on this topic"),
            ),
        }
    }

    async fn batch(&self, origin: &Arc<Origin>, stream: Stream, frame: Bytes) -> Settle {
        let (header, content) = match decode(stream, &frame) {
            Ok(decoded) => decoded,
            Err((header, error)) => return self.poison(origin, header, frame, &error),
        };
        let batch = Batch {
            origin: Arc::clone(origin),
            header,
            frame,
            content,
            received_at: self.clock.now(),
        };
        let commit = match self.log.append(batch).await {
            Ok(commit) => commit,
            Err(error) => return ready(failed("batch", &error)).boxed(),
        };
        let urgent = stream == Stream::Event;
        async move {
            match commit.await {
                Ok(done) => Answer {
                    durable: vec![done.durable],
                    urgent,
                    ..Answer::default()
                },
                Err(error) => failed("batch", &error),
            }
        }
        .boxed()
    }

    /// A rollup. One that cannot be read is not kept aside: its batches are the record, and come.
    fn rollup(&self, origin: &Arc<Origin>, frame: Bytes) -> Settle {
        let rollup = match Rollup::decode(frame) {
            Ok(rollup) => rollup,
            Err(error) => return unreadable("rollup", &error),
        };
        let (db, origin, now) = (self.db.clone(), Arc::clone(origin), self.clock.now());
        async move {
            match db.rollup(&origin, rollup, now).await {
                Ok(minutes) => Answer {
                    first: minutes
                        .map(|m| Down::RolledUp(vec![m]))
                        .into_iter()
                        .collect(),
                    ..Answer::default()
                },
                Err(error) => failed("rollup", &error),
            }
        }
        .boxed()
    }

    fn poison(
        &self,
        origin: &Arc<Origin>,
        header: Option<BatchHeader>,
        frame: Bytes,
        error: &dyn std::error::Error,
    ) -> Settle {
        let reason = chain(error);
        let (db, origin, now) = (self.db.clone(), Arc::clone(origin), self.clock.now());
        let seq = header.map(|h| h.seq);
        tracing::warn!(
            %origin, ?seq, octets = frame.len(), reason,
            "a frame cannot be used and goes into quarantine; the rest of its stream flows on"
        );
        async move {
            let poison = Poison {
                header,
                frame,
                reason: reason.clone(),
            };
            match (db.quarantine(&origin, poison, now).await, header) {
                (Err(error), _) => failed("frame for quarantine", &error),
                (Ok(_), None) => Answer::refused(
                    Reason::PAYLOAD,
                    format!("the frame cannot be read and was put aside: {reason}"),
                ),
                (
                    Ok(durable),
                    Some(BatchHeader {
                        epoch, stream, seq, ..
                    }),
                ) => Answer {
                    first: vec![Down::Rejected {
                        epoch,
                        stream,
                        seq,
                        reason,
                    }],
                    durable: durable.into_iter().collect(),
                    urgent: true,
                    ..Answer::default()
                },
            }
        }
        .boxed()
    }
}

/// What a gateway hears after its hello: what is in quarantine, then what is durable.
async fn greet(
    db: &Db,
    origin: &Arc<Origin>,
    (epoch, rollups): (Epoch, bool),
    enter: impl Future<Output = Result<(), DbError>>,
) -> Result<Answer, DbError> {
    enter.await?;
    db.load_paths(origin, epoch).await?;
    let notes = db.quarantined(origin, epoch).await?;
    let rejected = notes.into_iter().map(|note| Down::Rejected {
        epoch,
        stream: note.stream,
        seq: note.seq,
        reason: note.reason,
    });
    let mut first: Vec<Down> = rejected.collect();
    if rollups {
        // Also where there is none: it tells the gateway that this service takes them.
        first.push(Down::RolledUp(db.rolled_up(origin).await?));
    }
    Ok(Answer {
        first,
        durable: db.durable(origin, epoch).await?,
        urgent: true,
        epoch: Some(epoch),
        refused: None,
    })
}

type Undecodable = (Option<BatchHeader>, WireError);

/// Decodes a frame whole. On failure the header is answered where it can be trusted.
fn decode(stream: Stream, frame: &[u8]) -> Result<(BatchHeader, Content), Undecodable> {
    let header = peek(frame).map_err(|error| (None, error))?;
    if header.stream != stream {
        return Err((
            None,
            WireError::Malformed("the frame belongs to the other stream"),
        ));
    }
    if header.seq == 0 || i64::try_from(header.seq).is_err() {
        return Err((
            None,
            WireError::Malformed("sequence numbers are from 1 to 2^63 - 1"),
        ));
    }
    if header.samples as usize > SAMPLES_MAX {
        let error = WireError::Malformed("a frame holds at most 65,536 samples; send smaller ones");
        return Err((Some(header), error));
    }
    let content = match stream {
        Stream::Data => decode_data(frame).map(|(_, samples)| Content::Data(samples)),
        Stream::Event => decode_event(frame).and_then(|(_, event)| check(event)),
    };
    content
        .map(|content| (header, content))
        .map_err(|error| (Some(header), error))
}

fn check(event: Event) -> Result<Content, WireError> {
    if let Event::Directory(directory) = &event
        && directory
            .points
            .iter()
            .any(|(slot, _)| slot.index() >= SLOT_MAX)
    {
        return Err(WireError::Malformed(
            "a slot of the directory is 1,000,000 or more",
        ));
    }
    Ok(Content::Event(event))
}

fn unreadable(what: &str, error: &WireError) -> Settle {
    let text = format!("the {what} message cannot be read: {}", chain(error));
    ready(Answer::refused(Reason::PAYLOAD, text)).boxed()
}

fn failed(what: &str, error: &DbError) -> Answer {
    // Only the last one says that nothing of anybody can be stored.
    let code = match error {
        DbError::Limit(_) => Reason::QUOTA,
        DbError::Stored { .. } | DbError::Panicked(_) => Reason::IMPLEMENTATION,
        DbError::Sqlite { .. } | DbError::File { .. } | DbError::Closed => Reason::UNSPECIFIED,
    };
    Answer::refused(
        code,
        format!("the {what} was not stored: {error}; send it again later"),
    )
}
