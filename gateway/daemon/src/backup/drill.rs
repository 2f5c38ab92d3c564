//! The restore drill: a backup nobody has restored is a hope. Owns its schedule, what counts as a
//! restored copy, which old backups go, and the health figure that comes of it.

use super::archive::{Manifest, unpack};
use super::create::{Extent, Source, create};
use super::{BackupError, Staging, passphrase};
use crate::config::Backup;
use crate::print;
use riser_adapter::{Clock, SystemClock};
use riser_api::BackupHealth;
use riser_model::Timestamp;
use riser_model::audit::action;
use riser_store::{Note, Store, StoreConfig, Trace};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What people see of backups; `None` where none are configured.
pub(crate) type Health = watch::Receiver<Option<BackupHealth>>;

/// How long closing the restored copy may take.
const GRACE: Duration = Duration::from_secs(20);
/// After a start the gateway has other things to do.
const SETTLE: Duration = Duration::from_secs(60);
/// A drill that failed is tried again sooner.
const RETRY: Duration = Duration::from_secs(3600);

/// Starts the schedule, where one is configured.
pub(crate) fn start(
    settings: Option<Backup>,
    source: Source,
    store: Store,
) -> (Health, Option<JoinHandle<()>>) {
    let Some(settings) = settings else {
        return (watch::channel(None).1, None);
    };
    let (tell, health) = watch::channel(Some(BackupHealth::default()));
    let every = Duration::from_secs(3600 * u64::from(settings.every_hours));
    let task = tokio::spawn(async move {
        tokio::time::sleep(due_in(&settings.dir, every).max(SETTLE)).await;
        loop {
            let ok = once(&settings, &source, &store, &tell).await;
            tokio::time::sleep(if ok { every } else { RETRY.min(every) }).await;
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

async fn once(
    settings: &Backup,
    source: &Source,
    store: &Store,
    tell: &watch::Sender<Option<BackupHealth>>,
) -> bool {
    let begun = SystemClock.now();
    let result = make_and_drill(settings, source).await;
    let last_ok = tell.borrow().as_ref().and_then(|health| health.last_ok);
    let health = match &result {
        Ok((file, octets)) => BackupHealth {
            ok: Some(true),
            at: Some(begun),
            last_ok: Some(begun),
            file: Some(file.display().to_string()),
            octets: *octets,
            error: None,
        },
        Err(error) => BackupHealth {
            ok: Some(false),
            at: Some(begun),
            last_ok,
            error: Some(print::chain(error)),
            ..BackupHealth::default()
        },
    };
    if let Some(error) = &health.error {
        tracing::error!(error, "the backup or its restore drill failed");
    }
    let detail =
        serde_json::json!({ "ok": health.ok, "octets": health.octets, "error": health.error });
    let object = health.file.clone().unwrap_or_default();
    let note = Note::new(Trace::gateway(), action::BACKUP, object).with(detail);
    if let Err(error) = store.note(note).await {
        tracing::warn!(error = error.chain(), "a backup could not be noted");
    }
    tell.send_replace(Some(health));
    result.is_ok()
}

async fn make_and_drill(settings: &Backup, source: &Source) -> Result<(PathBuf, u64), BackupError> {
    let (settings, source) = (settings.clone(), source.clone());
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
    verify(&restored.data(), &manifest).await?;
    Ok((out, octets))
}

/// Takes the copy up as a store, opens it as the daemon would, and compares.
pub(super) async fn verify(data: &Path, manifest: &Manifest) -> Result<(), BackupError> {
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
    if let Some(broken) = audit.broken {
        return wrong(broken.to_string());
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
