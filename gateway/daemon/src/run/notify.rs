//! What the service manager is told (sd_notify(3)): ready, alive, stopping. Without one, nothing.

use riser_runtime::Runtime;
use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Starting is over.
pub(super) fn ready(url: &str) {
    tell(&[
        NotifyState::Ready,
        NotifyState::Status(&format!("collecting; pages at {url}")),
    ]);
}

/// Stopping has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says "alive" as often as the service manager wants it, as long as the executor runs and the
/// runtime's state can be read; ends when dropped.
pub(super) fn watchdog(runtime: Runtime) -> Option<Watchdog> {
    let limit = sd_notify::watchdog_enabled()?;
    let mut beat = interval(limit / 3);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(Watchdog(tokio::spawn(async move {
        loop {
            beat.tick().await;
            // Takes the one lock every scan takes: if that is never given back, nobody is alive.
            let points = runtime.quality_counts();
            tracing::trace!(good = points.good, bad = points.bad, "alive");
            tell(&[NotifyState::Watchdog]);
        }
    })))
}

/// The task that says "alive".
pub(super) struct Watchdog(JoinHandle<()>);

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
