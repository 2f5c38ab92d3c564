//! Circuit breaker of one device: after some failures in a row it is parked, then asked now and
//! then whether it is back. Pure: time comes in as an argument.

use riser_model::Breaker as State;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait after a failure that did not park the device.
const HOLD_FIRST: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    failures: u32,
    threshold: u32,
    probe_interval: Duration,
    /// Parked: next question. Closed: not before.
    wait_until: Instant,
}

impl Breaker {
    pub(crate) fn new(threshold: u32, probe_interval: Duration, now: Instant) -> Self {
        Self {
            state: State::Closed,
            failures: 0,
            threshold,
            probe_interval,
            wait_until: now,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Before this nothing should be sent: the hold after a failure, or the next probe.
    pub(crate) fn wait_until(&self) -> Instant {
        self.wait_until
    }

    /// The device answered. True when it had been parked.
    pub(crate) fn success(&mut self, now: Instant) -> bool {
        self.failures = 0;
        self.wait_until = now;
        std::mem::replace(&mut self.state, State::Closed) != State::Closed
    }

    /// The device failed. True when it is parked now and was not before. After the first failure only
    /// silence makes it wait: a connection that lost step is made anew at once.
    pub(crate) fn failure(&mut self, now: Instant, timeout: Duration, silent: bool) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.state != State::Closed || self.failures >= self.threshold {
            // A probe that times out may cost the lane a tenth of its time at most.
            self.wait_until = now + self.probe_interval.max(timeout * 10);
            return std::mem::replace(&mut self.state, State::Open) == State::Closed;
        }
        let first = if silent {
            timeout.min(HOLD_FIRST)
        } else {
            Duration::ZERO
        };
        self.wait_until = now + first + timeout * (self.failures - 1);
        false
    }

    /// A probe goes out.
    pub(crate) fn probe(&mut self) {
        self.state = State::HalfOpen;
    }

    /// The probe could not be sent, or the lane went down: ask again as soon as it is up.
    pub(crate) fn probe_again(&mut self, now: Instant) {
        if self.state != State::Closed {
            self.state = State::Open;
            self.wait_until = self.wait_until.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn parks_after_the_threshold_and_returns_with_one_good_probe() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, SECOND * 10, now);
        assert!(!breaker.failure(now, SECOND, true));
        assert!(!breaker.failure(now, SECOND, true));
        assert!(breaker.wait_until() > now + SECOND);
        assert!(breaker.failure(now, SECOND, true));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.wait_until(), now + SECOND * 10);
        breaker.probe();
        assert!(!breaker.failure(now + SECOND * 10, SECOND, true));
        assert_eq!(breaker.state(), State::Open);
        breaker.probe();
        assert!(breaker.success(now + SECOND * 20));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_probe_never_costs_more_than_a_tenth_of_the_time() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND, now);
        breaker.failure(now, SECOND * 2, true);
        assert_eq!(breaker.wait_until(), now + SECOND * 20);
    }
}
