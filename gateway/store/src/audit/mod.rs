//! The audit log in `state.db`. Owns appending (in the transaction of what is recorded), listing,
//! pruning behind the anchor, and the check of the whole chain. What an entry is and what its hash
//! covers is `riser_model::audit`.

mod breaks;
mod verify;

use verify::is_unfit;
pub(crate) use verify::verify;

use crate::error::Doing;
use crate::state::StateTx;
use crate::{Store, StoreConfig, StoreError};
use riser_model::audit::action;
use riser_model::{AUDIT_TEXT_MAX, AuditEntry, AuditHash, ChainBreak, Event, Timestamp};
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use std::path::Path;
use uuid::Uuid;

/// Who does something, and from where: what the audit log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// A login name, a rule's key, or `riserd`.
    pub actor: String,
    /// An address, `local`, `cloud` with or without an address, `rule`, `console` or `gateway`.
    pub source: String,
}

impl Trace {
    /// Somebody from somewhere.
    pub fn new(actor: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            source: source.into(),
        }
    }

    /// The gateway itself.
    #[must_use]
    pub fn gateway() -> Self {
        Self::new("riserd", "gateway")
    }
}

/// What was done, before it has a number and a hash.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Who.
    pub trace: Trace,
    /// A word of [`riser_model::audit::action`].
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// More; `Null` for nothing.
    pub detail: Value,
}

impl Note {
    /// Something done to something.
    pub fn new(trace: Trace, action: &'static str, object: impl Into<String>) -> Self {
        Self {
            trace,
            action,
            object: object.into(),
            detail: Value::Null,
        }
    }

    /// With more about it.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// From a place that is known more closely.
    #[must_use]
    pub(crate) fn coming_from(mut self, place: Option<&str>) -> Self {
        if let Some(place) = place {
            place.clone_into(&mut self.trace.source);
        }
        self
    }
}

/// Which entries to list; the newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only entries with lower numbers.
    pub before: Option<u64>,
    /// Only those of one action.
    pub action: Option<String>,
    /// Only those with this text in actor, source, object or detail.
    pub search: Option<String>,
    /// Only those made at or after this.
    pub from: Option<Timestamp>,
    /// Only those made before this.
    pub to: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
}

/// Who acknowledged a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakTaken {
    /// Number of the entry that says so.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they wrote.
    pub comment: String,
}

/// One break of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// What is wrong, and where.
    pub broken: ChainBreak,
    /// Tells it from another break at the same entry.
    pub mark: String,
    /// Who knows of it.
    pub acknowledged: Option<BreakTaken>,
}

/// What the check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// The chain new entries belong to.
    pub chain: Uuid,
    /// Entries up to this number have been pruned.
    pub pruned: u64,
    /// The newest entry that was looked at.
    pub last: u64,
    /// Entries that were read and are sound.
    pub sound: u64,
    /// The first break nobody has acknowledged.
    pub broken: Option<ChainBreak>,
    /// Every break that was found, acknowledged ones too; bounded.
    pub breaks: Vec<AuditBreak>,
}

struct Anchor {
    chain: Uuid,
    no: u64,
    hash: AuditHash,
}

fn anchor(conn: &Connection, file: &Path) -> Result<Anchor, StoreError> {
    let sql = "SELECT chain, no, hash FROM audit_anchor";
    conn.prepare_cached(sql)
        .and_then(|mut q| {
            q.query_row([], |r| {
                Ok(Anchor {
                    chain: Uuid::from_bytes(r.get(0)?),
                    no: r.get(1)?,
                    hash: AuditHash(r.get(2)?),
                })
            })
        })
        .doing("read the anchor of the audit log", file)
}

/// The highest number the file ever gave, of entries that are gone, too.
fn given(conn: &Connection, file: &Path) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit'";
    conn.prepare_cached(sql)
        .and_then(|mut q| q.query_row([], |r| r.get(0)))
        .doing("find the newest audit number", file)
}

/// Appends an entry and puts it on the event stream.
pub(crate) fn append(tx: &mut StateTx<'_>, note: Note) -> Result<(), StoreError> {
    let anchor = anchor(tx.conn(), tx.file())?;
    let newest = tx.row(
        "find the newest audit entry",
        "SELECT no, hash FROM audit ORDER BY no DESC LIMIT 1",
        // A hash that cannot be read must not keep people from working; the check names it.
        |r| {
            Ok((
                r.get::<_, u64>(0)?,
                r.get(1).map_or(AuditHash::ZERO, AuditHash),
            ))
        },
    )?;
    let (newest, previous) = newest.unwrap_or((anchor.no, anchor.hash));
    // A number is never given twice: an end that was cut off stays visible as a gap.
    let no = newest.max(given(tx.conn(), tx.file())?);
    let detail = match note.detail {
        Value::Null => String::new(),
        detail => detail.to_string(),
    };
    let entry = AuditEntry {
        chain: anchor.chain,
        no: no + 1,
        at: tx.now(),
        actor: cut(note.trace.actor),
        source: cut(note.trace.source),
        action: note.action.to_owned(),
        object: cut(note.object),
        detail: cut(detail),
        previous,
        hash: AuditHash::ZERO,
    }
    .sealed();
    insert(tx.conn(), &entry).doing("append to the audit log", tx.file())?;
    tx.emit(&Event::Audit(entry)).map(drop)
}

