//! What of the ledger goes up, and what is forgotten. Owns when an hour is told: once it is closed,
//! and again when nothing of it waits any more.

use super::read::{COLUMNS, counts};
use crate::StoreError;
use crate::error::Doing;
use crate::state::StateTx;
use riser_model::ledger::{CLOSES_AFTER, HOUR, LedgerEntry, LedgerLane, LedgerReport};
use riser_model::{Event, Key, Timestamp};
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet};

/// Rows told at once; the rest a minute later.
const ROWS: usize = 500;
/// How long hours are kept, and how many newer ones must be there before one goes: a clock that jumps
/// ahead makes every hour old at once, but does not make new ones.
const KEEP: i64 = 400 * Timestamp::DAY;
const NEWER: i64 = 400 * 24;

/// Puts closed hours on the event stream; true when there was one.
pub(crate) fn tell(tx: &mut StateTx<'_>) -> Result<bool, StoreError> {
    let now = tx.now();
    let rows = due(tx, now)?;
    if rows.is_empty() {
        return Ok(false);
    }
    let names: BTreeSet<String> = rows.iter().map(|row| row.lane.clone()).collect();
    let lanes = lanes(tx, &names)?;
    tx.emit(&Event::Ledger(LedgerReport {
        at: now,
        rows,
        lanes,
    }))?;
    Ok(true)
}

fn due(tx: &StateTx<'_>, now: Timestamp) -> Result<Vec<LedgerEntry>, StoreError> {
    let doing = "read the ledger";
    let sql = format!(
        "SELECT hour, lane, coalesce(name, ''), {COLUMNS} \
         FROM ledger LEFT JOIN ledger_lane ON no = lane \
         WHERE told < 2 AND hour <= ?1 AND (told = 0 OR collected = durable + queue_full + disk \
         + crash + retention + damaged + refused) ORDER BY hour LIMIT ?2"
    );
    let values = params![now.0 - HOUR - CLOSES_AFTER, ROWS];
    let mut query = tx.conn().prepare_cached(&sql).doing(doing, tx.file())?;
    let mut found = query.query(values).doing(doing, tx.file())?;
    let mut rows = Vec::new();
    let mut cells = Vec::new();
    while let Some(row) = found.next().doing(doing, tx.file())? {
        let read = || -> rusqlite::Result<(LedgerEntry, u32)> {
            let entry = LedgerEntry {
                hour: Timestamp(row.get(0)?),
                lane: row.get(2)?,
                counts: counts(row, 3)?,
            };
            Ok((entry, row.get(1)?))
        };
        let (entry, lane) = read().doing(doing, tx.file())?;
        let rest = entry.counts.collected != entry.counts.durable + entry.counts.dropped.total();
        cells.push((entry.hour.0, lane, if rest { 1 } else { 2 }));
        rows.push(entry);
    }
    drop(found);
    for (hour, lane, told) in cells {
        let sql = "UPDATE ledger SET told = ?3 WHERE hour = ?1 AND lane = ?2";
        tx.execute("remember what was told", sql, params![hour, lane, told])?;
    }
    Ok(rows)
}

/// The devices of lanes.
fn lanes(tx: &StateTx<'_>, names: &BTreeSet<String>) -> Result<Vec<LedgerLane>, StoreError> {
    let doing = "read the lanes of the ledger";
    let sql = "SELECT DISTINCT coalesce(name, ''), substr(path, 1, instr(path, '/') - 1) FROM point \
               LEFT JOIN ledger_slot USING (slot) LEFT JOIN ledger_lane ON no = lane";
    let mut query = tx.conn().prepare_cached(sql).doing(doing, tx.file())?;
    let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?));
    let rows = query.query_map([], row).doing(doing, tx.file())?;
    let mut found: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for row in rows {
        let (lane, device) = row.doing(doing, tx.file())?;
        if names.contains(&lane) {
            found.entry(lane).or_default().extend(Key::new(&device));
        }
    }
    let lane = |(lane, devices)| LedgerLane { lane, devices };
    Ok(found.into_iter().map(lane).collect())
}

/// Forgets hours that are too old to keep. With a cloud only those of which nothing waits: samples
/// of a clock that was far in the past are as old as that and may still be on their way.
pub(crate) fn prune(tx: &StateTx<'_>, cloud: bool) -> Result<(), StoreError> {
    let sql = "DELETE FROM ledger WHERE hour < ?1 AND hour < (SELECT DISTINCT hour FROM ledger \
               ORDER BY hour DESC LIMIT 1 OFFSET ?3) AND (NOT ?2 OR collected = durable + queue_full \
               + disk + crash + retention + damaged + refused)";
    let values = params![tx.now().0 - KEEP, cloud, NEWER];
    tx.execute("forget old hours", sql, values).map(drop)
}

#[cfg(test)]
mod tests {
    use riser_model::PointPath;

    #[test]
    fn a_path_is_cut_where_the_device_ends() {
        let path: PointPath = "ahu-1/supply".parse().unwrap();
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let sql = "SELECT substr(?1, 1, instr(?1, '/') - 1)";
        let device: String = conn
            .query_row(sql, [path.to_string()], |r| r.get(0))
            .unwrap();
        assert_eq!(device, path.device.as_str());
    }
}
