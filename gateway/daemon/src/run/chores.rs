//! What the daemon does beside the flow of samples: it keeps the
//! audit log bounded and checked, enters what was done at the console, and makes backups. Owns when.

use super::part::Part;
use crate::backup::{Health, Source, start_drills};
use crate::clock::GatewayClock;
use crate::config::{Audit, Config};
use riser_adapter::Clock;
use riser_api::{AUDIT_SUBJECT, audit_condition};
use riser_model::{ClockState, Timestamp};
use riser_runtime::Runtime;
use riser_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

/// How often the whole audit chain is checked and old entries go.
const LOOK: Duration = Duration::from_secs(6 * 3600);
/// How often it is looked for what was done at the console.
const LOOK_FOR_DEEDS: Duration = Duration::from_secs(10);

/// The tasks, until [`Chores::stop`].
pub(super) struct Chores {
    /// How the scheduled backups are doing.
    pub(super) backup: Health,
    /// Told when somebody wants a backup now.
    pub(super) backup_now: Arc<Notify>,
    parts: Vec<Part>,
}

impl Chores {
    /// Starts them.
    pub(super) fn start(
        config: &Config,
        (store, runtime): (&Store, &Runtime),
        clock: &Arc<GatewayClock>,
    ) -> Self {
        let source = Source::of(config);
        let backup_now = Arc::new(Notify::new());
        let whole = (store.clone(), runtime.clone());
        let asked = Arc::clone(&backup_now);
        let (backup, drills) = start_drills(config.backup.clone(), source, whole.clone(), asked);
        let records = tokio::spawn(keep_records(whole, Arc::clone(clock), config.audit.clone()));
        let deeds = tokio::spawn(take_up_deeds(
            store.clone(),
            config.gateway.data_dir.clone(),
        ));
        let drills = drills.map(|task| Part::new("the backups", task));
        let own = [
            Part::new("the checking of the audit log", records),
            Part::new("the record of what is done at the console", deeds),
        ];
        Self {
            backup,
            backup_now,
            parts: drills.into_iter().chain(own).collect(),
        }
    }

    /// Ends them; nothing of theirs is half done.
    pub(super) fn stop(&self) {
        self.parts.iter().for_each(Part::abort);
    }

    /// What must not end before.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }
}

/// Enters what was done at the console.
async fn take_up_deeds(store: Store, data_dir: std::path::PathBuf) {
    let mut look = interval(LOOK_FOR_DEEDS);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        crate::deeds::take_up(&store, &data_dir).await;
    }
}

async fn keep_records(
    (store, runtime): (Store, Runtime),
    clock: Arc<GatewayClock>,
    settings: Audit,
) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        // What fails here fails at the next look, too.
        match store.verify_audit().await {
            Ok(report) => runtime.condition(AUDIT_SUBJECT, audit_condition(&report)),
            Err(error) => {
                tracing::warn!(error = error.chain(), "the audit log could not be checked");
            }
        }
        let most = u64::from(settings.max_entries);
        let pruned = store
            .prune_audit(older_than(clock.as_ref(), settings.keep_days), most)
            .await;
        match pruned {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old audit entries were dropped"),
            Err(error) => {
                tracing::warn!(error = error.chain(), "the audit log could not be pruned");
            }
        }
    }
}

/// Nothing is known to be old while the clock is not.
fn older_than(clock: &dyn Clock, days: u32) -> Option<Timestamp> {
    let age = Timestamp::DAY.saturating_mul(i64::from(days));
    (clock.state() == ClockState::Synchronised)
        .then(|| Timestamp(clock.now().0.saturating_sub(age)))
}
