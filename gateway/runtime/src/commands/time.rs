//! Time as commands and holds run on it: a clock that is set neither ends nor prolongs them. Owns
//! what becomes of their times when it is.
//!
//! People give and read times of the wall clock, so that is what levels carry. Whether a time is
//! over is asked on the steady line of time plus the lag the levels were written under; when the
//! wall clock is stepped, the lag and the times move together under the same lock.

use super::commander::{Books, Commander};
use super::dispatcher::Job;
use riser_adapter::{Clock, ClockStep};
use riser_model::{AuthorKind, Command, Timestamp};

/// The wall clock against the steady line, in milliseconds. Steering changes it by little at a
/// time, a step at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lag(i64);

/// A change of the lag below this is steering.
const STEERED_MS: i64 = 400;

impl Lag {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self(clock.now().since(clock.steady()))
    }

    /// What the wall clock would show now, had it not been stepped since.
    pub(crate) fn now(self, clock: &dyn Clock) -> Timestamp {
        Timestamp(clock.steady().0.saturating_add(self.0))
    }

    /// A time given under this lag, as the wall clock will show it under another.
    fn moved(self, at: Timestamp, to: Self) -> Timestamp {
        later(at, to.0.saturating_sub(self.0))
    }
}

/// A moment so many milliseconds later.
fn later(at: Timestamp, by: i64) -> Timestamp {
    Timestamp(at.0.saturating_add(by))
}

impl Commander {
    /// Now, as the times in the books are meant.
    pub(super) fn time_of(&self, books: &mut Books) -> Timestamp {
        let clock = &*self.tools.clock;
        let now = Lag::of(clock);
        // A step is followed once it is told, together with the times.
        if (now.0 - books.lag.0).abs() < STEERED_MS {
            books.lag = now;
        }
        books.lag.now(clock)
    }

    /// Whether a waiting command is too old to be begun.
    pub(crate) fn is_over(&self, job: &Job) -> bool {
        job.command.expires_at <= job.lag.now(&*self.tools.clock)
    }

    /// How long a command may still wait, in milliseconds.
    pub(crate) fn left(&self, job: &Job) -> i64 {
        job.command
            .expires_at
            .since(job.lag.now(&*self.tools.clock))
    }

    /// A command as it is to be entered in the books: with the end of its hold as the wall clock
    /// will show it.
    pub(super) fn as_meant(&self, books: &Books, job: &Job) -> Command {
        let mut command = job.command.clone();
        let end = command.hold_until;
        command.hold_until = end.map(|end| job.lag.moved(end, books.lag));
        command
    }

    /// A command with its times by this gateway's clock. While that is only assumed, the cloud's
    /// times mean nothing here; how long the command may wait and hold does.
    pub(super) fn by_own_clock(&self, mut command: Command) -> Command {
        let clock = &self.tools.clock;
        if command.author.kind != AuthorKind::Cloud || !clock.is_assumed() {
            return command;
        }
        let by = clock.now().since(command.issued_at);
        command.expires_at = later(command.expires_at, by);
        command.hold_until = command.hold_until.map(|end| later(end, by));
        command
    }

    /// The wall clock was set: everything keeps the time it has left.
    ///
    /// Where the time was not known before, only what was written since then does: a hold from
    /// before that was given an end by a clock that was right, and ends then.
    pub(crate) fn stepped(&self, step: &ClockStep) {
        let by = step.by_ms();
        let moved = |at: Timestamp| later(at, by);
        {
            let mut books = self.books();
            books.lag = Lag::of(&*self.tools.clock);
            let mut changed = Vec::new();
            for (slot, array) in books.levels.arrays_mut() {
                changed.push(slot);
                array.restamp(&|since, until| match step.assumed_since {
                    Some(began) if since < began => (since, until),
                    _ => (step.corrected(since), until.map(moved)),
                });
            }
            for record in books.recent.iter_mut() {
                let own = record.command.author.kind != AuthorKind::Cloud;
                if own && step.corrected(record.command.issued_at) != record.command.issued_at {
                    record.command.issued_at = moved(record.command.issued_at);
                    record.command.expires_at = moved(record.command.expires_at);
                    record.command.hold_until = record.command.hold_until.map(moved);
                }
                record.outcome.at = step.corrected(record.outcome.at);
            }
            let directory = self.tools.field.directory();
            let devices = changed.into_iter().filter_map(|slot| {
                let entry = directory.entry(slot)?;
                Some(entry.point.path.device.clone())
            });
            books.unrecorded.extend(devices);
        }
        self.arrays_changed.notify_one();
    }
}
