//! What has been sent and is not durable yet. Pure. Owns the bounds on it, what a PUBACK means
//! (the next hop has it, no more) and when something is sent again: what was refused after a
//! pause, else only the oldest, with growing patience, so that a cloud in trouble is not flooded.

use riser_store::{OutboxBatch, Position};
use riser_wire::topic::UpLane;
use riser_wire::{Epoch, Stream};
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Batches that may be on their way, waiting for their PUBACK.
const UNACKED: usize = 32;
/// Packet ids left for hello and heartbeats.
const RESERVED: usize = 2;
/// Batches and octets that may wait to become durable.
const FLYING: usize = 256;
const FLYING_BYTES: usize = 4 << 20;
/// Octets of backfill that may wait for a PUBACK: what a slow link would have to send before an
/// alarm gets its turn.
const BACKFILL_BYTES: usize = 128 << 10;
/// First pause after a refusal; doubles up to the second figure.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_CAP: Duration = Duration::from_secs(30);

/// Names one batch.
pub(crate) type Key = (Stream, Position);

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// Handed to the client.
    Sent,
    /// The next hop has it.
    Passed,
    /// The next hop said that it did not take it.
    Refused,
}

#[derive(Debug)]
struct Flight {
    batch: OutboxBatch,
    lane: UpLane,
    leg: Leg,
    tries: u32,
    again_at: Instant,
}

/// Batches in flight, in the order of their first sending.
#[derive(Debug)]
pub(crate) struct Window {
    flights: VecDeque<Flight>,
    unacked: usize,
    resend: Duration,
    pause: Duration,
    paused_until: Option<Instant>,
}

impl Window {
    /// An empty window; `resend` is the patience before the oldest is sent again.
    pub(crate) fn new(resend: Duration) -> Self {
        Self {
            flights: VecDeque::new(),
            unacked: UNACKED - RESERVED,
            resend,
            pause: PAUSE,
            paused_until: None,
        }
    }

    /// Takes over the broker's receive maximum.
    pub(crate) fn limit(&mut self, receive_maximum: u16) {
        self.unacked = UNACKED
            .min(usize::from(receive_maximum))
            .saturating_sub(RESERVED)
            .max(1);
    }

    /// Whether a batch of this size may go out now on this lane. A lane with nothing in flight
    /// gets one through whatever its size.
    pub(crate) fn admits(&self, lane: UpLane, bytes: usize) -> bool {
        if self.paused_until.is_some() || self.flights.iter().any(|f| f.leg == Leg::Refused) {
            return false;
        }
        let (share, flying, flying_bytes) = match lane {
            UpLane::Backfill => (self.unacked / 2, FLYING / 2, FLYING_BYTES / 2),
            UpLane::Live => (self.unacked.saturating_sub(2), FLYING - 32, FLYING_BYTES),
            _ => (self.unacked, FLYING, 2 * FLYING_BYTES),
        };
        let (mut sent, mut own, mut own_sent) = (0, 0, 0);
        let mut total = 0;
        for flight in &self.flights {
            total += flight.batch.frame.len();
            own += usize::from(flight.lane == lane);
            if flight.leg == Leg::Sent {
                sent += 1;
                own_sent += if flight.lane == lane {
                    flight.batch.frame.len()
                } else {
                    0
                };
            }
        }
        if sent >= self.unacked || self.flights.len() >= FLYING {
            return false;
        }
        let slow = lane == UpLane::Backfill && own_sent + bytes > BACKFILL_BYTES;
        own == 0
            || (sent < share.max(1)
                && self.flights.len() < flying
                && total + bytes <= flying_bytes
                && !slow)
    }

    /// Takes a batch that was handed to the client.
    pub(crate) fn sent(&mut self, batch: OutboxBatch, lane: UpLane, now: Instant) {
        let again_at = now + self.resend;
        self.flights.push_back(Flight {
            batch,
            lane,
            leg: Leg::Sent,
            tries: 0,
            again_at,
        });
    }

