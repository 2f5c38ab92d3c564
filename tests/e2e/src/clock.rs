//! A wall clock of its own for the processes of a lab, ahead of the real one, so that an hour is over
//! when a scenario needs it to be. Owns the offset and how far which moment was ahead.
//!
//! Both processes see the same clock, set anew at each start (libfaketime); their monotonic clock is
//! the real one.

use crate::{Lab, Process};
use riser_model::ledger::HOUR;
use std::path::{Path, PathBuf};

/// A clock that is ahead of the real one. Moments are milliseconds since 1970.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    /// From which real moment on it is how far ahead, in milliseconds; in order.
    ahead: Vec<(i64, i64)>,
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let below = folders.filter_map(|entry| Some(entry.ok()?.path()));
    let homes = below.chain([PathBuf::from("/usr/lib")]);
    homes
        .map(|home| home.join("faketime/libfaketime.so.1"))
        .find(|path| path.is_file())
}

impl Clock {
    /// Twenty minutes past an hour, the next one. `None`, loudly, where clocks cannot be bent.
    ///
    /// # Panics
    /// In continuous integration, where that must be possible.
    #[must_use]
    pub fn at_twenty_past(now: i64) -> Option<Self> {
        let Some(library) = library() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "faketime is missing; `make test` installs it"
            );
            eprintln!("SKIPPED: faketime is not installed; run `node tests/run.mjs setup`");
            return None;
        };
        let ahead = HOUR - now.rem_euclid(HOUR) + HOUR / 3;
        let ahead = vec![(i64::MIN, ahead / 1_000 * 1_000)];
        Some(Self { library, ahead })
    }

    /// From the next start of its processes on, a lab lives by this clock.
    pub fn give(&self, lab: &mut Lab) {
        for process in [&mut lab.gateway, &mut lab.cloud] {
            self.wind(process);
        }
    }

    fn wind(&self, process: &mut Process) {
        let seconds = self.ahead.last().map_or(0, |(_, ahead)| ahead / 1_000);
        process.set_environment("LD_PRELOAD", &text(&self.library));
        process.set_environment("FAKETIME", &format!("+{seconds}s"));
        process.set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        process.set_environment("NO_FAKE_STAT", "1");
    }

    /// It is an hour later from now on; nothing of the lab may run.
    pub fn an_hour_later(&mut self, now: i64, lab: &mut Lab) {
        let ahead = self.ahead.last().map_or(0, |(_, ahead)| *ahead);
        self.ahead.push((now, ahead + HOUR));
        self.give(lab);
    }

    /// What it showed at a real moment.
    #[must_use]
    pub fn shows(&self, real: i64) -> i64 {
        let then = self.ahead.iter().rev().find(|(from, _)| *from <= real);
        real + then.map_or(0, |(_, ahead)| *ahead)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_as_the_clock_was_then() {
        let clock = Clock {
            library: PathBuf::new(),
            ahead: vec![(i64::MIN, 10), (100, 20)],
        };
        assert_eq!((clock.shows(99), clock.shows(100)), (109, 120));
    }
}
