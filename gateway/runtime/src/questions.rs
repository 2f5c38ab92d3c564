//! What people ask the runtime for and the store answers. Owns the error that says which of the
//! two did not know.

use crate::Runtime;
use riser_model::{
    Alarm, CommandId, CommandRecord, Ledger, PointPath, Sample, Slot, Timestamp, Trend,
};
use riser_store::{AlarmFilter, CommandFilter, LedgerFilter, StoreError};
use std::cmp::Reverse;
use std::collections::HashSet;

/// Why something could not be looked up.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// There is no such point.
    #[error("there is no point '{0}' on this gateway")]
    UnknownPoint(PointPath),
    /// The store could not answer.
    #[error("could not {doing}")]
    Store {
        /// What was asked for.
        doing: &'static str,
        /// Why the store could not answer.
        #[source]
        source: StoreError,
    },
}

impl ReadError {
    fn store(doing: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |source| Self::Store { doing, source }
    }
}

impl Runtime {
    /// A point over `[from, to)`, reduced to at most `buckets` buckets.
    ///
    /// # Errors
    /// No such point, or the store cannot answer in time.
    pub async fn trend(
        &self,
        path: &PointPath,
        from: Timestamp,
        to: Timestamp,
        buckets: usize,
    ) -> Result<Trend, ReadError> {
        let slot = self.known_slot(path)?;
        let trend = self.inner.store.trend(slot, from, to, buckets).await;
        trend.map_err(ReadError::store("read the trend"))
    }

    /// The samples of a point in `[from, to)` in order of time, at most `limit`; as many as
    /// `limit` means that there may be more after the last.
    ///
    /// # Errors
    /// No such point, or the store cannot answer in time.
    pub async fn samples(
        &self,
        path: &PointPath,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Sample>, ReadError> {
        let slot = self.known_slot(path)?;
        let samples = self.inner.store.samples(slot, from, to, limit).await;
        samples.map_err(ReadError::store("read the samples"))
    }

    /// Alarms, open and over, the newest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn alarm_history(&self, limit: usize) -> Result<Vec<Alarm>, ReadError> {
        let filter = AlarmFilter {
            open_only: false,
            path: None,
            limit,
        };
        let alarms = self.inner.store.alarms(filter).await;
        alarms.map_err(ReadError::store("list the alarms"))
    }

    /// A command with where it stands.
    ///
    /// # Errors
    /// It is not a recent one, and the store cannot answer.
    pub async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, ReadError> {
        if let Some(recent) = self.inner.commander.known(id) {
            return Ok(Some(recent));
        }
        let known = self.inner.store.command(id).await;
        known.map_err(ReadError::store("find the command"))
    }

    /// Commands of one point or of all, the newest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn commands(
        &self,
        path: Option<&PointPath>,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, ReadError> {
        let filter = CommandFilter {
            path: path.cloned(),
            limit,
        };
        let stored = self.inner.store.commands(filter).await;
        let stored = stored.map_err(ReadError::store("list the commands"))?;
        // What was told to those who listen may not be on the disk yet.
        let mut all = self.inner.commander.newest(path, limit);
        let told: HashSet<CommandId> = all.iter().map(|r| r.command.id).collect();
        let older = |r: &CommandRecord| !told.contains(&r.command.id);
        all.extend(stored.into_iter().filter(older));
        all.sort_by_key(|r| Reverse(r.command.issued_at));
        all.truncate(limit);
        Ok(all)
    }

    /// Part of the loss ledger.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn ledger(&self, filter: LedgerFilter) -> Result<Ledger, ReadError> {
        let ledger = self.inner.store.ledger(filter).await;
        ledger.map_err(ReadError::store("read the loss ledger"))
    }

    fn known_slot(&self, path: &PointPath) -> Result<Slot, ReadError> {
        self.slot(path)
            .ok_or_else(|| ReadError::UnknownPoint(path.clone()))
    }
}
