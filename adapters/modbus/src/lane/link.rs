//! When a lane may connect and when its connection has to go. Owns back-off, and the judgement that
//! the lane as a whole is down; pure but for chance, which spreads reconnects.

use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
/// Fruitless attempts after which the devices count as down.
const DOWN_AFTER: u32 = 2;

#[derive(Debug)]
pub(crate) struct Link {
    longest: Duration,
    fruitless: u32,
    retry_at: Instant,
    answered: bool,
    /// Requests without answer since the last answer on this connection.
    silent: u32,
    /// Why the lane is down.
    down: Option<String>,
    ever_up: bool,
}

impl Link {
    /// `longest` bounds the back-off, so that a lane is asked as often as a parked device.
    pub(crate) fn new(now: Instant, longest: Duration) -> Self {
        Self {
            longest: longest.max(FIRST),
            fruitless: 0,
            retry_at: now,
            answered: false,
            silent: 0,
            down: None,
            ever_up: false,
        }
    }

    pub(crate) fn retry_at(&self) -> Instant {
        self.retry_at
    }

    pub(crate) fn down(&self) -> Option<&str> {
        self.down.as_deref()
    }

    /// True once something was answered on this connection.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn ever_up(&self) -> bool {
        self.ever_up
    }

    /// A connection stands.
    pub(crate) fn connected(&mut self) {
        (self.answered, self.silent) = (false, 0);
    }

    /// An answer came in. True when the lane had been down.
    pub(crate) fn answered(&mut self) -> bool {
        (self.fruitless, self.answered, self.silent, self.ever_up) = (0, true, 0, true);
        self.down.take().is_some()
    }

    /// A request stayed without answer. True when the connection should be made anew: with several
    /// devices some must go on answering before one silent device is held to be the cause.
    pub(crate) fn unanswered(&mut self, devices: usize) -> bool {
        self.silent += 1;
        self.silent >= if devices == 1 { 1 } else { 3 }
    }

    /// The connection was given up by this end: nothing is wrong with connecting again at once.
    pub(crate) fn dropped(&mut self, now: Instant) {
        self.retry_at = now;
    }

    /// The connection could not be made, or ended. True when the lane is down now and was not
    /// before.
    pub(crate) fn failed(&mut self, now: Instant, why: String) -> bool {
        if self.answered {
            self.answered = false;
            self.retry_at = now;
            return false;
        }
        self.fruitless = self.fruitless.saturating_add(1);
        let doubled = FIRST * 2_u32.pow(self.fruitless.min(8) - 1);
        let chance = rand::random_range(0.75..1.25);
        self.retry_at = now + doubled.min(self.longest).mul_f64(chance);
        let was_up = self.down.is_none();
        if self.fruitless >= DOWN_AFTER {
            self.down = Some(why);
        }
        was_up && self.down.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_and_goes_down_after_fruitless_attempts() {
        let now = Instant::now();
        let mut link = Link::new(now, Duration::from_secs(10));
        assert!(!link.failed(now, "refused".into()));
        let first = link.retry_at() - now;
        assert!(link.failed(now, "refused".into()));
        for _ in 0..20 {
            assert!(!link.failed(now, "refused".into()));
        }
        let last = link.retry_at() - now;
        assert!(first < Duration::from_millis(200) && last > Duration::from_secs(7));
        link.connected();
        assert!(link.answered());
        assert!(link.down().is_none());
    }

    #[test]
    fn a_connection_that_was_good_is_made_again_at_once() {
        let now = Instant::now();
        let mut link = Link::new(now, Duration::from_secs(10));
        link.connected();
        link.answered();
        assert!(!link.failed(now, "closed".into()));
        assert_eq!(link.retry_at(), now);
    }
}
