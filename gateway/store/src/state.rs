//! `state.db` on the writer's side: its transaction and the numbers that go with it. Owns the rule
//! that numbers only move when the transaction does.

use crate::error::Doing;
use crate::records::{put_alarm, put_command, put_outcome};
use crate::{OutboxBatch, Position, StoreError};
use riser_model::{ClockState, Event, Timestamp};
use riser_wire::{BatchHeader, DirectoryEncoder, Epoch, Stream};
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, params};
use std::path::{Path, PathBuf};

/// Numbers that live in memory and on disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) epoch: Epoch,
    pub(crate) event_head: u64,
    pub(crate) directory: u32,
}

/// The writer's connection to `state.db`.
pub(crate) struct State {
    pub(crate) conn: Connection,
    pub(crate) file: PathBuf,
    pub(crate) numbers: Numbers,
    /// How far the clock was trusted at the last append; goes into event headers.
    pub(crate) clock: ClockState,
}

impl State {
    /// Begins a transaction.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Result<StateTx<'_>, StoreError> {
        let behavior = rusqlite::TransactionBehavior::Immediate;
        let numbers = self.numbers;
        let inner = self
            .conn
            .transaction_with_behavior(behavior)
            .doing("begin a transaction", &self.file)?;
        Ok(StateTx {
            inner,
            file: &self.file,
            now,
            clock: self.clock,
            committed: &mut self.numbers,
            numbers,
            emitted: Vec::new(),
        })
    }
}

/// A transaction on `state.db`.
pub(crate) struct StateTx<'a> {
    inner: Transaction<'a>,
    file: &'a Path,
    now: Timestamp,
    clock: ClockState,
    committed: &'a mut Numbers,
    pub(crate) numbers: Numbers,
    emitted: Vec<OutboxBatch>,
}

impl StateTx<'_> {
    pub(crate) fn conn(&self) -> &Connection {
        &self.inner
    }

    pub(crate) fn file(&self) -> &Path {
        self.file
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// True when SQLite has already rolled everything back, as it does when the disk fails.
    pub(crate) fn is_broken(&self) -> bool {
        self.inner.is_autocommit()
    }

    /// The error of a transaction that SQLite has rolled back.
    pub(crate) fn broken(&self) -> StoreError {
        StoreError::Database {
            doing: "write (the disk failed and all of it was undone)",
            file: self.file.to_owned(),
            source: std::sync::Arc::new(rusqlite::Error::InvalidQuery),
        }
    }

    /// Commits; the numbers are valid and the events can be sent from now on.
    pub(crate) fn commit(self) -> Result<Vec<OutboxBatch>, StoreError> {
        self.inner.commit().doing("commit", self.file)?;
        *self.committed = self.numbers;
        Ok(self.emitted)
    }

    /// Runs one of several independent writes: when it fails, the others stay.
    pub(crate) fn nested<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (numbers, emitted) = (self.numbers, self.emitted.len());
        self.execute_batch("begin a write", "SAVEPOINT nested")?;
        let result = work(self);
        if result.is_ok() {
            self.execute_batch("end a write", "RELEASE nested")?;
            return result;
        }
        self.numbers = numbers;
        self.emitted.truncate(emitted);
        if !self.is_broken() {
            self.execute_batch("undo a write", "ROLLBACK TO nested; RELEASE nested")?;
        }
        result
    }

    fn execute_batch(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.inner.execute_batch(sql).doing(doing, self.file)
    }

    /// Runs one statement; answers with the rows it changed.
    pub(crate) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl Params,
    ) -> Result<usize, StoreError> {
        self.inner
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .doing(doing, self.file)
    }

    /// Reads one row, if there is one.
    pub(crate) fn row<T>(
        &self,
        doing: &'static str,
        sql: &str,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.inner
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([], row).optional())
            .doing(doing, self.file)
    }

    /// Reads one value that must be there.
    pub(crate) fn value<T: rusqlite::types::FromSql>(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl Params,
    ) -> Result<T, StoreError> {
        self.inner
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, |r| r.get(0)))
            .doing(doing, self.file)
    }

    /// Records an event: the row it changes, and its place on the event stream.
    pub(crate) fn record(&mut self, event: &Event, from: Option<&str>) -> Result<u64, StoreError> {
        let note = match event {
            Event::Alarm(alarm) => put_alarm(self, alarm)?,
            Event::Command(command) => put_command(self, command)?,
            Event::Outcome(outcome) => put_outcome(self, outcome)?,
            Event::Directory(_) | Event::Loss { .. } | Event::Audit(_) | Event::Ledger(_) => None,
        };
        let seq = self.emit(event)?;
        if let Some(note) = note {
            crate::audit::append(self, note.coming_from(from))?;
        }
        Ok(seq)
    }

    /// Gives an event its number and encodes it, once, as it goes up the link.
    pub(crate) fn emit(&mut self, event: &Event) -> Result<u64, StoreError> {
        self.emit_frame(|header| riser_wire::encode_event(header, event))
    }

    /// Like [`Self::emit`], for a directory that was encoded point by point.
    pub(crate) fn emit_directory(
        &mut self,
        directory: DirectoryEncoder,
    ) -> Result<u64, StoreError> {
        self.emit_frame(|header| directory.finish(header))
    }

    fn emit_frame(
        &mut self,
        encode: impl FnOnce(&BatchHeader) -> Vec<u8>,
    ) -> Result<u64, StoreError> {
        let seq = self.numbers.event_head + 1;
        let frame = encode(&BatchHeader {
            epoch: self.numbers.epoch,
            stream: Stream::Event,
            seq,
            first_at: self.now,
            last_at: self.now,
            dictionary: self.numbers.directory,
            clock: self.clock,
            samples: 0,
        });
        self.execute(
            "store an event",
            "INSERT INTO event (seq, at, frame) VALUES (?1, ?2, ?3)",
            params![seq, self.now.0, frame],
        )?;
        self.numbers.event_head = seq;
        self.emitted.push(OutboxBatch {
            position: Position {
                epoch: self.numbers.epoch,
                seq,
            },
            stream: Stream::Event,
            frame: frame.into(),
            samples: 0,
            at: self.now,
        });
        Ok(seq)
    }
}