    /// The next hop has taken a batch.
    pub(crate) fn passed(&mut self, key: Key) {
        self.pause = PAUSE;
        if let Some(flight) = self.find(key) {
            flight.leg = Leg::Passed;
        }
    }

    /// The next hop did not take a batch: everything pauses, then the refused ones go again.
    pub(crate) fn refused(&mut self, key: Key, now: Instant) {
        let Some(flight) = self.find(key) else { return };
        flight.leg = Leg::Refused;
        if self.paused_until.is_none() {
            self.paused_until = Some(now + self.pause);
            self.pause = (self.pause * 2).min(PAUSE_CAP);
        }
    }

    /// The batch to send again now, if any, with its lane. The window counts it as sent.
    pub(crate) fn again(&mut self, now: Instant) -> Option<(OutboxBatch, UpLane)> {
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        self.paused_until = None;
        let sent = self.flights.iter().filter(|f| f.leg == Leg::Sent).count();
        let resend = self.resend;
        let refused = self.flights.iter_mut().find(|f| f.leg == Leg::Refused);
        let flight = match refused {
            Some(flight) if sent < self.unacked => flight,
            Some(_) => return None,
            None => self.flights.front_mut().filter(|f| f.again_at <= now)?,
        };
        flight.leg = Leg::Sent;
        flight.tries += 1;
        flight.again_at = now + resend.saturating_mul(1 << flight.tries.min(5));
        Some((flight.batch.clone(), flight.lane))
    }

    /// Removes what is durable; answers how many batches that were.
    pub(crate) fn durable(
        &mut self,
        epoch: Epoch,
        stream: Stream,
        contiguous: u64,
        ranges: &[(u64, u64)],
    ) -> usize {
        let before = self.flights.len();
        self.flights.retain(|f| {
            let Position { epoch: own, seq } = f.batch.position;
            let covered = seq <= contiguous || ranges.iter().any(|(a, b)| (*a..=*b).contains(&seq));
            !(f.batch.stream == stream && own == epoch && covered)
        });
        before - self.flights.len()
    }

    /// Removes a batch that will never be taken; false if it is not here.
    pub(crate) fn rejected(&mut self, key: Key) -> bool {
        let before = self.flights.len();
        self.flights
            .retain(|f| (f.batch.stream, f.batch.position) != key);
        before != self.flights.len()
    }

    /// Positions of the data batches in flight.
    pub(crate) fn data(&self) -> HashSet<Position> {
        let data = self
            .flights
            .iter()
            .filter(|f| f.batch.stream == Stream::Data);
        data.map(|f| f.batch.position).collect()
    }

    /// Octets of the largest batch whose PUBACK is out.
    pub(crate) fn largest(&self) -> usize {
        let sent = self.flights.iter().filter(|f| f.leg == Leg::Sent);
        sent.map(|f| f.batch.frame.len()).max().unwrap_or(0)
    }

    /// Batches of a lane in flight.
    pub(crate) fn of(&self, lane: UpLane) -> usize {
        self.flights.iter().filter(|f| f.lane == lane).count()
    }

