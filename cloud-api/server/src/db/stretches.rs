//! Where rollups speak for a point and where its batches do. Owns the rule, so that a sample counts
//! once whichever way it came: of one stretch of time, whoever has more samples speaks, and batches
//! where both have as many.

use super::DbError;
use riser_model::trend::{Part, Stretch, TrendBuilder};
use riser_model::{Quality, Slot, Timestamp, Value};
use riser_wire::{peek_rollup, read_rollup, read_rollup_point};
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;

/// A stretch of a point with its samples out of batches.
#[derive(Debug)]
struct Rolled {
    to: Timestamp,
    part: Part,
    raw: Vec<(Timestamp, Option<Value>, Quality)>,
}

impl Rolled {
    fn samples(&self) -> u64 {
        samples(&self.part)
    }
}

fn samples(part: &Part) -> u64 {
    u64::from(part.count) + u64::from(part.bad)
}

/// Of stretches that overlap, those with most samples; ascending by time.
fn disjoint<T>(mut found: Vec<T>, of: impl Fn(&T) -> (Timestamp, Timestamp, u64)) -> Vec<T> {
    found.sort_by_key(|s| std::cmp::Reverse(of(s).2));
    let mut kept: Vec<T> = Vec::with_capacity(found.len());
    for next in found {
        let (from, to, _) = of(&next);
        let after = kept.partition_point(|k| of(k).0 < to);
        let free = after == 0 || of(&kept[after - 1]).1 <= from;
        if free {
            kept.insert(after, next);
        }
    }
    kept
}

/// The rollups of a point in a range.
#[derive(Debug, Default)]
pub(super) struct Stretches(Vec<Rolled>);

const OVERLAPPING: &str = "SELECT frame FROM rollup
    WHERE epoch = ?1 AND minute > ?2 AND minute < ?3 ORDER BY minute";

/// Bounds of the minutes a stretch that overlaps `[from, to)` may begin in.
fn bounds(from: Timestamp, to: Timestamp) -> (i64, i64) {
    let longest = 60;
    let minute = |at: i64| at.div_euclid(Timestamp::MINUTE);
    (
        minute(from.0).saturating_sub(longest),
        minute(to.0.saturating_sub(1)).saturating_add(1),
    )
}

impl Stretches {
    /// Reads them: of each epoch that knows the point, under its slot there.
    pub(super) fn load(
        c: &Connection,
        series: impl Iterator<Item = (i64, Slot)>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, DbError> {
        let mut found = Vec::new();
        let (after, before) = bounds(from, to);
        let mut query = c.prepare_cached(OVERLAPPING)?;
        for (epoch, slot) in series {
            let mut rows = query.query(params![epoch, after, before])?;
            while let Some(row) = rows.next()? {
                let frame = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                let cell = peek_rollup(frame).and_then(|header| {
                    read_rollup_point(frame, slot).map(|cell| cell.map(|cell| (header, cell)))
                });
                match cell {
                    Ok(Some((header, cell))) if header.to() > from => found.push(Rolled {
                        to: header.to(),
                        part: header.part(&cell),
                        raw: Vec::new(),
                    }),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(epoch, %error, "a stored rollup cannot be read any more");
                    }
                }
            }
        }
        Ok(Self(disjoint(found, |s| (s.part.at, s.to, s.samples()))))
    }

    /// The range to read batches of, so that every stretch is counted whole.
    pub(super) fn widened(&self, (from, to): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
        let first = self.0.first().map_or(from, |s| s.part.at);
        let last = self.0.last().map_or(to, |s| s.to);
        (from.min(first), to.max(last))
    }

    /// Takes a sample out of a batch; false when no stretch has its time.
    pub(super) fn take(&mut self, at: Timestamp, value: Option<&Value>, quality: Quality) -> bool {
        let after = self.0.partition_point(|s| s.part.at <= at);
        let stretch = after.checked_sub(1).and_then(|i| self.0.get_mut(i));
        let Some(stretch) = stretch.filter(|s| at < s.to) else {
            return false;
        };
        stretch.raw.push((at, value.cloned(), quality));
        true
    }

    /// Gives the builder what speaks for each stretch; answers where rollups do, joined.
    pub(super) fn settle(self, builder: &mut TrendBuilder) -> Vec<Stretch> {
        let (from, to) = builder.range();
        let mut rolled_up: Vec<Stretch> = Vec::new();
        for stretch in self.0 {
            if stretch.raw.len() as u64 >= stretch.samples() {
                for (at, value, quality) in &stretch.raw {
                    builder.add(*at, value.as_ref(), *quality);
                }
                continue;
            }
            builder.add_part(&stretch.part);
            let (begin, end) = (stretch.part.at.max(from), stretch.to.min(to));
            match rolled_up.last_mut() {
                Some(last) if last.to == begin => last.to = end,
                _ if begin < end => rolled_up.push(Stretch {
                    from: begin,
                    to: end,
                }),
                _ => {}
            }
        }
        rolled_up
    }
}

/// Samples of one epoch in one hour that are here as rollups only.
#[derive(Debug, Default)]
pub(super) struct HourOfRollups {
    /// By slot: begin and end in minutes since 1970, samples.
    slots: FxHashMap<Slot, Vec<(Timestamp, Timestamp, u64)>>,
    /// Samples out of batches, by slot and minute.
    raw: FxHashMap<(Slot, i64), u64>,
}

