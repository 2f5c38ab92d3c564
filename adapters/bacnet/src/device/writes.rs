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
/// The level for a value whose own level is not told.
const LOWEST: u8 = 16;

/// What is to be written to a point.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) at: usize,
    reference: Reference,
    kind: ValueKind,
    /// In order; the last says what is to be seen.
    steps: Vec<(Datum, Option<u8>)>,
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
        match steps(&command, target) {
            Ok(steps) => Some(Self {
                at: target.at,
                reference: target.reference,
                kind: target.point.kind,
                steps,
                settle: target.settle,
                reply: command.reply,
            }),
            Err(why) => {
                let _gone = command.reply.send(WriteResult::Refused(why));
                None
            }
        }
    }

    /// Carries it out.
    pub(crate) async fn carry_out(self, peer: Peer) -> Written {
        let mut doubt = None;
        for (value, priority) in &self.steps {
            let write = Write {
                reference: self.reference,
                value: value.encoded(),
                priority: *priority,
            };
            match peer.write(&write).await {
                Ok(()) => {}
                Err(error) if error.is_silence() => doubt = Some(error),
                Err(RequestError::Refused(refusal)) => {
                    let text = format!("writing {}: {refusal}", self.reference);
                    return self.end(WriteResult::Refused(text), None, false);
                }
                Err(error) => {
                    let text = format!("writing {}: {error}", self.reference);
                    return self.end(WriteResult::Failed(text), None, false);
                }
            }
        }
        let Some((wanted, priority)) = self.steps.last().cloned() else {
            return self.end(WriteResult::Applied(None), None, false);
        };
        match doubt {
            Some(error) => self.settle_doubt(&peer, &wanted, error).await,
            None => self.look(&peer, &wanted, priority).await,
        }
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
    async fn settle_doubt(self, peer: &Peer, wanted: &Datum, error: RequestError) -> Written {
        let text = format!("writing {}: {error}", self.reference);
        match peer.read(&self.reference).await {
            Ok(octets) => {
                let shown = single(&octets).is_ok_and(|read| mapping::shows(wanted, &read));
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
    async fn look(self, peer: &Peer, wanted: &Datum, priority: Option<u8>) -> Written {
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
            let shows = read.as_ref().is_ok_and(|read| mapping::shows(wanted, read));
            if shows {
                let value = self.value(&octets);
                return self.end(WriteResult::Applied(value), Some(octets), false);
            }
            // A released level has no value of its own to wait for.
            if *wanted == Datum::Null || Instant::now() >= until {
                let result = self.judge(peer, wanted, priority, &octets).await;
                return self.end(result, Some(octets), false);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MOST);
        }
    }

    /// Another value shows: the priority array says why.
    async fn judge(
        &self,
        peer: &Peer,
        wanted: &Datum,
        priority: Option<u8>,
        octets: &[u8],
    ) -> WriteResult {
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
        if *wanted == Datum::Null {
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

/// What has to be written for a command.
fn steps(
    command: &AdapterCommand,
    target: &Target<'_>,
) -> Result<Vec<(Datum, Option<u8>)>, String> {
    let path = &target.point.path;
    let levels = has_levels(&target.reference);
    let level = command.command.priority.level();
    let at = levels.then_some(level);
    if !target.point.access.writable() {
        return Err(format!("{path} is read-only"));
    }
    let Some(value) = &command.value else {
        return match levels {
            true => Ok(vec![(Datum::Null, at)]),
            false => Err(format!(
                "{path}: {} has no levels; there is nothing to release it to",
                target.reference
            )),
        };
    };
    target.point.check_write(value)?;
    let datum = mapping::datum_of(value, &target.reference, target.last);
    let datum = datum.map_err(|why| format!("{path}: {why}"))?;
    if command.command.value.is_none() && levels {
        // A level was given back, and another value of this gateway wins. Its own level is not told.
        return Ok(vec![(Datum::Null, at), (datum, Some(LOWEST))]);
    }
    Ok(vec![(datum, at)])
}
