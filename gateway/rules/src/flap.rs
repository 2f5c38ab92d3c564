//! Keeps a fluttering condition from becoming a storm of notifications. Owns the counting; a
//! flapping alarm stays standing, and what was held back is counted, never hidden.
//!
//! The n-th raise within the window is the last one told (n = `flap_raises`). From then on the
//! alarm stands, whatever the condition does, until the condition has kept still for one window.

use crate::Tick;
use std::collections::VecDeque;

/// What a raise or clear of the condition means for the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Tell it.
    Tell,
    /// Tell it; from now on the alarm counts as flapping.
    TellFlapping,
    /// Count it, do not tell it.
    Suppress,
}

/// Flap state of one alarm rule.
#[derive(Debug, Clone)]
pub(crate) struct Flap {
    limit: usize,
    window: i64,
    raises: VecDeque<Tick>,
    flapping: bool,
    still_since: Tick,
    held_since: Option<Tick>,
    suppressed: u64,
}

impl Flap {
    /// Limits to `limit` raises per `window` milliseconds.
    pub(crate) fn new(limit: u8, window: u64) -> Self {
        Self {
            limit: usize::from(limit.max(2)),
            window: i64::try_from(window).unwrap_or(i64::MAX),
            raises: VecDeque::new(),
            flapping: false,
            still_since: Tick(0),
            held_since: None,
            suppressed: 0,
        }
    }

    /// The condition changed.
    pub(crate) fn change(&mut self, present: bool, now: Tick) -> Verdict {
        self.still_since = now;
        if self.flapping {
            self.suppressed += 1;
            return Verdict::Suppress;
        }
        if !present {
            return Verdict::Tell;
        }
        while self
            .raises
            .front()
            .is_some_and(|t| now.since(*t) >= self.window)
        {
            self.raises.pop_front();
        }
        self.raises.push_back(now);
        if self.raises.len() < self.limit {
            return Verdict::Tell;
        }
        self.flapping = true;
        Verdict::TellFlapping
    }

    /// Readings cannot be trusted from now on: stillness is not proven, its clock stops.
    pub(crate) fn hold(&mut self, now: Tick) {
        if self.flapping {
            self.held_since.get_or_insert(now);
        }
    }

    /// Readings can be trusted again.
    pub(crate) fn resume(&mut self, now: Tick) {
        if let Some(held) = self.held_since.take() {
            let paused = now.since(held);
            self.still_since = Tick(self.still_since.0.saturating_add(paused));
        }
    }

    /// Whether flapping ends now. Afterwards counting begins anew.
    pub(crate) fn settles(&mut self, now: Tick) -> bool {
        let over = self.deadline().is_some_and(|d| d <= now);
        if over {
            self.flapping = false;
            self.raises.clear();
        }
        over
    }

    /// When flapping ends if nothing changes.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        let running = self.flapping && self.held_since.is_none();
        running.then(|| Tick(self.still_since.0.saturating_add(self.window)))
    }

    /// Whether the alarm counts as flapping.
    pub(crate) fn flapping(&self) -> bool {
        self.flapping
    }

    /// Changes held back since start.
    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed
    }
}
