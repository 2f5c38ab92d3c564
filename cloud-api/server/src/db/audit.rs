//! The audit logs of gateways: kept as they come, each entry checked against its neighbours. Owns
//! what counts as tampering. Entries may come in any order, so an entry is compared with the one
//! before and the one after as soon as both are here.

use super::commands::Place;
use super::ledger::CLOUD_DEVICE;
use super::scope::{self, Sought};
use super::text::{from_json, json, signed, unsigned};
use super::{Db, DbError};
use crate::tenancy::TenantContext;
use riser_model::audit::action;
use riser_model::{
    Alarm, AlarmId, AlarmPriority, AlarmState, AuditEntry, AuditHash, GatewayId, Key, PointPath,
    Timestamp, Value,
};
use rusqlite::{Connection, OptionalExtension, params};

/// The first break of a gateway's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// The entry that is named.
    pub no: u64,
    /// What is wrong with it.
    pub reason: String,
    /// When it was noticed here.
    pub noticed_at: Timestamp,
}

/// Which entries of a gateway; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only entries with lower numbers.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// A gateway's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Where it is broken.
    pub broken: Option<AuditBreak>,
    /// Chains there are; more than one when the log was restored or lost.
    pub chains: u64,
    /// Entries that have not come between those that have.
    pub missing: u64,
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Keeps an entry and checks it. Answers with the alarm of a first break.
pub(super) fn audit_event(
    c: &Connection,
    gateway: i64,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<Option<Alarm>, DbError> {
    let known = hash_of(c, gateway, (entry, entry.no))?;
    if known.is_none() {
        c.prepare_cached(
            "INSERT INTO audit (gateway, chain, no, body, previous, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            gateway,
            entry.chain.as_bytes(),
            signed(entry.no),
            json(entry)?,
            entry.previous.0,
            entry.hash.0
        ])?;
    }
    match fault(c, gateway, (entry, known))? {
        Some((no, reason)) => broken(c, gateway, (no, reason), now),
        None => Ok(None),
    }
}

/// What is wrong with an entry and its neighbours.
fn fault(
    c: &Connection,
    gateway: i64,
    (entry, known): (&AuditEntry, Option<AuditHash>),
) -> Result<Option<(u64, String)>, DbError> {
    let no = entry.no;
    if entry.digest() != entry.hash {
        let text = format!("entry {no} was changed: its hash is not that of its contents");
        return Ok(Some((no, text)));
    }
    if known.is_some_and(|hash| hash != entry.hash) {
        let text = format!("entry {no} came twice with different contents: the log was rewritten");
        return Ok(Some((no, text)));
    }
    let before = hash_of(c, gateway, (entry, no.saturating_sub(1)))?;
    if before.is_some_and(|hash| hash != entry.previous) {
        let text = format!("entry {no} does not continue the entry before it");
        return Ok(Some((no, text)));
    }
    let after: Option<[u8; 32]> = c
        .prepare_cached("SELECT previous FROM audit WHERE gateway = ?1 AND chain = ?2 AND no = ?3")?
        .query_row(
            params![gateway, entry.chain.as_bytes(), signed(no) + 1],
            |r| r.get(0),
        )
        .optional()?;
    if after.is_some_and(|previous| previous != entry.hash.0) {
        let text = format!("entry {} does not continue the entry before it", no + 1);
        return Ok(Some((no + 1, text)));
    }
    if entry.action == action::CHAIN_BROKEN {
        let detail: serde_json::Value = from_json("audit entry", &entry.detail).unwrap_or_default();
        let at = detail.get("no").and_then(serde_json::Value::as_u64);
        let text = format!("the gateway found its own log broken: {}", entry.object);
        return Ok(Some((at.unwrap_or(no), text)));
    }
    Ok(None)
}

fn hash_of(
    c: &Connection,
    gateway: i64,
    (entry, no): (&AuditEntry, u64),
) -> Result<Option<AuditHash>, DbError> {
    Ok(
        c.prepare_cached("SELECT hash FROM audit WHERE gateway = ?1 AND chain = ?2 AND no = ?3")?
            .query_row(params![gateway, entry.chain.as_bytes(), signed(no)], |r| {
                r.get(0)
            })
            .optional()?
            .map(AuditHash),
    )
}

/// Writes the first break down and raises the alarm of it.
fn broken(
    c: &Connection,
    gateway: i64,
    (no, reason): (u64, String),
    now: Timestamp,
) -> Result<Option<Alarm>, DbError> {
    let first = c
        .prepare_cached(
            "INSERT INTO audit_break (gateway, no, reason, noticed_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![gateway, signed(no), reason, now.0])?;
    if first == 0 {
        return Ok(None);
    }
    tracing::error!(gateway, no, reason, "the audit log of a gateway is broken");
    let alarm = Alarm {
        id: AlarmId(uuid::Uuid::new_v4()),
        rule: Key::slug("audit"),
        path: PointPath::new(Key::slug(CLOUD_DEVICE), Key::slug("audit")),
        priority: AlarmPriority::Critical,
        message: format!("the audit log was tampered with or damaged: {reason}"),
        state: AlarmState::ActiveUnacknowledged,
        raised_at: now,
        value: Some(Value::Int(signed(no))),
        limit: None,
        cleared_at: None,
        acknowledged: None,
    };
    let seq = unsigned(now.0);
    super::alarms::alarm_event(c, gateway, &alarm, Place { epoch: 0, seq })?;
    Ok(Some(alarm))
}

fn page(c: &Connection, gateway: i64, query: &AuditQuery) -> Result<AuditPage, DbError> {
    let broken = c
        .prepare_cached("SELECT no, reason, noticed_at FROM audit_break WHERE gateway = ?1")?
        .query_row([gateway], |r| {
            Ok(AuditBreak {
                no: unsigned(r.get(0)?),
                reason: r.get(1)?,
                noticed_at: Timestamp(r.get(2)?),
            })
        })
        .optional()?;
    let (chains, missing): (i64, i64) = c
        .prepare_cached(
            "SELECT count(*), coalesce(sum(last - first + 1 - kept), 0) FROM (
               SELECT min(no) AS first, max(no) AS last, count(*) AS kept
               FROM audit WHERE gateway = ?1 GROUP BY chain)",
        )?
        .query_row([gateway], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut rows = c.prepare_cached(
        "SELECT body FROM audit WHERE gateway = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3",
    )?;
    let before = query.before.map_or(i64::MAX, signed);
    let rows = rows.query_map(params![gateway, before, query.limit], |r| {
        r.get::<_, String>(0)
    })?;
    let entries = rows.map(|body| from_json("audit entry", &body?));
    Ok(AuditPage {
        broken,
        chains: unsigned(chains),
        missing: unsigned(missing),
        entries: entries.collect::<Result<_, DbError>>()?,
    })
}

impl Db {
    /// A gateway's audit log, the newest entries first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        query: AuditQuery,
    ) -> Result<Sought<AuditPage>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| page(c, g.row, &query).map(Some))
        })
        .await
    }
}
