//! Figures of the runtime since start. Owns the counters; whatever is dropped is in one of them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Figures since start. Every drop has one of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
        pub struct RuntimeStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl RuntimeStats {
            /// Every figure with its name, for `/metrics`.
            #[must_use]
            pub fn counters(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        /// The counters behind [`RuntimeStats`]; relaxed, each stands for itself.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> RuntimeStats {
                RuntimeStats {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

counters! {
    /// Scans taken in.
    scans,
    /// Readings taken in, those dropped below included.
    readings,
    /// Readings of a slot nobody declared: dropped.
    readings_undeclared,
    /// Readings whose value did not fit their point: kept as bad quality, without the value.
    readings_unfit,
    /// Readings within the deadband of their point: shown, not stored.
    readings_within_deadband,
    /// Points marked stale.
    points_gone_stale,
    /// Batches handed to the store.
    batches_appended,
    /// Samples handed to the store.
    samples_appended,
    /// Samples the store could not take: lost, and told as an event.
    samples_lost,
    /// Samples of history that devices recorded themselves, stored late.
    samples_backfilled,
    /// Times an adapter had to wait for the intake.
    intake_waits,
    /// Events handed to the store.
    events_filed,
    /// Events the store could not take: lost.
    events_lost,
    /// Scans put on the live stream.
    live_scans,
    /// Scans put on the watch stream.
    watch_scans,
    /// Scans the watch stream had no room for: dropped, the next one is newer.
    watch_scans_dropped,
    /// Points a watch lease named beyond the bound: not watched.
    watch_points_refused,
    /// Changes of alarms.
    alarm_changes,
    /// Alarms told to people.
    alarm_notifications,
    /// Changes of alarm conditions held back as flapping.
    alarm_changes_suppressed,
    /// Writes wanted by rules.
    rule_writes,
    /// Commands accepted.
    commands_accepted,
    /// Commands with an id that was known already: no second effect.
    commands_repeated,
    /// Commands not allowed or not possible.
    commands_refused,
    /// Commands too old before they could be begun.
    commands_expired,
    /// Commands handed to an adapter.
    commands_sent,
    /// Commands not known to have worked.
    commands_failed,
    /// Levels given back because their time was over.
    holds_ended,
    /// Writes repeated because the device was not known to hold the winning value.
    writes_repeated,
    /// Times the levels of a device could not be recorded; they are tried again.
    levels_unrecorded,
    /// Times an adapter was started again.
    adapter_restarts,
    /// Times an adapter panicked.
    adapter_panics,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Adds several.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
