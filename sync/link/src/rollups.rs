//! Rollups in place of batches the bandwidth budget cannot carry yet. Owns which minutes the cloud
//! has, the one stretch that is on its way, and whether stretches are minutes or quarters of an hour.
//!
//! Nothing waits for a rollup and nothing is settled by one: its batches stay in the outbox and follow
//! when there is room. What the cloud says it has is all that is remembered, so a lost rollup is sent
//! again and one that came twice does no harm.

use crate::counters::count;
use crate::errands::Done;
use crate::session::Session;
use crate::speech::Label;
use bytes::Bytes;
use riser_store::{RolledUp, RollupAsk, StoreError};
use riser_wire::part;
use riser_wire::topic::UpLane;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after the budget has held data back the link is short of it.
const SHORT: Duration = Duration::from_secs(120);
/// Pause before looking for another stretch when there was none.
const LOOK: Duration = Duration::from_secs(5);
/// Time for a rollup to arrive, behind what waits for the network already.
const ARRIVES: Duration = Duration::from_secs(90);
/// Pause after one that nobody took.
const RETRY: Duration = Duration::from_secs(30);
/// Octets of a frame, so that an alarm gets between them on a slow line.
const MOST: usize = 16 * 1_024;
/// Publications waiting for the network beyond which no further frame is handed over.
const QUEUED: usize = 4;
/// Ranges of minutes remembered; what is forgotten is sent again.
const RANGES: usize = 4_096;

/// The rollup lane of one connection.
#[derive(Debug)]
pub(crate) struct Rollups {
    /// Minutes since 1970 the cloud has; `None` until it has said so: it may not know rollups.
    have: Option<Vec<(u64, u64)>>,
    asking: bool,
    look_at: Instant,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    minutes: (u64, u64),
    longest: usize,
    left: VecDeque<Arc<[u8]>>,
    again_at: Instant,
}

impl Rollups {
    /// Of a new connection.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            have: None,
            asking: false,
            look_at: now,
            under_way: None,
        }
    }

    /// The cloud has these minutes.
    fn has(&mut self, minutes: &[(u64, u64)], now: Instant) {
        let have = self.have.get_or_insert_default();
        have.extend_from_slice(minutes);
        join(have);
        let there = |u: &mut UnderWay| {
            let (from, to) = u.minutes;
            have.iter().any(|(a, b)| *a <= from && to <= *b)
        };
        if self.under_way.take_if(there).is_some() {
            self.look_at = now;
        }
    }

    /// Octets of the longest frame on its way.
    pub(crate) fn longest(&self) -> usize {
        self.under_way.as_ref().map_or(0, |u| u.longest)
    }

    fn give_up(&mut self, now: Instant) {
        self.under_way = None;
        self.look_at = now + RETRY;
    }
}

/// Puts ranges in order and joins those that touch; of too many the oldest go.
fn join(ranges: &mut Vec<(u64, u64)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let touches = next.0 <= before.1.saturating_add(1);
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
    let over = ranges.len().saturating_sub(RANGES);
    ranges.drain(..over);
}

