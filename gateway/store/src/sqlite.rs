//! How a database file is opened. Owns the settings, the schema versions and the numbered steps
//! between them.
//!
//! Chosen with flash in mind, where every commit costs an fsync and every page touched is written
//! twice (log, then file):
//!
//! * `journal_mode=WAL`, `synchronous=FULL`: one fsync a commit, and a commit survives a power cut.
//!   NORMAL would lose what was acknowledged since the last checkpoint.
//!   Measured for one small batch: 0.2 to 5 ms depending on what else the disk does, 8.5 KiB written
//!   (one page, which straddles two blocks of the log); most of the time is the fsync.
//! * `page_size=4096`: one page of the file system and of most flash. Larger pages would make the
//!   last leaf, which every commit writes again, larger too.
//! * `wal_autocheckpoint=2000` pages (8 MB): the same leaf is written many times to the log and once
//!   to the file, so a longer log means fewer octets; 8 MB are still replayed in milliseconds.
//! * `journal_size_limit` cuts the log back after a reader has held it open.
//! * `temp_store=MEMORY`, no memory map (an I/O error must be an error, not a signal),
//!   `cell_size_check` and `trusted_schema=OFF` against damaged files.

use crate::StoreError;
use crate::error::Doing;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// A kind of database file: its mark, its tables, and the steps from older tables.
pub(crate) struct Schema {
    /// `PRAGMA application_id`.
    pub(crate) application: i64,
    /// The tables of a new file.
    pub(crate) current: &'static str,
    /// Step `i` leads from version `i` to `i + 1`; step 0 makes the first version ever shipped.
    pub(crate) steps: &'static [&'static str],
}

impl Schema {
    pub(crate) fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX)
    }
}

/// `state.db` ("RisS").
pub(crate) const STATE: Schema = Schema {
    application: 0x5269_7353,
    current: include_str!("../schema/state.sql"),
    steps: &[
        include_str!("../migrations/state-1.sql"),
        include_str!("../migrations/state-2.sql"),
        include_str!("../migrations/state-3.sql"),
        include_str!("../migrations/state-4.sql"),
    ],
};

/// A day file ("RisH").
pub(crate) const HISTORY: Schema = Schema {
    application: 0x5269_7348,
    current: include_str!("../schema/history.sql"),
    steps: &[
        include_str!("../migrations/history-1.sql"),
        include_str!("../migrations/history-2.sql"),
        include_str!("../migrations/history-3.sql"),
    ],
};

/// A year of rollups ("RisR").
pub(crate) const ROLLUP: Schema = Schema {
    application: 0x5269_7352,
    current: include_str!("../schema/rollup.sql"),
    steps: &[include_str!("../migrations/rollup-1.sql")],
};

/// `held.db` ("RisW").
pub(crate) const HELD: Schema = Schema {
    application: 0x5269_7357,
    current: include_str!("../schema/held.sql"),
    steps: &[
        include_str!("../migrations/held-1.sql"),
        include_str!("../migrations/held-2.sql"),
    ],
};

/// Above this a version number is damage, not a newer Riser.
const PLAUSIBLE: i64 = 1_000;

/// How long a statement waits for another connection, such as a checkpoint for a reader.
const BUSY: Duration = Duration::from_secs(5);

/// Opens for writing; makes the file and its tables when it is new, upgrades it when it is old.
pub(crate) fn open_writer(file: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let mut conn = Connection::open(file).doing("open", file)?;
    settings(&conn).doing("set up", file)?;
    let version: i64 = pragma(&conn, "user_version").doing("read the version", file)?;
    let application: i64 = pragma(&conn, "application_id").doing("read the mark", file)?;
    let fresh = version == 0 && application == 0;
    if !fresh {
        check_mark(file, schema, (application, version))?;
    }
    if fresh || version < schema.version() {
        upgrade(&mut conn, schema, version, fresh).doing("upgrade the tables", file)?;
    }
    Ok(conn)
}

/// Refuses files of another kind and of newer versions.
fn check_mark(
    file: &Path,
    schema: &Schema,
    (application, version): (i64, i64),
) -> Result<(), StoreError> {
    if application != schema.application || !(1..=PLAUSIBLE).contains(&version) {
        let what = file.display();
        let detail =
            format!("{what} is not of this kind (mark {application:#x}, version {version})");
        return Err(StoreError::Record {
            what: "database",
            detail,
        });
    }
    if version > schema.version() {
        let (file, known) = (file.to_owned(), schema.version());
        return Err(StoreError::Newer {
            file,
            found: version,
            known,
        });
    }
    Ok(())
}

/// Opens a file that must be there and of this kind, upgrading it when it is old.
pub(crate) fn open_existing(file: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let conn = open_reader(file)?;
    let version = pragma(&conn, "user_version").doing("read the version", file)?;
    let application = pragma(&conn, "application_id").doing("read the mark", file)?;
    check_mark(file, schema, (application, version))?;
    if version < schema.version() {
        drop(conn);
        drop(open_writer(file, schema)?);
        return open_reader(file);
    }
    Ok(conn)
}

/// True for a file whose making was cut short: sound, without a mark and without a table.
pub(crate) fn is_blank(file: &Path) -> bool {
    let ask = |conn: Connection| -> rusqlite::Result<bool> {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        let marks = [
            pragma(&conn, "application_id")?,
            pragma(&conn, "user_version")?,
        ];
        Ok(tables == 0 && marks == [0, 0])
    };
    open_reader(file).is_ok_and(|conn| ask(conn).unwrap_or(false))
}

