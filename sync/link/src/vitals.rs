//! Whether the link really works. Pure. Owns the heartbeats under way and the three watchdogs:
//! answers to heartbeats and durable progress decide what people see; silence and lack of progress
//! end a connection that only looks alive.

use crate::config::Timings;
use riser_model::LinkState;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Heartbeats remembered while their answers are out.
const WAITING: usize = 16;
/// A cloud that answers no heartbeat for this many limits gets a fresh connection, backlog or not.
const HEARTBEAT_PATIENCE: u32 = 4;

/// Signs of life of one connection.
#[derive(Debug)]
pub(crate) struct Vitals {
    timings: Timings,
    began: Instant,
    heard: Instant,
    answered: Option<Instant>,
    progress: Instant,
    beat: Option<Instant>,
    waiting: VecDeque<(u64, Instant)>,
}

impl Vitals {
    /// A connection that has just come up.
    pub(crate) fn new(timings: Timings, now: Instant) -> Self {
        Self {
            timings,
            began: now,
            heard: now,
            answered: None,
            progress: now,
            beat: None,
            waiting: VecDeque::new(),
        }
    }

    /// Anything came in.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether a heartbeat is due.
    pub(crate) fn beat_due(&self, now: Instant) -> bool {
        self.beat
            .is_none_or(|at| now >= at + self.timings.heartbeat)
    }

    /// A heartbeat went out.
    pub(crate) fn beat(&mut self, nonce: u64, now: Instant) {
        self.beat = Some(now);
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((nonce, now));
    }

    /// An answer came back; how long it took, unless it belongs to no heartbeat of this connection.
    pub(crate) fn answered(&mut self, nonce: u64, now: Instant) -> Option<Duration> {
        let index = self.waiting.iter().position(|(n, _)| *n == nonce)?;
        let (_, sent) = self.waiting.remove(index)?;
        self.answered = Some(now);
        Some(now.duration_since(sent))
    }

    /// True once a heartbeat came back: the connection was good for something.
    pub(crate) fn proven(&self) -> bool {
        self.answered.is_some()
    }

    /// Something became durable, or nothing waits for it.
    pub(crate) fn progress(&mut self, now: Instant) {
        self.progress = now;
    }

    /// What people see.
    pub(crate) fn state(&self, caught_up: bool, now: Instant) -> LinkState {
        let limit = self.timings.heartbeat_limit;
        let silent = now.duration_since(self.answered.unwrap_or(self.began)) >= limit;
        let stuck = now.duration_since(self.progress) >= limit;
        match self.answered {
            _ if silent || stuck => LinkState::Degraded,
            None => LinkState::Connecting,
            Some(_) if caught_up => LinkState::Live,
            Some(_) => LinkState::CatchingUp,
        }
    }

    /// Why the connection should be given up, if it should.
    pub(crate) fn verdict(&self, now: Instant) -> Option<String> {
        let t = &self.timings;
        if now.duration_since(self.heard) >= t.silence_limit {
            let s = t.silence_limit.as_secs();
            return Some(format!(
                "nothing was heard from the cloud for {s} s: connecting anew"
            ));
        }
        if now.duration_since(self.progress) >= t.progress_limit {
            let s = t.progress_limit.as_secs();
            return Some(format!(
                "the cloud has confirmed nothing for {s} s: connecting anew"
            ));
        }
        let patience = t.heartbeat_limit * HEARTBEAT_PATIENCE;
        if now.duration_since(self.answered.unwrap_or(self.began)) >= patience {
            let s = patience.as_secs();
            return Some(format!(
                "the cloud has answered no heartbeat for {s} s: connecting anew"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn live_only_after_a_heartbeat_came_back() {
        let start = Instant::now();
        let mut vitals = Vitals::new(Timings::default(), start);
        assert!(vitals.beat_due(start));
        vitals.beat(7, start);
        assert!(!vitals.beat_due(at(start, 9)));
        assert!(vitals.beat_due(at(start, 10)));
        assert_eq!(vitals.state(true, at(start, 1)), LinkState::Connecting);
        assert_eq!(vitals.answered(8, at(start, 2)), None, "not ours");
        assert_eq!(vitals.state(true, at(start, 2)), LinkState::Connecting);
        assert_eq!(
            vitals.answered(7, at(start, 2)),
            Some(Duration::from_secs(2))
        );
        assert_eq!(vitals.state(false, at(start, 2)), LinkState::CatchingUp);
        assert_eq!(vitals.state(true, at(start, 2)), LinkState::Live);
        assert!(vitals.proven());
        assert_eq!(
            vitals.answered(7, at(start, 3)),
            None,
            "an answer counts once"
        );
    }

    #[test]
    fn no_answer_degrades_and_an_answer_heals() {
        let start = Instant::now();
        let mut vitals = Vitals::new(Timings::default(), start);
        assert_eq!(vitals.state(true, at(start, 30)), LinkState::Degraded);
        vitals.beat(1, at(start, 30));
        vitals.answered(1, at(start, 31));
        vitals.progress(at(start, 32));
        assert_eq!(vitals.state(true, at(start, 60)), LinkState::Live);
        assert_eq!(vitals.state(true, at(start, 61)), LinkState::Degraded);
        vitals.beat(2, at(start, 61));
        vitals.answered(2, at(start, 61));
        assert_eq!(vitals.state(true, at(start, 61)), LinkState::Live);
        assert_eq!(
            vitals.state(true, at(start, 62)),
            LinkState::Degraded,
            "no progress"
        );
    }

    #[test]
    fn watchdogs_end_what_only_looks_alive() {
        let start = Instant::now();
        let mut vitals = Vitals::new(Timings::default(), start);
        assert_eq!(vitals.verdict(at(start, 39)), None);
        assert!(
            vitals
                .verdict(at(start, 40))
                .is_some_and(|v| v.contains("nothing was heard"))
        );
        vitals.heard(at(start, 59));
        assert_eq!(vitals.verdict(at(start, 59)), None);
        assert!(
            vitals
                .verdict(at(start, 60))
                .is_some_and(|v| v.contains("confirmed nothing"))
        );
        vitals.heard(at(start, 119));
        vitals.progress(at(start, 119));
        assert_eq!(vitals.verdict(at(start, 119)), None);
        assert!(
            vitals
                .verdict(at(start, 120))
                .is_some_and(|v| v.contains("no heartbeat"))
        );
    }

    #[test]
    fn heartbeats_without_answers_do_not_pile_up() {
        let start = Instant::now();
        let mut vitals = Vitals::new(Timings::default(), start);
        for nonce in 0..1_000 {
            vitals.beat(nonce, start);
        }
        assert_eq!(vitals.waiting.len(), WAITING);
    }
}
