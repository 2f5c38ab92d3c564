//! One write: the value at its level, then what the device shows, and who holds it if that is another
//! value. Owns the words of the outcome.

use crate::client::RequestError;
use crate::codec::service::property::{Reference, Write, single};
use crate::codec::{Datum, PropertyId};
use crate::mapping::{self, has_levels};
use crate::poll::Peer;
use riser_adapter::{AdapterCommand, WriteResult};
use riser_model::{Value, ValueKind};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// First wait between two looks at a written value; it doubles.
const LOOK_FIRST: Duration = Duration::from_millis(30);
const LOOK_MOST: Duration = Duration::from_millis(400);

/// What is to be written to a point.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) at: usize,
    reference: Reference,
    kind: ValueKind,
    /// What is to be seen; Null gives the level back.
    wanted: Datum,
    level: Option<u8>,
    /// Levels to be given back beside it.
    released: Vec<u8>,
    settle: Duration,
    pub(crate) reply: oneshot::Sender<WriteResult>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) at: usize,
    pub(crate) result: WriteResult,
    pub(crate) read: Option<Vec<u8>>,
    pub(crate) reply: oneshot::Sender<WriteResult>,
    pub(crate) silent: bool,
}

/// The point of a command, as far as writing goes.
pub(crate) struct Target<'a> {
    pub(crate) at: usize,
    pub(crate) point: &'a riser_model::Point,
    pub(crate) reference: Reference,
    pub(crate) last: Option<&'a Datum>,
    pub(crate) settle: Duration,
}

impl Order {
    /// Checks a command and makes an order of it, or answers it. `None` when it was answered.
    pub(crate) fn new(command: AdapterCommand, target: &Target<'_>) -> Option<Self> {
        match aim(&command, target) {
            Ok((wanted, level)) => {
                let released = command.released.iter().map(|level| level.level());
                Some(Self {
                    at: target.at,
                    reference: target.reference,
                    kind: target.point.kind,
                    wanted,
                    level,
                    released: released
                        .filter(|gone| level.is_some_and(|level| level != *gone))
                        .collect(),
                    settle: target.settle,
                    reply: command.reply,
                })
            }
            Err(why) => {
                let _gone = command.reply.send(WriteResult::Refused(why));
                None
            }
        }
    }

    /// Everything that has to be written. A value goes first, so that nothing shows in between.
    pub(super) fn writes(&self) -> Vec<Write> {
        let write = |value: &Datum, priority| Write {
            reference: self.reference,
            value: value.encoded(),
            priority,
        };
        let released = self.released.iter();
        std::iter::once(write(&self.wanted, self.level))
            .chain(released.map(|level| write(&Datum::Null, Some(*level))))
            .collect()
    }

    /// Sends it by itself.
    ///
    /// # Errors
    /// What the device says against it, or its silence.
    pub(super) async fn send(&self, peer: &Peer) -> Result<(), RequestError> {
        let mut doubt = Ok(());
        for (nth, write) in self.writes().iter().enumerate() {
            match peer.write(write).await {
                Ok(()) => {}
                Err(error) if error.is_silence() => doubt = Err(error),
                Err(error) if nth == 0 => return Err(error),
                // An object without levels has none to give back.
                Err(error) => {
                    tracing::debug!(%error, reference = %self.reference, "giving a level back");
                }
            }
        }
        doubt
    }

    /// Looks at what the device shows of what was sent.
    pub(super) async fn confirm(self, peer: &Peer, sent: Result<(), RequestError>) -> Written {
        match sent {
            Ok(()) => self.look(peer).await,
            Err(error) if error.is_silence() => self.settle_doubt(peer, error).await,
            Err(RequestError::Refused(refusal)) => {
                let text = format!("writing {}: {refusal}", self.reference);
                self.end(WriteResult::Refused(text), None, false)
            }
            Err(error) => {
                let text = format!("writing {}: {error}", self.reference);
                self.end(WriteResult::Failed(text), None, false)
            }
        }
    }

    /// The device fell silent before it could be looked at.
    pub(super) fn fail(self, error: &RequestError) {
        let text = format!("writing {}: {error}", self.reference);
        let _gone = self.reply.send(WriteResult::Failed(text));
    }

    fn end(self, result: WriteResult, read: Option<Vec<u8>>, silent: bool) -> Written {
        Written {
            at: self.at,
            result,
            read,
            reply: self.reply,
            silent,
        }
    }

    fn value(&self, octets: &[u8]) -> Option<Value> {
        let datum = single(octets).ok()?;
        mapping::value_of(self.kind, &datum).ok()
    }

