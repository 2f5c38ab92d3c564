//! The audit logs of gateways: kept as they come, each entry checked against its neighbours. Owns
//! what counts as tampering. Entries may come in any order, so an entry is compared with the one
//! before and the one after as soon as both are here.

use super::commands::Place;
use super::ledger::CLOUD_DEVICE;
use super::scope::{self, Sought};
use super::text::{from_json, json, signed, unsigned};
use super::{CloudEvent, Db, DbError};
use crate::tenancy::TenantContext;
use riser_model::audit::action;
use riser_model::{
    Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, AuditEntry, AuditHash, GatewayId,
    Key, PointPath, Timestamp, Value,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Breaks of one gateway that are kept; more say nothing new.
const FAULTS: u32 = 1_000;
/// Keeps an entry and checks it. Answers with the alarm of a first break.
pub(super) fn audit_event(
    c: &Connection,
    gateway: i64,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<Option<Alarm>, DbError> {
    let known = hash_of(c, gateway, (entry, entry.no))?;
    if known.is_none() {
        super::desired::answered(c, gateway, entry, now)?;
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
        Some((no, reason)) => broken(c, (gateway, entry), (no, reason), now),
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
        let reason = detail.get("reason").and_then(serde_json::Value::as_str);
        let what = reason.unwrap_or(&entry.object);
        let text = format!("the gateway found its own log broken: {what}");
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

/// Writes a break down and raises the alarm of it, unless one stands already.
fn broken(
    c: &Connection,
    (gateway, entry): (i64, &AuditEntry),
    (no, reason): (u64, String),
    now: Timestamp,
) -> Result<Option<Alarm>, DbError> {
    let first = c
        .prepare_cached(
            "INSERT INTO audit_fault (gateway, chain, no, reason, noticed_at)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE (SELECT count(*) FROM audit_fault WHERE gateway = ?1) < ?6
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            gateway,
            entry.chain.as_bytes(),
            signed(no),
            reason,
            now.0,
            FAULTS
        ])?;
    if first == 0 || standing(c, gateway)?.is_some() {
        return Ok(None);
    }
    tracing::error!(gateway, no, reason, "the audit log of a gateway is broken");
    let alarm = Alarm {
        id: AlarmId(uuid::Uuid::new_v4()),
        rule: Key::slug("audit"),
        path: path(),
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

fn path() -> PointPath {
    PointPath::new(Key::slug(CLOUD_DEVICE), Key::slug("audit"))
}

/// The alarm about breaks, while it stands.
fn standing(c: &Connection, gateway: i64) -> Result<Option<Alarm>, DbError> {
    let body: Option<String> = c
        .prepare_cached(
            "SELECT body FROM alarm WHERE gateway = ?1 AND path = ?2 AND open = 1
               AND state IN ('active_unacknowledged', 'active_acknowledged')",
        )?
        .query_row(params![gateway, path().to_string()], |r| r.get(0))
        .optional()?;
    body.map(|body| from_json("alarm", &body)).transpose()
}

/// Somebody takes note of every break there is; the alarm about them is over.
fn take(
    c: &Connection,
    gateway: i64,
    by: Acknowledgement,
) -> Result<(usize, Option<Alarm>), DbError> {
    let taken = c
        .prepare_cached(
            "UPDATE audit_fault SET taken_at = ?2, taken_by = ?3, comment = ?4
             WHERE gateway = ?1 AND taken_at IS NULL",
        )?
        .execute(params![gateway, by.at.0, by.by.name, by.comment])?;
    let Some(mut alarm) = standing(c, gateway)?.filter(|_| taken > 0) else {
        return Ok((taken, None));
    };
    alarm.cleared_at = Some(by.at);
    alarm.state = AlarmState::Normal;
    // Later than every word about it so far.
    let seq = unsigned(by.at.0.max(alarm.raised_at.0 + 1));
    alarm.acknowledged.get_or_insert(by);
    super::alarms::alarm_event(c, gateway, &alarm, Place { epoch: 0, seq })?;
    Ok((taken, Some(alarm)))
}

impl Db {
    /// Takes note of every break of a gateway's audit log. Answers with how many there were; the
    /// alarm about them is over, and told.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn take_audit_breaks(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        by: Acknowledgement,
    ) -> Result<Sought<usize>, DbError> {
        let who = who.clone();
        let done = self
            .write(move |c| {
                scope::gateway(c, &who, &gateway)?.and_then(|found| {
                    let (taken, alarm) = take(c, found.row, by)?;
                    Ok(Some((taken, alarm.map(|alarm| (found.origin, alarm)))))
                })
            })
            .await?;
        done.and_then(|(taken, alarm)| {
            if let Some((origin, alarm)) = alarm {
                self.announce(CloudEvent::Alarm {
                    origin: Arc::new(origin),
                    alarm: Arc::new(alarm),
                });
            }
            Ok(Some(taken))
        })
    }
}
