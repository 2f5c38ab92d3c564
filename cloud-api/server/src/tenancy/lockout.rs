//! Wrong passwords of one account and what follows from them: five within 15 minutes lock it for
//! 15 minutes. Owns the rule; where the count is kept is for others to choose.

use riser_model::Timestamp;
use std::time::Duration;

/// Wrong passwords that lock an account.
pub const TRIES_MAX: u32 = 5;
/// How long wrong passwords count, and how long the lock lasts.
pub const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Wrong passwords of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Wrong passwords since `first_at`.
    pub failed: u32,
    /// The first of them.
    pub first_at: Option<Timestamp>,
    /// Until when the account is locked.
    pub locked_until: Option<Timestamp>,
}

impl Tries {
    /// Seconds until the next try makes sense; `None` when the account is not locked.
    #[must_use]
    pub fn locked_s(&self, now: Timestamp) -> Option<u64> {
        let left = self.locked_until?.since(now);
        let seconds = u64::try_from(left).ok()?.div_ceil(1000);
        (seconds > 0).then_some(seconds)
    }

    /// After one more wrong password. A lock that has ended, and tries too long ago, count no
    /// more.
    #[must_use]
    pub fn wrong(self, now: Timestamp) -> Self {
        if self.locked_s(now).is_some() {
            return self;
        }
        let window = self.first_at.filter(|first| now < first.plus(LOCKED_FOR));
        let counts = window.is_some() && self.locked_until.is_none();
        let failed = if counts { self.failed + 1 } else { 1 };
        Self {
            failed,
            first_at: Some(window.filter(|_| counts).unwrap_or(now)),
            locked_until: (failed >= TRIES_MAX).then(|| now.plus(LOCKED_FOR)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: i64 = 15 * 60 * 1000;

    fn after(times: impl IntoIterator<Item = i64>) -> Tries {
        times
            .into_iter()
            .fold(Tries::default(), |tries, t| tries.wrong(Timestamp(t)))
    }

    #[test]
    fn the_fifth_within_the_window_locks_for_as_long() {
        let tries = after([0, 1, 2, 3]);
        assert_eq!(tries.locked_s(Timestamp(4)), None);
        let tries = tries.wrong(Timestamp(1000));
        assert_eq!(tries.locked_s(Timestamp(1000)), Some(900));
        assert_eq!(tries.locked_s(Timestamp(1000 + WINDOW - 1)), Some(1));
        assert_eq!(tries.locked_s(Timestamp(1000 + WINDOW)), None);
    }

    #[test]
    fn tries_spread_out_do_not_lock() {
        let tries = after((0..40).map(|i| i * WINDOW / 4));
        assert_eq!(tries.locked_until, None);
    }

    #[test]
    fn after_a_lock_the_count_begins_anew() {
        let tries = after([0, 0, 0, 0, 0]);
        let tries = tries.wrong(Timestamp(WINDOW));
        assert_eq!((tries.failed, tries.locked_until), (1, None));
    }

    #[test]
    fn tries_while_locked_do_not_lengthen_the_lock() {
        let locked = after([0, 0, 0, 0, 0]);
        assert_eq!(locked.wrong(Timestamp(5000)), locked);
    }
}
