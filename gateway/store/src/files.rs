//! Database files as files: which are there, how one is deleted or put out of the way. Owns that a
//! file and its log go together.

use crate::error::Doing;
use crate::{StoreConfig, StoreError};
use riser_model::Timestamp;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A damaged file, out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it was.
    pub file: PathBuf,
    /// Where it is now.
    pub moved_to: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Makes a folder, and those above it, that only its owner may enter, whatever the umask: password
/// hashes are in it. One that is there keeps the permissions it was given.
pub(crate) fn make_private(dir: &Path) -> Result<(), StoreError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .doing("make the folder", dir)
}

/// Deletes a database file with its log.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    for part in with_log(path) {
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing("delete", &part);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Renames a damaged database file with its log; a person may still want to look at it.
pub(crate) fn set_aside(path: &Path, reason: &str, now: Timestamp) -> Result<SetAside, StoreError> {
    let ending = format!(".damaged-{}", now.0);
    let to = |part: &Path| {
        let mut name = part.as_os_str().to_owned();
        name.push(&ending);
        PathBuf::from(name)
    };
    tracing::error!(file = %path.display(), reason, "a damaged file is set aside");
    for part in with_log(path) {
        match std::fs::rename(&part, to(&part)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing("set aside", &part);
            }
            _ => {}
        }
    }
    Ok(SetAside {
        file: path.to_owned(),
        moved_to: to(path),
        reason: reason.to_owned(),
    })
}

/// True where a log was left beside the file: the process that wrote it did not end by itself.
pub(crate) fn has_log(path: &Path) -> bool {
    let [_, log, _] = with_log(path);
    std::fs::metadata(log).is_ok_and(|m| m.len() > 0)
}

fn with_log(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// Puts a complete database file in the place of another, so that a crash leaves one of the two.
/// Neither has a log.
pub(crate) fn replace(new: &Path, old: &Path) -> Result<(), StoreError> {
    std::fs::rename(new, old).doing("put a compacted file in the place of", old)?;
    let folder = old.parent().unwrap_or(old);
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .doing("put on the disk", folder)
}

/// Deletes what compaction had not finished when the process ended.
pub(crate) fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(dir).doing("list", dir)? {
        let path = entry.doing("list", dir)?.path();
        if path.extension().is_some_and(|e| e == "compacting") {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Octets on the disk of a database file and its log.
pub(crate) fn size(path: &Path) -> u64 {
    let parts = with_log(path).into_iter();
    parts
        .filter_map(|part| std::fs::metadata(part).ok())
        .map(|m| m.len())
        .sum()
}

/// Day files in a folder, by name.
pub(crate) fn days(dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).doing("list", dir)? {
        let path = entry.doing("list", dir)?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        if let Some(day) = name.and_then(|n| n.strip_suffix(".db")) {
            found.push((day.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// Octets kept back for the moment the disk is full: enough for some hundred events and for the
/// transaction that drops a day file.
const RESERVE: usize = 2 << 20;

fn reserve(dir: &Path) -> PathBuf {
    dir.join("reserve")
}

/// Free octets there must be: the configured ones, and room for the reserve while it is given away.
pub(crate) fn floor(config: &StoreConfig) -> u64 {
    let missing = if has_reserve(&config.dir) {
        0
    } else {
        RESERVE as u64
    };
    config.min_free_bytes.saturating_add(missing)
}

fn has_reserve(dir: &Path) -> bool {
    std::fs::metadata(reserve(dir)).is_ok_and(|m| m.len() == RESERVE as u64)
}

/// Makes the reserve, unless it is there.
pub(crate) fn keep_reserve(dir: &Path) -> Result<(), StoreError> {
    let path = reserve(dir);
    if has_reserve(dir) {
        return Ok(());
    }
    // Random enough that no file system stores it in less room than it says.
    let octets: Vec<u8> = (0..RESERVE as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    let written = std::fs::write(&path, octets);
    if written.is_err() {
        // Half a reserve takes room and helps nobody.
        give_reserve(dir);
    }
    written.doing("write", &path)
}

/// Gives the reserve away; false when there was none.
pub(crate) fn give_reserve(dir: &Path) -> bool {
    std::fs::remove_file(reserve(dir)).is_ok()
}
