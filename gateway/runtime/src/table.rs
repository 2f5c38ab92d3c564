//! The present value of every point, dense by slot. Owns the bookkeeping of one scan: fit, latest,
//! stale deadline, deadband; no lock, no task, no clock.
//!
//! Nothing is allocated per sample: rows are indexed, text is shared, and the stale deadlines lie
//! in an array of their own so that looking for stale points walks 8 octets per point.

use crate::admit;
use crate::views::QualityCounts;
use riser_model::{
    Level, Point, Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Value, ValueKind,
};
use riser_rules::Tick;
use rustc_hash::FxHashMap;

/// A deadline that never comes.
const NEVER: i64 = i64::MAX;
/// A point with a deadband is recorded at least this often, in milliseconds: so that a trend shows
/// a steady value as steady and not as a gap.
const DEADBAND_SILENCE_MS: i64 = 10 * 60 * 1000;

#[derive(Debug, Clone)]
struct Row {
    value: Option<Value>,
    at: Option<Timestamp>,
    quality: Quality,
    kind: ValueKind,
    declared: bool,
    has_deadband: bool,
    stale_after_ms: u32,
}

const UNDECLARED: Row = Row {
    value: None,
    at: None,
    quality: Quality::bad(Reason::Initial),
    kind: ValueKind::Float,
    declared: false,
    has_deadband: false,
    stale_after_ms: 0,
};

/// What was recorded last of a point with a deadband.
#[derive(Debug, Clone)]
struct Deadband {
    width: f64,
    value: Option<f64>,
    quality: Quality,
    recorded: Tick,
}

/// The present value of a point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Present {
    pub(crate) value: Option<Value>,
    pub(crate) quality: Quality,
    /// Source time of the value; `None` when nothing was ever read.
    pub(crate) at: Option<Timestamp>,
}

/// What became of one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Admitted {
    /// Readings dropped because nobody declared their slot.
    pub(crate) undeclared: u64,
    /// Readings that did not fit their point.
    pub(crate) unfit: u64,
}

/// All points with their present values.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    deadlines: Vec<i64>,
    deadbands: FxHashMap<Slot, Deadband>,
}

impl Table {
    /// Adds a point, or takes over its new description. A new point is of bad quality (`initial`)
    /// and has one stale time to be read.
    pub(crate) fn declare(&mut self, slot: Slot, point: &Point, now: Tick) {
        let index = slot.index();
        if self.rows.len() <= index {
            self.rows.resize(index + 1, UNDECLARED);
            self.deadlines.resize(index + 1, NEVER);
        }
        let row = &mut self.rows[index];
        row.kind = point.kind;
        row.stale_after_ms = point.stale_after_ms;
        let deadband = point.deadband.filter(|width| *width > 0.0);
        row.has_deadband = deadband.is_some();
        if let Some(width) = deadband {
            let last = Deadband {
                width,
                value: None,
                quality: UNDECLARED.quality,
                recorded: now,
            };
            self.deadbands.insert(slot, last);
        } else {
            self.deadbands.remove(&slot);
        }
        if !row.declared {
            row.declared = true;
            self.deadlines[index] = deadline(now, point.stale_after_ms);
        }
    }

    /// Forgets a point that is no longer there: what is still read of it is dropped.
    pub(crate) fn retire(&mut self, slot: Slot) {
        if let Some(row) = self.rows.get_mut(slot.index()) {
            *row = UNDECLARED;
            self.deadlines[slot.index()] = NEVER;
            self.deadbands.remove(&slot);
        }
    }

    /// Takes one scan in: readings are made to fit, undeclared ones removed, the present values
    /// replaced.
    pub(crate) fn admit(&mut self, now: Tick, scan: &mut ScanBatch) -> Admitted {
        let mut admitted = Admitted::default();
        let mut index = 0;
        while let Some(reading) = scan.readings.get_mut(index) {
            let slot = reading.slot.index();
            let Some(row) = self.rows.get_mut(slot).filter(|r| r.declared) else {
                admitted.undeclared += 1;
                scan.readings.swap_remove(index);
                continue;
            };
            if !admit::fit(reading, row.kind) {
                admitted.unfit += 1;
                reading.value.clone_from(&row.value);
            }
            row.quality = reading.quality;
            if reading.quality.level == Level::Bad {
                row.at = row.at.or(Some(scan.at));
                if row.value.is_none() {
                    row.value.clone_from(&reading.value);
                }
                self.deadlines[slot] = NEVER;
            } else {
                row.at = Some(scan.at);
                row.value.clone_from(&reading.value);
                self.deadlines[slot] = deadline(now, row.stale_after_ms);
            }
            index += 1;
        }
        admitted
    }

