//! The restore drill: a backup nobody has restored is a hope. Owns its schedule, what counts as a
//! restored copy, which old backups go, and the health figure that comes of it.

use super::archive::{Manifest, unpack};
use super::create::{Extent, Source, create};
use super::{BackupError, Staging, passphrase};
use crate::config::Backup;
use crate::print;
use riser_adapter::{Clock, SystemClock};
use riser_api::BackupHealth;
use riser_model::audit::action;
use riser_model::{AlarmPriority, Timestamp};
use riser_runtime::{Present, Runtime};
use riser_store::{AuditBreak, AuditFilter, Note, Store, StoreConfig, Trace};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What people see of backups; `None` where none are configured.
pub(crate) type Health = watch::Receiver<Option<BackupHealth>>;

/// Subject of the alarm about backups.
const SUBJECT: &str = "backup";
/// Source of the daemon's own entries of the audit log.
const GATEWAY: &str = "gateway";
/// Entries looked through for the last good one.
const REMEMBERED: usize = 200;
/// How long closing the restored copy may take.
const GRACE: Duration = Duration::from_secs(20);
/// After a start the gateway has other things to do.
const SETTLE: Duration = Duration::from_secs(60);
/// A drill that failed is tried again sooner.
const RETRY: Duration = Duration::from_secs(3600);

/// Starts the schedule, where one is configured. `now` asks for one at once.
pub(crate) fn start(
    settings: Option<Backup>,
    source: Source,
    (store, runtime): (Store, Runtime),
    now: Arc<Notify>,
) -> (Health, Option<JoinHandle<()>>) {
    let Some(settings) = settings else {
        // What failed before nobody wants any more.
        runtime.condition(SUBJECT, None);
        return (watch::channel(None).1, None);
    };
    let every = Duration::from_secs(3600 * u64::from(settings.every_hours));
    let (tell, health) = watch::channel(Some(BackupHealth {
        every_hours: settings.every_hours,
        ..BackupHealth::default()
    }));
    let drills = Drills {
        settings,
        source,
        store,
        runtime,
        tell,
    };
    let task = tokio::spawn(async move {
        drills.remember().await;
        let mut wait = due_in(&drills.settings.dir, every).max(SETTLE);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = now.notified() => {}
            }
            let ok = drills.once().await;
            wait = if ok { every } else { RETRY.min(every) };
        }
    });
    (health, Some(task))
}

/// Time until the next one, by the newest backup there is.
fn due_in(dir: &Path, every: Duration) -> Duration {
    let newest = backups(dir).pop();
    let age = newest.and_then(|file| file.metadata().ok()?.modified().ok()?.elapsed().ok());
    age.map_or(Duration::ZERO, |age| every.saturating_sub(age))
}

struct Drills {
    settings: Backup,
    source: Source,
    store: Store,
    runtime: Runtime,
    tell: watch::Sender<Option<BackupHealth>>,
}

impl Drills {
    /// What the audit log says of drills before this start.
    async fn remember(&self) {
        let filter = AuditFilter {
            action: Some(action::BACKUP.to_owned()),
            limit: REMEMBERED,
            ..AuditFilter::default()
        };
        let entries = match self.store.audit(filter).await {
            Ok(entries) => entries,
            Err(error) => {
                let error = error.chain();
                tracing::warn!(error, "it is not known how the last backup went");
                return;
            }
        };
        let own = entries.iter().filter(|e| e.source == GATEWAY);
        let told: Vec<(Timestamp, Value, &str)> = own
            .filter_map(|e| Some((e.at, serde_json::from_str(&e.detail).ok()?, &*e.object)))
            .collect();
        let good = told.iter().find(|(_, detail, _)| detail["ok"] == true);
        self.tell.send_modify(|health| {
            let (Some(health), Some((at, detail, _))) = (health.as_mut(), told.first()) else {
                return;
            };
            health.ok = detail["ok"].as_bool();
            health.at = Some(*at);
            health.error = detail["error"].as_str().map(str::to_owned);
            if let Some((at, detail, file)) = good {
                health.last_ok = Some(*at);
                health.file = Some((*file).to_owned());
                health.octets = detail["octets"].as_u64().unwrap_or(0);
            }
        });
    }

    /// Makes and restores one; answers whether it went well.
    async fn once(&self) -> bool {
        let begun = SystemClock.now();
        let running = |on: bool| {
            self.tell.send_modify(|health| {
                if let Some(health) = health.as_mut() {
                    health.running = on;
                }
            });
        };
        running(true);
        let result = make_and_drill(&self.settings, &self.source, &self.store).await;
        running(false);
        let mut health = self.tell.borrow().clone().unwrap_or_default();
        health.at = Some(begun);
        health.ok = Some(result.is_ok());
        health.error = result.as_ref().err().map(|e| riser_model::chain(e));
        if let Ok((file, octets)) = &result {
            health.last_ok = Some(begun);
            health.file = Some(file.display().to_string());
            health.octets = *octets;
        }
        self.note(&health, &result).await;
        self.runtime.condition(SUBJECT, failed(&health));
        self.tell.send_replace(Some(health));
        result.is_ok()
    }

