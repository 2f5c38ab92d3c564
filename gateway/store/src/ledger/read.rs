//! Reading the ledger: of a running store with what is still in memory, or of its folder alone.
//! Owns the filter.

use super::Changes;
use crate::error::Doing;
use crate::{Store, StoreConfig, StoreError};
use riser_model::Timestamp;
use riser_model::ledger::{HOUR, Ledger, LedgerAsOf, LedgerCounts, LedgerRow};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Which part of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Hours that end after this.
    pub from: Option<Timestamp>,
    /// Hours that begin before this.
    pub to: Option<Timestamp>,
    /// This lane only.
    pub lane: Option<String>,
}

/// Rows by hour and name of the lane.
type Rows = BTreeMap<(i64, String), LedgerCounts>;
/// One of them.
type Cell = ((i64, String), LedgerCounts);

impl Store {
    /// Part of the ledger as it is now, what is still in memory included.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn ledger(&self, filter: LedgerFilter) -> Result<Ledger, StoreError> {
        loop {
            let as_of = self.shared.under_way();
            let (generation, changes, lanes) = {
                let inner = self.shared.ledger.lock();
                // One that rests writes nothing, so nothing can move in between.
                let generation = (!inner.resting).then_some(inner.generation);
                (generation, inner.changes.clone(), Arc::clone(&inner.lanes))
            };
            let wanted = filter.clone();
            let (written, mut rows) = self
                .read(move |r| {
                    let file = r.state_file();
                    rows(r.state()?, &file, &wanted)
                })
                .await?;
            // A writing in between has moved changes from the memory to the disk: look again.
            if generation.is_some_and(|number| number != written) {
                continue;
            }
            merge(&mut rows, &changes, (&lanes, &filter));
            return Ok(ledger(rows, as_of));
        }
    }
}

/// Part of the ledger out of the folder of a store, which may be in use: as last written, some
/// seconds ago at most.
///
/// # Errors
/// There is no store, or its `state.db` cannot be read or is of a version without a ledger.
pub fn read_ledger(dir: &Path, filter: &LedgerFilter) -> Result<Ledger, StoreError> {
    let file = StoreConfig::new(dir).state_file();
    let mut conn = crate::sqlite::open_reader(&file)?;
    let tx = conn.transaction().doing("read the ledger", &file)?;
    let sql = "SELECT at, disk_from, cloud_from, cloud FROM ledger_head";
    let as_of = |r: &Row<'_>| {
        Ok(LedgerAsOf {
            at: Timestamp(r.get(0)?),
            disk_from: r.get::<_, Option<i64>>(1)?.map(Timestamp),
            cloud_from: r.get::<_, Option<i64>>(2)?.map(Timestamp),
            cloud: r.get(3)?,
        })
    };
    let as_of = tx
        .query_row(sql, [], as_of)
        .doing("read the ledger", &file)?;
    let (_, rows) = rows(&tx, &file, filter)?;
    Ok(ledger(rows, as_of))
}

fn ledger(rows: Rows, as_of: LedgerAsOf) -> Ledger {
    let row = |((hour, lane), counts)| LedgerRow::new(Timestamp(hour), lane, counts, &as_of);
    Ledger {
        as_of,
        rows: rows.into_iter().map(row).collect(),
    }
}

fn bounds(filter: &LedgerFilter) -> (i64, i64) {
    let from = filter
        .from
        .map_or(i64::MIN, |t| t.0.saturating_sub(HOUR - 1));
    (from, filter.to.map_or(i64::MAX, |t| t.0))
}

fn merge(rows: &mut Rows, changes: &Changes, (lanes, filter): (&super::Lanes, &LedgerFilter)) {
    let (after, before) = bounds(filter);
    for ((hour, lane), counts) in changes {
        let name = lanes.called(*lane);
        let wanted = filter.lane.as_deref().is_none_or(|lane| lane == name);
        if *hour >= after && *hour < before && wanted {
            rows.entry((*hour, name.to_owned()))
                .or_default()
                .add(counts);
        }
    }
}

/// The figures of a row that begins at a column.
pub(super) fn counts(r: &Row<'_>, column: usize) -> rusqlite::Result<LedgerCounts> {
    let n = |i: usize| r.get(column + i);
    Ok(LedgerCounts {
        collected: n(0)?,
        stored: n(1)?,
        sent: n(2)?,
        durable: n(3)?,
        dropped: riser_model::ledger::LedgerDropped {
            queue_full: n(4)?,
            disk: n(5)?,
            crash: n(6)?,
            retention: n(7)?,
            damaged: n(8)?,
            refused: n(9)?,
        },
    })
}

/// Names of the columns [`counts`] reads.
pub(super) const COLUMNS: &str =
    "collected, stored, sent, durable, queue_full, disk, crash, retention, damaged, refused";

/// Rows on disk and the number of the writing they are of.
fn rows(conn: &Connection, file: &Path, filter: &LedgerFilter) -> Result<(u64, Rows), StoreError> {
    let doing = "read the ledger";
    let (after, before) = bounds(filter);
    // One statement, so that number and rows are of the same moment.
    let sql = format!(
        "SELECT generation, hour, coalesce(name, ''), {COLUMNS} FROM ledger_head \
         LEFT JOIN (ledger LEFT JOIN ledger_lane ON no = lane) ON hour >= ?1 AND hour < ?2 \
         AND (?3 IS NULL OR coalesce(name, '') = ?3)"
    );
    let mut query = conn.prepare_cached(&sql).doing(doing, file)?;
    let mut found = query
        .query(params![after, before, filter.lane])
        .doing(doing, file)?;
    let (mut generation, mut rows) = (0, Rows::new());
    while let Some(row) = found.next().doing(doing, file)? {
        let read = || -> rusqlite::Result<(u64, Option<Cell>)> {
            let number = row.get(0)?;
            let Some(hour) = row.get(1)? else {
                return Ok((number, None));
            };
            Ok((number, Some(((hour, row.get(2)?), counts(row, 3)?))))
        };
        let (number, cell) = read().doing(doing, file)?;
        generation = number;
        rows.extend(cell);
    }
    Ok((generation, rows))
}
