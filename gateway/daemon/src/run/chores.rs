//! What the daemon does beside the flow of samples: it records the configuration it runs, keeps the
//! audit log bounded and checked, and makes backups. Owns when.

use crate::backup::{Health, Source, start_drills};
use crate::clock::GatewayClock;
use crate::config::{Audit, Config};
use riser_adapter::Clock;
use riser_model::{ClockState, Timestamp};
use riser_store::{Store, Trace};
use sha2::Digest;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often the whole audit chain is checked and old entries go.
const LOOK: Duration = Duration::from_secs(6 * 3600);

/// The tasks, until [`Chores::stop`].
pub(super) struct Chores {
    /// How the scheduled backups are doing.
    pub(super) backup: Health,
    tasks: Vec<JoinHandle<()>>,
}

impl Chores {
    /// Starts them.
    pub(super) fn start(config: &Config, store: &Store, clock: &Arc<GatewayClock>) -> Self {
        let source = Source::of(config);
        let (backup, drills) = start_drills(config.backup.clone(), source, store.clone());
        let records = tokio::spawn(keep_records(
            store.clone(),
            Arc::clone(clock),
            (config.file.clone(), config.audit.clone()),
        ));
        let tasks = drills.into_iter().chain([records]).collect();
        Self { backup, tasks }
    }

    /// Ends them; nothing of theirs is half done.
    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn keep_records(
    store: Store,
    clock: Arc<GatewayClock>,
    (file, settings): (std::path::PathBuf, Audit),
) {
    record_configuration(&store, &file).await;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        // The log itself tells of a break; what else fails here fails at the next look, too.
        if let Err(error) = store.verify_audit().await {
            tracing::warn!(error = error.chain(), "the audit log could not be checked");
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

async fn record_configuration(store: &Store, file: &Path) {
    let text = match tokio::fs::read_to_string(file).await {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(%error, file = %file.display(), "the configuration could not be recorded");
            return;
        }
    };
    let new = riser_store::NewConfiguration {
        sha256: riser_model::AuditHash(sha2::Sha256::digest(text.as_bytes()).into()),
        body: text,
        note: String::new(),
        until: None,
        before: String::new(),
    };
    let deed = riser_store::Deed::by(Trace::gateway());
    match store.add_configuration(new, deed).await {
        Ok(version) => tracing::debug!(version, "the configuration is recorded"),
        Err(error) => {
            tracing::warn!(
                error = error.chain(),
                "the configuration could not be recorded"
            );
        }
    }
}
