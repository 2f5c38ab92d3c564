//! Requests on the wire and who waits for them. Owns invoke ids: unique for each peer, and not given
//! out again until every other has been used, so that a late answer meets nobody.

use super::address::Address;
use super::assembly::{Assembly, Step};
use crate::codec::service::Refusal;
use crate::codec::{Apdu, Segment};
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// What came for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// Done, with this.
    Octets(Vec<u8>),
    /// Not done.
    Refused(Refusal),
}

/// An acknowledgement of parts of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartsAcknowledged {
    pub(crate) number: u8,
    pub(crate) window: u8,
}

struct Pending {
    service: u8,
    answer: oneshot::Sender<Answer>,
    parts: Option<mpsc::Sender<PartsAcknowledged>>,
    assembly: Option<Assembly>,
    heard: Instant,
}

#[derive(Default)]
pub(crate) struct Table {
    pending: FxHashMap<(Address, u8), Pending>,
    next: FxHashMap<Address, u8>,
    busy: Duration,
    busy_since: Option<Instant>,
}

/// What has to be sent because of what came.
pub(crate) enum Reaction {
    /// Nothing.
    Nothing,
    /// This belongs to no request.
    Stray,
    /// An acknowledgement of parts.
    SegmentAck {
        negative: bool,
        number: u8,
        window: u8,
    },
    /// The exchange is given up.
    Abort,
}

impl Table {
    /// Registers a request; `None` when 256 are on the wire to this peer.
    pub(crate) fn begin(
        &mut self,
        to: &Address,
        service: u8,
        parts: Option<mpsc::Sender<PartsAcknowledged>>,
    ) -> Option<(u8, oneshot::Receiver<Answer>)> {
        let start = match self.next.get(to) {
            Some(next) => *next,
            // Not where the process before began: its answers may still be under way.
            None => rand::random(),
        };
        let invoke = (0..=u8::MAX)
            .map(|step| start.wrapping_add(step))
            .find(|id| !self.pending.contains_key(&(to.clone(), *id)))?;
        self.next.insert(to.clone(), invoke.wrapping_add(1));
        let (answer, waiter) = oneshot::channel();
        let now = Instant::now();
        if self.pending.is_empty() {
            self.busy_since = Some(now);
        }
        let pending = Pending {
            service,
            answer,
            parts,
            assembly: None,
            heard: now,
        };
        self.pending.insert((to.clone(), invoke), pending);
        Some((invoke, waiter))
    }

    /// Nobody waits any more. True when an answer was coming in parts, which has to be aborted.
    pub(crate) fn end(&mut self, to: &Address, invoke: u8) -> bool {
        let ended = self.pending.remove(&(to.clone(), invoke));
        self.settle();
        ended.is_some_and(|p| p.assembly.is_some())
    }

    fn settle(&mut self) {
        if self.pending.is_empty()
            && let Some(since) = self.busy_since.take()
        {
            self.busy += since.elapsed();
        }
    }

    /// When something last came for a request.
    pub(crate) fn heard(&self, to: &Address, invoke: u8) -> Option<Instant> {
        self.pending.get(&(to.clone(), invoke)).map(|p| p.heard)
    }

    /// How long requests were on the wire since this was last asked.
    pub(crate) fn take_busy(&mut self) -> Duration {
        if let Some(since) = &mut self.busy_since {
            let now = Instant::now();
            self.busy += now.saturating_duration_since(*since);
            *since = now;
        }
        std::mem::take(&mut self.busy)
    }

    /// Takes an APDU that answers something.
    pub(crate) fn answer(&mut self, from: &Address, apdu: &Apdu<'_>) -> Reaction {
        let (invoke, service) = match *apdu {
            Apdu::SimpleAck { invoke, service }
            | Apdu::ComplexAck {
                invoke, service, ..
            }
            | Apdu::Error {
                invoke, service, ..
            } => (invoke, Some(service)),
            Apdu::Reject { invoke, .. }
            | Apdu::Abort { invoke, .. }
            | Apdu::SegmentAck { invoke, .. } => (invoke, None),
            Apdu::Confirmed { .. } | Apdu::Unconfirmed { .. } => return Reaction::Nothing,
        };
        let key = (from.clone(), invoke);
        let Some(pending) = self.pending.get_mut(&key) else {
            return Reaction::Stray;
        };
        if service.is_some_and(|s| s != pending.service) {
            return Reaction::Stray;
        }
        pending.heard = Instant::now();
        let answer = match *apdu {
            Apdu::SimpleAck { .. } => Answer::Done,
            Apdu::ComplexAck {
                segment: None,
                body,
                ..
            } => Answer::Octets(body.to_vec()),
            Apdu::ComplexAck {
                segment: Some(part),
                body,
                ..
            } => return self.part(&key, part, body),
            Apdu::Error { body, .. } => Answer::Refused(
                Refusal::decode(body).unwrap_or(Refusal::Error { class: 0, code: 0 }),
            ),
            Apdu::Reject { reason, .. } => Answer::Refused(Refusal::Reject(reason)),
            Apdu::Abort { reason, .. } => Answer::Refused(Refusal::Abort(reason)),
            Apdu::SegmentAck { number, window, .. } => {
                if let Some(parts) = &pending.parts {
                    // A second one before the first was taken says the same again.
                    let _full = parts.try_send(PartsAcknowledged { number, window });
                }
                return Reaction::Nothing;
            }
            Apdu::Confirmed { .. } | Apdu::Unconfirmed { .. } => return Reaction::Nothing,
        };
        self.complete(&key, answer);
        Reaction::Nothing
    }

    fn complete(&mut self, key: &(Address, u8), answer: Answer) {
        if let Some(pending) = self.pending.remove(key) {
            // Whoever asked may have been cancelled.
            let _gone = pending.answer.send(answer);
        }
        self.settle();
    }

    fn part(&mut self, key: &(Address, u8), part: Segment, body: &[u8]) -> Reaction {
        let Some(pending) = self.pending.get_mut(key) else {
            return Reaction::Stray;
        };
        let step = match &mut pending.assembly {
            Some(assembly) => assembly.take(part, body),
            None => match Assembly::begin(part, body) {
                Some((assembly, step)) => {
                    pending.assembly = Some(assembly);
                    step
                }
                None => return Reaction::Nothing,
            },
        };
        let acknowledge = |negative, number, window| Reaction::SegmentAck {
            negative,
            number,
            window,
        };
        match step {
            Step::Wait => Reaction::Nothing,
            Step::Acknowledge { number, window } => acknowledge(false, number, window),
            Step::Again { number, window } => acknowledge(true, number, window),
            Step::Done { number, window } => {
                let octets = pending.assembly.take().map(Assembly::into_octets);
                self.complete(key, Answer::Octets(octets.unwrap_or_default()));
                acknowledge(false, number, window)
            }
            Step::TooLong => {
                self.complete(key, Answer::Refused(Refusal::Abort(1)));
                Reaction::Abort
            }
        }
    }
}