    /// True when nothing waits to become durable.
    pub(crate) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    fn find(&mut self, key: Key) -> Option<&mut Flight> {
        self.flights
            .iter_mut()
            .find(|f| (f.batch.stream, f.batch.position) == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{batch, position};

    fn window() -> (Window, Instant) {
        (Window::new(Duration::from_secs(20)), Instant::now())
    }

    fn fill(window: &mut Window, lane: UpLane, from: u64, size: usize, now: Instant) -> u64 {
        let mut seq = from;
        while window.admits(lane, size) {
            window.sent(batch(Stream::Data, seq, size), lane, now);
            seq += 1;
        }
        seq - from
    }

    #[test]
    fn backfill_leaves_room_for_live_and_live_for_events() {
        let (mut window, now) = window();
        assert_eq!(fill(&mut window, UpLane::Backfill, 1, 100, now), 15);
        assert_eq!(fill(&mut window, UpLane::Live, 1_000, 100, now), 13);
        assert_eq!(fill(&mut window, UpLane::Event, 2_000, 100, now), 2);
        assert_eq!(fill(&mut window, UpLane::Event, 3_000, 100, now), 0);
    }

    #[test]
    fn slow_links_hold_little_backfill_but_never_none() {
        let (mut window, now) = window();
        assert_eq!(fill(&mut window, UpLane::Backfill, 1, 50 << 10, now), 2);
        window.rejected((Stream::Data, position(1)));
        window.rejected((Stream::Data, position(2)));
        assert!(
            window.admits(UpLane::Backfill, 900 << 10),
            "a large one alone passes"
        );
    }

    #[test]
    fn passing_frees_the_way_but_only_durable_frees_the_window() {
        let (mut window, now) = window();
        let mut seq = 1;
        loop {
            let more = fill(&mut window, UpLane::Live, seq, 10, now);
            if more == 0 {
                break;
            }
            for passed in seq..seq + more {
                window.passed((Stream::Data, position(passed)));
            }
            seq += more;
        }
        assert_eq!(
            window.of(UpLane::Live),
            FLYING - 32,
            "PUBACKs alone never empty it"
        );
        let epoch = position(1).epoch;
        assert_eq!(
            window.durable(epoch, Stream::Event, 1_000, &[]),
            0,
            "the other stream"
        );
        assert_eq!(
            window.durable(Epoch(uuid::Uuid::nil()), Stream::Data, 1_000, &[]),
            0
        );
        assert_eq!(window.durable(epoch, Stream::Data, 10, &[(12, 13)]), 12);
        assert!(window.data().contains(&position(11)));
        assert!(window.admits(UpLane::Live, 10));
    }

    #[test]
    fn only_the_oldest_goes_again_and_less_and_less_often() {
        let (mut window, now) = window();
        fill(&mut window, UpLane::Live, 1, 10, now);
        assert!(window.again(now + Duration::from_secs(19)).is_none());
        let at = now + Duration::from_secs(21);
        assert_eq!(window.again(at).map(|(b, _)| b.position.seq), Some(1));
        assert!(window.again(at).is_none(), "the second oldest waits");
        assert!(window.again(at + Duration::from_secs(39)).is_none());
        assert!(window.again(at + Duration::from_secs(41)).is_some());
    }

    #[test]
    fn a_refusal_pauses_everything_and_doubles() {
        let (mut window, now) = window();
        fill(&mut window, UpLane::Live, 1, 10, now);
        let key = |seq| (Stream::Data, position(seq));
        window.refused(key(3), now);
        window.refused(key(4), now);
        assert!(!window.admits(UpLane::Event, 10));
        assert!(window.again(now + Duration::from_millis(900)).is_none());
        let at = now + Duration::from_millis(1_100);
        assert_eq!(window.again(at).map(|(b, _)| b.position.seq), Some(3));
        window.refused(key(3), at);
        assert!(
            window.again(at + Duration::from_millis(1_900)).is_none(),
            "twice as long"
        );
        let at = at + Duration::from_millis(2_100);
        assert_eq!(window.again(at).map(|(b, _)| b.position.seq), Some(3));
        window.passed(key(3));
        assert_eq!(window.again(at).map(|(b, _)| b.position.seq), Some(4));
        window.passed(key(4));
        assert!(window.again(at).is_none());
        window.passed(key(1));
        assert!(window.admits(UpLane::Event, 10));
    }

    #[test]
    fn a_small_receive_maximum_is_kept_to() {
        let (mut window, now) = window();
        window.limit(4);
        assert_eq!(fill(&mut window, UpLane::Event, 1, 10, now), 2);
        let mut least = Window::new(Duration::from_secs(1));
        least.limit(1);
        assert_eq!(fill(&mut least, UpLane::Backfill, 1, 10, now), 1);
    }
}
