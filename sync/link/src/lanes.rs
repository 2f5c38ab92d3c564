//! What is sent next. Pure. Owns the cursors of the lanes (event › live › backfill), what is
//! claimed from the outbox and not yet sent, and when old data counts as sent.
//!
//! Live begins behind whatever was committed when the connection came up, so that dashboards are
//! live at once; everything before is backfill. A live lane that falls far behind gives its
//! arrears to the backfill too, sooner when the bandwidth budget cannot carry all of it: then the
//! newest goes up as often as it may, and what lies between follows when there is room.

use crate::window::Window;
use riser_store::{OutboxBatch, Position};
use riser_wire::Stream;
use riser_wire::topic::UpLane;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Most batches asked for at once.
const CLAIM: usize = 16;
/// Batches the live lane may lag behind before its arrears become backfill: two minutes at the
/// usual pace.
const LAG: u64 = 240;
/// The same while the budget holds the live lane up: a few seconds.
const LAG_HELD: u64 = 8;
/// Pause after the outbox could not answer.
const RETRY: Duration = Duration::from_secs(1);

/// A question to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Events after a position.
    Events { after: Position, max: usize },
    /// Data after a position.
    Live { after: Position, max: usize },
    /// Data that is not durable.
    Backfill {
        in_flight: HashSet<Position>,
        below: Position,
        max: usize,
    },
}

#[derive(Debug, Default)]
struct Lane {
    /// There may be more in the outbox.
    dirty: bool,
    /// A question is under way.
    asking: bool,
    ready: VecDeque<OutboxBatch>,
    retry_at: Option<Instant>,
}

impl Lane {
    fn asks(&mut self, now: Instant) -> bool {
        let asks = self.dirty
            && !self.asking
            && self.ready.is_empty()
            && self.retry_at.is_none_or(|at| at <= now);
        if asks {
            (self.asking, self.dirty, self.retry_at) = (true, false, None);
        }
        asks
    }
}

/// The three lanes of one connection.
#[derive(Debug)]
pub(crate) struct Lanes {
    event: Lane,
    live: Lane,
    backfill: Lane,
    event_after: Position,
    live_after: Position,
    /// Data from here on belongs to the live lane.
    below: Position,
    /// The first events have been asked for and an answer came, whatever it was. Data waits for
    /// that, so the directory goes before what needs it, but not for a success.
    opened: bool,
}

impl Lanes {
    /// Lanes of a new connection, given the newest committed data.
    pub(crate) fn new(head: Position) -> Self {
        let first = Position {
            epoch: head.epoch,
            seq: 0,
        };
        Self {
            event: Lane {
                dirty: true,
                ..Lane::default()
            },
            live: Lane::default(),
            backfill: Lane {
                dirty: true,
                ..Lane::default()
            },
            event_after: first,
            live_after: head,
            below: next(head),
            opened: false,
        }
    }

    /// Something was committed.
    pub(crate) fn committed(&mut self, stream: Stream, head: Position) {
        if stream == Stream::Event {
            self.event.dirty = true;
            return;
        }
        self.live.dirty = true;
        if head.seq.saturating_sub(self.live_after.seq) > LAG {
            self.live_after = head;
            self.below = next(head);
            self.backfill.dirty = true;
        }
    }

    /// The next question to ask, if any.
    pub(crate) fn claim(&mut self, window: &Window, now: Instant) -> Option<Claim> {
        if self.event.asks(now) {
            return Some(Claim::Events {
                after: self.event_after,
                max: CLAIM,
            });
        }
        if self.opened && window.admits(UpLane::Live, 0) && self.live.asks(now) {
            return Some(Claim::Live {
                after: self.live_after,
                max: CLAIM,
            });
        }
        if self.opened && window.admits(UpLane::Backfill, 0) && self.backfill.asks(now) {
            let mut in_flight = window.data();
            in_flight.extend(self.live.ready.iter().map(|b| b.position));
            return Some(Claim::Backfill {
                in_flight,
                below: self.below,
                max: CLAIM,
            });
        }
        None
    }

