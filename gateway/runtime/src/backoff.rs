//! How long to wait before trying again. Owns the decorrelated jitter: waits grow, stay below a
//! cap, and adapters that failed together do not come back together.

use rand::RngExt as _;
use std::time::Duration;

/// Waits between tries: each a random time between the first one and three times the last.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    last: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            last: first,
        }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let most = (self.last * 3).min(self.cap).max(self.first);
        let share = rand::rng().random_range(0.0..=1.0);
        self.last = self.first + (most - self.first).mul_f64(share);
        self.last
    }

    /// Begins again, after a success.
    pub(crate) fn reset(&mut self) {
        self.last = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_between_the_first_and_the_cap_and_grow() {
        let (first, cap) = (Duration::from_millis(500), Duration::from_secs(60));
        let mut backoff = Backoff::new(first, cap);
        let mut longest = Duration::ZERO;
        for _ in 0..1000 {
            let wait = backoff.next();
            assert!(wait >= first && wait <= cap, "{wait:?}");
            longest = longest.max(wait);
        }
        assert!(longest > Duration::from_secs(20), "{longest:?}");
        backoff.reset();
        assert!(backoff.next() <= first * 3);
    }
}
