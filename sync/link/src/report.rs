//! What people see of the link. Owns [`LinkStatus`] and its totals across connections.

use crate::config::LinkConfig;
use riser_model::{LinkState, LinkStatus};
use riser_store::{Now, Occupancy};
use std::time::Duration;
use tokio::sync::watch;

/// Keeps the status and tells whoever watches when it has changed.
pub(crate) struct Reporter {
    current: LinkStatus,
    sender: watch::Sender<LinkStatus>,
    now: Now,
}

impl Reporter {
    /// A status of a link that has not tried yet.
    pub(crate) fn new(config: &LinkConfig) -> (Self, watch::Receiver<LinkStatus>) {
        let current = LinkStatus {
            state: LinkState::Offline,
            since: (config.now)(),
            url: config.url(),
            ..LinkStatus::default()
        };
        let (sender, receiver) = watch::channel(current.clone());
        (
            Self {
                current,
                sender,
                now: config.now.clone(),
            },
            receiver,
        )
    }

    /// A state, perhaps the same as before.
    pub(crate) fn state(&mut self, state: LinkState) {
        if self.current.state != state {
            tracing::info!(from = ?self.current.state, to = ?state, "link");
            self.current.state = state;
            self.current.since = (self.now)();
        }
    }

    /// What went wrong.
    pub(crate) fn error(&mut self, text: &str) {
        if self.current.last_error.as_deref() != Some(text) {
            tracing::warn!(url = self.current.url, "link: {text}");
        }
        self.current.last_error = Some(text.to_owned());
    }

    /// The cloud is reached end to end: what went wrong before is history.
    pub(crate) fn healed(&mut self) {
        self.current.last_error = None;
    }

    /// A connection was made.
    pub(crate) fn connected(&mut self) {
        self.current.connects += 1;
    }

    /// A heartbeat came back.
    pub(crate) fn heartbeat(&mut self, round_trip: Duration) {
        self.current.last_heartbeat = Some((self.now)());
        self.current.round_trip_ms = u32::try_from(round_trip.as_millis()).ok();
    }

    /// A batch went out.
    pub(crate) fn sent(&mut self, bytes: usize, samples: u32) {
        self.current.bytes_sent += bytes as u64;
        self.current.samples_sent += u64::from(samples);
    }

    /// What waits in the store.
    pub(crate) fn backlog(&mut self, occupancy: &Occupancy) {
        let now = (self.now)();
        self.current.backlog_batches = occupancy.batches;
        self.current.backlog_bytes = occupancy.bytes;
        self.current.backlog_age_ms = occupancy
            .oldest_at
            .map_or(0, |at| u64::try_from(now.since(at)).unwrap_or(0));
        self.current.quarantined = occupancy.put_aside;
    }

    /// The status as it stands.
    pub(crate) fn current(&self) -> &LinkStatus {
        &self.current
    }

    /// Tells whoever watches, if there is something to tell.
    pub(crate) fn publish(&self) {
        self.sender.send_if_modified(|shown| {
            let changed = *shown != self.current;
            if changed {
                shown.clone_from(&self.current);
            }
            changed
        });
    }
}
