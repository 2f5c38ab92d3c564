//! How long to wait before the next attempt: decorrelated jitter. Pure; owns no clock. A whole
//! fleet that loses its cloud at once must not come back at once, and one gateway that loses it
//! for a moment must be back in a moment.

use rand::RngExt;
use std::time::Duration;

/// How long a connection must have lived to count as a good one.
const STEADY: Duration = Duration::from_secs(10);

/// Waits that grow from a short first one to a cap, each drawn at random.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    last: Option<Duration>,
}

impl Backoff {
    /// A fresh series. `first` bounds the first wait.
    pub(crate) fn new(first: Duration) -> Self {
        Self { first, last: None }
    }

    /// What was tried has worked for this long. The series begins again if that was long enough;
    /// two gateways that throw each other off under one name must not do so ever faster.
    pub(crate) fn worked(&mut self, lived: Duration) {
        if lived >= STEADY {
            self.last = None;
        }
    }

    /// The next wait: at first between a tenth of `first` and `first`, then between `first` and
    /// three times the wait before, but not above `cap`.
    pub(crate) fn next(&mut self, cap: Duration, random: &mut impl RngExt) -> Duration {
        let wait = match self.last {
            None => random.random_range(self.first / 10..=self.first),
            Some(last) => {
                let most = last.max(self.first).saturating_mul(3).min(cap);
                random.random_range(self.first..=most.max(self.first))
            }
        };
        self.last = Some(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const FIRST: Duration = Duration::from_millis(500);
    const CAP: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_wait_is_short_and_all_stay_below_the_cap() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::new(FIRST);
            let first = backoff.next(CAP, &mut random);
            assert!((FIRST / 10..=FIRST).contains(&first), "{first:?}");
            for _ in 0..50 {
                let wait = backoff.next(CAP, &mut random);
                assert!((FIRST..=CAP).contains(&wait), "{wait:?}");
            }
            backoff.worked(STEADY);
            assert!(backoff.next(CAP, &mut random) <= FIRST);
        }
    }

    #[test]
    fn what_works_only_for_a_moment_does_not_begin_the_series_again() {
        let mut random = StdRng::seed_from_u64(3);
        let mut backoff = Backoff::new(FIRST);
        let mut total = Duration::ZERO;
        for _ in 0..12 {
            total += backoff.next(CAP, &mut random);
            backoff.worked(Duration::from_millis(900));
        }
        assert!(total > Duration::from_secs(20), "{total:?}");
    }

    #[test]
    fn waits_grow_and_spread() {
        let mut random = StdRng::seed_from_u64(7);
        let waits: Vec<Duration> = (0..400)
            .map(|_| {
                let mut backoff = Backoff::new(FIRST);
                (0..12)
                    .map(|_| backoff.next(CAP, &mut random))
                    .last()
                    .unwrap_or_default()
            })
            .collect();
        let mean = waits.iter().sum::<Duration>() / 400;
        assert!(mean > Duration::from_secs(10), "{mean:?}");
        let early = waits
            .iter()
            .filter(|w| **w < Duration::from_secs(15))
            .count();
        let late = waits
            .iter()
            .filter(|w| **w > Duration::from_secs(35))
            .count();
        assert!(early > 40 && late > 40, "{early} early, {late} late of 400");
    }

    #[test]
    fn a_cap_below_the_first_wait_is_the_first_wait() {
        let mut random = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new(FIRST);
        for _ in 0..5 {
            assert!(backoff.next(Duration::ZERO, &mut random) <= FIRST);
        }
    }

    #[test]
    fn a_lower_cap_holds_from_the_next_wait_on() {
        let mut random = StdRng::seed_from_u64(5);
        let mut backoff = Backoff::new(FIRST);
        for _ in 0..50 {
            backoff.next(CAP, &mut random);
        }
        let cap = Duration::from_secs(5);
        assert!(backoff.next(cap, &mut random) <= cap);
    }
}
