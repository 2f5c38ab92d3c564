//! Versions of the configuration. Owns what became of each: waiting, counting, taken back; and that
//! each step is in the audit log by the same transaction. The newest that was not taken back is the
//! one to run. What a document means, and when a step is due, is the daemon's.

use crate::audit::{Note, Trace, append};
use crate::error::Doing;
use crate::sqlite::{STATE, open_reader};
use crate::state::StateTx;
use crate::{Store, StoreConfig, StoreError, changes};
use riser_model::audit::action;
use riser_model::{
    AuditHash, ConfigurationDifference, ConfigurationState, ConfigurationVersion, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;

/// Documents kept beside the one that runs and the last that was proven.
const KEPT: u32 = 50;
/// Longest audit text of a reason, in characters; the whole detail must stay JSON.
const REASON_MAX: usize = 1_500;
/// Hash of the file at the last start.
const SEED: &str = "configuration/seed";

/// A version with its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationDocument {
    /// What is known of it.
    pub version: ConfigurationVersion,
    /// TOML.
    pub body: String,
    /// Starts that did not end in order since it last ran steadily.
    pub starts: u32,
    /// How the field was doing before it, in the words of whoever applied it.
    pub before: String,
}

/// A document to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConfiguration {
    /// SHA-256 of its canonical form.
    pub sha256: AuditHash,
    /// The document.
    pub body: String,
    /// Why.
    pub note: String,
    /// When it is taken back unless confirmed; it counts at once without.
    pub until: Option<Timestamp>,
    /// How the field is doing before it.
    pub before: String,
    /// What is different to what ran, where known; secrets hidden.
    pub differences: Vec<ConfigurationDifference>,
}

/// A step in the life of a version, and who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who.
    pub by: Trace,
    /// How whoever asked from afar named it.
    pub request: Option<Uuid>,
    /// Why, in words.
    pub reason: String,
}

impl Deed {
    /// Done by somebody, for no reason given.
    #[must_use]
    pub fn by(by: Trace) -> Self {
        Self {
            by,
            request: None,
            reason: String::new(),
        }
    }

    /// With a reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            ..self
        }
    }
}

/// What the versions are, read beside the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigurationStanding {
    /// The newest first.
    pub documents: Vec<ConfigurationDocument>,
    /// Hash of the file at the last start.
    pub seed: Option<AuditHash>,
}

/// Everything of a version; `document_of` reads it.
const DOCUMENTS: &str = "c.version, c.sha256, c.applied_at, f.actor, f.source, f.note, f.state, \
     f.until, f.ended_at, f.ended_by, f.reason, f.proven, \
     c.version = (SELECT max(version) FROM configuration_fate WHERE state <> 2), \
     c.body, f.starts, f.before \
     FROM configuration c JOIN configuration_fate f USING (version)";

fn document_of(row: &Row<'_>) -> rusqlite::Result<ConfigurationDocument> {
    let version = ConfigurationVersion {
        version: row.get(0)?,
        sha256: AuditHash(row.get(1)?),
        at: Timestamp(row.get(2)?),
        actor: row.get(3)?,
        source: row.get(4)?,
        note: row.get(5)?,
        state: match row.get::<_, u8>(6)? {
            0 => ConfigurationState::Waiting,
            1 => ConfigurationState::Confirmed,
            _ => ConfigurationState::Reverted,
        },
        until: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        ended_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        ended_by: row.get(9)?,
        reason: row.get(10)?,
        proven: row.get(11)?,
        running: row.get(12)?,
    };
    Ok(ConfigurationDocument {
        version,
        body: row.get(13)?,
        starts: row.get(14)?,
        before: row.get(15)?,
    })
}

fn list(
    conn: &Connection,
    file: &Path,
    limit: u32,
) -> Result<Vec<ConfigurationDocument>, StoreError> {
    let doing = "list the configurations";
    let sql = format!("SELECT {DOCUMENTS} ORDER BY c.version DESC LIMIT ?1");
    let mut query = conn.prepare_cached(&sql).doing(doing, file)?;
    let rows = query.query_map([limit], document_of).doing(doing, file)?;
    rows.collect::<rusqlite::Result<_>>().doing(doing, file)
}

