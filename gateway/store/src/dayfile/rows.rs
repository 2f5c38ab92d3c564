//! The rows of a day file, one function a table. Owns their SQL; which rows go into which
//! transaction is decided above.

use super::{Group, OpenSpan};
use crate::StoreError;
use crate::cells::{self, Cell};
use crate::error::Doing;
use crate::ledger::{FileLanes, encode_counts};
use crate::rollup::Row;
use crate::scan::batch_id;
use riser_wire::Epoch;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::BTreeMap;
use std::path::Path;
use zstd::bulk::{Compressor, Decompressor};

pub(super) fn add_epoch(
    tx: &Transaction<'_>,
    path: &Path,
    epoch: Epoch,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO epoch (no, id) SELECT coalesce(max(no), 0) + 1, ?1 FROM epoch WHERE true \
               ON CONFLICT (id) DO UPDATE SET id = id RETURNING no";
    tx.query_row(sql, [epoch.0.as_bytes()], |r| r.get(0))
        .doing("name the epoch", path)
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    path: &Path,
    (no, lanes): (i64, &mut FileLanes),
    group: &Group<'_>,
) -> Result<(), StoreError> {
    let doing = "store a batch";
    let mut statement = tx
        .prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .doing(doing, path)?;
    for b in group.batches {
        let counts = lanes.localise((&**tx, path), group.lanes, &b.counts)?;
        let values = params![
            batch_id(no, b.seq),
            b.first_at.0,
            b.last_at.0,
            b.samples,
            b.frame,
            encode_counts(&counts)
        ];
        statement.execute(values).doing(doing, path)?;
    }
    Ok(())
}

pub(super) fn write_span(
    tx: &Transaction<'_>,
    path: &Path,
    span: Option<&OpenSpan>,
    rolled_to: i64,
) -> Result<(), StoreError> {
    let doing = "store a span";
    let Some(s) = span else {
        let sql = "UPDATE span SET rolled_to = ?1 WHERE last_id = (SELECT max(last_id) FROM span)";
        return tx.execute(sql, [rolled_to]).doing(doing, path).map(drop);
    };
    tx.prepare_cached("INSERT INTO span VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .and_then(|mut statement| {
            statement.execute(params![
                s.last_id,
                s.first_id,
                s.first_at.0,
                s.last_at.0,
                s.batches,
                s.samples,
                s.bytes,
                s.committed_at.0,
                rolled_to
            ])
        })
        .doing(doing, path)
        .map(drop)
}

/// Writes rollup rows; those of minutes that were written before are merged.
pub(super) fn write_rows(
    tx: &Transaction<'_>,
    path: &Path,
    rows: Vec<Row>,
    (rolled_to, zip): (i64, &mut Compressor<'_>),
) -> Result<(), StoreError> {
    let doing = "store a rollup";
    let mut put = tx
        .prepare_cached("INSERT OR REPLACE INTO rollup (id, cells) VALUES (?1, ?2)")
        .doing(doing, path)?;
    for row in rows {
        let merged = if i64::from(row.minute) < rolled_to {
            merge(tx, path, &row)?
        } else {
            row.cells
        };
        let cells = cells::encode(&merged, zip).doing("compress a rollup for", path)?;
        put.execute(params![row.id, cells]).doing(doing, path)?;
    }
    Ok(())
}

fn merge(tx: &Transaction<'_>, path: &Path, row: &Row) -> Result<Vec<(u8, Cell)>, StoreError> {
    let stored: Option<Vec<u8>> = tx
        .prepare_cached("SELECT cells FROM rollup WHERE id = ?1")
        .and_then(|mut q| q.query_row([row.id], |r| r.get(0)).optional())
        .doing("read a rollup", path)?;
    let mut all: BTreeMap<u8, Cell> = BTreeMap::new();
    if let Some(stored) = stored {
        let mut unzip = Decompressor::new().doing("set up compression for", path)?;
        match cells::decode(&stored, &mut unzip) {
            Ok(before) => all.extend(before),
            Err(error) => tracing::warn!(%error, "a damaged rollup is replaced"),
        }
    }
    for (offset, cell) in &row.cells {
        all.entry(*offset).or_insert(Cell::EMPTY).merge(cell);
    }
    Ok(all.into_iter().collect())
}
