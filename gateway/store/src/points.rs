//! Points and their slots. Owns the promise that a path keeps its slot for ever and a slot is
//! never given to another path, and the directory that tells the cloud.

use crate::error::Doing;
use crate::records::{from_json, to_json};
use crate::state::StateTx;
use crate::{Store, StoreError};
use riser_model::{Point, PointDirectory, Slot};
use riser_wire::DirectoryEncoder;
use rusqlite::{Connection, OptionalExtension, params};
use std::borrow::Borrow;
use std::io::Write;
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
    pub async fn declare_points<P>(&self, points: Vec<P>) -> Result<Declared, StoreError>
    where
        P: Borrow<Point> + Send + 'static,
    {
        self.write(move |tx| {
            let mut changed = false;
            let mut slots = Vec::with_capacity(points.len());
            for point in &points {
                slots.push(declare(tx, point.borrow(), &mut changed)?);
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
            directory(r.state()?, &file)
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
    let mut encoder = DirectoryEncoder::new(version(tx.conn(), tx.file())?);
    each(tx.conn(), tx.file(), false, |slot, body| {
        encoder.push(slot, &from_json("point", body)?);
        Ok(())
    })?;
    tx.emit_directory(encoder).map(drop)
}

/// Packs the whole directory for a day file, with the points that no longer exist: zstd of
/// [`PointDirectory`] as JSON.
pub(crate) fn pack(conn: &Connection, file: &Path) -> Result<Vec<u8>, StoreError> {
    let failed = |e: std::io::Error| StoreError::Record {
        what: "directory",
        detail: e.to_string(),
    };
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 3).map_err(failed)?;
    let version = version(conn, file)?;
    write!(packed, "{{\"version\":{version},\"points\":[").map_err(failed)?;
    let mut comma = "";
    each(conn, file, true, |slot, body| {
        write!(packed, "{comma}[{},{body}]", slot.0).map_err(failed)?;
        comma = ",";
        Ok(())
    })?;
    packed.write_all(b"]}").map_err(failed)?;
    packed.finish().map_err(failed)
}

/// Reads the whole directory, without the points that no longer exist.
fn directory(conn: &Connection, file: &Path) -> Result<PointDirectory, StoreError> {
    let version = version(conn, file)?;
    let mut points = Vec::new();
    each(conn, file, false, |slot, body| {
        points.push((slot, from_json("point", body)?));
        Ok(())
    })?;
    Ok(PointDirectory { version, points })
}

fn version(conn: &Connection, file: &Path) -> Result<u32, StoreError> {
    conn.query_row("SELECT version FROM directory", [], |r| r.get(0))
        .doing("read the directory", file)
}

/// Shows every point with its slot as JSON, one at a time: there may be a hundred thousand.
fn each(
    conn: &Connection,
    file: &Path,
    retired: bool,
    mut visit: impl FnMut(Slot, &str) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let doing = "read the points";
    let mut query = conn
        .prepare_cached("SELECT slot, body FROM point WHERE retired <= ?1 ORDER BY slot")
        .doing(doing, file)?;
    let mut rows = query.query([retired]).doing(doing, file)?;
    while let Some(row) = rows.next().doing(doing, file)? {
        let body = row.get_ref(1).doing(doing, file)?;
        let body = body
            .as_str()
            .map_err(rusqlite::Error::from)
            .doing(doing, file)?;
        visit(Slot(row.get(0).doing(doing, file)?), body)?;
    }
    Ok(())
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
