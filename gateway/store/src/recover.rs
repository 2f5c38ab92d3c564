//! Opening a store, whatever a crash or a bad disk left. Owns what counts as lost and what follows:
//! damaged files are renamed, never deleted, and a new epoch begins.

use crate::catalog::{Catalog, DayFile};
use crate::error::Doing;
use crate::files::{self, SetAside};
use crate::marks::Marks;
use crate::scan;
use crate::shared::Found;
use crate::sqlite::{HISTORY, STATE, is_blank, open_existing, open_writer, quick_check};
use crate::state::{Numbers, State, StateTx};
use crate::{StoreConfig, StoreError};
use riser_model::{ClockState, Event, PointDirectory, Timestamp};
use riser_wire::{Epoch, Stream};
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// What was found and done at opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The numbering in use.
    pub epoch: Epoch,
    /// Why a new numbering was begun; `None` when the old one goes on.
    pub new_epoch: Option<String>,
    /// Damaged files, renamed.
    pub set_aside: Vec<SetAside>,
    /// Day files that should be there and are not.
    pub missing: Vec<String>,
    /// Points put back from a day file after `state.db` was lost.
    pub restored_points: usize,
    /// The process before did not end by itself: the newest day file is checked in the background.
    pub unclean: bool,
}

/// Everything found, the writer's connection, and what to tell.
pub(crate) type Opened = (Found, State, Recovery);

/// Opens the files and repairs what is left of them.
pub(crate) fn open(config: &StoreConfig, now: Timestamp) -> Result<Opened, StoreError> {
    let unclean = files::has_log(&config.state_file());
    let mut search = Search {
        unclean,
        config,
        now,
        set_aside: Vec::new(),
        missing: Vec::new(),
        reason: None,
    };
    let conn = search.open_state()?;
    let state_file = config.state_file();
    let marks = read_marks(&conn, &state_file)?;
    let epoch = newest_epoch(&conn, &state_file)?;
    let days = search.day_files(&conn, &marks, epoch.is_some())?;
    if epoch.is_none() {
        let lost = days.iter().any(|d| !d.runs.is_empty()) || !search.set_aside.is_empty();
        let reason = if lost {
            "state.db was lost"
        } else {
            "the store is new"
        };
        search.reason = Some(
            search
                .reason
                .map_or(reason.to_owned(), |r| format!("{reason}; {r}")),
        );
    }
    let directory = match epoch {
        None => newest_directory(&days)?,
        Some(_) => None,
    };
    let numbers = Numbers {
        epoch: epoch.unwrap_or(Epoch(Uuid::nil())),
        event_head: 0,
        directory: stored_version(&conn, &state_file)?,
    };
    let state = State {
        conn,
        file: state_file,
        numbers,
        clock: ClockState::Unsynchronised,
    };
    finish(state, marks, days, (search, directory))
}

fn finish(
    mut state: State,
    mut marks: Marks,
    days: Vec<DayFile>,
    (search, directory): (Search<'_>, Option<PointDirectory>),
) -> Result<Opened, StoreError> {
    state.numbers.event_head = event_head(&state, &marks)?;
    let mut tx = state.begin(search.now)?;
    list_files(&tx, &days)?;
    if let Some(directory) = &directory {
        crate::points::restore(&mut tx, directory)?;
    }
    if let Some(reason) = &search.reason {
        crate::epoch::begin(&mut tx, reason)?;
    }
    search.report(&mut tx)?;
    if !search.set_aside.is_empty() || !search.missing.is_empty() {
        crate::ledger::note_lost(&tx)?;
    }
    let epoch = tx.numbers.epoch;
    scan::settle_compacted(&mut marks, &days)?;
    forget_epochs(&tx, &mut marks, &days)?;
    tx.commit()?;
    let catalog = Catalog::new(days);
    let settled = marks
        .of((epoch, Stream::Data))
        .map_or(0, crate::ranges::RangeSet::last);
    let found = Found {
        epoch,
        event_head: state.numbers.event_head,
        data_head: catalog.last(epoch).max(settled),
        directory: state.numbers.directory,
        marks,
        catalog,
    };
    let recovery = Recovery {
        epoch,
        new_epoch: search.reason,
        set_aside: search.set_aside,
        missing: search.missing,
        restored_points: directory.map_or(0, |d| d.points.len()),
        unclean: search.unclean,
    };
    Ok((found, state, recovery))
}

/// What opening has come across so far.
struct Search<'a> {
    config: &'a StoreConfig,
    now: Timestamp,
    set_aside: Vec<SetAside>,
    missing: Vec<String>,
    reason: Option<String>,
    unclean: bool,
}

