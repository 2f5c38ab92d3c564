//! Hours of history: which there are to fill in, and which are filled already. Pure.

use crate::codec::Row;
use riser_model::{Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use std::collections::BTreeSet;

/// One hour in milliseconds; the period of long-term statistics.
pub(crate) const HOUR: i64 = 3_600_000;
/// Hours asked for at once.
const WEEK: i64 = 7 * 24 * HOUR;

/// Whole hours of the last days in stretches of a week, the oldest first. The hour that runs is not
/// complete and not among them.
pub(crate) fn stretches(now: Timestamp, days: u16) -> Vec<(Timestamp, Timestamp)> {
    let end = now.0.div_euclid(HOUR) * HOUR;
    let begin = end - i64::from(days) * 24 * HOUR;
    let mut stretches = Vec::new();
    let mut from = begin;
    while from < end {
        let to = (from + WEEK).min(end);
        stretches.push((Timestamp(from), Timestamp(to)));
        from = to;
    }
    stretches
}

/// How an hour of statistics becomes a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The mean, stamped at the middle of the hour.
    Mean,
    /// The reading of a meter, stamped a millisecond before the hour ends, so that it belongs to it.
    Reading,
}

/// The samples of the hours in which nothing is stored.
pub(crate) fn missing(
    slot: Slot,
    (rows, wanted): (&[Row], Use),
    stored: &[Timestamp],
) -> Vec<ScanBatch> {
    let filled: BTreeSet<i64> = stored.iter().map(|at| at.0.div_euclid(HOUR)).collect();
    let mut done = BTreeSet::new();
    rows.iter()
        .filter(|row| row.start.0.rem_euclid(HOUR) == 0)
        .filter(|row| !filled.contains(&row.start.0.div_euclid(HOUR)))
        .filter(|row| done.insert(row.start))
        .filter_map(|row| {
            let (value, at) = match wanted {
                Use::Mean => (row.mean?, row.start.0 + HOUR / 2),
                Use::Reading => (row.state?, row.start.0 + HOUR - 1),
            };
            let reading = Reading {
                slot,
                value: Some(Value::Float(value)),
                quality: Quality::GOOD,
            };
            Some(ScanBatch {
                at: Timestamp(at),
                readings: vec![reading],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hour: i64, value: f64) -> Row {
        Row {
            start: Timestamp(hour * HOUR),
            mean: Some(value),
            state: Some(value),
        }
    }

    #[test]
    fn stretches_are_whole_hours_that_are_over() {
        let now = Timestamp(1000 * HOUR + 5);
        let all = stretches(now, 10);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], (Timestamp(760 * HOUR), Timestamp(928 * HOUR)));
        assert_eq!(all[1], (Timestamp(928 * HOUR), Timestamp(1000 * HOUR)));
        assert_eq!(stretches(now, 0), []);
    }

    #[test]
    fn only_hours_without_samples_are_filled_and_none_twice() {
        let rows = [row(1, 1.0), row(2, 2.0), row(2, 2.5), row(3, 3.0)];
        let stored = [Timestamp(3 * HOUR + 17)];
        let scans = missing(Slot(7), (&rows, Use::Mean), &stored);
        let at: Vec<_> = scans.iter().map(|s| s.at.0).collect();
        assert_eq!(at, [HOUR + HOUR / 2, 2 * HOUR + HOUR / 2]);
        let again: Vec<_> = scans.iter().map(|s| s.at).chain(stored).collect();
        assert_eq!(missing(Slot(7), (&rows, Use::Mean), &again), []);
        let meter = missing(Slot(7), (&rows, Use::Reading), &again);
        assert_eq!(meter, []);
    }

    #[test]
    fn a_row_off_the_hour_or_without_a_value_is_none() {
        let mut off = row(1, 1.0);
        off.start = Timestamp(HOUR + 1);
        let mut empty = row(2, 1.0);
        empty.mean = None;
        assert_eq!(missing(Slot(0), (&[off, empty], Use::Mean), &[]), []);
    }
}
