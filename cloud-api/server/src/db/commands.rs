//! Commands: those of the cloud on their way down, and what gateways say of any. Owns the rows of
//! `command` and the rule which of two reports is the newer one.

use super::text::{from_json, json, signed, uuid, word};
use super::{CloudEvent, Db, DbError, Origin, gateways};
use riser_model::{Command, CommandId, CommandRecord, CommandState, Outcome, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::net::IpAddr;
use std::sync::Arc;

/// What became of issuing a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Issued {
    /// Entered; it is to be sent.
    New(CommandRecord),
    /// A command with this id was there already: nothing happens a second time.
    Known(CommandRecord),
    /// No such gateway.
    UnknownGateway,
}

/// Where in the event stream something was said: later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) epoch: i64,
    pub(super) seq: u64,
}

/// A stored address.
pub(super) fn address(text: Option<&str>) -> Option<IpAddr> {
    text?.parse().ok()
}

/// Columns of [`record`].
const RECORD: &str = "body, outcome";

fn record(row: &Row<'_>) -> rusqlite::Result<(Option<String>, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn assemble((body, outcome): (Option<String>, String)) -> Result<Option<CommandRecord>, DbError> {
    let Some(body) = body else { return Ok(None) };
    Ok(Some(CommandRecord {
        command: from_json("command", &body)?,
        outcome: from_json("outcome of a command", &outcome)?,
    }))
}

fn find(c: &Connection, gateway: i64, id: CommandId) -> Result<Option<CommandRecord>, DbError> {
    c.prepare_cached(&format!(
        "SELECT {RECORD} FROM command WHERE gateway = ?1 AND id = ?2"
    ))?
    .query_row(params![gateway, id.0.as_bytes()], record)
    .optional()?
    .map_or(Ok(None), assemble)
}

fn requested(command: &Command, now: Timestamp) -> Outcome {
    Outcome {
        command: command.id,
        state: CommandState::Requested,
        at: now,
        detail: String::new(),
        read_back: None,
        held_by: None,
    }
}

/// Where a command comes from.
enum By<'a> {
    /// A person at the cloud, at this address: it is to be sent.
    Cloud(Option<&'a IpAddr>),
    /// Its gateway tells of it.
    Gateway,
}

