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
}

/// Reduces samples to at most `buckets` buckets, one sample at a time and in any order.
#[derive(Debug)]
pub struct TrendBuilder {
    from: Timestamp,
    to: Timestamp,
    width: i64,
    cells: Vec<Option<(Bucket, Timestamp, f64)>>,
}

impl TrendBuilder {
    /// A reduction of `[from, to)` to at most `buckets` (1 to 10,000) buckets.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp, buckets: usize) -> Self {
        let span = to.since(from).max(1);
        let wanted = i64::try_from(buckets.clamp(1, 10_000)).unwrap_or(1);
        let width = (span + wanted - 1) / wanted;
        let cells = usize::try_from((span + width - 1) / width).unwrap_or(1);
        Self {
            from,
            to,
            width,
            cells: vec![None; cells],
        }
    }

    /// Takes one sample; those outside the range are ignored.
    pub fn add(&mut self, at: Timestamp, value: Option<&Value>, quality: Quality) {
        if at < self.from || at >= self.to {
            return;
        }
        let Ok(index) = usize::try_from(at.since(self.from) / self.width) else {
            return;
        };
        let Some(cell) = self.cells.get_mut(index) else {
            return;
        };
        let start = self.from.0 + self.width * i64::try_from(index).unwrap_or(0);
        let usable = (quality.level != Level::Bad)
            .then(|| value.and_then(Value::as_f64))
            .flatten();
        let (bucket, last_at, sum) = cell.get_or_insert((
            Bucket {
                at: Timestamp(start),
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
                mean: 0.0,
                last: 0.0,
                count: 0,
                bad: 0,
            },
            Timestamp(i64::MIN),
            0.0,
        ));
        let Some(x) = usable.filter(|x| x.is_finite()) else {
            bucket.bad += 1;
            return;
        };
        bucket.min = bucket.min.min(x);
        bucket.max = bucket.max.max(x);
        bucket.count += 1;
        *sum += x;
        bucket.mean = *sum / f64::from(bucket.count);
        if at >= *last_at {
            *last_at = at;
            bucket.last = x;
        }
    }

    /// The finished trend. A bucket with only bad samples is a gap and left out.
    #[must_use]
    pub fn finish(self) -> Trend {
        let buckets = self
            .cells
            .into_iter()
            .flatten()
            .map(|(b, _, _)| b)
            .filter(|b| b.count > 0)
            .collect();
        Trend {
            from: self.from,
            to: self.to,
            bucket_ms: self.width,
            buckets,
        }
    }
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
}