impl Search<'_> {
    fn lost(&mut self, reason: String) {
        tracing::error!(reason, "part of the store is lost");
        self.reason = Some(match self.reason.take() {
            Some(before) => format!("{before}; {reason}"),
            None => reason,
        });
    }

    /// Says on the event stream what was lost; how much that was, nobody knows.
    fn report(&self, tx: &mut StateTx<'_>) -> Result<(), StoreError> {
        let damaged = self.set_aside.iter();
        let damaged = damaged.map(|s| format!("{}: {}", s.file.display(), s.reason));
        let gone = self.missing.iter();
        let gone = gone.map(|m| format!("day file {m} is missing"));
        for what in damaged.chain(gone) {
            let reason = format!("{what}; how much of it the cloud did not have is not known");
            tx.emit(&Event::Loss {
                at: self.now,
                lane: "history".to_owned(),
                samples: 0,
                reason,
            })?;
        }
        Ok(())
    }

    /// Opens `state.db`; a damaged one is set aside and a fresh one begun.
    fn open_state(&mut self) -> Result<Connection, StoreError> {
        let file = self.config.state_file();
        let checked =
            open_writer(&file, &STATE).and_then(|conn| match quick_check(&conn, &file)? {
                None => Ok(conn),
                Some(detail) => Err(StoreError::Record {
                    what: "state",
                    detail,
                }),
            });
        match checked {
            Err(error) if error.is_damage() => {
                self.set_aside
                    .push(files::set_aside(&file, &error.chain(), self.now)?);
                open_writer(&file, &STATE)
            }
            other => other,
        }
    }

    /// Reads every day file that is there, and notices those that are not.
    fn day_files(
        &mut self,
        conn: &Connection,
        marks: &Marks,
        known_epoch: bool,
    ) -> Result<Vec<DayFile>, StoreError> {
        self.finish_dropping(conn)?;
        files::remove_unfinished(&self.config.history_dir())?;
        let mut listed = listed_files(conn, &self.config.state_file())?;
        let mut opened = listed.values().copied().max().unwrap_or(0);
        let mut days = Vec::new();
        for (name, path) in files::days(&self.config.history_dir())? {
            let known = listed.remove(&name);
            // A day file is listed once it is made: this one never held anything.
            if known.is_none() && is_blank(&path) {
                continue;
            }
            let number = known.unwrap_or_else(|| {
                opened += 1;
                opened
            });
            match self.read_day(DayFile::new(name.clone(), path, number), marks)? {
                Some(day) => {
                    if known.is_none() && known_epoch && !day.runs.is_empty() {
                        self.lost(format!("state.db is older than day file {name}"));
                    }
                    days.push(day);
                }
                None => self.lost(format!("day file {name} was damaged")),
            }
        }
        for name in listed.into_keys() {
            self.lost(format!("day file {name} is missing"));
            self.missing.push(name);
        }
        Ok(days)
    }

    /// Reads one day file; one that cannot be read is set aside.
    fn read_day(&mut self, day: DayFile, marks: &Marks) -> Result<Option<DayFile>, StoreError> {
        let path = day.path.clone();
        let settled = |runs: &[crate::catalog::Run]| {
            runs.iter()
                .all(|r| marks.covers((r.epoch, Stream::Data), r.first, r.last))
        };
        let read =
            open_existing(&path, &HISTORY).and_then(|conn| scan::day_file(day, &conn, settled));
        match read {
            Ok(day) => Ok(Some(day)),
            Err(error) if !error.is_damage() && !error.is_unreadable() => Err(error),
            Err(error) => {
                self.set_aside
                    .push(files::set_aside(&path, &error.chain(), self.now)?);
                Ok(None)
            }
        }
    }

    /// Ends what retention had begun when the process ended.
    fn finish_dropping(&self, conn: &Connection) -> Result<(), StoreError> {
        let doing = "finish dropping a day file";
        let file = self.config.state_file();
        let mut query = conn
            .prepare("SELECT name FROM history_file WHERE dropping = 1")
            .doing(doing, &file)?;
        let rows = query
            .query_map([], |r| r.get::<_, String>(0))
            .doing(doing, &file)?;
        for name in rows {
            let name = name.doing(doing, &file)?;
            files::remove(&self.config.history_dir().join(format!("{name}.db")))?;
            // On a full disk the row stays for the next time; the file is gone all the same.
            let sql = "DELETE FROM history_file WHERE name = ?1";
            if let Err(error) = conn.execute(sql, [&name]) {
                tracing::warn!(%error, "a dropped day file stays listed for now");
            }
        }
        Ok(())
    }
}

