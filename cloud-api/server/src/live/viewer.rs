//! One live socket, seen from the service: a bounded queue of what is still to be sent. Owns the
//! full policy: the oldest goes first, and every one left out is counted and told to the client.

use super::message::{LiveMessage, LiveValue};
use riser_model::TenantId;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Values waiting for one socket: four times the largest subscribed set.
pub const VALUES_MAX: usize = 2000;
/// Alarms, commands and gateway states waiting for one socket.
pub const NOTICES_MAX: usize = 256;

#[derive(Debug, Default)]
struct Outbox {
    values: VecDeque<LiveValue>,
    notices: VecDeque<LiveMessage>,
    dropped: u64,
    dropped_ever: u64,
}

/// One live socket.
#[derive(Debug)]
pub struct Viewer {
    /// Of this tenant's notices only; `None` gets those of every tenant.
    tenant: Option<TenantId>,
    outbox: Mutex<Outbox>,
    ready: Notify,
}

impl Viewer {
    pub(crate) fn new(tenant: Option<TenantId>) -> Self {
        Self {
            tenant,
            outbox: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// Whether this socket may hear of a tenant.
    #[must_use]
    pub fn hears(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }

    /// Queues values and wakes the socket. Never waits.
    pub fn offer(&self, values: impl IntoIterator<Item = LiveValue>) {
        let mut outbox = self.lock();
        for value in values {
            if outbox.values.len() == VALUES_MAX {
                outbox.values.pop_front();
                outbox.dropped += 1;
                outbox.dropped_ever += 1;
            }
            outbox.values.push_back(value);
        }
        drop(outbox);
        self.ready.notify_one();
    }

    /// Queues anything but values and wakes the socket. Never waits.
    pub fn tell(&self, notice: LiveMessage) {
        let mut outbox = self.lock();
        if outbox.notices.len() == NOTICES_MAX {
            outbox.notices.pop_front();
            outbox.dropped += 1;
            outbox.dropped_ever += 1;
        }
        outbox.notices.push_back(notice);
        drop(outbox);
        self.ready.notify_one();
    }

    /// Counts something that was lost before it came here.
    pub(super) fn lost(&self, count: u64) {
        let mut outbox = self.lock();
        outbox.dropped += count;
        outbox.dropped_ever += count;
        drop(outbox);
        self.ready.notify_one();
    }

    /// Waits until there is something to send and takes all of it. While the socket is idle a
    /// value goes out at once; while it is busy, what comes meanwhile makes one message.
    /// One reader only.
    pub async fn take(&self) -> Vec<LiveMessage> {
        loop {
            let messages = self.drain();
            if !messages.is_empty() {
                return messages;
            }
            self.ready.notified().await;
        }
    }

    /// What was left out since the socket opened.
    pub(super) fn dropped_ever(&self) -> u64 {
        self.lock().dropped_ever
    }

    fn drain(&self) -> Vec<LiveMessage> {
        let mut outbox = self.lock();
        let mut messages = Vec::new();
        if outbox.dropped > 0 {
            let count = std::mem::take(&mut outbox.dropped);
            messages.push(LiveMessage::Dropped { count });
        }
        messages.extend(outbox.notices.drain(..));
        if !outbox.values.is_empty() {
            let values = outbox.values.drain(..).collect();
            messages.push(LiveMessage::Values { values });
        }
        messages
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        // The queue is whole after every statement, so a panic elsewhere does not harm it.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Quality, Timestamp, Value};

    fn value(i: i64) -> LiveValue {
        LiveValue {
            gateway: riser_model::Key::slug("gw"),
            path: "a/b".parse().unwrap(),
            value: Some(Value::Int(i)),
            quality: Quality::GOOD,
            at: Timestamp(i),
        }
    }

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_hears_how_many() {
        let viewer = Viewer::new(None);
        viewer.offer((0..2007).map(value));
        let messages = viewer.take().await;
        assert_eq!(messages[0], LiveMessage::Dropped { count: 7 });
        let LiveMessage::Values { values } = &messages[1] else {
            panic!("{messages:?}")
        };
        assert_eq!(values.len(), VALUES_MAX);
        assert_eq!(values[0].at, Timestamp(7));
        assert_eq!(viewer.dropped_ever(), 7);
    }

    #[tokio::test]
    async fn values_do_not_push_alarms_out() {
        let viewer = Viewer::new(None);
        viewer.tell(LiveMessage::Ready {
            expires_at: Timestamp(1),
        });
        viewer.offer((0..4000).map(value));
        let messages = viewer.take().await;
        assert!(messages.contains(&LiveMessage::Ready {
            expires_at: Timestamp(1)
        }));
    }
}