    /// Removes the readings that lie within the deadband of their point. Returns how many.
    pub(crate) fn thin(&mut self, now: Tick, scan: &mut ScanBatch) -> u64 {
        if self.deadbands.is_empty() {
            return 0;
        }
        let before = scan.readings.len();
        let (rows, deadbands) = (&self.rows, &mut self.deadbands);
        scan.readings.retain(|reading| {
            let banded = rows
                .get(reading.slot.index())
                .is_some_and(|r| r.has_deadband);
            !banded
                || deadbands
                    .get_mut(&reading.slot)
                    .is_none_or(|d| d.records(now, reading))
        });
        (before - scan.readings.len()) as u64
    }

    /// Marks what has not been read in time, each point once: bad quality (`stale`) beside the
    /// last known value.
    pub(crate) fn mark_stale(&mut self, now: Tick, stale: &mut Vec<Reading>) {
        for (index, deadline) in self.deadlines.iter_mut().enumerate() {
            if *deadline > now.0 {
                continue;
            }
            *deadline = NEVER;
            let row = &mut self.rows[index];
            row.quality = Quality::bad(Reason::Stale);
            stale.push(Reading {
                slot: Slot(u32::try_from(index).unwrap_or(u32::MAX)),
                value: row.value.clone(),
                quality: row.quality,
            });
        }
    }

    /// Changes the source times of what is present.
    pub(crate) fn restamp(&mut self, put: impl Fn(Timestamp) -> Timestamp) {
        for row in &mut self.rows {
            row.at = row.at.map(&put);
        }
    }

    /// The present value of a point.
    pub(crate) fn present(&self, slot: Slot) -> Present {
        let row = self.rows.get(slot.index()).unwrap_or(&UNDECLARED);
        Present {
            value: row.value.clone(),
            quality: row.quality,
            at: row.at,
        }
    }

    /// The quality of a point.
    pub(crate) fn quality(&self, slot: Slot) -> Quality {
        self.rows
            .get(slot.index())
            .map_or(UNDECLARED.quality, |row| row.quality)
    }

    /// How many points are of which quality.
    pub(crate) fn counts(&self) -> QualityCounts {
        let mut counts = QualityCounts::default();
        for row in self.rows.iter().filter(|row| row.declared) {
            match row.quality.level {
                Level::Good => counts.good += 1,
                Level::Uncertain => counts.uncertain += 1,
                Level::Bad => counts.bad += 1,
            }
        }
        counts
    }
}

impl Deadband {
    /// Whether a reading is worth a sample; remembers it if so.
    fn records(&mut self, now: Tick, reading: &Reading) -> bool {
        let value = reading.value.as_ref().and_then(Value::as_f64);
        let near = match (self.value, value) {
            (Some(last), Some(new)) => (new - last).abs() < self.width,
            (last, new) => last.is_none() && new.is_none(),
        };
        let same = near && self.quality == reading.quality;
        if same && now.since(self.recorded) < DEADBAND_SILENCE_MS {
            return false;
        }
        self.value = value;
        self.quality = reading.quality;
        self.recorded = now;
        true
    }
}

