//! A point over time, reduced to what a screen can show. Owns the reduction, so the gateway and
//! the cloud draw the same picture from the same samples.

use crate::{Level, Quality, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// One stretch of time: extremes, mean and count of its good samples. A gap has no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Bucket {
    /// Start of the stretch.
    pub at: Timestamp,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Arithmetic mean of the samples.
    pub mean: f64,
    /// Last value.
    pub last: f64,
    /// Samples with a usable value.
    pub count: u32,
    /// Samples of bad quality or without a value, which the figures leave out.
    pub bad: u32,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stretch {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

/// A point over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trend {
    /// Start of the range, inclusive.
    pub from: Timestamp,
    /// End of the range, exclusive.
    pub to: Timestamp,
    /// Width of a bucket in milliseconds.
    pub bucket_ms: i64,
    /// Buckets in order of time, empty ones left out.
    pub buckets: Vec<Bucket>,
    /// Where samples are here rolled up only, a minute or more in one, and single ones may follow: in
    /// order of time. Never on the gateway, which has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rolled_up: Vec<Stretch>,
}

/// A stretch of samples that was reduced before, such as one minute of a stored rollup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Start of the stretch; it counts into the bucket that holds this time.
    pub at: Timestamp,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Sum of the values.
    pub sum: f64,
    /// Last value.
    pub last: f64,
    /// When that was.
    pub last_at: Timestamp,
    /// Samples with a usable value.
    pub count: u32,
    /// Samples of bad quality or without a value.
    pub bad: u32,
}

/// Reduces samples to at most `buckets` buckets, one sample at a time and in any order.
#[derive(Debug)]
pub struct TrendBuilder {
    from: Timestamp,
    to: Timestamp,
    width: i64,
    cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone)]
struct Cell {
    bucket: Bucket,
    last_at: Timestamp,
    sum: f64,
}

impl TrendBuilder {
    /// A reduction of `[from, to)` to at most `buckets` (1 to 10,000) buckets.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp, buckets: usize) -> Self {
        Self::aligned(from, to, buckets, 1)
    }

    /// The same, with both ends moved outwards to whole steps of `step_ms` and buckets that are
    /// whole steps wide, so that [`Part`]s of one step never straddle a bucket.
    #[must_use]
    pub fn aligned(from: Timestamp, to: Timestamp, buckets: usize, step_ms: i64) -> Self {
        let step = step_ms.max(1);
        let from = Timestamp(from.0.saturating_sub(from.0.rem_euclid(step)));
        let over = to.0.rem_euclid(step);
        let to = Timestamp(to.0.saturating_add(if over == 0 { 0 } else { step - over }));
        let span = to.since(from).max(1);
        let wanted = i64::try_from(buckets.clamp(1, 10_000)).unwrap_or(1);
        let width = div_ceil(div_ceil(span, wanted), step).saturating_mul(step);
        let cells = usize::try_from(div_ceil(span, width)).unwrap_or(1);
        Self {
            from,
            to,
            width,
            cells: vec![None; cells],
        }
    }

    /// Width of a bucket in milliseconds.
    #[must_use]
    pub fn bucket_ms(&self) -> i64 {
        self.width
    }

    /// The range in fact reduced, `[from, to)`.
    #[must_use]
    pub fn range(&self) -> (Timestamp, Timestamp) {
        (self.from, self.to)
    }

    /// Takes one sample; those outside the range are ignored.
    pub fn add(&mut self, at: Timestamp, value: Option<&Value>, quality: Quality) {
        let Some(cell) = self.cell(at) else { return };
        let usable = (quality.level != Level::Bad).then_some(value).flatten();
        match usable.and_then(Value::as_f64).filter(|x| x.is_finite()) {
            Some(x) => cell.add((x, x, x, 1), x, at),
            None => cell.bucket.bad += 1,
        }
    }

    /// Takes a stretch reduced before; ignored when it starts outside the range.
    pub fn add_part(&mut self, part: &Part) {
        let Some(cell) = self.cell(part.at) else {
            return;
        };
        cell.bucket.bad = cell.bucket.bad.saturating_add(part.bad);
        if part.count > 0 {
            cell.add(
                (part.min, part.max, part.sum, part.count),
                part.last,
                part.last_at,
            );
        }
    }

    fn cell(&mut self, at: Timestamp) -> Option<&mut Cell> {
        if at < self.from || at >= self.to {
            return None;
        }
        let index = at.since(self.from) / self.width;
        let start = Timestamp(self.from.0 + self.width * index);
        let cell = self.cells.get_mut(usize::try_from(index).ok()?)?;
        Some(cell.get_or_insert_with(|| Cell::new(start)))
    }

    /// The finished trend. A bucket with only bad samples is a gap and left out.
    #[must_use]
    pub fn finish(self) -> Trend {
        let buckets = self
            .cells
            .into_iter()
            .flatten()
            .map(|c| c.bucket)
            .filter(|b| b.count > 0)
            .collect();
        Trend {
            from: self.from,
            to: self.to,
            bucket_ms: self.width,
            buckets,
            rolled_up: Vec::new(),
        }
    }
}