impl HourOfRollups {
    /// Reads the rollups of an epoch within an hour; most hours have none.
    pub(super) fn load(c: &Connection, epoch: i64, hour: (i64, i64)) -> Result<Self, DbError> {
        let minute = |at: i64| at.div_euclid(Timestamp::MINUTE);
        let mut query = c.prepare_cached(OVERLAPPING)?;
        let mut rows = query.query([epoch, minute(hour.0) - 1, minute(hour.1)])?;
        let mut slots: FxHashMap<Slot, Vec<(Timestamp, Timestamp, u64)>> = FxHashMap::default();
        while let Some(row) = rows.next()? {
            let frame = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let header = peek_rollup(frame);
            let read = header.and_then(|header| {
                read_rollup(frame, &mut |slot, cell| {
                    let n = samples(&header.part(cell));
                    slots
                        .entry(slot)
                        .or_default()
                        .push((header.from(), header.to(), n));
                })
            });
            if let Err(error) = read {
                tracing::error!(epoch, %error, "a stored rollup cannot be read any more");
            }
        }
        Ok(Self {
            slots,
            raw: FxHashMap::default(),
        })
    }

    /// Takes a sample out of a batch.
    pub(super) fn take(&mut self, slot: Slot, at: Timestamp) {
        if self.slots.contains_key(&slot) {
            let minute = at.0.div_euclid(Timestamp::MINUTE);
            *self.raw.entry((slot, minute)).or_default() += 1;
        }
    }

    /// How many samples nobody has sent in a batch.
    pub(super) fn only_rolled_up(self) -> u64 {
        let Self { slots, raw } = self;
        let mut all = 0;
        for (slot, stretches) in slots {
            for (from, to, n) in disjoint(stretches, |s| *s) {
                let minute = |at: Timestamp| at.0.div_euclid(Timestamp::MINUTE);
                let here: u64 = (minute(from)..minute(to))
                    .filter_map(|m| raw.get(&(slot, m)))
                    .sum();
                all += n.saturating_sub(here);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolled(from: i64, minutes: i64, count: u32) -> Rolled {
        let at = Timestamp(from * Timestamp::MINUTE);
        Rolled {
            to: Timestamp((from + minutes) * Timestamp::MINUTE),
            part: Part {
                at,
                min: 1.0,
                max: 1.0,
                sum: f64::from(count),
                last: 1.0,
                last_at: at,
                count,
                bad: 0,
            },
            raw: Vec::new(),
        }
    }

    fn choose(found: Vec<Rolled>) -> Stretches {
        Stretches(disjoint(found, |s| (s.part.at, s.to, s.samples())))
    }

    fn begins(stretches: &Stretches) -> Vec<i64> {
        let minute = |s: &Rolled| s.part.at.0 / Timestamp::MINUTE;
        stretches.0.iter().map(minute).collect()
    }

    #[test]
    fn of_overlapping_stretches_the_fuller_speaks() {
        let minutes = vec![rolled(3, 1, 6), rolled(0, 15, 90), rolled(16, 1, 6)];
        assert_eq!(begins(&choose(minutes)), [0, 16]);
        let minutes = vec![
            rolled(3, 1, 6),
            rolled(0, 15, 5),
            rolled(14, 1, 6),
            rolled(15, 15, 1),
        ];
        assert_eq!(begins(&choose(minutes)), [3, 14, 15]);
    }

    #[test]
    fn a_sample_counts_once_whichever_way_it_came() {
        for raw in 0..=6 {
            let mut stretches = choose(vec![rolled(1, 1, 5)]);
            let mut builder = TrendBuilder::new(Timestamp(0), Timestamp(180_000), 3);
            let mut elsewhere = 0;
            for n in 0..raw {
                let at = Timestamp(60_000 + n * 10_000);
                let value = Value::Float(1.0);
                if !stretches.take(at, Some(&value), Quality::GOOD) {
                    elsewhere += 1;
                }
            }
            assert!(!stretches.take(Timestamp(59_999), None, Quality::GOOD));
            assert!(!stretches.take(Timestamp(120_000), None, Quality::GOOD));
            let rolled_up = stretches.settle(&mut builder);
            let count: u32 = builder.finish().buckets.iter().map(|b| b.count).sum();
            assert_eq!(elsewhere, 0);
            assert_eq!(i64::from(count), raw.max(5), "{raw} samples of batches");
            assert_eq!(rolled_up.is_empty(), raw >= 5);
        }
    }

    #[test]
    fn what_is_only_rolled_up_is_counted_without_what_came() {
        let at = |minute: i64| Timestamp(minute * Timestamp::MINUTE);
        let mut hour = HourOfRollups::default();
        let stretches = vec![(at(0), at(15), 90), (at(3), at(4), 6), (at(20), at(21), 6)];
        hour.slots.insert(Slot(1), stretches);
        for n in 0..10 {
            hour.take(Slot(1), Timestamp(at(3).0 + n));
            hour.take(Slot(1), Timestamp(at(20).0 + n));
            hour.take(Slot(2), Timestamp(at(3).0 + n));
        }
        assert_eq!(hour.only_rolled_up(), 80);
    }
}
