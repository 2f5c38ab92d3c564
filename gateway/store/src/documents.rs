//! Single values.

use crate::error::Doing;
use crate::{Store, StoreError};
use rusqlite::{OptionalExtension, params};

impl Store {
    /// A single value.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn value(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        self.read(move |r| {
            let file = r.state_file();
            r.state()?
                .prepare_cached("SELECT value FROM kv WHERE key = ?1")
                .and_then(|mut q| q.query_row([key], |row| row.get(0)).optional())
                .doing("read a value", &file)
        })
        .await
    }

    /// Sets a single value.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn set_value(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(move |tx| {
            let sql = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
            tx.execute("set a value", sql, params![key, value])
                .map(drop)
        })
        .await
    }

    /// Removes a single value; one that is not there is no error.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn remove_value(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(move |tx| {
            tx.execute("remove a value", "DELETE FROM kv WHERE key = ?1", [key])
                .map(drop)
        })
        .await
    }
}
