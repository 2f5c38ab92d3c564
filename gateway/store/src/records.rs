//! Alarms and commands as people look them up. Owns the two tables; they change in the same
//! transaction as the event that says so (`events`).

use crate::audit::{Note, Trace};
use crate::error::Doing;
use crate::state::StateTx;
use crate::{Store, StoreError};
use riser_model::audit::action;
use riser_model::{
    Alarm, AlarmId, AlarmState, Author, AuthorKind, Command, CommandId, CommandRecord,
    CommandState, Event, Outcome, PointPath,
};
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Which alarms to list; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmFilter {
    /// Only those whose occurrence is not over.
    pub open_only: bool,
    /// Only those of one point.
    pub path: Option<PointPath>,
    /// At most this many.
    pub limit: usize,
}

/// Which commands to list; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFilter {
    /// Only those of one point.
    pub path: Option<PointPath>,
    /// At most this many.
    pub limit: usize,
}

/// Records that are over, kept for people to look up.
const KEPT: u32 = 10_000;

pub(crate) fn to_json(what: &'static str, record: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|e| StoreError::Record {
        what,
        detail: e.to_string(),
    })
}

pub(crate) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Record {
        what,
        detail: e.to_string(),
    })
}

fn list<T: DeserializeOwned>(
    conn: &Connection,
    file: &Path,
    what: &'static str,
    (sql, values): (&str, &[(&str, &dyn ToSql)]),
) -> Result<Vec<T>, StoreError> {
    let mut query = conn.prepare_cached(sql).doing("list records", file)?;
    let rows = query
        .query_map(values, |r| r.get::<_, String>(0))
        .doing("list records", file)?;
    rows.map(|row| {
        row.doing("list records", file)
            .and_then(|text| from_json(what, &text))
    })
    .collect()
}

fn one<T: DeserializeOwned>(
    conn: &Connection,
    file: &Path,
    what: &'static str,
    (sql, id): (&str, uuid::Uuid),
) -> Result<Option<T>, StoreError> {
    let text = conn
        .prepare_cached(sql)
        .and_then(|mut q| {
            q.query_row([id.as_bytes()], |r| r.get::<_, String>(0))
                .optional()
        })
        .doing("find a record", file)?;
    text.map(|t| from_json(what, &t)).transpose()
}

/// Who a record says did it.
fn trace(author: &Author) -> Trace {
    let source = match author.kind {
        AuthorKind::Local => "local",
        AuthorKind::Cloud => "cloud",
        AuthorKind::Rule => "rule",
        AuthorKind::System => "system",
    };
    Trace::new(&author.name, source)
}

/// Writes an alarm as it is after a change. Answers with what the audit log must say.
pub(crate) fn put_alarm(tx: &StateTx<'_>, alarm: &Alarm) -> Result<Option<Note>, StoreError> {
    let note = match &alarm.acknowledged {
        Some(taken) if !is_taken(tx, alarm.id)? => Some(
            Note::new(
                trace(&taken.by),
                action::ACKNOWLEDGE,
                alarm.path.to_string(),
            )
            .with(serde_json::json!({
                "alarm": alarm.id, "message": alarm.message, "comment": taken.comment,
            })),
        ),
        _ => None,
    };
    tx.execute(
        "record an alarm",
        "INSERT INTO alarm (id, path, open, raised_at, body) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (id) DO UPDATE SET open = ?3, body = ?5",
        params![
            alarm.id.0.as_bytes(),
            alarm.path.to_string(),
            alarm.state != AlarmState::Normal,
            alarm.raised_at.0,
            to_json("alarm", alarm)?
        ],
    )?;
    Ok(note)
}

/// Whether the stored alarm is acknowledged already.
fn is_taken(tx: &StateTx<'_>, id: AlarmId) -> Result<bool, StoreError> {
    let known = one::<Alarm>(tx.conn(), tx.file(), "alarm", (ALARM, id.0))?;
    Ok(known.is_some_and(|alarm| alarm.acknowledged.is_some()))
}

/// Writes a command that is not known yet, and answers with what the audit log must say; `None`
/// when it is known.
pub(crate) fn put_command(tx: &StateTx<'_>, command: &Command) -> Result<Option<Note>, StoreError> {
    let record = CommandRecord {
        outcome: Outcome {
            command: command.id,
            state: CommandState::Requested,
            at: tx.now(),
            detail: String::new(),
            read_back: None,
            held_by: None,
        },
        command: command.clone(),
    };
    let rows = tx.execute(
        "record a command",
        "INSERT INTO command (id, path, final, issued_at, body) VALUES (?1, ?2, 0, ?3, ?4) \
         ON CONFLICT (id) DO NOTHING",
        params![
            command.id.0.as_bytes(),
            command.path.to_string(),
            command.issued_at.0,
            to_json("command", &record)?
        ],
    )?;
    Ok((rows == 1).then(|| {
        Note::new(
            trace(&command.author),
            action::WRITE,
            command.path.to_string(),
        )
        .with(serde_json::json!({
            "command": command.id, "value": command.value, "priority": command.priority,
            "hold_until": command.hold_until, "expires_at": command.expires_at,
        }))
    }))
}