    /// No answer to the write: what the device shows is the only way to know.
    async fn settle_doubt(self, peer: &Peer, error: RequestError) -> Written {
        let text = format!("writing {}: {error}", self.reference);
        match peer.read(&self.reference).await {
            Ok(octets) => {
                let shown = single(&octets).is_ok_and(|read| mapping::shows(&self.wanted, &read));
                let result = match shown {
                    true => WriteResult::Applied(self.value(&octets)),
                    false => WriteResult::Failed(text),
                };
                self.end(result, Some(octets), false)
            }
            Err(again) => {
                let silent = again.is_silence();
                self.end(WriteResult::Failed(text), None, silent)
            }
        }
    }

    /// Looks until the value shows, or its time is over.
    async fn look(self, peer: &Peer) -> Written {
        let until = Instant::now() + self.settle;
        let mut pause = LOOK_FIRST;
        loop {
            let octets = match peer.read(&self.reference).await {
                Ok(octets) => octets,
                Err(error) => {
                    let text = format!("written, but not confirmed: {error}");
                    let silent = error.is_silence();
                    return self.end(WriteResult::Failed(text), None, silent);
                }
            };
            let read = single(&octets);
            let shows = read.is_ok_and(|read| mapping::shows(&self.wanted, &read));
            if shows {
                let value = self.value(&octets);
                return self.end(WriteResult::Applied(value), Some(octets), false);
            }
            // A released level has no value of its own to wait for.
            if self.wanted == Datum::Null || Instant::now() >= until {
                let result = self.judge(peer, &octets).await;
                return self.end(result, Some(octets), false);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MOST);
        }
    }

    /// Another value shows: the priority array says why.
    async fn judge(&self, peer: &Peer, octets: &[u8]) -> WriteResult {
        let priority = self.level;
        let read_back = self.value(octets);
        let shown = read_back
            .as_ref()
            .map_or("no value".to_owned(), Value::to_string);
        let held = match priority {
            Some(_) => self.levels(peer).await,
            None => None,
        };
        let own = |level: u8| held.as_ref().and_then(|h| h.get(usize::from(level) - 1));
        let winner = held.as_ref().and_then(|levels| {
            let held = |level: &Datum| *level != Datum::Null;
            (1_u8..).zip(levels).find(|(_, level)| held(level))
        });
        if self.wanted == Datum::Null {
            let still = priority
                .and_then(own)
                .is_some_and(|level| *level != Datum::Null);
            return match (still, priority) {
                (true, Some(level)) => WriteResult::NotEffective {
                    read_back,
                    detail: format!(
                        "the device took the release of level {level} and still holds a value there; its own program writes it"
                    ),
                },
                _ => WriteResult::Applied(read_back),
            };
        }
        let detail = match (winner, priority) {
            (Some((level, value)), Some(ours)) if level < ours => format!(
                "accepted, not effective: level {level} holds {}; release that level, or write at a higher one",
                mapping::text(value)
            ),
            (Some((level, _)), Some(ours)) if level == ours => format!(
                "level {level} holds the value, and the device shows {shown}: it may be out of service, or a limit in it holds"
            ),
            (_, Some(ours)) if held.is_some() => format!(
                "the device took the value and holds nothing at level {ours}; its own program may have taken it back, and it shows {shown}"
            ),
            _ => format!(
                "the device took the value and shows {shown}: its own program, another client or a limit in it holds the value"
            ),
        };
        WriteResult::NotEffective { read_back, detail }
    }

    async fn levels(&self, peer: &Peer) -> Option<Vec<Datum>> {
        let array = Reference {
            property: PropertyId::PRIORITY_ARRAY,
            ..self.reference
        };
        let octets = peer.read(&array).await.ok()?;
        let levels: Vec<Datum> = Datum::decode_all(&octets).ok()?;
        (levels.len() == 16).then_some(levels)
    }
}

/// What is to be seen after a command, and the level it is written at.
fn aim(command: &AdapterCommand, target: &Target<'_>) -> Result<(Datum, Option<u8>), String> {
    let path = &target.point.path;
    let levels = has_levels(&target.reference);
    if !target.point.access.writable() {
        return Err(format!("{path} is read-only"));
    }
    let Some(value) = &command.value else {
        let level = command
            .released
            .first()
            .unwrap_or(&command.command.priority);
        return match levels {
            true => Ok((Datum::Null, Some(level.level()))),
            false => Err(format!(
                "{path}: {} has no levels; there is nothing to release it to",
                target.reference
            )),
        };
    };
    target.point.check_write(value)?;
    let datum = mapping::datum_of(value, &target.reference, target.last);
    let datum = datum.map_err(|why| format!("{path}: {why}"))?;
    let level = command.winner.unwrap_or(command.command.priority);
    Ok((datum, levels.then_some(level.level())))
}
