//! Configurations that somebody wants gateways to run. Owns the rows of `configuration_desired`: the
//! newest for each gateway, kept until the gateway has answered, its time is over, or somebody has
//! changed their mind. The gateway's audit log says what became of it; here is only that it did.

use super::commands::address;
use super::scope::{self, Sought};
use super::text::{from_json, json, uuid, word};
use super::{Db, DbError, Origin, gateways};
use crate::tenancy::TenantContext;
use riser_model::audit::action;
use riser_model::{AuditEntry, Author, ConfigurationAsk, GatewayId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// How often one goes out at most: a gateway knows a request again, one of an old version does not.
const SENDS: u32 = 5;

/// How far a desired configuration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredState {
    /// It waits for the gateway to connect.
    Waiting,
    /// It went out; the gateway has not answered yet.
    Sent,
    /// The gateway has answered; its audit log says what.
    Answered,
    /// Its time was over before the gateway answered.
    Expired,
    /// Somebody cancelled it.
    Cancelled,
}

/// A configuration on its way to a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Its name.
    pub request: Uuid,
    /// The document, with how long it may be tried.
    pub ask: ConfigurationAsk,
    /// Who wants it.
    pub author: Author,
    /// Where they were.
    pub from: Option<IpAddr>,
    /// When they asked.
    pub asked_at: Timestamp,
    /// Until when the gateway may begin.
    pub expires_at: Timestamp,
}

/// The newest of a gateway, without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredView {
    /// Its name.
    pub request: Uuid,
    /// How far it has come.
    pub state: DesiredState,
    /// What was written to it.
    pub note: String,
    /// Who wants it.
    pub author: Author,
    /// Where they were.
    pub from: Option<IpAddr>,
    /// When they asked.
    pub asked_at: Timestamp,
    /// Until when the gateway may begin.
    pub expires_at: Timestamp,
    /// When it last went out.
    pub sent_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What the gateway answered, or who cancelled it.
    pub ended_by: Option<String>,
}

/// What [`assemble`] reads.
const COLUMNS: &str = "request, ask, author, asked_from, asked_at, expires_at";
/// Rows that may still go out.
const OPEN: &str = "state IN ('waiting', 'sent')";

type Columns = (Vec<u8>, String, String, Option<String>, i64, i64);

fn columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
    ))
}

fn assemble((request, ask, author, from, asked, expires): Columns) -> Result<Desired, DbError> {
    Ok(Desired {
        request: uuid("configuration request", &request)?,
        ask: from_json("configuration", &ask)?,
        author: from_json("author", &author)?,
        from: address(from.as_deref()),
        asked_at: Timestamp(asked),
        expires_at: Timestamp(expires),
    })
}

