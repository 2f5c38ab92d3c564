//! Events of a time that was not known: from which number they wait, and how they are put right
//! together with the records they changed. Owns which stamps of an event are the gateway's own.

use super::Correction;
use crate::StoreError;
use crate::error::Doing;
use crate::records::{from_json, to_json};
use crate::state::StateTx;
use riser_model::{Alarm, AuthorKind, Command, CommandRecord, Event, Outcome, Timestamp};
use riser_wire::{BatchHeader, Epoch};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use uuid::Uuid;

const KEY: &str = "held_events";

/// From where events wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The assumed line of time.
    pub(crate) line: String,
    /// The numbering.
    pub(crate) epoch: Uuid,
    /// Those after this number wait.
    pub(crate) after: u64,
}

/// The mark of a store, if events wait in it.
pub(crate) fn read_mark(conn: &Connection, file: &Path) -> Result<Option<Mark>, StoreError> {
    let sql = "SELECT value FROM kv WHERE key = ?1";
    let found: Option<Vec<u8>> = conn
        .query_row(sql, [KEY], |r| r.get(0))
        .optional()
        .doing("read which events wait", file)?;
    let Some(found) = found else { return Ok(None) };
    from_json("mark", &String::from_utf8_lossy(&found)).map(Some)
}

/// Lets events after a number wait, or none any more.
pub(crate) fn write_mark(tx: &StateTx<'_>, mark: Option<&Mark>) -> Result<(), StoreError> {
    let Some(mark) = mark else {
        let sql = "DELETE FROM kv WHERE key = ?1";
        return tx.execute("let events go", sql, [KEY]).map(drop);
    };
    let sql = "INSERT OR REPLACE INTO kv VALUES (?1, ?2)";
    let values = params![KEY, to_json("mark", mark)?.into_bytes()];
    tx.execute("hold events back", sql, values).map(drop)
}

/// Puts the waiting events right, and the records they changed; they wait no more.
pub(crate) fn correct_events(
    tx: &StateTx<'_>,
    mark: &Mark,
    c: &Correction,
) -> Result<usize, StoreError> {
    let mut touched = Touched::default();
    let mut corrected = 0;
    if Epoch(mark.epoch) == tx.numbers.epoch && c.by_ms != 0 {
        for (seq, frame) in waiting(tx, mark.after)? {
            // One that cannot be read is left to whoever claims it.
            let Ok((header, mut event)) = riser_wire::decode_event(&frame) else {
                continue;
            };
            touched.note(&event);
            correct(&mut event, c);
            let header = BatchHeader {
                first_at: c.apply(header.first_at),
                last_at: c.apply(header.last_at),
                clock: c.clock,
                ..header
            };
            let frame = riser_wire::encode_event(&header, &event);
            let sql = "UPDATE event SET at = ?2, frame = ?3 WHERE seq = ?1";
            let values = params![seq, header.first_at.0, frame];
            corrected += tx.execute("put an event right", sql, values)?;
        }
        touched.correct(tx, c)?;
    }
    write_mark(tx, None)?;
    Ok(corrected)
}

fn waiting(tx: &StateTx<'_>, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let read = || {
        let sql = "SELECT seq, frame FROM event WHERE seq > ?1 ORDER BY seq";
        let mut query = tx.conn().prepare(sql)?;
        let rows = query.query_map([after], |r| Ok((r.get(0)?, r.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().doing("read the events that wait", tx.file())
}

/// Records changed by events that wait.
#[derive(Default)]
struct Touched {
    alarms: BTreeSet<Uuid>,
    commands: BTreeSet<Uuid>,
}

impl Touched {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Alarm(alarm) => drop(self.alarms.insert(alarm.id.0)),
            Event::Command(command) => drop(self.commands.insert(command.id.0)),
            Event::Outcome(outcome) => drop(self.commands.insert(outcome.command.0)),
            Event::Directory(_) | Event::Loss { .. } | Event::Audit(_) | Event::Ledger(_) => {}
        }
    }

    fn correct(&self, tx: &StateTx<'_>, c: &Correction) -> Result<(), StoreError> {
        for id in &self.alarms {
            let sql = "SELECT body FROM alarm WHERE id = ?1";
            let Some(body) = body(tx, sql, *id)? else {
                continue;
            };
            let mut alarm: Alarm = from_json("alarm", &body)?;
            correct_alarm(&mut alarm, c);
            let sql = "UPDATE alarm SET raised_at = ?2, body = ?3 WHERE id = ?1";
            let body = to_json("alarm", &alarm)?;
            let values = params![id.as_bytes(), alarm.raised_at.0, body];
            tx.execute("put an alarm right", sql, values)?;
        }
        for id in &self.commands {
            let sql = "SELECT body FROM command WHERE id = ?1";
            let Some(body) = body(tx, sql, *id)? else {
                continue;
            };
            let mut record: CommandRecord = from_json("command", &body)?;
            correct_command(&mut record.command, c);
            correct_outcome(&mut record.outcome, c);
            let sql = "UPDATE command SET issued_at = ?2, body = ?3 WHERE id = ?1";
            let body = to_json("command", &record)?;
            let values = params![id.as_bytes(), record.command.issued_at.0, body];
            tx.execute("put a command right", sql, values)?;
        }
        Ok(())
    }
}

fn body(tx: &StateTx<'_>, sql: &str, id: Uuid) -> Result<Option<String>, StoreError> {
    tx.conn()
        .query_row(sql, [id.as_bytes()], |r| r.get(0))
        .optional()
        .doing("read a record", tx.file())
}

fn put(at: &mut Timestamp, c: &Correction) {
    *at = c.apply(*at);
}

fn correct(event: &mut Event, c: &Correction) {
    match event {
        Event::Alarm(alarm) => correct_alarm(alarm, c),
        Event::Command(command) => correct_command(command, c),
        Event::Outcome(outcome) => correct_outcome(outcome, c),
        Event::Loss { at, .. } => put(at, c),
        // An entry of the audit log is hashed as it stands; the entry that says how the clock was
        // set tells how to read those before it. The others carry no stamps of their own.
        Event::Audit(_) | Event::Directory(_) | Event::Ledger(_) => {}
    }
}

fn correct_alarm(alarm: &mut Alarm, c: &Correction) {
    put(&mut alarm.raised_at, c);
    alarm.cleared_at.iter_mut().for_each(|at| put(at, c));
    alarm
        .acknowledged
        .iter_mut()
        .filter(|taken| taken.by.kind != AuthorKind::Cloud)
        .for_each(|taken| put(&mut taken.at, c));
}

/// One that was issued here moves as a whole: its end may lie beyond the line.
fn correct_command(command: &mut Command, c: &Correction) {
    if command.author.kind == AuthorKind::Cloud || !c.covers(command.issued_at) {
        return;
    }
    let moved = |at: Timestamp| Timestamp(at.0.saturating_add(c.by_ms));
    command.issued_at = moved(command.issued_at);
    command.expires_at = moved(command.expires_at);
    command.hold_until = command.hold_until.map(moved);
}

fn correct_outcome(outcome: &mut Outcome, c: &Correction) {
    put(&mut outcome.at, c);
}
