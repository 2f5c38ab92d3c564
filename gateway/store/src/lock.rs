//! Who works in a folder: one process at a time. Owns the lock, and how long it is waited for.

use crate::error::Doing;
use crate::{StoreConfig, StoreError, files};
use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

/// How long a folder may still be taken: a process that ends, or one that was just forked and holds
/// every file of its parent, lets go within a moment.
const MOMENT: Duration = Duration::from_secs(1);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Takes the folder for this process. The lock is held as long as the file is open.
pub(crate) fn take(config: &StoreConfig) -> Result<File, StoreError> {
    let history = config.history_dir();
    files::make_private(&history)?;
    let path = config.dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .doing("open the lock file", &path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < MOMENT => {
                std::thread::park_timeout(LOOK);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    dir: config.dir.clone(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(error).doing("lock", &path),
        }
    }
}
