//! Minutes being reduced while their samples come in. Owns the cells not yet on disk and where a
//! row of them lies; the writer decides when they are written.

use crate::cells::Cell;
pub(crate) use crate::cells::GROUP;
use riser_model::{Level, Quality, ScanBatch, Slot, Timestamp, Value};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Cells in memory before everything is written early: devices with stamps far apart.
const MAX_CELLS: usize = 500_000;

/// The minute a time falls into; times no file can hold have none.
pub(crate) fn minute(at: Timestamp) -> Option<u32> {
    u32::try_from(at.0.div_euclid(Timestamp::MINUTE)).ok()
}

/// Key of the row that has a slot in a minute.
pub(crate) fn row_id(slot: Slot, minute: u32) -> i64 {
    i64::from(slot.0 / GROUP) << 32 | i64::from(minute)
}

/// Place of a slot within its row: the slot modulo 256.
pub(crate) fn offset(slot: Slot) -> u8 {
    slot.0.to_le_bytes()[0]
}

/// The value a trend can draw, by the same rule as `riser_model::trend`.
pub(crate) fn usable(value: Option<&Value>, quality: Quality) -> Option<f64> {
    let usable = (quality.level != Level::Bad).then_some(value).flatten();
    usable.and_then(Value::as_f64).filter(|x| x.is_finite())
}

/// Cells of the minutes that are not on disk yet.
#[derive(Debug, Default)]
pub(crate) struct Rollup {
    minutes: BTreeMap<u32, FxHashMap<u32, Cell>>,
    cells: usize,
}

/// One row to be written.
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) minute: u32,
    pub(crate) cells: Vec<(u8, Cell)>,
}

impl Rollup {
    /// Takes the samples of a scan.
    pub(crate) fn add(&mut self, scan: &ScanBatch) {
        let Some((minute, ms)) = split(scan.at) else {
            return;
        };
        let cells = self.minutes.entry(minute).or_default();
        let before = cells.len();
        for r in &scan.readings {
            let cell = cells.entry(r.slot.0).or_insert(Cell::EMPTY);
            cell.add(ms, usable(r.value.as_ref(), r.quality));
        }
        self.cells += cells.len() - before;
    }

    /// Takes one sample.
    pub(crate) fn add_one(&mut self, slot: Slot, at: Timestamp, value: Option<f64>) {
        let Some((minute, ms)) = split(at) else {
            return;
        };
        let cells = self.minutes.entry(minute).or_default();
        let before = cells.len();
        cells.entry(slot.0).or_insert(Cell::EMPTY).add(ms, value);
        self.cells += cells.len() - before;
    }

    /// True when memory says to write everything now.
    pub(crate) fn is_large(&self) -> bool {
        self.cells > MAX_CELLS
    }

    /// The minute after the newest one with cells.
    pub(crate) fn end(&self) -> Option<i64> {
        self.minutes
            .last_key_value()
            .map(|(m, _)| i64::from(*m) + 1)
    }

    /// The oldest minute with cells.
    pub(crate) fn begin(&self) -> Option<i64> {
        self.minutes.first_key_value().map(|(m, _)| i64::from(*m))
    }

    /// The rows of all minutes before `until`, in the order of their keys.
    pub(crate) fn rows(&self, until: i64) -> Vec<Row> {
        let mut rows = Vec::new();
        for (minute, cells) in self.minutes.iter().filter(|(m, _)| i64::from(**m) < until) {
            let mut sorted: Vec<(u32, Cell)> = cells.iter().map(|(s, c)| (*s, *c)).collect();
            sorted.sort_unstable_by_key(|(slot, _)| *slot);
            for group in sorted.chunk_by(|a, b| a.0 / GROUP == b.0 / GROUP) {
                let cells = group.iter().map(|(s, c)| (offset(Slot(*s)), *c)).collect();
                rows.push(Row {
                    id: row_id(Slot(group[0].0), *minute),
                    minute: *minute,
                    cells,
                });
            }
        }
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }

    /// Forgets all minutes before `until`: they are on disk.
    pub(crate) fn forget(&mut self, until: i64) {
        self.minutes.retain(|m, _| i64::from(*m) >= until);
        self.cells = self.minutes.values().map(FxHashMap::len).sum();
    }
}

fn split(at: Timestamp) -> Option<(u32, u32)> {
    let ms = u32::try_from(at.0.rem_euclid(Timestamp::MINUTE)).ok()?;
    Some((minute(at)?, ms))
}
