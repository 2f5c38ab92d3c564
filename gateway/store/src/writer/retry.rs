//! When to try a refused write again. Owns the back-off.

use crate::StoreError;
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Back-off of one file.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failed: Option<(Instant, Duration, StoreError)>,
}

impl Retry {
    /// The write worked.
    pub(super) fn worked(&mut self) {
        self.failed = None;
    }

    /// The write failed: wait twice as long as before.
    pub(super) fn failed(&mut self, error: StoreError) {
        let pause = match &self.failed {
            Some((_, pause, _)) => (*pause * 2).min(LONGEST),
            None => FIRST,
        };
        self.failed = Some((Instant::now() + pause, pause, error));
    }

    /// May it be tried now?
    pub(super) fn is_due(&self) -> bool {
        self.due_at().is_none_or(|at| at <= Instant::now())
    }

    /// When it may be tried again; `None` when nothing failed.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.failed.as_ref().map(|f| f.0)
    }

    /// Did the last try fail?
    pub(super) fn is_waiting(&self) -> bool {
        self.failed.is_some()
    }

    /// Why the last try failed.
    pub(super) fn error(&self) -> Option<&StoreError> {
        self.failed.as_ref().map(|f| &f.2)
    }
}
