//! Alarms and commands, read for somebody. Owns the queries, and how an acknowledgement that is
//! still on its way down already shows.

use super::scope::{self, Sought, border};
use super::text::from_json;
use super::{Db, DbError, Origin};
use crate::tenancy::TenantContext;
use riser_model::{
    Acknowledgement, Alarm, AlarmId, CommandId, CommandRecord, GatewayId, Key, PointPath,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Which alarms.
#[derive(Debug, Clone, Default)]
pub struct AlarmQuery {
    /// Of this gateway only.
    pub gateway: Option<GatewayId>,
    /// Active or not acknowledged only.
    pub open_only: bool,
    /// At most so many.
    pub limit: u32,
}

const ALARM: &str = "SELECT tenant, gateway.id, alarm.body, acknowledgement.body
  FROM alarm JOIN gateway ON gateway.row = alarm.gateway
  LEFT JOIN acknowledgement
    ON acknowledgement.gateway = alarm.gateway AND acknowledgement.alarm = alarm.id";

type AlarmColumns = (String, String, String, Option<String>);

fn alarm_columns(row: &Row<'_>) -> rusqlite::Result<AlarmColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// The gateway decides the state; until it has heard, the acknowledgement shows as it will be.
fn assemble(columns: AlarmColumns) -> Result<(Origin, Alarm), DbError> {
    let (tenant, gateway, body, acknowledgement) = columns;
    let mut alarm: Alarm = from_json("alarm", &body)?;
    if let Some(text) = acknowledgement {
        let acknowledgement: Acknowledgement = from_json("acknowledgement", &text)?;
        riser_rules::alarm::acknowledge(&mut alarm, acknowledgement);
    }
    Ok((Origin::stored(&tenant, &gateway)?, alarm))
}

type CommandColumns = (String, String);

fn command_columns(row: &Row<'_>) -> rusqlite::Result<CommandColumns> {
    Ok((row.get(0)?, row.get(1)?))
}

fn record((body, outcome): CommandColumns) -> Result<CommandRecord, DbError> {
    Ok(CommandRecord {
        command: from_json("command", &body)?,
        outcome: from_json("outcome of a command", &outcome)?,
    })
}

fn commands(
    c: &Connection,
    gateway: i64,
    path: Option<&PointPath>,
    limit: u32,
) -> Result<Vec<CommandRecord>, DbError> {
    // Two texts, so that each has its index.
    let filter = if path.is_some() {
        "AND path = ?2"
    } else {
        "AND ?2 IS NULL"
    };
    let mut query = c.prepare_cached(&format!(
        "SELECT body, outcome FROM command WHERE gateway = ?1 {filter} AND body IS NOT NULL
         ORDER BY issued_at DESC LIMIT ?3"
    ))?;
    query
        .query_map(
            params![gateway, path.map(ToString::to_string), limit],
            command_columns,
        )?
        .map(|columns| record(columns?))
        .collect()
}

impl Db {
    /// Alarms whoever asks may see, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alarms(
        &self,
        who: &TenantContext,
        query: AlarmQuery,
    ) -> Result<Vec<(Origin, Alarm)>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            let open = if query.open_only {
                "AND alarm.open = 1"
            } else {
                ""
            };
            let mut rows = c.prepare_cached(&format!(
                "{ALARM} WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR gateway.id = ?2)
                 {open} ORDER BY raised_at DESC LIMIT ?3"
            ))?;
            rows.query_map(
                params![
                    border(&who),
                    query.gateway.as_ref().map(Key::as_str),
                    query.limit
                ],
                alarm_columns,
            )?
            .map(|columns| assemble(columns?))
            .collect()
        })
        .await
    }

    /// One alarm of a gateway.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alarm(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        id: AlarmId,
    ) -> Result<Sought<(Origin, Alarm)>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|found| {
                c.prepare_cached(&format!(
                    "{ALARM} WHERE alarm.gateway = ?1 AND alarm.id = ?2"
                ))?
                .query_row(params![found.row, id.0.as_bytes()], alarm_columns)
                .optional()?
                .map(assemble)
                .transpose()
            })
        })
        .await
    }

    /// Commands to a gateway or to one point of it, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn commands(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        path: Option<PointPath>,
        limit: u32,
    ) -> Result<Sought<Vec<CommandRecord>>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?
                .and_then(|found| commands(c, found.row, path.as_ref(), limit).map(Some))
        })
        .await
    }

    /// One command, of any gateway whoever asks may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn command(
        &self,
        who: &TenantContext,
        id: CommandId,
    ) -> Result<Option<CommandRecord>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            c.prepare_cached(
                "SELECT body, outcome FROM command JOIN gateway ON gateway.row = command.gateway
                 WHERE command.id = ?2 AND (?1 IS NULL OR tenant = ?1) AND body IS NOT NULL
                 LIMIT 1",
            )?
            .query_row(params![border(&who), id.0.as_bytes()], command_columns)
            .optional()?
            .map(record)
            .transpose()
        })
        .await
    }
}
