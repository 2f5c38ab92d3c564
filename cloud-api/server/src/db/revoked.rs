//! Certificates that must never connect again, so that a lost list file lets nobody back in. Owns
//! the rows of `revoked`.

use super::{Db, DbError};
use riser_model::Timestamp;
use rusqlite::params;

impl Db {
    /// Every entry ever noted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revoked(&self) -> Result<Vec<String>, DbError> {
        self.read(|c| {
            let mut query = c.prepare_cached("SELECT serial FROM revoked")?;
            let rows = query.query_map([], |r| r.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes entries for ever.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn note_revoked(&self, entries: Vec<String>, now: Timestamp) -> Result<(), DbError> {
        self.write(move |c| {
            let mut insert = c.prepare_cached(
                "INSERT INTO revoked (serial, revoked_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?;
            for entry in &entries {
                insert.execute(params![entry, now.0])?;
            }
            Ok(())
        })
        .await
    }
}
