//! Taking the ledger up when the files are opened: what was committed since the last writing is
//! counted from the day files, what was collected and is in none of them has a reason from now on.
//! Owns that afterwards `collected = stored + dropped` holds in every row.

use super::{Cell, Changes, Column, Inner, Journal, Lanes, batches};
use crate::error::Doing;
use crate::ranges::RangeSet;
use crate::scan::epoch_of;
use crate::shared::Found;
use crate::state::{State, StateTx};
use crate::{Position, StoreError};
use riser_wire::{Epoch, Stream};
use rusqlite::{Row, params};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Why the files are opened.
pub(crate) enum Cause {
    /// The process begins; this is what the one before had collected last.
    Start(Journal),
    /// A file was damaged while running: what waits in memory is not lost.
    Damage,
}

/// There as long as lost batches are not accounted for.
const LOST: &str = "ledger_lost";

/// What the ledger on disk says of an epoch.
#[derive(Default)]
struct Told {
    begins: u64,
    counted: u64,
}

/// Takes the ledger up. `cloud` says that there is one for which batches wait.
pub(crate) fn take_up(
    state: &mut State,
    found: &Found,
    (cause, cloud): (Cause, bool),
    now: riser_model::Timestamp,
) -> Result<Inner, StoreError> {
    let tx = state.begin(now)?;
    let lanes = Lanes::load(tx.conn(), tx.file())?;
    let generation: u64 = tx.value("read the ledger", "SELECT generation FROM ledger_head", [])?;
    let mut epochs = told(&tx)?;
    let mut inner = Inner {
        settled: ranges(
            &tx,
            "SELECT epoch, first, last FROM durable WHERE stream = 2",
        )?,
        counted_sent: ranges(&tx, "SELECT epoch, first, last FROM ledger_sent")?,
        generation,
        ..Inner::default()
    };
    let fresh = begin(&tx, found, &mut epochs)?;
    inner.counted_sent.retain(|e, _| epochs.contains_key(e));
    inner.sent.clone_from(&inner.counted_sent);
    let mut changes = replay(&tx, found, &epochs, &lanes)?;
    let known = (&lanes, &epochs);
    refused(&tx, found, known, (&mut inner.settled, &mut changes))?;
    let sql = "DELETE FROM kv WHERE key = ?1";
    let lost = tx.execute("account for lost batches", sql, [LOST])? > 0;
    let start = matches!(cause, Cause::Start(_));
    if let Cause::Start(journal) = cause
        && journal.generation == generation
    {
        for (cell, n) in journal.collected {
            changes.entry(cell).or_default().collected += n;
        }
    }
    let mut changed = fresh || lost || !changes.is_empty();
    super::flush::add(&tx, &changes)?;
    if start {
        changed |= account(&tx)?;
    }
    // Without a cloud nothing waits for it, so nothing can be missing that does.
    if lost && cloud {
        gone(&tx, found, (&lanes, &epochs), "damaged")?;
    }
    // A cloud that comes later never gets what was folded or went before it did.
    let alone = "SELECT NOT cloud FROM ledger_head";
    if cloud && tx.value("read the ledger", alone, [])? {
        changed |= gone(&tx, found, (&lanes, &epochs), "retention")?;
    }
    inner.begins = epochs
        .into_iter()
        .map(|(e, told)| (e, told.begins))
        .collect();
    inner.lanes = Arc::new(lanes);
    // Without a change nothing is written: a store must open on a full disk.
    if changed {
        inner.generation += 1;
        let sql = "UPDATE ledger_head SET generation = ?1";
        tx.execute("write the ledger", sql, [inner.generation])?;
        tx.commit()?;
    }
    Ok(inner)
}

/// Stored batches are gone: to be accounted for when the ledger is next taken up, also where that is
/// after a crash.
pub(crate) fn note_lost(tx: &StateTx<'_>) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO kv VALUES (?1, x'')";
    tx.execute("note that batches are lost", sql, [LOST])
        .map(drop)
}