    async fn note(&self, health: &BackupHealth, result: &Result<(PathBuf, u64), BackupError>) {
        if let Some(error) = &health.error {
            tracing::error!(error, "the backup or its restore drill failed");
        }
        let (object, octets) = match result {
            Ok((file, octets)) => (file.display().to_string(), *octets),
            Err(_) => (String::new(), 0),
        };
        let detail =
            serde_json::json!({ "ok": health.ok, "octets": octets, "error": health.error });
        let note = Note::new(Trace::gateway(), action::BACKUP, object).with(detail);
        if let Err(error) = self.store.note(note).await {
            tracing::warn!(error = error.chain(), "a backup could not be noted");
        }
    }
}

/// What the alarm about backups says; `None` while the last one is good.
fn failed(health: &BackupHealth) -> Option<Present> {
    let error = health.error.as_ref()?;
    let good = health.last_ok.map_or_else(
        || "there is no good one yet".to_owned(),
        |at| format!("the last good one is of {} UTC", print::time(at)),
    );
    Some(Present {
        priority: AlarmPriority::High,
        message: format!("the backup or its restore drill failed: {error}; {good}"),
    })
}

async fn make_and_drill(
    settings: &Backup,
    source: &Source,
    store: &Store,
) -> Result<(PathBuf, u64), BackupError> {
    let (settings, source) = (settings.clone(), source.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "one at a time; sealing and comparing files is no work for an executor thread"
    )]
    let blocking = tokio::task::spawn_blocking(move || {
        let secret = passphrase(Some(&settings.key_file))?;
        let name = format!("riser-{}-{}.backup", source.gateway(), SystemClock.now().0);
        let out = settings.dir.join(name);
        let extent = Extent {
            identity: settings.with_identity,
            ..Extent::default()
        };
        let made = create(&source, &out, extent, &secret)?;
        let restored = Arc::new(Staging::new(&source.data_dir)?);
        let manifest = unpack(&out, &secret, Some(&restored.0))?;
        forget(&settings.dir, settings.keep)?;
        Ok::<_, BackupError>((out, made.octets, restored, manifest))
    });
    let ended = |_| BackupError::Drill("it ended by a defect".to_owned());
    let (out, octets, restored, manifest) = blocking.await.map_err(ended)??;
    // A break of the original is in the copy, too; it has its own alarm.
    let known = store.verify_audit().await?.breaks;
    verify(&restored.data(), &manifest, &known).await?;
    Ok((out, octets))
}

/// Takes the copy up as a store, opens it as the daemon would, and compares.
pub(super) async fn verify(
    data: &Path,
    manifest: &Manifest,
    known: &[AuditBreak],
) -> Result<(), BackupError> {
    let now = SystemClock.now();
    let note = Note::new(Trace::gateway(), action::RESTORED, "restore drill");
    riser_store::adopt(data, note, now)?;
    let (store, recovery) = Store::open(StoreConfig::new(data), Arc::new(|| SystemClock.now()))?;
    let users = store.users().await?.len() as u64;
    let points = store.points().await?.points.len() as u64;
    let audit = store.verify_audit().await?;
    let closed = store.close(GRACE).await;
    let wrong = |what: String| Err(BackupError::Drill(what));
    if !recovery.set_aside.is_empty() || !recovery.missing.is_empty() {
        return wrong("opening it found damage".to_owned());
    }
    if (users, points) != (manifest.state.users, manifest.state.points) {
        return wrong(format!(
            "{users} users and {points} points instead of {} and {}",
            manifest.state.users, manifest.state.points
        ));
    }
    let same = |broken: &AuditBreak| known.iter().any(|k| k.broken == broken.broken);
    if let Some(broken) = audit.breaks.iter().find(|broken| !same(broken)) {
        return wrong(broken.broken.to_string());
    }
    closed.map_err(|error| BackupError::Drill(error.to_string()))
}

/// The backups in a folder, the oldest first.
fn backups(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("riser-") && name.ends_with(".backup"))
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(ours).collect();
    found.sort_by_key(|path| made_at(path));
    found
}

/// The time in the name of a backup.
fn made_at(path: &Path) -> Timestamp {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let number = stem.and_then(|stem| stem.rsplit('-').next()?.parse().ok());
    Timestamp(number.unwrap_or(0))
}

fn forget(dir: &Path, keep: u32) -> Result<(), BackupError> {
    let found = backups(dir);
    let surplus = found.len().saturating_sub(keep.max(1) as usize);
    for old in &found[..surplus] {
        std::fs::remove_file(old).map_err(BackupError::file("remove", old))?;
    }
    Ok(())
}