fn enter(
    c: &Connection,
    gateway: i64,
    (command, by): (&Command, &By<'_>),
    outcome: &Outcome,
) -> Result<(), DbError> {
    let (pending, from) = match by {
        By::Cloud(from) => (true, from.map(ToString::to_string)),
        By::Gateway => (false, None),
    };
    // An outcome that came before its command has left a row without a body.
    c.prepare_cached(
        "INSERT INTO command (gateway, id, path, body, state, outcome, issued_at, expires_at, pending, epoch, seq, issued_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, ?10)
         ON CONFLICT DO UPDATE SET path = excluded.path, body = excluded.body,
           issued_at = excluded.issued_at, expires_at = excluded.expires_at
         WHERE command.body IS NULL",
    )?
    .execute(params![
        gateway,
        command.id.0.as_bytes(),
        command.path.to_string(),
        json(command)?,
        word(&outcome.state)?,
        json(outcome)?,
        command.issued_at.0,
        command.expires_at.0,
        pending,
        from
    ])
    .map_err(DbError::sqlite("enter a command"))?;
    Ok(())
}

/// A gateway tells of a command issued there.
pub(super) fn command_event(
    c: &Connection,
    gateway: i64,
    command: &Command,
) -> Result<Option<CommandRecord>, DbError> {
    let outcome = requested(command, command.issued_at);
    enter(c, gateway, (command, &By::Gateway), &outcome)?;
    find(c, gateway, command.id)
}

/// A gateway tells what happened to a command. Answers the record when this is the newest word
/// about it and the command itself is known.
pub(super) fn outcome_event(
    c: &Connection,
    gateway: i64,
    outcome: &Outcome,
    place: Place,
) -> Result<Option<CommandRecord>, DbError> {
    let changed = c
        .prepare_cached(
            "INSERT INTO command (gateway, id, state, outcome, issued_at, expires_at, pending, epoch, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6, ?7)
             ON CONFLICT DO UPDATE SET state = excluded.state, outcome = excluded.outcome,
               pending = 0, epoch = excluded.epoch, seq = excluded.seq
             WHERE (excluded.epoch, excluded.seq) > (command.epoch, command.seq)",
        )?
        .execute(params![
            gateway,
            outcome.command.0.as_bytes(),
            word(&outcome.state)?,
            json(outcome)?,
            outcome.at.0,
            place.epoch,
            signed(place.seq)
        ])
        .map_err(DbError::sqlite("enter the outcome of a command"))?;
    if changed == 0 {
        return Ok(None);
    }
    find(c, gateway, outcome.command)
}

impl Db {
    /// Enters a command of the cloud and where its author was, to be sent until the gateway says
    /// something about it.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn issue_command(
        &self,
        origin: &Arc<Origin>,
        (command, from): (Command, Option<IpAddr>),
        now: Timestamp,
    ) -> Result<Issued, DbError> {
        let of = Arc::clone(origin);
        let issued = self
            .write(move |c| {
                let Some(gateway) = gateways::find(c, &of)? else {
                    return Ok(Issued::UnknownGateway);
                };
                if let Some(known) = find(c, gateway, command.id)? {
                    return Ok(Issued::Known(known));
                }
                let outcome = requested(&command, now);
                let by = By::Cloud(from.as_ref());
                enter(c, gateway, (&command, &by), &outcome)?;
                Ok(Issued::New(CommandRecord { command, outcome }))
            })
            .await?;
        if let Issued::New(record) = &issued {
            self.announce_command(origin, record.clone());
        }
        Ok(issued)
    }

    /// Commands of the cloud the gateway has not answered and that may still be begun, each with
    /// where its author was, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_commands(
        &self,
        origin: &Arc<Origin>,
        now: Timestamp,
    ) -> Result<Vec<(Command, Option<IpAddr>)>, DbError> {
        let of = Arc::clone(origin);
        self.read(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(Vec::new());
            };
            let mut query = c.prepare_cached(
                "SELECT body, issued_from FROM command
                 WHERE gateway = ?1 AND pending = 1 AND expires_at > ?2 AND body IS NOT NULL
                 ORDER BY issued_at",
            )?;
            let bodies = query
                .query_map(params![gateway, now.0], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<Result<Vec<(String, Option<String>)>, _>>()?;
            bodies
                .iter()
                .map(|(body, from)| Ok((from_json("command", body)?, address(from.as_deref()))))
                .collect()
        })
        .await
    }

    /// Notes that a command went out.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn command_sent(
        &self,
        origin: &Arc<Origin>,
        id: CommandId,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(());
            };
            c.prepare_cached("UPDATE command SET sent_at = ?3 WHERE gateway = ?1 AND id = ?2")?
                .execute(params![gateway, id.0.as_bytes(), now.0])?;
            Ok(())
        })
        .await
    }

    /// Ends commands of the cloud that no gateway has answered in time. A late word of the
    /// gateway still replaces this outcome. Answers how many.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn expire_commands(&self, now: Timestamp) -> Result<usize, DbError> {
        let due = self
            .read(move |c| {
                let mut query = c.prepare_cached(
                    "SELECT 1 FROM command WHERE pending = 1 AND expires_at <= ?1 LIMIT 1",
                )?;
                Ok(query.exists([now.0])?)
            })
            .await?;
        if !due {
            return Ok(0);
        }
        let ended = self.write(move |c| expire(c, now)).await?;
        let count = ended.len();
        for (origin, record) in ended {
            self.announce_command(&Arc::new(origin), record);
        }
        Ok(count)
    }

    fn announce_command(&self, origin: &Arc<Origin>, record: CommandRecord) {
        self.announce(CloudEvent::Command {
            origin: Arc::clone(origin),
            record: Arc::new(record),
        });
    }
}

fn expire(c: &Connection, now: Timestamp) -> Result<Vec<(Origin, CommandRecord)>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT command.gateway, command.id, tenant, gateway.id, sent_at, body
         FROM command JOIN gateway ON gateway.row = command.gateway
         WHERE pending = 1 AND expires_at <= ?1 AND body IS NOT NULL",
    )?;
    let due = query
        .query_map([now.0], |r| {
            let (gateway, id): (i64, Vec<u8>) = (r.get(0)?, r.get(1)?);
            let (tenant, name): (String, String) = (r.get(2)?, r.get(3)?);
            let (sent, body): (Option<i64>, String) = (r.get(4)?, r.get(5)?);
            Ok((gateway, id, tenant, name, sent, body))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut ended = Vec::with_capacity(due.len());
    for (gateway, id, tenant, name, sent, body) in due {
        let detail = match sent {
            None => {
                "the gateway was not connected before the command expired; it was never sent: \
                     issue it again when the gateway is back"
            }
            Some(_) => {
                "the command was sent, but the gateway did not answer before it expired; \
                        read the point before issuing it again"
            }
        };
        let outcome = Outcome {
            command: CommandId(uuid("command id", &id)?),
            state: CommandState::Expired,
            at: now,
            detail: detail.to_owned(),
            read_back: None,
            held_by: None,
        };
        c.prepare_cached(
            "UPDATE command SET state = ?3, outcome = ?4, pending = 0 WHERE gateway = ?1 AND id = ?2",
        )?
        .execute(params![gateway, id, word(&outcome.state)?, json(&outcome)?])?;
        let origin = Origin::stored(&tenant, &name)?;
        ended.push((
            origin,
            CommandRecord {
                command: from_json("command", &body)?,
                outcome,
            },
        ));
    }
    Ok(ended)
}