/// An entry of a gateway's audit log came: it may be the answer.
pub(super) fn answered(
    c: &Connection,
    gateway: i64,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<(), DbError> {
    if !entry.action.starts_with(action::CONFIGURATION) {
        return Ok(());
    }
    let detail: serde_json::Value = from_json("audit entry", &entry.detail).unwrap_or_default();
    let request = detail.get("request").and_then(serde_json::Value::as_str);
    let Some(request) = request.and_then(|text| Uuid::parse_str(text).ok()) else {
        return Ok(());
    };
    c.prepare_cached(
        "UPDATE configuration_desired SET state = 'answered', ask = NULL, ended_at = ?3, ended_by = ?4
         WHERE gateway = ?1 AND request = ?2 AND state <> 'answered'",
    )?
    .execute(params![gateway, request.as_bytes(), now.0, entry.action])?;
    Ok(())
}

fn view(c: &Connection, gateway: i64) -> Result<Option<DesiredView>, DbError> {
    let found = c
        .prepare_cached(
            "SELECT request, state, note, author, asked_from, asked_at, expires_at, sent_at, ended_at,
               ended_by
             FROM configuration_desired WHERE gateway = ?1",
        )?
        .query_row([gateway], |r| {
            let head: (Vec<u8>, String, String, String) =
                (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
            let from: Option<String> = r.get(4)?;
            let times: (i64, i64) = (r.get(5)?, r.get(6)?);
            let end: (Option<i64>, Option<i64>, Option<String>) =
                (r.get(7)?, r.get(8)?, r.get(9)?);
            Ok((head, from, times, end))
        })
        .optional()?;
    let Some(((request, state, note, author), from, (asked, expires), (sent, ended, by))) = found
    else {
        return Ok(None);
    };
    Ok(Some(DesiredView {
        request: uuid("configuration request", &request)?,
        state: from_json("state of a configuration", &format!("\"{state}\""))?,
        note,
        author: from_json("author", &author)?,
        from: address(from.as_deref()),
        asked_at: Timestamp(asked),
        expires_at: Timestamp(expires),
        sent_at: sent.map(Timestamp),
        ended_at: ended.map(Timestamp),
        ended_by: by,
    }))
}

impl Db {
    /// Enters what somebody wants a gateway to run; the one before gives way. False when there is no
    /// such gateway.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn desire_configuration(
        &self,
        origin: &Arc<Origin>,
        desired: Desired,
    ) -> Result<bool, DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(false);
            };
            let note = match &desired.ask {
                ConfigurationAsk::Apply { note, .. } => note.as_str(),
                _ => "",
            };
            c.prepare_cached(
                "INSERT OR REPLACE INTO configuration_desired
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, NULL, NULL, NULL)",
            )?
            .execute(params![
                gateway,
                desired.request.as_bytes(),
                word(&DesiredState::Waiting)?,
                json(&desired.ask)?,
                note,
                json(&desired.author)?,
                desired.from.map(|from| from.to_string()),
                desired.asked_at.0,
                desired.expires_at.0,
            ])
            .map_err(DbError::sqlite("enter a configuration"))?;
            Ok(true)
        })
        .await
    }

    /// What a gateway is to be sent when it connects: what it has not answered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_configuration(
        &self,
        origin: &Arc<Origin>,
        now: Timestamp,
    ) -> Result<Option<Desired>, DbError> {
        let of = Arc::clone(origin);
        self.read(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(None);
            };
            let sql = format!(
                "SELECT {COLUMNS} FROM configuration_desired
                 WHERE gateway = ?1 AND {OPEN} AND expires_at > ?2 AND sends < ?3"
            );
            let found = c
                .prepare_cached(&sql)?
                .query_row(params![gateway, now.0, SENDS], columns)
                .optional()?;
            found.map(assemble).transpose()
        })
        .await
    }

    /// Those that never went out, with whose they are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unsent_configurations(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(Origin, Desired)>, DbError> {
        self.read(move |c| {
            let mut query = c.prepare_cached(&format!(
                "SELECT {COLUMNS}, tenant, id FROM configuration_desired
                 JOIN gateway ON gateway.row = configuration_desired.gateway
                 WHERE state = 'waiting' AND expires_at > ?1"
            ))?;
            let rows = query.query_map([now.0], |r| {
                Ok((columns(r)?, r.get::<_, String>(6)?, r.get::<_, String>(7)?))
            })?;
            rows.map(|row| {
                let (columns, tenant, gateway) = row?;
                Ok((Origin::stored(&tenant, &gateway)?, assemble(columns)?))
            })
            .collect()
        })
        .await
    }

    /// Notes that one went out.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn configuration_sent(&self, request: Uuid, now: Timestamp) -> Result<(), DbError> {
        self.write(move |c| {
            c.prepare_cached(
                "UPDATE configuration_desired SET sends = sends + 1, sent_at = ?2,
                   state = CASE state WHEN 'waiting' THEN 'sent' ELSE state END
                 WHERE request = ?1",
            )?
            .execute(params![request.as_bytes(), now.0])?;
            Ok(())
        })
        .await
    }

    /// The newest of a gateway, however far it has come.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn desired_configuration(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
    ) -> Result<Sought<Option<DesiredView>>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|found| view(c, found.row).map(Some))
        })
        .await
    }

    /// Somebody changed their mind about one the gateway has not answered. False when there is none.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn cancel_configuration(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        now: Timestamp,
    ) -> Result<Sought<bool>, DbError> {
        let who = who.clone();
        self.write(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|found| {
                let sql = format!(
                    "UPDATE configuration_desired
                     SET state = 'cancelled', ask = NULL, ended_at = ?2, ended_by = ?3
                     WHERE gateway = ?1 AND {OPEN}"
                );
                let values = params![found.row, now.0, who.author().name];
                Ok(Some(c.prepare_cached(&sql)?.execute(values)? > 0))
            })
        })
        .await
    }

    /// Ends those whose time is over. Answers how many.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn expire_configurations(&self, now: Timestamp) -> Result<usize, DbError> {
        let sql = format!(
            "SELECT 1 FROM configuration_desired WHERE {OPEN} AND expires_at <= ?1 LIMIT 1"
        );
        let due = self.read(move |c| Ok(c.prepare_cached(&sql)?.exists([now.0])?));
        if !due.await? {
            return Ok(0);
        }
        self.write(move |c| {
            let sql = format!(
                "UPDATE configuration_desired SET state = 'expired', ask = NULL, ended_at = ?1
                 WHERE {OPEN} AND expires_at <= ?1"
            );
            Ok(c.prepare_cached(&sql)?.execute([now.0])?)
        })
        .await
    }
}
