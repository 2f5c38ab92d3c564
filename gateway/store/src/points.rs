//! Points and their slots. Owns the promise that a path keeps its slot for ever and a slot is
//! never given to another path, and the directory that tells the cloud.

use crate::error::Doing;
use crate::records::{from_json, to_json};
use crate::state::StateTx;
use crate::{Store, StoreError};
use riser_model::{Event, Point, PointDirectory, Slot};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// What declaring points led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The slot of each point, in the order they were declared.
    pub slots: Vec<Slot>,
    /// The directory version that has them.
    pub version: u32,
}

impl Store {
    /// Gives points their slots. A known path keeps its slot and takes over the new description.
    /// When anything changed, the directory version grows by one and the whole directory goes on
    /// the event stream in the same transaction.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub async fn declare_points(&self, points: Vec<Point>) -> Result<Declared, StoreError> {
        self.write(move |tx| {
            let mut changed = false;
            let mut slots = Vec::with_capacity(points.len());
            for point in &points {
                slots.push(declare(tx, point, &mut changed)?);
            }
            if changed {
                publish(tx)?;
            }
            Ok(Declared {
                slots,
                version: tx.numbers.directory,
            })
        })
        .await
    }

    /// Takes points that no longer exist out of the directory. Slot and history stay, for the case
    /// that they come back. Answers with the directory version afterwards.
    ///
    /// # Errors
    /// The disk refused, or the store is closed.
    pub async fn retire_points(&self, slots: Vec<Slot>) -> Result<u32, StoreError> {
        self.write(move |tx| {
            let mut changed = 0;
            for slot in &slots {
                let sql = "UPDATE point SET retired = 1 WHERE slot = ?1 AND retired = 0";
                changed += tx.execute("retire a point", sql, [slot.0])?;
            }
            if changed > 0 {
                publish(tx)?;
            }
            Ok(tx.numbers.directory)
        })
        .await
    }

    /// Every point that exists with its slot, in the order of slots.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn points(&self) -> Result<PointDirectory, StoreError> {
        self.read(|r| {
            let file = r.state_file();
            directory(r.state()?, &file, false)
        })
        .await
    }

    /// Version of the directory as committed last; 0 before the first point.
    #[must_use]
    pub fn directory_version(&self) -> u32 {
        self.shared.directory_version()
    }
}

fn declare(tx: &StateTx<'_>, point: &Point, changed: &mut bool) -> Result<Slot, StoreError> {
    let (path, body) = (point.path.to_string(), to_json("point", point)?);
    let known: Option<(u32, String, bool)> = tx
        .conn()
        .prepare_cached("SELECT slot, body, retired FROM point WHERE path = ?1")
        .and_then(|mut q| {
            q.query_row([&path], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .optional()
        })
        .doing("find a point", tx.file())?;
    match known {
        Some((slot, old, false)) if old == body => Ok(Slot(slot)),
        Some((slot, ..)) => {
            *changed = true;
            let sql = "UPDATE point SET body = ?2, retired = 0 WHERE slot = ?1";
            tx.execute("change a point", sql, params![slot, body])?;
            Ok(Slot(slot))
        }
        None => {
            *changed = true;
            let sql = "INSERT INTO point (path, body) VALUES (?1, ?2) RETURNING slot";
            tx.value("add a point", sql, params![path, body]).map(Slot)
        }
    }
}

/// Grows the version and puts the directory on the event stream.
pub(crate) fn publish(tx: &mut StateTx<'_>) -> Result<(), StoreError> {
    tx.numbers.directory += 1;
    let sql = "UPDATE directory SET version = ?1";
    tx.execute("number the directory", sql, [tx.numbers.directory])?;
    announce(tx)
}

/// Puts the directory on the event stream as it is.
pub(crate) fn announce(tx: &mut StateTx<'_>) -> Result<(), StoreError> {
    let all = directory(tx.conn(), tx.file(), false)?;
    tx.emit(&Event::Directory(all)).map(drop)
}

/// Reads the whole directory, on demand with the points that no longer exist.
pub(crate) fn directory(
    conn: &Connection,
    file: &Path,
    retired: bool,
) -> Result<PointDirectory, StoreError> {
    let version = conn
        .query_row("SELECT version FROM directory", [], |r| r.get(0))
        .doing("read the directory", file)?;
    let mut query = conn
        .prepare_cached("SELECT slot, body FROM point WHERE retired <= ?1 ORDER BY slot")
        .doing("read the points", file)?;
    let rows = query
        .query_map([retired], |r| Ok((Slot(r.get(0)?), r.get::<_, String>(1)?)))
        .doing("read the points", file)?;
    let points = rows
        .map(|row| {
            let (slot, body) = row.doing("read the points", file)?;
            Ok((slot, from_json("point", &body)?))
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(PointDirectory { version, points })
}

/// Puts back points found in a day file after `state.db` was lost.
pub(crate) fn restore(tx: &mut StateTx<'_>, found: &PointDirectory) -> Result<(), StoreError> {
    tx.numbers.directory = found.version + 1;
    let sql = "UPDATE directory SET version = ?1";
    tx.execute("number the directory", sql, [tx.numbers.directory])?;
    let sql = "INSERT INTO point (slot, path, body) VALUES (?1, ?2, ?3)";
    for (slot, point) in &found.points {
        let body = to_json("point", point)?;
        tx.execute(
            "restore a point",
            sql,
            params![slot.0, point.path.to_string(), body],
        )?;
    }
    Ok(())
}
