//! What the cloud has committed, seen from outside as it appears: its database, read by another
//! connection. Owns looking for new batches; the database is never written here.

use riser_model::{Slot, Value};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// A look at the values of some points in the batches the cloud has committed.
#[derive(Debug)]
pub struct Committed {
    database: Connection,
    slots: Vec<Slot>,
    version: i64,
    row: i64,
    since: i64,
}

impl Committed {
    /// Opens the cloud's database in the folder of a lab. Looks at the points of this key, one a
    /// device, and only at what is committed from now on.
    ///
    /// # Panics
    /// When the database cannot be read.
    #[must_use]
    pub fn open(lab: &Path, point: &str) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(lab.join("cloud/cloud.db"), flags)
            .expect("the cloud's database");
        let slots = database
            .prepare("SELECT slot.slot FROM slot JOIN point ON point.row = slot.point WHERE point.path LIKE '%/' || ?1")
            .and_then(|mut slots| slots.query_map([point], |row| row.get(0))?.collect())
            .map(|slots: Vec<u32>| slots.into_iter().map(Slot).collect())
            .expect("the slots of the points");
        let row = database
            .query_row("SELECT coalesce(max(rowid), 0) FROM batch", [], |row| {
                row.get(0)
            })
            .expect("the newest batch");
        Self {
            database,
            slots,
            version: 0,
            row,
            since: 0,
        }
    }

    /// Leaves out batches that begin before this, in milliseconds since 1970.
    #[must_use]
    pub fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    /// The whole-number values committed since the last look; cheap while there are none.
    ///
    /// # Panics
    /// When the database cannot be read, or a committed batch.
    pub fn look(&mut self) -> Vec<i64> {
        let samples = self.look_at_all();
        samples.into_iter().map(|(_, value)| value).collect()
    }

    /// As [`Committed::look`], with the source time of each value.
    ///
    /// # Panics
    /// When the database cannot be read, or a committed batch.
    pub fn look_at_all(&mut self) -> Vec<(i64, i64)> {
        let version = self
            .database
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .expect("the version of the database");
        if self.version == version {
            return Vec::new();
        }
        self.version = version;
        let mut found = Vec::new();
        for (row, frame) in self.new_frames() {
            self.row = row;
            for slot in &self.slots {
                riser_wire::read_point(&frame, *slot, &mut |at, value, _| {
                    if let Some(Value::Int(value)) = value {
                        found.push((at.0, *value));
                    }
                })
                .expect("a committed batch can be read");
            }
        }
        found
    }

    fn new_frames(&self) -> Vec<(i64, Vec<u8>)> {
        self.database
            .prepare_cached(
                "SELECT rowid, frame FROM batch WHERE rowid > ?1 AND stream = 2 AND first_at >= ?2 \
                 ORDER BY rowid",
            )
            .and_then(|mut frames| {
                frames
                    .query_map([self.row, self.since], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .expect("the batches of the cloud")
    }
}
