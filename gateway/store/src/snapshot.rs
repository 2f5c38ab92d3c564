//! Copies of the store: made while it is in use, taken up as another store. Owns what a copy is
//! (consistent, without a log beside it) and what makes it a store of its own: a new numbering and a
//! new audit chain, because its numbers may have been given out again since.

use crate::audit::Note;
use crate::error::Doing;
use crate::sqlite::{STATE, open_existing, open_reader, open_writer, quick_check};
use crate::state::{Numbers, State};
use crate::{StoreConfig, StoreError, files};
use riser_model::{ClockState, Timestamp};
use riser_wire::Epoch;
use rusqlite::backup::Backup;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// All pages in one step: the writer goes on meanwhile, the copy is of one moment all the same.
const PAGES: std::os::raw::c_int = std::os::raw::c_int::MAX;

/// A store's folder held against everybody else, as a running store holds it.
#[derive(Debug)]
pub struct Hold {
    _file: std::fs::File,
}

/// Takes a folder; made when missing.
///
/// # Errors
/// [`StoreError::InUse`] while a store works in it; the folder cannot be written.
pub fn hold(dir: &Path) -> Result<Hold, StoreError> {
    let file = crate::lock::take(&StoreConfig::new(dir))?;
    Ok(Hold { _file: file })
}

/// What a copied `state.db` holds, to be shown and compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StateFacts {
    /// Version of its tables.
    pub schema: i64,
    /// Points that are not retired.
    pub points: u64,
    /// People who may log in.
    pub users: u64,
    /// Alarms, open and over.
    pub alarms: u64,
    /// Number of the newest audit entry.
    pub audit_last: u64,
}

/// The version of the tables of `state.db` this program makes.
#[must_use]
pub fn state_schema() -> i64 {
    STATE.version()
}

/// Copies `state.db` of a store that may be in use into a new file.
///
/// # Errors
/// The file is not there or damaged, or the disk refused.
pub fn copy_state(config: &StoreConfig, to: &Path) -> Result<(), StoreError> {
    copy(&config.state_file(), to)
}

/// The files of history: day files and rollups, by their paths below the store's folder.
///
/// # Errors
/// A folder cannot be read.
pub fn history_files(config: &StoreConfig) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for folder in ["history", "rollup"] {
        let dir = config.dir.join(folder);
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).doing("list", &dir),
        };
        for entry in entries {
            let name = entry.doing("list", &dir)?.file_name();
            if Path::new(&name).extension().is_some_and(|e| e == "db") {
                found.push(Path::new(folder).join(name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies one file of history into a new file. False when retention has dropped it meanwhile.
///
/// # Errors
/// The file is damaged, or the disk refused.
pub fn copy_history(config: &StoreConfig, name: &Path, to: &Path) -> Result<bool, StoreError> {
    let from = config.dir.join(name);
    match copy(&from, to) {
        Ok(()) => Ok(true),
        Err(_) if !from.exists() => Ok(false),
        Err(error) => Err(error),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = open_reader(from)?;
    let mut copy = Connection::open(to).doing("make", to)?;
    {
        let backup = Backup::new(&source, &mut copy).doing("begin to copy", from)?;
        backup
            .run_to_completion(PAGES, std::time::Duration::from_millis(50), None)
            .doing("copy", from)?;
    }
    // The copy must be one file: no log beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |r| r.get::<_, String>(0))
        .doing("fold in the log of", to)?;
    match quick_check(&copy, to)? {
        None => Ok(()),
        Some(detail) => Err(StoreError::Record {
            what: "copy",
            detail,
        }),
    }
}

/// What a `state.db` holds. Changes nothing.
///
/// # Errors
/// It is damaged, of another kind, or newer than this program.
pub fn state_facts(file: &Path) -> Result<StateFacts, StoreError> {
    let conn = open_reader(file)?;
    let count = |sql: &str| -> Result<u64, StoreError> {
        conn.query_row(sql, [], |r| r.get(0)).doing("read", file)
    };
    let schema: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .doing("read the version", file)?;
    if schema > STATE.version() {
        return Err(StoreError::Newer {
            file: file.to_owned(),
            found: schema,
            known: STATE.version(),
        });
    }
    let audited = count("SELECT count(*) FROM sqlite_schema WHERE name = 'audit'")? > 0;
    Ok(StateFacts {
        schema,
        points: count("SELECT count(*) FROM point WHERE retired = 0")?,
        users: count("SELECT count(*) FROM user")?,
        alarms: count("SELECT count(*) FROM alarm")?,
        audit_last: if audited {
            count("SELECT coalesce(max(no), 0) FROM audit")?
        } else {
            0
        },
    })
}

/// Makes a copied `state.db` a store of its own, in a folder nobody works in: brings its tables to
/// today's version, forgets day files that did not come along, ends every session, begins a new
/// numbering and a new audit chain with `note`.
///
/// # Errors
/// It is damaged or newer than this program, or the disk refused.
pub fn adopt(dir: &Path, note: Note, now: Timestamp) -> Result<(), StoreError> {
    let file = StoreConfig::new(dir).state_file();
    // Refuses other kinds and newer versions before anything is written.
    drop(open_existing(&file, &STATE)?);
    let conn = open_writer(&file, &STATE)?;
    if let Some(detail) = quick_check(&conn, &file)? {
        let what = "state";
        return Err(StoreError::Record { what, detail });
    }
    let directory = conn
        .query_row("SELECT version FROM directory", [], |r| r.get(0))
        .doing("read the directory's version", &file)?;
    let numbers = Numbers {
        epoch: Epoch(Uuid::nil()),
        event_head: 0,
        directory,
    };
    let mut state = State {
        conn,
        file,
        numbers,
        clock: ClockState::Unsynchronised,
    };
    // A copy without history has no such folder.
    files::make_private(&dir.join("history"))?;
    let there: Vec<String> = files::days(&dir.join("history"))?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut tx = state.begin(now)?;
    let listed: Vec<String> = {
        let sql = "SELECT name FROM history_file";
        let mut query = tx.conn().prepare(sql).doing("list", tx.file())?;
        let rows = query.query_map([], |r| r.get(0)).doing("list", tx.file())?;
        rows.collect::<Result<_, _>>().doing("list", tx.file())?
    };
    for name in listed.iter().filter(|name| !there.contains(name)) {
        let sql = "DELETE FROM history_file WHERE name = ?1";
        tx.execute("forget a day file", sql, params![name])?;
    }
    tx.execute("end sessions", "DELETE FROM session", [])?;
    crate::epoch::begin(&mut tx, "restored from a backup")?;
    // What waited for the cloud and did not come along never gets there.
    crate::ledger::note_lost(&tx)?;
    crate::audit::begin_chain(&mut tx, note)?;
    tx.commit()?;
    let State { conn, file, .. } = state;
    conn.close()
        .map_err(|(_, error)| error)
        .doing("close", &file)
}
