//! Single values and applied configuration documents. Owns their history: documents are numbered
//! and the newest counts.

use crate::audit::{Note, Trace, append};
use crate::error::Doing;
use crate::{Store, StoreError};
use riser_model::audit::action;
use riser_model::{AuditHash, Timestamp};
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

/// A configuration as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationDocument {
    /// Number of the document here, from 1.
    pub version: u32,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// SHA-256 of the text.
    pub sha256: [u8; 32],
    /// The text.
    pub body: String,
}

/// Documents kept.
const KEPT: u32 = 50;

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

    /// Records that a configuration was applied. One equal to the newest is not recorded again.
    /// Answers with its number.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn record_configuration(&self, body: String, by: Trace) -> Result<u32, StoreError> {
        let sha256: [u8; 32] = Sha256::digest(body.as_bytes()).into();
        self.write(move |tx| {
            let newest: Option<(u32, [u8; 32])> = tx.row(
                "find the configuration",
                "SELECT version, sha256 FROM configuration ORDER BY version DESC LIMIT 1",
                |r| Ok((r.get(0)?, r.get(1)?)),
            )?;
            if let Some((version, known)) = newest
                && known == sha256
            {
                return Ok(version);
            }
            tx.execute(
                "record a configuration",
                "INSERT INTO configuration (applied_at, sha256, body) VALUES (?1, ?2, ?3)",
                params![tx.now().0, sha256, body],
            )?;
            let version: u32 =
                tx.value("number it", "SELECT max(version) FROM configuration", [])?;
            tx.execute(
                "forget old configurations",
                "DELETE FROM configuration WHERE version <= ?1",
                [version.saturating_sub(KEPT)],
            )?;
            let detail = serde_json::json!({ "sha256": AuditHash(sha256) });
            let object = format!("configuration {version}");
            append(
                tx,
                Note::new(by, action::CONFIGURATION, object).with(detail),
            )?;
            Ok(version)
        })
        .await
    }

    /// The configuration applied last.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn configuration(&self) -> Result<Option<ConfigurationDocument>, StoreError> {
        self.read(|r| {
            let file = r.state_file();
            let sql = "SELECT version, applied_at, sha256, body FROM configuration \
                       ORDER BY version DESC LIMIT 1";
            let row = |row: &rusqlite::Row<'_>| {
                Ok(ConfigurationDocument {
                    version: row.get(0)?,
                    applied_at: Timestamp(row.get(1)?),
                    sha256: row.get(2)?,
                    body: row.get(3)?,
                })
            };
            r.state()?
                .prepare_cached(sql)
                .and_then(|mut q| q.query_row([], row).optional())
                .doing("read the configuration", &file)
        })
        .await
    }
}
