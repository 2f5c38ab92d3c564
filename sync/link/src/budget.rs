//! What the link may cost: so many octets a second on average, events first. Pure; owns the account
//! and no clock.
//!
//! Events always pass, on credit if need be: an alarm waits for nothing. Live data passes while
//! there is anything in the account, backfill only while more than half of it is left, so that it
//! takes what the others leave. Rollups have a share of their own, so that they go on while live data
//! takes all the rest; what they do not need is the others'. What is sent is paid for whole, so the average holds whatever the
//! size of a batch.

use riser_wire::topic::UpLane;
use std::time::{Duration, Instant};

/// How much unused allowance is kept, in seconds of it.
const SAVED: f64 = 2.0;
/// Octets around a publication: TCP, IP, TLS record, with an acknowledgement back.
const AROUND: usize = 120;
/// Part of the allowance rollups may take before anything else.
const ROLLUPS: f64 = 0.5;
/// Stretches that are rolled up, in minutes.
pub(crate) const MINUTE: u32 = 1;
const QUARTER: u32 = 15;

/// The account of one link. It goes on over connections.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// Octets a second; `None`: no bound.
    rate: Option<f64>,
    /// Octets that may be spent; below zero what was spent on credit.
    left: f64,
    /// Octets rollups may spend.
    rollups: f64,
    at: Instant,
}

impl Budget {
    /// An account of so many kilobits (1,000 bits) a second, full at first.
    pub(crate) fn new(kbit_s: Option<u32>, now: Instant) -> Self {
        let rate = kbit_s.map(|k| f64::from(k) * 125.0);
        Self {
            rate,
            left: rate.unwrap_or(0.0) * SAVED,
            rollups: rate.unwrap_or(0.0) * SAVED * ROLLUPS,
            at: now,
        }
    }

    /// Whether a batch may go out on this lane now.
    pub(crate) fn admits(&mut self, lane: UpLane, now: Instant) -> bool {
        self.wait(lane, now).is_zero()
    }

    /// How long nothing may go out on this lane.
    pub(crate) fn wait(&mut self, lane: UpLane, now: Instant) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        self.settle(rate, now);
        if lane == UpLane::Rollup {
            let wait = -self.rollups / (rate * ROLLUPS);
            return Duration::try_from_secs_f64(wait).unwrap_or(Duration::ZERO);
        }
        let needed = match lane {
            UpLane::Live | UpLane::Watch => 0.0,
            UpLane::Backfill => rate * SAVED / 2.0,
            UpLane::Event | UpLane::Hello | UpLane::Heartbeat | UpLane::Rollup => {
                return Duration::ZERO;
            }
        };
        Duration::try_from_secs_f64((needed - self.left) / rate).unwrap_or(Duration::ZERO)
    }

    /// Pays for a publication.
    #[expect(clippy::cast_precision_loss, reason = "some megabytes at most")]
    pub(crate) fn pay(&mut self, octets: usize, now: Instant) {
        if let Some(rate) = self.rate {
            self.settle(rate, now);
            self.left -= (octets + AROUND) as f64;
        }
    }

    /// Pays for a frame of a rollup, out of their share too.
    #[expect(clippy::cast_precision_loss, reason = "some megabytes at most")]
    pub(crate) fn pay_rollup(&mut self, octets: usize, now: Instant) {
        self.pay(octets, now);
        if self.rate.is_some() {
            self.rollups -= (octets + AROUND) as f64;
        }
    }

    /// How long stretches of rollups should be, in minutes, given what the one at hand takes: minutes
    /// where they fit into the share of rollups, else quarters of an hour.
    #[expect(clippy::cast_precision_loss, reason = "some megabytes at most")]
    pub(crate) fn stretch(&self, minutes: u32, (octets, frames): (usize, usize)) -> u32 {
        let needed = octets.saturating_add(frames.saturating_mul(AROUND)) as f64;
        let a_minute = self
            .rate
            .map_or(f64::INFINITY, |rate| rate * ROLLUPS * 60.0);
        match minutes {
            MINUTE if needed > a_minute => QUARTER,
            // A minute may take more than its part of the quarter, hardly twice as much as all of it.
            QUARTER if needed * 2.0 > a_minute => QUARTER,
            _ => MINUTE,
        }
    }

    fn settle(&mut self, rate: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * rate).min(rate * SAVED);
        let share = rate * ROLLUPS;
        self.rollups = (self.rollups + passed * share).min(share * SAVED);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(budget: &mut Budget, lane: UpLane, size: usize, from: Instant, seconds: u64) -> usize {
        let mut sent = 0;
        for ms in 0..seconds * 100 {
            let now = from + Duration::from_millis(ms * 10);
            while budget.admits(lane, now) {
                budget.pay(size, now);
                sent += size + AROUND;
            }
        }
        sent
    }

    #[test]
    fn without_a_bound_everything_passes_at_once() {
        let now = Instant::now();
        let mut budget = Budget::new(None, now);
        budget.pay(usize::MAX / 4, now);
        assert!(budget.wait(UpLane::Backfill, now).is_zero());
    }

    #[test]
    fn the_average_holds_for_small_and_large_batches() {
        for size in [100, 5_000, 200_000] {
            let now = Instant::now();
            let mut budget = Budget::new(Some(64), now);
            let sent = spend(&mut budget, UpLane::Live, size, now, 600);
            let most = 8_000 * 602 + size + AROUND;
            assert!(sent <= most && sent > 8_000 * 570, "{size}: {sent}");
        }
    }

    #[test]
    fn an_event_never_waits_and_live_goes_before_backfill() {
        let now = Instant::now();
        let mut budget = Budget::new(Some(8), now);
        budget.pay(100_000, now);
        assert!(budget.admits(UpLane::Event, now));
        let (live, backfill) = (
            budget.wait(UpLane::Live, now),
            budget.wait(UpLane::Backfill, now),
        );
        assert!(live > Duration::from_secs(90) && backfill > live);
        let later = now + live + Duration::from_millis(1);
        assert!(budget.admits(UpLane::Live, later));
        assert!(!budget.admits(UpLane::Backfill, later));
    }

    #[test]
    fn rollups_have_a_share_and_the_average_holds_with_them() {
        let now = Instant::now();
        let mut budget = Budget::new(Some(64), now);
        let mut sent = (0, 0);
        for ms in 0..60_000 {
            let at = now + Duration::from_millis(ms * 10);
            while budget.admits(UpLane::Live, at) {
                budget.pay(5_000, at);
                sent.0 += 5_000 + AROUND;
            }
            while budget.admits(UpLane::Rollup, at) {
                budget.pay_rollup(2_000, at);
                sent.1 += 2_000 + AROUND;
            }
        }
        assert!(sent.0 + sent.1 <= 8_000 * 602 + 8_000, "{sent:?}");
        assert!((2_300_000..2_500_000).contains(&sent.1), "{sent:?}");
        assert!(sent.0 > 2_300_000, "{sent:?}");
        let stretch = |minutes, octets| budget.stretch(minutes, (octets, 1));
        assert_eq!((stretch(1, 239_000), stretch(1, 240_000)), (1, 15));
        assert_eq!((stretch(15, 119_000), stretch(15, 120_000)), (1, 15));
    }

    #[test]
    fn a_quiet_time_saves_two_seconds_and_no_more() {
        let now = Instant::now();
        let mut budget = Budget::new(Some(80), now);
        let sent = spend(
            &mut budget,
            UpLane::Live,
            880,
            now + Duration::from_secs(3_600),
            1,
        );
        assert!((20_000..=32_000).contains(&sent), "{sent}");
    }
}