fn listed_files(conn: &Connection, file: &Path) -> Result<BTreeMap<String, u64>, StoreError> {
    let doing = "list the day files";
    let mut query = conn
        .prepare("SELECT name, opened FROM history_file WHERE dropping = 0")
        .doing(doing, file)?;
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
        .doing(doing, file)?;
    rows.collect::<Result<_, _>>().doing(doing, file)
}

/// Lists what is there. Without a change nothing is written: a store must open on a full disk.
fn list_files(tx: &StateTx<'_>, days: &[DayFile]) -> Result<(), StoreError> {
    let listed = listed_files(tx.conn(), tx.file())?;
    let same = |d: &DayFile| listed.get(&d.name) == Some(&d.opened);
    if listed.len() == days.len() && days.iter().all(same) {
        return Ok(());
    }
    let sql = "DELETE FROM history_file WHERE dropping = 0";
    tx.execute("list the day files", sql, [])?;
    for day in days {
        let sql = "INSERT OR REPLACE INTO history_file (name, opened) VALUES (?1, ?2)";
        tx.execute("list a day file", sql, params![day.name, day.opened])?;
    }
    Ok(())
}

fn newest_epoch(conn: &Connection, file: &Path) -> Result<Option<Epoch>, StoreError> {
    conn.query_row("SELECT id FROM epoch ORDER BY no DESC LIMIT 1", [], |r| {
        scan::epoch_of(r, 0)
    })
    .optional()
    .doing("read the epoch", file)
}

fn stored_version(conn: &Connection, file: &Path) -> Result<u32, StoreError> {
    conn.query_row("SELECT version FROM directory", [], |r| r.get(0))
        .doing("read the directory's version", file)
}

fn read_marks(conn: &Connection, file: &Path) -> Result<Marks, StoreError> {
    let doing = "read the durable marks";
    let mut marks = Marks::default();
    let sql = "SELECT epoch, stream, first, last FROM durable \
               UNION ALL SELECT epoch, stream, seq, seq FROM refused";
    let mut query = conn.prepare(sql).doing(doing, file)?;
    let mut rows = query.query([]).doing(doing, file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        let read = || {
            let stream = if row.get::<_, i64>(1)? == 1 {
                Stream::Event
            } else {
                Stream::Data
            };
            let numbering = (scan::epoch_of(row, 0)?, stream);
            Ok::<(_, u64, u64), rusqlite::Error>((numbering, row.get(2)?, row.get(3)?))
        };
        let (numbering, first, last) = read().doing(doing, file)?;
        marks.load(numbering, first, last);
    }
    Ok(marks)
}

/// The last number given to an event: of a row still there, or of one that was settled.
fn event_head(state: &State, marks: &Marks) -> Result<u64, StoreError> {
    let last: u64 = state
        .conn
        .query_row("SELECT coalesce(max(seq), 0) FROM event", [], |r| r.get(0))
        .doing("find the last event", &state.file)?;
    let settled = marks.of((state.numbers.epoch, Stream::Event));
    Ok(last.max(settled.map_or(0, crate::ranges::RangeSet::last)))
}

/// Keeps marks only of epochs some file still has, and of the one in use.
fn forget_epochs(tx: &StateTx<'_>, marks: &mut Marks, days: &[DayFile]) -> Result<(), StoreError> {
    let runs = days.iter().flat_map(|d| &d.runs);
    let mut keep: FxHashSet<_> = runs.map(|r| (r.epoch, Stream::Data)).collect();
    keep.extend(Stream::ALL.map(|s| (tx.numbers.epoch, s)));
    for (epoch, stream) in marks.forget_all_but(&keep) {
        let values = params![epoch.0.as_bytes(), stream as i64];
        for sql in [
            "DELETE FROM durable WHERE epoch = ?1 AND stream = ?2",
            "DELETE FROM refused WHERE epoch = ?1 AND stream = ?2",
        ] {
            tx.execute("forget an old epoch", sql, values)?;
        }
    }
    keep.into_iter().for_each(|n| marks.begin(n));
    Ok(())
}

/// The directory of the day files with the highest version.
fn newest_directory(days: &[DayFile]) -> Result<Option<PointDirectory>, StoreError> {
    let mut newest: Option<PointDirectory> = None;
    for day in days {
        let conn = crate::sqlite::open_reader(&day.path)?;
        match scan::stored_directory(&conn, &day.path) {
            Ok(Some(found)) if newest.as_ref().is_none_or(|n| n.version < found.version) => {
                newest = Some(found);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = error.chain(), "a stored directory is unusable"),
        }
    }
    Ok(newest)
}