const COMMAND: &str = "SELECT body FROM command WHERE id = ?1";
const ALARM: &str = "SELECT body FROM alarm WHERE id = ?1";

/// Writes how far a command got. A final outcome is never taken back, and an outcome of a command
/// nobody recorded changes nothing. Answers with what the audit log must say.
pub(crate) fn put_outcome(tx: &StateTx<'_>, outcome: &Outcome) -> Result<Option<Note>, StoreError> {
    let id = outcome.command.0;
    let known = one::<CommandRecord>(tx.conn(), tx.file(), "command", (COMMAND, id))?;
    let Some(mut record) = known else {
        return Ok(None);
    };
    let was_final = record.outcome.state.is_final();
    if was_final && !outcome.state.is_final() {
        return Ok(None);
    }
    record.outcome = outcome.clone();
    tx.execute(
        "record an outcome",
        "UPDATE command SET final = ?2, body = ?3 WHERE id = ?1",
        params![
            id.as_bytes(),
            outcome.state.is_final(),
            to_json("command", &record)?
        ],
    )?;
    let end = outcome.state.is_final() && !was_final;
    Ok(end.then(|| {
        let command = &record.command;
        Note::new(
            trace(&command.author),
            action::OUTCOME,
            command.path.to_string(),
        )
        .with(serde_json::json!({
            "command": command.id, "state": outcome.state, "detail": outcome.detail,
            "read_back": outcome.read_back, "held_by": outcome.held_by,
        }))
    }))
}

/// Forgets the oldest records that are over.
pub(crate) fn prune(tx: &StateTx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "forget old alarms",
        "DELETE FROM alarm WHERE open = 0 AND raised_at < (SELECT raised_at FROM alarm \
         WHERE open = 0 ORDER BY raised_at DESC LIMIT 1 OFFSET ?1)",
        [KEPT],
    )?;
    tx.execute(
        "forget old commands",
        "DELETE FROM command WHERE final = 1 AND issued_at < (SELECT issued_at FROM command \
         ORDER BY issued_at DESC LIMIT 1 OFFSET ?1)",
        [KEPT],
    )?;
    Ok(())
}

impl Store {
    /// Alarms, the newest first.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn alarms(&self, filter: AlarmFilter) -> Result<Vec<Alarm>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            let (path, limit) = (filter.path.map(|p| p.to_string()), as_i64(filter.limit));
            let sql = "SELECT body FROM alarm WHERE open >= :open AND (:path IS NULL OR path = :path) \
                       ORDER BY raised_at DESC LIMIT :limit";
            let values: [(&str, &dyn ToSql); 3] =
                [(":open", &filter.open_only), (":path", &path), (":limit", &limit)];
            list(r.state()?, &file, "alarm", (sql, &values))
        })
        .await
    }

    /// One alarm.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn alarm(&self, id: AlarmId) -> Result<Option<Alarm>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            one(r.state()?, &file, "alarm", (ALARM, id.0))
        })
        .await
    }

    /// Commands with where they stand, the newest first.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn commands(&self, filter: CommandFilter) -> Result<Vec<CommandRecord>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            let limit = as_i64(filter.limit);
            let Some(path) = filter.path.map(|p| p.to_string()) else {
                let sql = "SELECT body FROM command ORDER BY issued_at DESC LIMIT :limit";
                return list(r.state()?, &file, "command", (sql, &[(":limit", &limit)]));
            };
            let sql = "SELECT body FROM command WHERE path = :path \
                       ORDER BY issued_at DESC LIMIT :limit";
            let values: [(&str, &dyn ToSql); 2] = [(":path", &path), (":limit", &limit)];
            list(r.state()?, &file, "command", (sql, &values))
        })
        .await
    }

    /// Commands that have no final outcome yet, the oldest first: what a restart must end.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn unfinished_commands(&self) -> Result<Vec<CommandRecord>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            let sql = "SELECT body FROM command WHERE final = 0 ORDER BY issued_at";
            list(r.state()?, &file, "command", (sql, &[]))
        })
        .await
    }

    /// One command.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            one(r.state()?, &file, "command", (COMMAND, id.0))
        })
        .await
    }

    /// Records a command before it is begun, as requested. `false` when its id is known already,
    /// also from before a restart: it must not be begun a second time. `announce` also puts it on
    /// the event stream, for commands the cloud does not know of.
    ///
    /// # Errors
    /// The disk refused: do not begin it.
    pub async fn record_command(
        &self,
        command: Command,
        announce: bool,
    ) -> Result<bool, StoreError> {
        self.record_command_from(command, announce, None).await
    }

    /// As [`Self::record_command`]; the audit log also says from where its author came.
    ///
    /// # Errors
    /// As for [`Self::record_command`].
    pub async fn record_command_from(
        &self,
        command: Command,
        announce: bool,
        from: Option<String>,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let Some(note) = put_command(tx, &command)? else {
                return Ok(false);
            };
            if announce {
                tx.emit(&Event::Command(command))?;
            }
            crate::audit::append(tx, note.coming_from(from.as_deref())).map(|()| true)
        })
        .await
    }
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