impl Session<'_> {
    /// The budget holds something back.
    pub(crate) fn run_short(&mut self, now: Instant) {
        self.link.short_until = Some(now + SHORT);
    }

    /// Sends what may be sent of the stretch on its way, or looks for the next one.
    pub(crate) fn roll(&mut self, now: Instant) {
        if self.rollups.have.is_none() {
            return;
        }
        if self.rollups.under_way.is_some() {
            self.send_rollup(now);
            return;
        }
        let short = self.link.short_until.is_some_and(|until| now < until);
        if !short || self.rollups.asking || now < self.rollups.look_at {
            return;
        }
        self.rollups.asking = true;
        let ask = RollupAsk {
            minutes: self.link.rollup_minutes,
            have: self.rollups.have.clone().unwrap_or_default(),
            most: self.room(UpLane::Rollup).min(MOST),
        };
        let outbox = self.outbox.clone();
        self.work.push(Box::pin(async move {
            Done::Rolled(outbox.claim_rollup(ask).await)
        }));
    }

    /// The store has answered.
    pub(crate) fn rolled(&mut self, answer: Result<Option<RolledUp>, StoreError>, now: Instant) {
        self.rollups.asking = false;
        self.rollups.look_at = now + LOOK;
        match answer {
            Ok(None) => {}
            Ok(Some(rolled)) => self.take_up(rolled, now),
            Err(error) => {
                let reason = error.chain();
                tracing::warn!(reason, "the outbox has no rollup to send");
            }
        }
    }

    fn take_up(&mut self, rolled: RolledUp, now: Instant) {
        let (octets, frames) = (rolled.octets(), rolled.frames.len());
        let wanted = self.link.budget.stretch(rolled.minutes, (octets, frames));
        if wanted != rolled.minutes {
            tracing::info!(octets, wanted, "rolling up other stretches, for the budget");
        }
        self.link.rollup_minutes = wanted;
        if wanted > rolled.minutes {
            self.rollups.look_at = now;
            return;
        }
        let from = u64::from(rolled.minute);
        self.rollups.under_way = Some(UnderWay {
            minutes: (from, from + u64::from(rolled.minutes) - 1),
            longest: rolled.frames.iter().map(|f| f.len()).max().unwrap_or(0),
            left: rolled.frames.into(),
            again_at: now + ARRIVES,
        });
        self.send_rollup(now);
    }

    fn send_rollup(&mut self, now: Instant) {
        let Some(mut under_way) = self.rollups.under_way.take() else {
            return;
        };
        while let Some(frame) = under_way.left.front() {
            let open = self.link.budget.admits(UpLane::Rollup, now);
            if !open || self.speech.queued() >= QUEUED || !self.say_rollup(frame, now) {
                // The line is busy, not deaf.
                under_way.again_at = now + ARRIVES;
                self.rollups.under_way = Some(under_way);
                return;
            }
            under_way.left.pop_front();
            under_way.again_at = now + ARRIVES;
        }
        if now < under_way.again_at {
            self.rollups.under_way = Some(under_way);
        } else {
            tracing::debug!(minutes = ?under_way.minutes, "a rollup did not arrive");
            self.rollups.look_at = now;
        }
    }

    /// Publishes a frame, in parts where the broker takes no packet that long; false when the client
    /// has no room.
    fn say_rollup(&mut self, frame: &Arc<[u8]>, now: Instant) -> bool {
        let room = self.room(UpLane::Rollup);
        let messages: Vec<Bytes> = if frame.len() <= room {
            vec![Bytes::from_owner(Arc::clone(frame))]
        } else {
            let parts = part::cut(frame, room).unwrap_or_default();
            parts.into_iter().map(Bytes::from).collect()
        };
        for message in messages {
            let size = message.len() + self.speech.overhead(UpLane::Rollup);
            if !self.speech.say(UpLane::Rollup, Label::Rollup, message) {
                return false;
            }
            self.link.budget.pay_rollup(size, now);
        }
        self.link.reporter.sent(frame.len(), 0);
        true
    }

    /// The cloud has said which minutes it has.
    pub(crate) fn rolled_up(&mut self, minutes: &[(u64, u64)], now: Instant) {
        let before = self.rollups.under_way.is_some();
        self.rollups.has(minutes, now);
        if before && self.rollups.under_way.is_none() {
            count(&self.link.counters.rollups, 1);
        }
    }

    /// Nobody took a rollup. One that will never be taken is not sent again on this connection.
    pub(crate) fn rollup_refused(&mut self, for_good: bool, now: Instant) {
        let minutes = self.rollups.under_way.as_ref().map(|u| u.minutes);
        if let (Some(minutes), true) = (minutes, for_good) {
            self.rollups.has(&[minutes], now);
        }
        self.rollups.give_up(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cloud_has_is_joined_and_frees_the_way() {
        let now = Instant::now();
        let mut rollups = Rollups::new(now);
        rollups.under_way = Some(UnderWay {
            minutes: (30, 44),
            longest: 7,
            left: VecDeque::new(),
            again_at: now,
        });
        rollups.has(&[(10, 12), (40, 44)], now);
        assert!(rollups.under_way.is_some(), "a part of it is not it");
        rollups.has(&[(13, 13), (30, 39)], now);
        assert_eq!(rollups.have, Some(vec![(10, 13), (30, 44)]));
        assert!(rollups.under_way.is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let mut rollups = Rollups::new(Instant::now());
        let scattered: Vec<(u64, u64)> = (1..10_000).map(|n| (n * 3, n * 3)).collect();
        rollups.has(&scattered, Instant::now());
        let have = rollups.have.unwrap();
        assert_eq!((have.len(), have.last()), (RANGES, Some(&(29_997, 29_997))));
    }
}
