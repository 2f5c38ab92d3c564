//! How long to wait before the next attempt: as long as the cloud asks, else decorrelated jitter.
//! Pure; owns no clock. A whole fleet that loses its cloud at once must not come back at once, and
//! one gateway that loses it for a moment must be back in a moment.

use crate::config::Timings;
use rand::{Rng, RngExt};
use std::time::Duration;

/// How long a connection must have lived to count as a good one.
const STEADY: Duration = Duration::from_secs(10);

/// While less than this was waited since it last worked end to end, an attempt that ends early is
/// the fault of a link that comes and goes, not the cloud turning this gateway away: it was wanted a
/// moment ago.
const RECENT: Duration = Duration::from_secs(60);

/// What is added to an asked wait at most: a share of it, and this.
const SPREAD: Duration = Duration::from_millis(500);

/// How a connection, or the attempt at one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parting {
    /// It had worked end to end for this long.
    pub worked: Option<Duration>,
    /// How long was tried in vain: that was waited already.
    pub tried: Duration,
    /// The cloud was reached and does not want this gateway as it is.
    pub turned_away: bool,
    /// When the cloud has asked it to come back.
    pub retry_after: Option<Duration>,
}

/// Decides how long a gateway waits after each parting.
#[derive(Debug, Clone)]
pub struct Patience {
    timings: Timings,
    backoff: Backoff,
}

impl Patience {
    /// Of a gateway that has not tried yet.
    #[must_use]
    pub fn new(timings: Timings) -> Self {
        Self {
            timings,
            backoff: Backoff::new(timings.retry_first),
        }
    }

    /// The wait before the next attempt. What the cloud asks for is obeyed and a little added, so
    /// that those who were asked the same do not come back together; it does not make the waits of
    /// a broken network any longer.
    pub fn wait(&mut self, parting: Parting, random: &mut impl Rng) -> Duration {
        if let Some(lived) = parting.worked {
            self.backoff.worked(lived);
        }
        if let Some(asked) = parting.retry_after {
            let asked = asked.min(riser_wire::retry::MOST);
            return asked + random.random_range(Duration::ZERO..=asked / 4 + SPREAD);
        }
        let cap = if parting.turned_away && self.backoff.waited >= RECENT {
            self.timings.turned_away_cap
        } else {
            self.timings.retry_cap
        };
        let wait = self.backoff.next(cap, random);
        if parting.turned_away {
            return wait;
        }
        // Nobody answered. A network that heals is so back after one attempt, and not after an attempt
        // and a wait; those who lost it together stay apart.
        let least = random.random_range(self.timings.retry_first / 10..=self.timings.retry_first);
        wait.saturating_sub(parting.tried).max(least.min(wait))
    }
}

/// Waits that grow from a short first one to a cap, each drawn at random.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    last: Option<Duration>,
    /// All waits since it last worked; as good as long ago before the first time.
    waited: Duration,
}

impl Backoff {
    /// A fresh series. `first` bounds the first wait.
    pub(crate) fn new(first: Duration) -> Self {
        Self {
            first,
            last: None,
            waited: RECENT,
        }
    }

    /// What was tried has worked for this long. The series begins again if that was long enough;
    /// two gateways that throw each other off under one name must not do so ever faster.
    pub(crate) fn worked(&mut self, lived: Duration) {
        self.waited = Duration::ZERO;
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
        self.waited = self.waited.saturating_add(wait);
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
    fn a_link_that_comes_and_goes_is_looked_for_often_and_one_turned_away_seldom() {
        let mut random = StdRng::seed_from_u64(9);
        let timings = Timings::default();
        let mut patience = Patience::new(timings);
        let away = Parting {
            turned_away: true,
            ..Parting::default()
        };
        let flap = Parting {
            worked: Some(Duration::from_millis(400)),
            ..away
        };
        for attempt in 0..500 {
            // Every third attempt gets through, for less than a second.
            let parting = if attempt % 3 == 0 { flap } else { away };
            let wait = patience.wait(parting, &mut random);
            assert!(wait <= timings.retry_cap, "{wait:?}");
        }
        let longest = (0..200).map(|_| patience.wait(away, &mut random)).max();
        assert!(longest > Some(Duration::from_secs(30)), "{longest:?}");
        let mut new = Patience::new(timings);
        let longest = (0..20).map(|_| new.wait(away, &mut random)).max();
        assert!(longest > Some(Duration::from_secs(10)), "{longest:?}");
    }

    #[test]
    fn the_time_of_an_attempt_nobody_answered_is_part_of_the_wait() {
        let mut random = StdRng::seed_from_u64(5);
        let timings = Timings::default();
        let mut patience = Patience::new(timings);
        let silent = Parting {
            tried: timings.connect,
            ..Parting::default()
        };
        for _ in 0..200 {
            let wait = patience.wait(silent, &mut random);
            assert!(wait >= timings.retry_first / 10, "{wait:?}");
            assert!(wait <= timings.retry_first, "{wait:?}");
        }
        let away = Parting {
            turned_away: true,
            ..silent
        };
        let longest = (0..200).map(|_| patience.wait(away, &mut random)).max();
        assert!(longest > Some(Duration::from_secs(30)), "{longest:?}");
        let refused = (0..200).map(|_| patience.wait(Parting::default(), &mut random));
        assert!(refused.max() > Some(Duration::from_secs(4)));
    }

    #[test]
    fn an_asked_wait_is_obeyed_with_jitter_and_bounded() {
        let mut random = StdRng::seed_from_u64(11);
        let mut patience = Patience::new(Timings::default());
        let asked = |seconds| Parting {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Parting::default()
        };
        let waits: Vec<Duration> = (0..500)
            .map(|_| patience.wait(asked(20), &mut random))
            .collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(20), "{least:?}");
        assert!(*most <= Duration::from_millis(25_500), "{most:?}");
        assert!(
            *most - *least > Duration::from_secs(4),
            "{least:?} {most:?}"
        );
        let ages = patience.wait(asked(1_000_000), &mut random);
        assert!(ages <= Duration::from_secs(760), "{ages:?}");
        // Obeying is no failure: the first wait of its own is as short as ever.
        let own = patience.wait(Parting::default(), &mut random);
        assert!(own <= Timings::default().retry_first, "{own:?}");
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
