//! How many gateways come in per second, so that a fleet that lost its cloud at once does not
//! bring it down by coming back at once. Pure; owns two rates and no clock.
//!
//! - Handshakes are the costly part and nobody is known before them: each gets its turn; whoever
//!   would wait too long is let go at once, which costs next to nothing.
//! - Sessions come after the certificate, so the surplus can be told when to come back, and each
//!   is told a moment of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a handshake. A gateway gives up after 8 s, handshake included.
const TURN: Duration = Duration::from_secs(4);
/// Seconds of the rate that may come at once after a quiet time.
const BURST: Duration = Duration::from_secs(1);
/// Nobody is asked to come back sooner: less would be a busy loop over TLS.
const SOONEST: Duration = Duration::from_secs(1);

/// The rates and who has been given which moment. Shared by all connections.
#[derive(Debug)]
pub(super) struct Turnstile {
    handshake: Duration,
    session: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next handshake, the next session would be due at an even pace.
    handshake: Instant,
    session: Instant,
    /// The last moment somebody was asked to come back at.
    asked: Instant,
}

impl Turnstile {
    /// With so many handshakes and new sessions per second.
    pub(super) fn new(handshakes_per_s: u32, sessions_per_s: u32, now: Instant) -> Self {
        let state = State {
            handshake: now,
            session: now,
            asked: now,
        };
        Self {
            handshake: Duration::from_secs(1) / handshakes_per_s.max(1),
            session: Duration::from_secs(1) / sessions_per_s.max(1),
            state: Mutex::new(state),
        }
    }

    /// When a handshake may begin; `None` when that is too long to wait for.
    pub(super) fn handshake(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let due = state.handshake.max(now);
        // What a quiet time leaves is used at once; beyond it, the queue begins.
        let turn = due - BURST.min(due - now);
        if turn - now > TURN {
            return None;
        }
        state.handshake = due + self.handshake;
        Some(turn)
    }

    /// Lets a session in, or says how long it shall stay away.
    pub(super) fn session(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        let due = state.session.max(now);
        if due - now <= BURST {
            state.session = due + self.session;
            return Ok(());
        }
        // A little slower than the rate: who comes back must find room beside those who are new.
        state.asked = state.asked.max(now + SOONEST) + self.session * 5 / 4;
        Err(state.asked - now)
    }

    /// When each of so many gateways shall come back after a planned end, one after the other.
    pub(super) fn farewells(&self, count: usize) -> impl Iterator<Item = Duration> {
        let step = self.session * 5 / 4;
        let nth = move |n| SOONEST + step.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        (0..count).map(nth)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Three moments, each whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn handshakes_take_turns_and_the_surplus_is_let_go() {
        let start = Instant::now();
        let turnstile = Turnstile::new(100, 100, start);
        let turns: Vec<_> = (0..2_000)
            .map_while(|_| turnstile.handshake(start))
            .collect();
        // One second's worth at once, four seconds' worth in the queue.
        assert_eq!(turns.len(), 501, "{:?}", turns.last());
        assert!(turns[..100].iter().all(|t| *t == start));
        assert_eq!(turns[300] - start, ms(2_000));
        assert!(turns.is_sorted());
        assert!(
            turnstile.handshake(start + ms(11)).is_some(),
            "time frees turns"
        );
        assert!(turnstile.handshake(start + ms(11)).is_none());
    }

    #[test]
    fn sessions_beyond_the_rate_are_given_moments_of_their_own() {
        let start = Instant::now();
        let turnstile = Turnstile::new(100, 100, start);
        let answers: Vec<_> = (0..1_000).map(|_| turnstile.session(start)).collect();
        let told: Vec<Duration> = answers.iter().filter_map(|a| a.err()).collect();
        assert_eq!(told.len(), 1_000 - 101);
        assert!(
            told.windows(2).all(|w| w[1] - w[0] == ms(12) + ms(1) / 2),
            "{told:?}"
        );
        assert!(
            told[0] > SOONEST && told[898] < ms(12_300),
            "{:?}",
            told[898]
        );
    }

    #[test]
    fn who_comes_when_told_is_let_in_beside_new_ones() {
        let start = Instant::now();
        let turnstile = Turnstile::new(100, 100, start);
        let mut due: Vec<Duration> = (0..2_000)
            .filter_map(|_| turnstile.session(start).err())
            .collect();
        let (mut again, mut last) = (0, Duration::ZERO);
        while !due.is_empty() {
            due.sort_unstable_by(|a, b| b.cmp(a));
            let at = due.pop().unwrap();
            last = at;
            if let Err(wait) = turnstile.session(start + at) {
                again += 1;
                due.push(at + wait);
            }
        }
        assert_eq!(again, 0, "nobody who obeys is sent away twice");
        assert!(last < Duration::from_secs(26), "{last:?}");
    }

    #[test]
    fn farewells_spread_a_fleet() {
        let turnstile = Turnstile::new(100, 200, Instant::now());
        let waits: Vec<_> = turnstile.farewells(2_000).collect();
        assert_eq!(waits[0], SOONEST);
        assert_eq!(waits[1_999], SOONEST + Duration::from_micros(6_250) * 1_999);
    }

    #[test]
    fn a_quiet_time_gives_no_more_than_one_burst() {
        let start = Instant::now();
        let turnstile = Turnstile::new(100, 100, start);
        let later = start + Duration::from_secs(3_600);
        let at_once = (0..500)
            .filter(|_| turnstile.handshake(later) == Some(later))
            .count();
        assert!((100..=101).contains(&at_once), "{at_once}");
    }
}