/// SQLite's own check; answers with the first thing that is wrong.
pub(crate) fn quick_check(conn: &Connection, file: &Path) -> Result<Option<String>, StoreError> {
    let found: String = conn
        .query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
        .doing("check", file)?;
    Ok((found != "ok").then_some(found))
}

/// The same with every index compared to its table; reads everything.
pub(crate) fn integrity_check(
    conn: &Connection,
    file: &Path,
) -> Result<Option<String>, StoreError> {
    let found: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))
        .doing("check", file)?;
    Ok((found != "ok").then_some(found))
}

fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, name, |r| r.get(0))
}

fn settings(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "page_size", 4096)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 2000)?;
    conn.pragma_update(None, "journal_size_limit", 16 << 20)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn upgrade(conn: &mut Connection, schema: &Schema, from: i64, fresh: bool) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    if fresh {
        tx.execute_batch(schema.current)?;
    } else {
        let done = usize::try_from(from).unwrap_or(0);
        for step in schema.steps.iter().skip(done) {
            tx.execute_batch(step)?;
        }
    }
    tx.pragma_update(None, "application_id", schema.application)?;
    tx.pragma_update(None, "user_version", schema.version())?;
    tx.commit()
}

/// Makes the file compaction writes: no log and no syncing, because it is synced once when it is
/// complete and thrown away otherwise. For a `large` file pages of 16 KiB: a chunk is often longer
/// than half of 4 KiB, and what is left of a page would stay empty.
pub(crate) fn create_unlogged(
    file: &Path,
    schema: &Schema,
    large: bool,
) -> Result<Connection, StoreError> {
    let mut conn = Connection::open(file).doing("make", file)?;
    let set = |conn: &mut Connection| {
        conn.pragma_update(None, "page_size", if large { 16_384 } else { 4_096 })?;
        conn.pragma_update(None, "journal_mode", "OFF")?;
        conn.pragma_update(None, "synchronous", "OFF")?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "mmap_size", 0)?;
        upgrade(conn, schema, 0, true)
    };
    set(&mut conn).doing("set up", file)?;
    Ok(conn)
}

/// Opens a file that has no log, to change a row of it.
pub(crate) fn open_plain(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).doing("open", file)?;
    conn.busy_timeout(BUSY).doing("set up", file)?;
    Ok(conn)
}

/// Folds the log of a file nobody writes into it, so that the file alone is all of it. False when
/// somebody reads it just now.
pub(crate) fn fold_log(file: &Path) -> Result<bool, StoreError> {
    let conn = open_plain(file)?;
    let mode = || -> rusqlite::Result<String> {
        conn.busy_timeout(Duration::from_millis(250))?;
        conn.pragma_update_and_check(None, "journal_mode", "DELETE", |r| r.get(0))
    };
    match mode() {
        Ok(mode) => Ok(mode == "delete"),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
            Ok(false)
        }
        Err(error) => Err(error).doing("fold in the log of", file),
    }
}

/// Opens for reading only; never makes a file.
pub(crate) fn open_reader(file: &Path) -> Result<Connection, StoreError> {
    // A log beside the file may have to be replayed, which needs write access to the file's
    // folder; `query_only` keeps statements from writing all the same.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).doing("open", file)?;
    let set = || {
        conn.busy_timeout(BUSY)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "mmap_size", 0)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "cell_size_check", true)?;
        conn.pragma_update(None, "query_only", true)
    };
    set().doing("set up", file)?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(sql: &[&str]) -> Vec<(String, String)> {
        let conn = Connection::open_in_memory().unwrap();
        for s in sql {
            conn.execute_batch(s).unwrap();
        }
        let mut q = conn
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = q.query_map([], |r| {
            Ok((
                r.get(0)?,
                r.get::<_, Option<String>>(1)?.unwrap_or_default(),
            ))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_old_version_upgrades_to_what_a_fresh_file_has() {
        for schema in [STATE, HISTORY, ROLLUP, HELD] {
            assert_eq!(tables(schema.steps), tables(&[schema.current]));
            for from in 1..=schema.steps.len() {
                let dir = tempfile::tempdir().unwrap();
                let file = dir.path().join("old.db");
                let conn = Connection::open(&file).unwrap();
                for step in &schema.steps[..from] {
                    conn.execute_batch(step).unwrap();
                }
                conn.pragma_update(None, "application_id", schema.application)
                    .unwrap();
                conn.pragma_update(None, "user_version", i64::try_from(from).unwrap())
                    .unwrap();
                drop(conn);
                let conn = open_writer(&file, &schema).unwrap();
                assert_eq!(pragma(&conn, "user_version").unwrap(), schema.version());
            }
        }
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new.db");
        drop(open_writer(&file, &STATE).unwrap());
        let conn = Connection::open(&file).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        let error = open_writer(&file, &STATE).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 99, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_whose_making_was_cut_short_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("half.db");
        assert!(!is_blank(&file), "it is not there");
        let conn = Connection::open(&file).unwrap();
        settings(&conn).unwrap();
        drop(conn);
        assert!(is_blank(&file));
        drop(open_writer(&file, &HISTORY).unwrap());
        assert!(!is_blank(&file));
        std::fs::write(
            &file,
            b"not a database, but long enough to be taken for one",
        )
        .unwrap();
        assert!(!is_blank(&file));
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("other.db");
        drop(open_writer(&file, &HISTORY).unwrap());
        assert!(open_writer(&file, &STATE).unwrap_err().is_damage());
    }
}