/// The versions of a store that may be in use by a running daemon; none where there is no store yet
/// or one of before there were versions.
///
/// # Errors
/// The file cannot be read.
pub fn read_configurations(config: &StoreConfig) -> Result<ConfigurationStanding, StoreError> {
    let file = config.state_file();
    if !file.exists() {
        return Ok(ConfigurationStanding::default());
    }
    let conn = open_reader(&file)?;
    let schema: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .doing("read the version", &file)?;
    if schema < STATE.version() {
        return Ok(ConfigurationStanding::default());
    }
    let seed: Option<Vec<u8>> = conn
        .query_row("SELECT value FROM kv WHERE key = ?1", [SEED], |r| r.get(0))
        .optional()
        .doing("read the hash of the file", &file)?;
    Ok(ConfigurationStanding {
        documents: list(&conn, &file, u32::MAX)?,
        seed: seed.and_then(|octets| octets.try_into().ok().map(AuditHash)),
    })
}

/// One version as the transaction sees it.
fn known(tx: &StateTx<'_>, which: &str) -> Result<Option<(u32, AuditHash, bool)>, StoreError> {
    let sql = format!(
        "SELECT c.version, c.sha256, f.state = 0 FROM configuration c \
         JOIN configuration_fate f USING (version) WHERE {which}"
    );
    tx.row("find a configuration", &sql, |r| {
        Ok((r.get(0)?, AuditHash(r.get(1)?), r.get(2)?))
    })
}

/// The version to run.
const ACTIVE: &str = "c.version = (SELECT max(version) FROM configuration_fate WHERE state <> 2)";

fn note(
    tx: &mut StateTx<'_>,
    what: &'static str,
    object: String,
    deed: (Deed, Value),
) -> Result<(), StoreError> {
    let (
        Deed {
            by,
            request,
            reason,
        },
        mut detail,
    ) = deed;
    if let Some(request) = request {
        detail["request"] = json!(request);
    }
    if !reason.is_empty() {
        detail["reason"] = json!(reason.chars().take(REASON_MAX).collect::<String>());
    }
    append(tx, Note::new(by, what, object).with(detail))
}

fn named(version: u32) -> String {
    format!("configuration {version}")
}

fn add(tx: &mut StateTx<'_>, new: &NewConfiguration, deed: Deed) -> Result<u32, StoreError> {
    let active = known(tx, ACTIVE)?;
    if let Some((version, hash, _)) = active
        && hash == new.sha256
    {
        return Ok(version);
    }
    let doing = "record a configuration";
    let sql = "INSERT INTO configuration (applied_at, sha256, body) VALUES (?1, ?2, ?3) \
               RETURNING version";
    let values = params![tx.now().0, new.sha256.0, new.body];
    let version: u32 = tx.value(doing, sql, values)?;
    // Only a file that was changed while another change waited gets here with one waiting.
    let sql = "UPDATE configuration_fate SET state = 2, ended_at = ?1, ended_by = ?2, \
               reason = 'another one took its place before it was confirmed' WHERE state = 0";
    tx.execute(doing, sql, params![tx.now().0, deed.by.actor])?;
    let sql = "INSERT INTO configuration_fate \
               (version, actor, source, note, state, until, before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let until = new.until.map(|at| at.0);
    let (actor, source) = (&deed.by.actor, &deed.by.source);
    let state = u8::from(until.is_none());
    let values = params![version, actor, source, new.note, state, until, new.before];
    tx.execute(doing, sql, values)?;
    forget_old(tx, version)?;
    let before = active.map(|(_, hash, _)| hash);
    let mut detail =
        json!({ "sha256": new.sha256, "before": before, "until": until, "note": new.note });
    changes::tell(&mut detail, &new.differences);
    note(tx, action::CONFIGURATION, named(version), (deed, detail))?;
    Ok(version)
}

fn forget_old(tx: &StateTx<'_>, newest: u32) -> Result<(), StoreError> {
    let doing = "forget old configurations";
    let sql = "DELETE FROM configuration WHERE version <= ?1 AND version <> coalesce(\
               (SELECT max(version) FROM configuration_fate WHERE state = 1 AND proven = 1), 0)";
    tx.execute(doing, sql, [newest.saturating_sub(KEPT)])?;
    let sql =
        "DELETE FROM configuration_fate WHERE version NOT IN (SELECT version FROM configuration)";
    tx.execute(doing, sql, []).map(drop)
}