fn told(tx: &StateTx<'_>) -> Result<FxHashMap<Epoch, Told>, StoreError> {
    let read = |r: &Row<'_>| {
        let told = Told {
            begins: r.get(1)?,
            counted: r.get(2)?,
        };
        Ok((epoch_of(r, 0)?, told))
    };
    let doing = "read the ledger";
    let mut query = tx
        .conn()
        .prepare("SELECT epoch, begins, counted FROM ledger_epoch")
        .doing(doing, tx.file())?;
    let rows = query.query_map([], read).doing(doing, tx.file())?;
    rows.collect::<Result<_, _>>().doing(doing, tx.file())
}

fn ranges(tx: &StateTx<'_>, sql: &str) -> Result<FxHashMap<Epoch, RangeSet>, StoreError> {
    let doing = "read the ledger";
    let mut found: FxHashMap<Epoch, RangeSet> = FxHashMap::default();
    let mut query = tx.conn().prepare(sql).doing(doing, tx.file())?;
    let mut rows = query.query([]).doing(doing, tx.file())?;
    while let Some(row) = rows.next().doing(doing, tx.file())? {
        let read = || -> rusqlite::Result<(Epoch, u64, u64)> {
            Ok((epoch_of(row, 0)?, row.get(1)?, row.get(2)?))
        };
        let (epoch, first, last) = read().doing(doing, tx.file())?;
        found.entry(epoch).or_default().insert(first, last);
    }
    Ok(found)
}

/// Begins to count the epoch in use where it is new to the ledger, and forgets those no file has.
fn begin(
    tx: &StateTx<'_>,
    found: &Found,
    epochs: &mut FxHashMap<Epoch, Told>,
) -> Result<bool, StoreError> {
    let keep = |epoch: &Epoch| *epoch == found.epoch || found.catalog.last(*epoch) > 0;
    let gone: Vec<Epoch> = epochs.keys().filter(|e| !keep(e)).copied().collect();
    for epoch in &gone {
        epochs.remove(epoch);
        for sql in [
            "DELETE FROM ledger_epoch WHERE epoch = ?1",
            "DELETE FROM ledger_sent WHERE epoch = ?1",
        ] {
            tx.execute("forget an old epoch", sql, [epoch.0.as_bytes()])?;
        }
    }
    let new = !epochs.contains_key(&found.epoch);
    if new {
        let told = Told {
            begins: found.data_head,
            counted: found.data_head,
        };
        let sql = "INSERT INTO ledger_epoch VALUES (?1, ?2, ?3)";
        let values = params![found.epoch.0.as_bytes(), told.begins, told.counted];
        tx.execute("count an epoch", sql, values)?;
        epochs.insert(found.epoch, told);
    }
    Ok(new || !gone.is_empty())
}

/// Counts the batches that were committed after the last writing.
fn replay(
    tx: &StateTx<'_>,
    found: &Found,
    epochs: &FxHashMap<Epoch, Told>,
    lanes: &Lanes,
) -> Result<Changes, StoreError> {
    const STORED: Column = super::STORED;
    let mut changes = Changes::default();
    for (epoch, told) in epochs {
        let last = found.catalog.last(*epoch);
        if last <= told.counted {
            continue;
        }
        let range = (told.counted + 1, last);
        each(found, *epoch, range, lanes, &mut |cell, n| {
            *STORED(changes.entry(cell).or_default()) += n;
        });
        let seq = last;
        super::flush::counted(tx, Position { epoch: *epoch, seq })?;
    }
    Ok(changes)
}

/// Visits the samples of a range of batches.
fn each(
    found: &Found,
    epoch: Epoch,
    range: (u64, u64),
    lanes: &Lanes,
    visit: &mut dyn FnMut(Cell, u64),
) {
    let places = batches::files_with(&found.catalog, epoch, range);
    for (_, path, no) in places {
        let mut one = |_, cells: &[(Cell, u64)]| cells.iter().for_each(|(c, n)| visit(*c, *n));
        if let Err(error) = batches::in_file(&path, lanes, (no, range), &mut one) {
            let error = error.chain();
            tracing::warn!(error, "part of a day file is left out of the ledger");
        }
    }
}

