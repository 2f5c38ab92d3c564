//! What is done at the console beside a running daemon and belongs into the audit log. Only the
//! daemon writes that log, so the deed is left in a folder and taken up from there, at once while
//! the daemon runs and at its next start otherwise. Owns that folder and what a deed looks like.

use riser_adapter::{Clock, SystemClock};
use riser_model::Timestamp;
use riser_model::audit::action;
use riser_store::{Note, Store, Trace};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Deeds taken up in one round, and the largest file that is read.
const MOST: usize = 100;
const OCTETS: u64 = 64 * 1024;

/// Something somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deed {
    pub(crate) actor: String,
    pub(crate) object: String,
    pub(crate) detail: serde_json::Value,
    pub(crate) at: Timestamp,
}

/// Who sits at the console, as far as the system says.
pub(crate) fn person() -> String {
    let named = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    named("SUDO_USER")
        .or_else(|| named("USER"))
        .or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| "root".to_owned())
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("deeds")
}

/// Leaves a note that a backup was made.
pub(crate) fn leave_backup(
    data_dir: &Path,
    object: String,
    detail: serde_json::Value,
) -> std::io::Result<()> {
    let deed = Deed {
        actor: person(),
        object,
        detail,
        at: SystemClock.now(),
    };
    let folder = folder(data_dir);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let name = format!("{}-{}", deed.at.0, uuid::Uuid::new_v4());
    let partial = folder.join(format!(".{name}"));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(serde_json::to_string(&deed)?.as_bytes())?;
    file.sync_all()?;
    hand_over(data_dir, [&folder, &partial])?;
    std::fs::rename(&partial, folder.join(format!("{name}.json")))?;
    std::fs::File::open(&folder)?.sync_all()
}

/// What root leaves must be readable for the daemon, which runs as the owner of the data.
fn hand_over(data_dir: &Path, paths: [&Path; 2]) -> std::io::Result<()> {
    let owner = std::fs::metadata(data_dir)?;
    for path in paths {
        if std::fs::metadata(path)?.uid() != owner.uid() {
            std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// Takes up what was left: into the log first, then away. A crash between the two enters a deed
/// twice rather than never.
pub(crate) async fn take_up(store: &Store, data_dir: &Path) {
    for file in left(&folder(data_dir)) {
        let Some(deed) = read(&file) else {
            tracing::warn!(file = %file.display(), "this is no note of a deed; it is set aside");
            let aside = file.with_extension("unreadable");
            if let Err(error) = std::fs::rename(&file, &aside) {
                tracing::warn!(%error, file = %file.display(), "it could not be set aside");
            }
            continue;
        };
        let mut detail = deed.detail;
        if let Some(table) = detail.as_object_mut() {
            table.insert("at".to_owned(), deed.at.0.into());
        }
        let trace = Trace::new(deed.actor, "console");
        let note = Note::new(trace, action::BACKUP, deed.object).with(detail);
        if let Err(error) = store.note(note).await {
            let error = error.chain();
            tracing::warn!(error, "a deed at the console could not be entered yet");
            return;
        }
        if let Err(error) = std::fs::remove_file(&file) {
            tracing::warn!(%error, file = %file.display(), "a note could not be removed");
        }
    }
}

/// The oldest first.
fn left(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let deed = |path: &PathBuf| path.extension().is_some_and(|e| e == "json");
    let mut files: Vec<_> = entries.map(|e| e.path()).filter(deed).collect();
    files.sort();
    files.truncate(MOST);
    files
}

fn read(file: &Path) -> Option<Deed> {
    if std::fs::symlink_metadata(file).ok()?.len() > OCTETS {
        return None;
    }
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_store::{AuditFilter, StoreConfig};
    use std::sync::Arc;

    #[tokio::test]
    async fn what_was_left_is_entered_once_and_rubbish_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let now = Arc::new(|| SystemClock.now());
        let (store, _) = Store::open(StoreConfig::new(dir.path()), now).unwrap();
        take_up(&store, dir.path()).await;
        let detail = serde_json::json!({ "ok": true, "octets": 7 });
        leave_backup(dir.path(), "/mnt/a.backup".into(), detail).unwrap();
        std::fs::write(dir.path().join("deeds/1.json"), "{\"actor\":").unwrap();
        for _ in 0..2 {
            take_up(&store, dir.path()).await;
        }
        let filter = AuditFilter {
            limit: 10,
            ..AuditFilter::default()
        };
        let entries = store.audit(filter).await.unwrap();
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(
            (entries[0].source.as_str(), entries[0].object.as_str()),
            ("console", "/mnt/a.backup")
        );
        assert!(entries[0].detail.contains("\"octets\":7"));
        let names: Vec<_> = std::fs::read_dir(dir.path().join("deeds"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["1.unreadable"]);
    }
}