impl Cell {
    fn new(at: Timestamp) -> Self {
        Self {
            bucket: Bucket {
                at,
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
                mean: 0.0,
                last: 0.0,
                count: 0,
                bad: 0,
            },
            last_at: Timestamp(i64::MIN),
            sum: 0.0,
        }
    }

    fn add(&mut self, (min, max, sum, count): (f64, f64, f64, u32), last: f64, at: Timestamp) {
        let bucket = &mut self.bucket;
        bucket.min = bucket.min.min(min);
        bucket.max = bucket.max.max(max);
        bucket.count = bucket.count.saturating_add(count);
        self.sum += sum;
        bucket.mean = self.sum / f64::from(bucket.count);
        if at >= self.last_at {
            self.last_at = at;
            bucket.last = last;
        }
    }
}

fn div_ceil(a: i64, b: i64) -> i64 {
    a / b + i64::from(a % b != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn buckets_keep_extremes_and_leave_gaps() {
        let mut b = TrendBuilder::new(Timestamp(0), Timestamp(100), 10);
        for (t, v) in [(0, 1.0), (5, 9.0), (9, 3.0), (95, 4.0)] {
            b.add(Timestamp(t), Some(&Value::Float(v)), Quality::GOOD);
        }
        b.add(
            Timestamp(50),
            Some(&Value::Float(7.0)),
            Quality::bad(Reason::Stale),
        );
        b.add(Timestamp(100), Some(&Value::Float(7.0)), Quality::GOOD);
        let t = b.finish();
        assert_eq!(t.bucket_ms, 10);
        assert_eq!(t.buckets.len(), 2);
        let first = t.buckets[0];
        assert_eq!(
            (first.min, first.max, first.last, first.count),
            (1.0, 9.0, 3.0, 3)
        );
        assert_eq!(t.buckets[1].at, Timestamp(90));
    }

    #[test]
    fn parts_reduce_to_what_their_samples_would() {
        let samples = [
            (0, 4.0),
            (20, 2.0),
            (59, 3.0),
            (60, 8.0),
            (119, 1.0),
            (121, 5.0),
        ];
        let mut single = TrendBuilder::aligned(Timestamp(3), Timestamp(170), 2, 60);
        let mut parts = TrendBuilder::aligned(Timestamp(3), Timestamp(170), 2, 60);
        assert_eq!(
            (single.bucket_ms(), single.range()),
            (120, (Timestamp(0), Timestamp(180)))
        );
        for (t, v) in samples {
            single.add(Timestamp(t), Some(&Value::Float(v)), Quality::GOOD);
        }
        single.add(Timestamp(61), None, Quality::bad(Reason::DeviceDown));
        for (at, min, max, sum, last, last_at, count, bad) in [
            (60, 1.0, 8.0, 9.0, 1.0, 119, 2, 1),
            (0, 2.0, 4.0, 9.0, 3.0, 59, 3, 0),
            (120, 5.0, 5.0, 5.0, 5.0, 121, 1, 0),
        ] {
            let (at, last_at) = (Timestamp(at), Timestamp(last_at));
            parts.add_part(&Part {
                at,
                min,
                max,
                sum,
                last,
                last_at,
                count,
                bad,
            });
        }
        assert_eq!(parts.finish(), single.finish());
    }
}