fn end(tx: &mut StateTx<'_>, (version, state): (u32, u8), deed: Deed) -> Result<bool, StoreError> {
    let Some((_, hash, waiting)) = known(tx, &format!("c.version = {version}"))? else {
        return Ok(false);
    };
    // What counts is only taken back when it is the one that runs.
    if !waiting && (state == 1 || known(tx, ACTIVE)?.is_none_or(|(active, ..)| active != version)) {
        return Ok(false);
    }
    let sql = "UPDATE configuration_fate SET state = ?2, until = NULL, ended_at = ?3, ended_by = ?4, \
               reason = ?5 WHERE version = ?1";
    let reason = if state == 2 { deed.reason.as_str() } else { "" };
    let values = params![version, state, tx.now().0, deed.by.actor, reason];
    tx.execute("record what became of a configuration", sql, values)?;
    let now = known(tx, ACTIVE)?;
    let (what, mut detail) = (action::CONFIGURATION_CONFIRMED, json!({ "sha256": hash }));
    if state == 1 {
        note(tx, what, named(version), (deed, detail))?;
        return Ok(true);
    }
    if let Some((to, hash, _)) = now {
        detail["back_to"] = json!(to);
        detail["runs"] = json!(hash);
    }
    note(
        tx,
        action::CONFIGURATION_REVERTED,
        named(version),
        (deed, detail),
    )?;
    Ok(true)
}

impl Store {
    /// Records a document that is about to run. One equal to what runs is not recorded again.
    /// Answers with its number.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn add_configuration(
        &self,
        new: NewConfiguration,
        deed: Deed,
    ) -> Result<u32, StoreError> {
        self.write(move |tx| add(tx, &new, deed)).await
    }

    /// A version that waits counts from now on. False when it does not wait.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn confirm_configuration(
        &self,
        version: u32,
        deed: Deed,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| end(tx, (version, 1), deed)).await
    }

    /// A version that waits, or runs, is taken back: the newest before it that was not is to run.
    /// False when it neither waits nor runs.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn revert_configuration(&self, version: u32, deed: Deed) -> Result<bool, StoreError> {
        self.write(move |tx| end(tx, (version, 2), deed)).await
    }

    /// Somebody asked for a configuration that cannot be used, or from afar for the one that runs: nothing
    /// else tells them.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn unapplied_configuration(
        &self,
        runs: Option<(u32, AuditHash)>,
        deed: Deed,
    ) -> Result<(), StoreError> {
        let (what, object, detail) = match runs {
            None => (
                action::CONFIGURATION_REFUSED,
                "configuration".to_owned(),
                json!({}),
            ),
            Some((version, hash)) => {
                let detail = json!({ "sha256": hash });
                (action::CONFIGURATION_UNCHANGED, named(version), detail)
            }
        };
        self.write(move |tx| note(tx, what, object, (deed, detail)))
            .await
    }

    /// Records that a version is being started (or, with false, that it has ended in order).
    ///
    /// # Errors
    /// The disk refused.
    pub async fn configuration_started(
        &self,
        version: u32,
        begins: bool,
    ) -> Result<(), StoreError> {
        let doing = "count the start of a configuration";
        let sql = "UPDATE configuration_fate SET starts = CASE WHEN ?2 THEN starts + 1 ELSE 0 END \
                   WHERE version = ?1";
        self.write(move |tx| tx.execute(doing, sql, params![version, begins]).map(drop))
            .await
    }

    /// Records that the gateway has run steadily on a version.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn configuration_proven(&self, version: u32) -> Result<(), StoreError> {
        let sql = "UPDATE configuration_fate SET proven = 1, starts = 0 WHERE version = ?1";
        self.write(move |tx| tx.execute("record a steady run", sql, [version]).map(drop))
            .await
    }

    /// Remembers the hash of the file the daemon was started with.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn set_configuration_seed(&self, hash: AuditHash) -> Result<(), StoreError> {
        self.set_value(SEED, hash.0.to_vec()).await
    }

    /// The versions, the newest first.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn configurations(&self) -> Result<Vec<ConfigurationDocument>, StoreError> {
        self.read(|r| {
            let file = r.state_file();
            list(r.state()?, &file, u32::MAX)
        })
        .await
    }

    /// The configuration that is to run.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn configuration(&self) -> Result<Option<ConfigurationDocument>, StoreError> {
        let all = self.configurations().await?;
        Ok(all.into_iter().find(|document| document.version.running))
    }
}
