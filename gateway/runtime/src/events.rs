//! Puts events on their way to the store without ever waiting for it. Owns the counting of those
//! the store's bounded queue had no room for.

use crate::stats::{Counters, count};
use futures_util::FutureExt as _;
use riser_model::Event;
use riser_store::Store;
use std::sync::Arc;

/// The way to the event stream.
#[derive(Clone)]
pub(crate) struct EventLog {
    store: Store,
    counters: Arc<Counters>,
}

impl EventLog {
    pub(crate) fn new(store: Store, counters: Arc<Counters>) -> Self {
        Self { store, counters }
    }

    /// Queues an event. The store keeps it until the disk takes it; only when thousands wait
    /// already, or the store is closed, is it lost, and counted.
    pub(crate) fn file(&self, event: Event) {
        self.file_from(event, None);
    }

    /// As `file`, with where whoever caused it came from.
    pub(crate) fn file_from(&self, event: Event, from: Option<String>) {
        count(&self.counters.events_filed);
        let filed = self.store.append_event_from(event, from);
        if let Some(Err(error)) = filed.now_or_never() {
            count(&self.counters.events_lost);
            tracing::error!(error = error.chain(), "an event was lost");
        }
    }
}