/// Counts what was refused before the mark of it was written, and writes the mark.
fn refused(
    tx: &StateTx<'_>,
    found: &Found,
    (lanes, epochs): (&Lanes, &FxHashMap<Epoch, Told>),
    (settled, changes): (&mut FxHashMap<Epoch, RangeSet>, &mut Changes),
) -> Result<(), StoreError> {
    let sql = "SELECT epoch, seq, seq FROM refused WHERE stream = 2";
    for (epoch, set) in ranges(tx, sql)? {
        let Some(told) = epochs.get(&epoch) else {
            continue;
        };
        let marked = settled.entry(epoch).or_default();
        let first = told.begins + 1;
        let news: Vec<_> = set
            .iter()
            .filter(|(_, last)| *last >= first)
            .flat_map(|(a, b)| marked.gaps(a.max(first), b).collect::<Vec<_>>())
            .collect();
        for (first, last) in news {
            each(found, epoch, (first, last), lanes, &mut |cell, n| {
                changes.entry(cell).or_default().dropped.refused += n;
            });
            let sql = "INSERT INTO durable VALUES (?1, 2, ?2, ?3)";
            let values = params![epoch.0.as_bytes(), first, last];
            tx.execute("write durable marks", sql, values)?;
            marked.insert(first, last);
        }
    }
    Ok(())
}

/// Nothing waits for the disk when a process begins: what is neither stored nor dropped was in the
/// memory of the one before. More stored than collected means that the knowledge of the last
/// samples collected was lost, not the samples.
fn account(tx: &StateTx<'_>) -> Result<bool, StoreError> {
    let mut rows = 0;
    let before = "stored + queue_full + disk + crash";
    for sql in [
        format!(
            "UPDATE ledger SET crash = crash + collected - ({before}), told = min(told, 1) \
             WHERE collected > {before}"
        ),
        format!(
            "UPDATE ledger SET collected = {before}, told = min(told, 1) WHERE collected < {before}"
        ),
    ] {
        rows += tx.execute("account for what was in memory", &sql, [])?;
    }
    Ok(rows > 0)
}

/// What neither the cloud has nor any file here, of all that was stored, went with a file that is
/// gone, for the reason `column` names. Whether there was any.
fn gone(
    tx: &StateTx<'_>,
    found: &Found,
    (lanes, epochs): (&Lanes, &FxHashMap<Epoch, Told>),
    column: &str,
) -> Result<bool, StoreError> {
    let mut waiting: FxHashMap<Cell, u64> = FxHashMap::default();
    for segment in found.catalog.files().iter().flat_map(|f| &f.segments) {
        let numbering = (segment.epoch, Stream::Data);
        let (Some(settled), Some(told)) = (found.marks.of(numbering), epochs.get(&segment.epoch))
        else {
            continue;
        };
        let first = segment.first.max(told.begins + 1);
        for range in settled.gaps(first, segment.last) {
            each(found, segment.epoch, range, lanes, &mut |cell, n| {
                *waiting.entry(cell).or_default() += n;
            });
        }
    }
    let doing = "account for a file that is gone";
    let sql = "SELECT hour, lane, stored - durable - retention - damaged - refused FROM ledger \
               WHERE stored > durable + retention + damaged + refused";
    let mut query = tx.conn().prepare(sql).doing(doing, tx.file())?;
    let row = |r: &Row<'_>| Ok(((r.get(0)?, r.get(1)?), r.get(2)?));
    let rows = query.query_map([], row).doing(doing, tx.file())?;
    let open: Vec<(Cell, u64)> = rows.collect::<Result<_, _>>().doing(doing, tx.file())?;
    let sql = format!(
        "UPDATE ledger SET {column} = {column} + ?3, told = min(told, 1) \
         WHERE hour = ?1 AND lane = ?2 AND ?3 > 0"
    );
    let mut rows = 0;
    for (cell, rest) in open {
        let lost = rest.saturating_sub(waiting.get(&cell).copied().unwrap_or(0));
        rows += tx.execute(doing, &sql, params![cell.0, cell.1, lost])?;
    }
    Ok(rows > 0)
}
