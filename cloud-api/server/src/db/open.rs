//! Opening the database file. Owns the lock on its folder and the settings of every connection:
//! WAL and `synchronous=FULL`, so that what was committed survives a power cut.

use super::{DbError, migrate};
use rusqlite::{Connection, OpenFlags};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A database that is open, of this program's version.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The folder's lock; absent when somebody else holds it and may.
    pub(super) lock: Option<File>,
}

/// For the service: nobody else may have the folder open.
pub(super) fn alone(dir: &Path) -> Result<Opened, DbError> {
    let opened = open(dir)?;
    if opened.lock.is_some() {
        return Ok(opened);
    }
    Err(DbError::File {
        path: dir.display().to_string(),
        message: "another riser-cloud has this folder open; stop it first".to_owned(),
    })
}

/// For a single task beside a service that may be running.
pub(super) fn beside(dir: &Path) -> Result<Opened, DbError> {
    open(dir)
}

fn open(dir: &Path) -> Result<Opened, DbError> {
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o700);
    folder.create(dir).map_err(|e| file_error(dir, &e))?;
    let lock_path = dir.join("lock");
    let lock = File::create(&lock_path).map_err(|e| file_error(&lock_path, &e))?;
    let lock = lock.try_lock().is_ok().then_some(lock);
    let path = dir.join("cloud.db");
    own(&path).map_err(|e| file_error(&path, &e))?;
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if lock.is_some() {
        migrate::migrate(&mut connection)?;
    } else {
        // Never under the feet of a running service.
        migrate::expect_current(&connection)?;
    }
    Ok(Opened {
        connection,
        path,
        lock,
    })
}

/// Makes the file where there is none: it holds password hashes and every tenant's values, so it is
/// the service's alone. SQLite gives the files beside it the same mode.
fn own(path: &Path) -> std::io::Result<()> {
    let mut how = OpenOptions::new();
    how.append(true).create(true).mode(0o600).open(path)?;
    Ok(())
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, DbError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

pub(super) fn file_error(path: &Path, error: &std::io::Error) -> DbError {
    DbError::File {
        path: path.display().to_string(),
        message: format!(
            "{error}; the folder must exist or be makeable, and belong to the service"
        ),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, DbError> {
    let opened = || -> rusqlite::Result<Connection> {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(128);
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        }
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "cache_size", -32 * 1024)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    opened().map_err(|error| DbError::File {
        path: path.display().to_string(),
        message: format!("cannot be opened as a database: {error}"),
    })
}
