//! What the adapter asks by itself, and when: is the bridge there, what does this device say now.
//! Owns the pace, so that a returning bridge is not met by a hundred reads at once. Pure.

use crate::network::entity::EntityId;
use std::collections::VecDeque;
use std::time::Duration;

/// How soon a bridge that is not reached is asked again.
const SOON: i64 = 2_000;

/// A moment.
const MOMENT: i64 = 250;

/// Checks and reads that are due.
#[derive(Debug)]
pub(crate) struct Poll {
    check: i64,
    pause: i64,
    check_at: i64,
    read_at: i64,
    reads: VecDeque<(EntityId, i64)>,
}

impl Poll {
    pub(crate) fn new(check: Duration, pause: Duration, now: i64) -> Self {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self {
            check: ms(check),
            pause: ms(pause),
            check_at: now,
            read_at: now,
            reads: VecDeque::new(),
        }
    }

    /// Whether the bridge is to be asked now; then the next time is set.
    pub(crate) fn check_due(&mut self, now: i64, up: bool) -> bool {
        let due = now >= self.check_at;
        if due {
            let wait = if up { self.check } else { self.check.min(SOON) };
            self.check_at = now.saturating_add(wait);
        }
        due
    }

    /// The bridge is to be asked at once.
    pub(crate) fn check_now(&mut self, now: i64) {
        self.check_at = now;
    }

    /// The bridge is to be asked again after a moment.
    pub(crate) fn check_soon(&mut self, now: i64) {
        self.check_at = now.saturating_add(MOMENT);
    }

    /// A device is to be read unless it speaks after `since`; once is enough.
    pub(crate) fn read(&mut self, id: EntityId, since: i64) {
        match self.reads.iter_mut().find(|(waiting, _)| *waiting == id) {
            Some((_, before)) => *before = since.max(*before),
            None => self.reads.push_back((id, since)),
        }
    }

    /// Nothing is to be read any more: the connection is gone.
    pub(crate) fn forget_reads(&mut self) {
        self.reads.clear();
    }

    /// The next device to be read and since when, if it is time.
    pub(crate) fn next_read(&mut self, now: i64) -> Option<(EntityId, i64)> {
        if now < self.read_at {
            return None;
        }
        let next = self.reads.pop_front()?;
        self.read_at = now.saturating_add(self.pause);
        Some(next)
    }

    /// The read was not needed after all: the next one need not wait.
    pub(crate) fn not_needed(&mut self, now: i64) {
        self.read_at = now;
    }

    /// How long nothing is due.
    pub(crate) fn idle(&self, now: i64) -> i64 {
        let check = self.check_at.saturating_sub(now);
        let read = self.read_at.saturating_sub(now);
        let read = if self.reads.is_empty() {
            i64::MAX
        } else {
            read
        };
        check.min(read).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Ieee;

    #[test]
    fn reads_keep_their_pace_and_are_asked_once() {
        let ms = Duration::from_millis;
        let mut poll = Poll::new(ms(30_000), ms(500), 0);
        let [a, b] = [1, 2].map(|n| EntityId::Device(Ieee(n)));
        poll.read(a, 0);
        poll.read(b, 0);
        poll.read(a, 0);
        assert_eq!(poll.next_read(0), Some((a, 0)));
        assert_eq!(poll.next_read(499), None);
        assert_eq!(poll.next_read(500), Some((b, 0)));
        assert_eq!(poll.next_read(5_000), None);
    }

    #[test]
    fn a_bridge_that_is_away_is_asked_more_often() {
        let mut poll = Poll::new(Duration::from_secs(30), Duration::ZERO, 0);
        assert!(poll.check_due(0, false) && !poll.check_due(1_999, false));
        assert!(poll.check_due(2_000, true) && !poll.check_due(31_999, true));
        assert!(poll.check_due(32_000, true));
    }
}