    /// The outbox has answered.
    pub(crate) fn claimed(&mut self, lane: UpLane, batches: Vec<OutboxBatch>) {
        let full = batches.len() >= CLAIM;
        let newest = batches.last().map(|b| b.position);
        let some = newest.is_some();
        let own = match lane {
            UpLane::Event => {
                self.opened = true;
                self.event_after = newest.unwrap_or(self.event_after);
                &mut self.event
            }
            UpLane::Live => {
                // While the answer was under way the lane may have jumped ahead.
                let ahead = newest.filter(|n| *n != self.live_after && beyond(*n, self.live_after));
                self.live_after = ahead.unwrap_or(self.live_after);
                &mut self.live
            }
            _ => &mut self.backfill,
        };
        own.asking = false;
        // Backfill is over only when an answer is empty: what is in flight was left out of it.
        own.dirty |= if lane == UpLane::Backfill { some } else { full };
        own.ready.extend(batches);
    }

    /// The outbox could not answer.
    pub(crate) fn failed(&mut self, lane: UpLane, now: Instant) {
        let own = match lane {
            UpLane::Event => {
                self.opened = true;
                &mut self.event
            }
            UpLane::Live => &mut self.live,
            _ => &mut self.backfill,
        };
        (own.asking, own.dirty, own.retry_at) = (false, true, Some(now + RETRY));
    }

    /// The budget holds the live lane up: arrears go to the backfill. Answers how many batches.
    pub(crate) fn thin(&mut self, head: Position) -> u64 {
        let unsent = self.live.ready.front().map(|b| b.position);
        let behind = match unsent {
            Some(first) if first.epoch == head.epoch => head.seq.saturating_sub(first.seq) + 1,
            _ => head.seq.saturating_sub(self.live_after.seq),
        };
        if head.epoch != self.live_after.epoch || behind <= LAG_HELD {
            return 0;
        }
        self.live.ready.clear();
        self.live_after = head;
        self.below = next(head);
        self.backfill.dirty = true;
        behind
    }

    /// The lane whose turn it is, of those with something ready.
    pub(crate) fn ready(&self) -> Option<UpLane> {
        let lanes = [
            (UpLane::Event, &self.event),
            (UpLane::Live, &self.live),
            (UpLane::Backfill, &self.backfill),
        ];
        let mut ready = lanes.iter().filter(|(_, own)| !own.ready.is_empty());
        ready.next().map(|(lane, _)| *lane)
    }

    /// The next batch to send, if the window admits one on a lane that is open.
    pub(crate) fn next(
        &mut self,
        window: &Window,
        mut open: impl FnMut(UpLane) -> bool,
    ) -> Option<(UpLane, OutboxBatch)> {
        let lanes = [
            (UpLane::Event, &mut self.event),
            (UpLane::Live, &mut self.live),
            (UpLane::Backfill, &mut self.backfill),
        ];
        for (lane, own) in lanes {
            let Some(size) = own.ready.front().map(|b| b.frame.len()) else {
                continue;
            };
            if !open(lane) {
                return None;
            }
            if window.admits(lane, size) {
                return own.ready.pop_front().map(|batch| (lane, batch));
            }
        }
        None
    }

    /// Puts a batch back that could not be handed over.
    pub(crate) fn put_back(&mut self, lane: UpLane, batch: OutboxBatch) {
        match lane {
            UpLane::Event => &mut self.event,
            UpLane::Live => &mut self.live,
            _ => &mut self.backfill,
        }
        .ready
        .push_front(batch);
    }

    /// True when nothing old is left to send or waiting to become durable.
    pub(crate) fn caught_up(&self, window: &Window) -> bool {
        let idle = |lane: &Lane| !lane.dirty && !lane.asking && lane.ready.is_empty();
        idle(&self.backfill) && window.of(UpLane::Backfill) == 0
    }
}

fn next(position: Position) -> Position {
    Position {
        epoch: position.epoch,
        seq: position.seq.saturating_add(1),
    }
}

fn beyond(one: Position, other: Position) -> bool {
    one.epoch != other.epoch || one.seq > other.seq
}

#[cfg(test)]
pub(crate) mod tests;