fn insert(conn: &Connection, entry: &AuditEntry) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    conn.prepare_cached(sql)?.execute(params![
        entry.no,
        entry.chain.as_bytes(),
        entry.at.0,
        entry.actor,
        entry.source,
        entry.action,
        entry.object,
        entry.detail,
        entry.previous.0,
        entry.hash.0
    ])
}

/// Names come from outside; a long one must not fill the disk.
fn cut(mut text: String) -> String {
    if text.len() > AUDIT_TEXT_MAX {
        let mut end = AUDIT_TEXT_MAX - 3;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

const COLUMNS: &str = "no, chain, at, actor, source, action, object, detail, previous, hash";

fn entry_of(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        no: row.get(0)?,
        chain: Uuid::from_bytes(row.get(1)?),
        at: Timestamp(row.get(2)?),
        actor: row.get(3)?,
        source: row.get(4)?,
        action: row.get(5)?,
        object: row.get(6)?,
        detail: row.get(7)?,
        previous: AuditHash(row.get(8)?),
        hash: AuditHash(row.get(9)?),
    })
}

fn list(
    conn: &Connection,
    file: &Path,
    filter: &AuditFilter,
) -> Result<Vec<AuditEntry>, StoreError> {
    let doing = "list the audit log";
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE no < ?1 AND (?2 IS NULL OR action = ?2) \
         AND (?3 IS NULL OR instr(lower(actor || ' ' || source || ' ' || object || ' ' || detail), ?3) > 0) \
         AND at >= ?4 AND at < ?5 ORDER BY no DESC LIMIT ?6"
    );
    let before = filter
        .before
        .map_or(i64::MAX, |no| i64::try_from(no).unwrap_or(i64::MAX));
    let search = filter.search.as_ref().map(|text| text.to_lowercase());
    let from = filter.from.map_or(i64::MIN, |at| at.0);
    let to = filter.to.map_or(i64::MAX, |at| at.0);
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let mut query = conn.prepare_cached(&sql).doing(doing, file)?;
    let rows = query
        .query_map(
            params![before, filter.action, search, from, to, limit],
            entry_of,
        )
        .doing(doing, file)?;
    // One that cannot be read is named by the check; the others are shown all the same.
    rows.filter(|row| !row.as_ref().is_err_and(is_unfit))
        .collect::<rusqlite::Result<_>>()
        .doing(doing, file)
}

/// Drops entries up to a number; their place is taken by the anchor.
fn prune(
    tx: &mut StateTx<'_>,
    (older_than, most): (Option<Timestamp>, u64),
) -> Result<u64, StoreError> {
    let doing = "prune the audit log";
    // By the first entry that is young enough: a clock that was wrong once must not tear a hole.
    let young: Option<u64> = match older_than {
        Some(at) => tx.value(doing, "SELECT min(no) FROM audit WHERE at >= ?1", [at.0])?,
        None => None,
    };
    let last: u64 = tx.value(doing, "SELECT coalesce(max(no), 0) FROM audit", [])?;
    let by_age = young.map_or(0, |no| no.saturating_sub(1));
    let through = by_age.max(last.saturating_sub(most.max(1)));
    let sql = "UPDATE audit_anchor SET no = ?1, hash = (SELECT hash FROM audit WHERE no = ?1) \
               WHERE EXISTS (SELECT 1 FROM audit WHERE no = ?1)";
    if tx.execute(doing, sql, [through])? == 0 {
        return Ok(0);
    }
    let dropped = tx.execute(doing, "DELETE FROM audit WHERE no <= ?1", [through])?;
    let detail = serde_json::json!({ "through": through, "entries": dropped });
    append(
        tx,
        Note::new(Trace::gateway(), action::PRUNED, "audit log").with(detail),
    )?;
    Ok(dropped as u64)
}

/// Begins another chain in a copy of the file: what it says next is not what the original said.
pub(crate) fn begin_chain(tx: &mut StateTx<'_>, note: Note) -> Result<(), StoreError> {
    let chain = Uuid::new_v4();
    let sql = "UPDATE audit_anchor SET chain = ?1";
    tx.execute("begin a chain", sql, [chain.as_bytes()])?;
    append(tx, note)
}

/// Checks the log of a store that may be in use by a running daemon.
///
/// # Errors
/// The file cannot be opened or read at all.
pub fn verify_audit(config: &StoreConfig) -> Result<AuditReport, StoreError> {
    let file = config.state_file();
    verify(
        &crate::sqlite::open_existing(&file, &crate::sqlite::STATE)?,
        &file,
    )
}

/// Lists the log of a store that may be in use by a running daemon.
///
/// # Errors
/// The file cannot be opened or read.
pub fn list_audit(
    config: &StoreConfig,
    filter: &AuditFilter,
) -> Result<Vec<AuditEntry>, StoreError> {
    let file = config.state_file();
    let conn = crate::sqlite::open_existing(&file, &crate::sqlite::STATE)?;
    list(&conn, &file, filter)
}

impl Store {
    /// Appends to the audit log. What is recorded by another method of the store needs no call:
    /// it writes its entry itself, in the same transaction.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn note(&self, note: Note) -> Result<(), StoreError> {
        self.write(move |tx| append(tx, note)).await
    }

    /// Entries of the audit log, the newest first.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            list(r.state()?, &file, &filter)
        })
        .await
    }

    /// Drops entries older than a time, and the oldest above a number. Answers with how many.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn prune_audit(
        &self,
        older_than: Option<Timestamp>,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.write(move |tx| prune(tx, (older_than, most))).await
    }
}
