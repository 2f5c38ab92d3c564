//! What stored batches count for: by what is written beside them, else, where they are older than
//! that, by their frames. Owns finding them; what is done with the figures is decided elsewhere.

use super::{Cell, FileLanes, Lanes, cell, tally};
use crate::StoreError;
use crate::catalog::Catalog;
use crate::error::Doing;
use crate::intake::Urgent;
use crate::scan::batch_id;
use crate::shared::Shared;
use crate::sqlite::open_reader;
use riser_wire::Epoch;
use std::path::{Path, PathBuf};

/// Shown a batch's number and its samples by cell.
pub(super) type Visit<'a> = &'a mut dyn FnMut(u64, &[(Cell, u64)]);

/// A day file with some of a range: its name, where it is, and the epoch's number in it.
type Place = (String, PathBuf, i64);

/// Day files with some of a range.
pub(super) fn files_with(catalog: &Catalog, epoch: Epoch, (first, last): (u64, u64)) -> Vec<Place> {
    let mut found = Vec::new();
    for file in catalog.files() {
        let has = |r: &&crate::catalog::Run| r.epoch == epoch && r.first <= last && r.last >= first;
        let runs = file.runs.iter().filter(has);
        found.extend(runs.map(|r| (file.name.clone(), file.path.clone(), r.no)));
    }
    found
}

/// Visits the batches of a range that are still there. A file that is damaged or gone is reported
/// and left out: what was in it is accounted for when that is dealt with.
pub(super) fn visit(
    shared: &Shared,
    epoch: Epoch,
    range: (u64, u64),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let lanes = shared.ledger.lanes();
    let places = files_with(&shared.catalog(), epoch, range);
    for (name, path, no) in places {
        let Err(error) = in_file(&path, &lanes, (no, range), visit) else {
            continue;
        };
        if shared.catalog().get(&name).is_none() {
            continue;
        }
        if !error.is_damage() && path.exists() {
            return Err(error);
        }
        let text = error.chain();
        tracing::warn!(error = text, "a day file is left out of the ledger for now");
        drop(shared.intake.urgent(Urgent::Damaged(name, error)));
    }
    Ok(())
}

/// Visits the batches of a range in one file.
pub(super) fn in_file(
    path: &Path,
    lanes: &Lanes,
    (no, (first, last)): (i64, (u64, u64)),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let doing = "count a batch of";
    let conn = open_reader(path)?;
    let names = FileLanes::load(&conn, path)?.translation(lanes);
    let sql = "SELECT id, samples, counts, frame FROM batch WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let mut query = conn.prepare_cached(sql).doing(doing, path)?;
    let ends = [batch_id(no, first), batch_id(no, last)];
    let mut rows = query.query(ends).doing(doing, path)?;
    let mut cells: Vec<(Cell, u64)> = Vec::new();
    while let Some(row) = rows.next().doing(doing, path)? {
        cells.clear();
        let mut read = || -> rusqlite::Result<u64> {
            let counts = row.get_ref(2)?.as_blob_or_null()?;
            match names.read(counts, row.get(1)?) {
                Some(counts) => {
                    cells.extend(
                        counts
                            .iter()
                            .map(|(hour, lane, n)| (cell(*hour, *lane), *n)),
                    );
                }
                None => tally(lanes, row.get_ref(3)?.as_blob()?, &mut |cell, n| {
                    cells.push((cell, n));
                }),
            }
            Ok(crate::scan::split_id(row.get(0)?).1)
        };
        let seq = read().doing(doing, path)?;
        visit(seq, &cells);
    }
    Ok(())
}
