//! A part of the daemon that runs until it is told to end. Owns its name, and noticing that it has
//! ended though nobody told it to: then only a new start of the process brings it back.

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Names the part that breaks down right after its start, in a build for tests of that.
#[cfg(feature = "fault-injection")]
const FAULT: &str = "RISER_FAULT_PART";

/// One part with its task.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    task: JoinHandle<()>,
}

impl Part {
    /// A task under the name people read.
    pub(super) fn new(name: &'static str, task: JoinHandle<()>) -> Self {
        #[cfg(feature = "fault-injection")]
        if std::env::var(FAULT).is_ok_and(|part| part == name) {
            task.abort();
        }
        Self { name, task }
    }

    /// Its name, if it has ended: whoever tells parts to end does not ask any more.
    pub(super) fn broken(&self) -> Option<&'static str> {
        self.task.is_finished().then_some(self.name)
    }

    /// Cuts it off; for parts that leave nothing half done.
    pub(super) fn abort(&self) {
        self.task.abort();
    }

    /// Waits for the end of a part that was told to end; cuts it off at the deadline and says whose
    /// end was late.
    pub(super) async fn end(mut self, deadline: Instant, late: &mut Vec<String>) {
        if timeout_at(deadline, &mut self.task).await.is_err() {
            self.task.abort();
            late.push(self.name.to_owned());
        }
    }
}

/// The first of some parts that has ended.
pub(super) fn broken<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Option<&'static str> {
    parts.into_iter().find_map(Part::broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn one_that_ends_or_panics_is_named_and_one_that_runs_is_not() {
        let forever = || tokio::spawn(std::future::pending());
        let runs = Part::new("a", forever());
        assert_eq!(runs.broken(), None);
        for (name, task) in [
            ("b", tokio::spawn(async {})),
            ("c", tokio::spawn(async { panic!("a defect") })),
        ] {
            let part = Part::new(name, task);
            while part.broken().is_none() {
                tokio::task::yield_now().await;
            }
            assert_eq!(broken([&runs, &part]), Some(name));
            let mut late = Vec::new();
            part.end(Instant::now() + Duration::from_secs(10), &mut late)
                .await;
            assert!(late.is_empty());
        }
        let mut late = Vec::new();
        runs.end(Instant::now(), &mut late).await;
        assert_eq!(late, ["a"]);
    }
}
