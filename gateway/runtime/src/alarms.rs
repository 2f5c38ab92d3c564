//! Tells changes of alarms. Owns the feed; the alarms themselves live in the rule engine, so they
//! are there however the disk is doing.

use crate::events::EventLog;
use crate::stats::{Counters, count};
use riser_model::{Alarm, Event};
use riser_rules::Effect;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Where changes of alarms are told.
#[derive(Clone)]
pub(crate) struct AlarmDesk {
    pub(crate) feed: broadcast::Sender<Alarm>,
    pub(crate) events: EventLog,
    pub(crate) counters: Arc<Counters>,
}

impl AlarmDesk {
    /// Tells every alarm among the effects. Called under the lock the engine is behind, so that
    /// changes of one alarm are told in the order they were made; nothing here waits.
    pub(crate) fn tell(&self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Alarm { alarm, notify } = effect {
                if *notify {
                    count(&self.counters.alarm_notifications);
                }
                self.tell_one(alarm, None);
            }
        }
    }

    /// Tells one changed alarm, and the audit log from where whoever changed it came.
    pub(crate) fn tell_one(&self, alarm: &Alarm, from: Option<String>) {
        count(&self.counters.alarm_changes);
        self.events.file_from(Event::Alarm(alarm.clone()), from);
        // Nobody listening is fine.
        let _ = self.feed.send(alarm.clone());
    }
}