fn deadline(now: Tick, stale_after_ms: u32) -> i64 {
    if stale_after_ms == 0 {
        return NEVER;
    }
    now.0.saturating_add(i64::from(stale_after_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::point;

    fn table(points: Vec<Point>) -> Table {
        let mut table = Table::default();
        for (slot, point) in (0..).map(Slot).zip(points) {
            table.declare(slot, &point, Tick(0));
        }
        table
    }

    fn scan(at: i64, slot: u32, value: Option<f64>, quality: Quality) -> ScanBatch {
        ScanBatch {
            at: Timestamp(at),
            readings: vec![Reading {
                slot: Slot(slot),
                value: value.map(Value::Float),
                quality,
            }],
        }
    }

    #[test]
    fn undeclared_slots_are_dropped_and_counted() {
        let mut table = table(vec![point("d/a")]);
        let mut batch = scan(1, 0, Some(1.0), Quality::GOOD);
        batch.readings.insert(0, batch.readings[0].clone());
        batch.readings[0].slot = Slot(7);
        let admitted = table.admit(Tick(0), &mut batch);
        assert_eq!(admitted.undeclared, 1);
        assert_eq!(batch.readings.len(), 1);
        assert_eq!(batch.readings[0].slot, Slot(0));
    }

    #[test]
    fn what_does_not_fit_shows_the_last_known_value_beside_its_quality() {
        let mut table = table(vec![point("d/a")]);
        table.admit(Tick(0), &mut scan(1, 0, Some(20.5), Quality::GOOD));
        let mut bad = scan(2, 0, Some(f64::NAN), Quality::GOOD);
        assert_eq!(table.admit(Tick(0), &mut bad).unfit, 1);
        assert_eq!(bad.readings[0].value, Some(Value::Float(20.5)));
        let present = table.present(Slot(0));
        assert_eq!(present.value, Some(Value::Float(20.5)));
        assert_eq!(present.quality, Quality::bad(Reason::OutOfRange));
        assert_eq!(present.at, Some(Timestamp(1)));
    }

    #[test]
    fn a_point_goes_stale_once_and_keeps_its_value() {
        let mut table = table(vec![point("d/a")]);
        table.admit(Tick(1000), &mut scan(1, 0, Some(20.5), Quality::GOOD));
        let mut stale = Vec::new();
        table.mark_stale(Tick(10_999), &mut stale);
        assert_eq!(stale, vec![]);
        table.mark_stale(Tick(11_000), &mut stale);
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].value, Some(Value::Float(20.5)));
        assert_eq!(stale[0].quality, Quality::bad(Reason::Stale));
        table.mark_stale(Tick(99_000), &mut stale);
        assert_eq!(stale.len(), 1);
        table.admit(Tick(100_000), &mut scan(2, 0, Some(1.0), Quality::GOOD));
        table.mark_stale(Tick(110_000), &mut stale);
        assert_eq!(stale.len(), 2);
    }

    #[test]
    fn a_better_known_fault_is_not_covered_by_stale() {
        let mut table = table(vec![point("d/a"), point("d/never_read")]);
        table.admit(
            Tick(0),
            &mut scan(1, 0, None, Quality::bad(Reason::DeviceDown)),
        );
        let mut stale = Vec::new();
        table.mark_stale(Tick(50_000), &mut stale);
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].slot, Slot(1));
        assert_eq!(table.counts().bad, 2);
        assert_eq!(table.quality(Slot(0)), Quality::bad(Reason::DeviceDown));
    }

    #[test]
    fn a_stale_time_of_zero_never_comes() {
        let mut quiet = point("d/a");
        quiet.stale_after_ms = 0;
        let mut table = table(vec![quiet]);
        let mut stale = Vec::new();
        table.mark_stale(Tick(i64::MAX - 1), &mut stale);
        assert_eq!(stale, vec![]);
    }

    #[test]
    fn deadband_thins_what_is_stored_and_not_what_is_shown() {
        let mut banded = point("d/a");
        banded.deadband = Some(0.5);
        let mut table = table(vec![banded, point("d/b")]);
        let mut kept = Vec::new();
        let steps = [
            (0, 20.0),
            (1000, 20.4),
            (2000, 20.5),
            (3000, 20.1),
            (602_000, 20.1),
        ];
        for (now, value) in steps {
            let mut batch = scan(now, 0, Some(value), Quality::GOOD);
            batch.readings.push(Reading {
                slot: Slot(1),
                ..batch.readings[0].clone()
            });
            table.admit(Tick(now), &mut batch);
            assert_eq!(table.present(Slot(0)).value, Some(Value::Float(value)));
            table.thin(Tick(now), &mut batch);
            let banded = batch.readings.iter().filter(|r| r.slot == Slot(0));
            kept.extend(banded.map(|r| r.value.clone().unwrap()));
            assert!(batch.readings.iter().any(|r| r.slot == Slot(1)));
        }
        assert_eq!(
            kept,
            vec![Value::Float(20.0), Value::Float(20.5), Value::Float(20.1)]
        );
        let mut bad = scan(603_000, 0, Some(20.1), Quality::bad(Reason::Fault));
        assert_eq!(table.thin(Tick(603_000), &mut bad), 0);
    }

    #[test]
    fn declaring_again_keeps_the_value_and_takes_the_description() {
        let mut table = table(vec![point("d/a")]);
        table.admit(Tick(0), &mut scan(1, 0, Some(20.5), Quality::GOOD));
        let mut widened = point("d/a");
        widened.stale_after_ms = 20_000;
        table.declare(Slot(0), &widened, Tick(5));
        assert_eq!(table.present(Slot(0)).value, Some(Value::Float(20.5)));
        table.admit(Tick(0), &mut scan(1, 0, Some(21.0), Quality::GOOD));
        let mut stale = Vec::new();
        table.mark_stale(Tick(19_999), &mut stale);
        assert_eq!(stale, vec![]);
    }
}
