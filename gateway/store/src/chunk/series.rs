//! A point's samples in memory, 18 octets each. Owns the order of time and the sums that stand
//! beside a chunk, so a trend need not open it.

use crate::octets::Bad;
use crate::rollup::usable;
use riser_model::trend::Part;
use riser_model::{Quality, Timestamp, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    None = 0,
    Bool = 1,
    Int = 2,
    Float = 3,
    Text = 4,
}

impl Kind {
    pub(super) fn from_code(code: u8) -> Result<Self, Bad> {
        [Self::None, Self::Bool, Self::Int, Self::Float, Self::Text]
            .get(usize::from(code))
            .copied()
            .ok_or(Bad("a value is of an unknown kind"))
    }
}

/// Samples of one point.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    /// Source times in milliseconds.
    pub(crate) at: Vec<i64>,
    /// The values: 0 or 1, the integer, the bits of the float, the index of the text.
    pub(crate) bits: Vec<u64>,
    /// Kind in the upper octet, code of the quality in the lower one.
    pub(crate) mark: Vec<u16>,
    /// Texts in the order they were met.
    pub(crate) texts: Vec<Arc<str>>,
    known: FxHashMap<Arc<str>, u64>,
}

/// What a chunk amounts to. The figures are over samples with a usable value, by the same rule as a
/// trend's; they are `None` without one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Sums {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) samples: u32,
    pub(crate) usable: u32,
    pub(crate) figures: Option<Figures>,
}

/// Figures over the usable values of a chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
    pub(crate) first: f64,
    pub(crate) last: f64,
    /// Time of `last`.
    pub(crate) used_at: i64,
}

impl Sums {
    /// The same for a trend.
    pub(crate) fn part(&self) -> Part {
        let bad = self.samples.saturating_sub(self.usable);
        let at = Timestamp(self.first_at);
        let empty = Part {
            at,
            min: 0.0,
            max: 0.0,
            sum: 0.0,
            last: 0.0,
            last_at: at,
            count: 0,
            bad,
        };
        self.figures.map_or(empty, |f| Part {
            min: f.min,
            max: f.max,
            sum: f.sum,
            last: f.last,
            last_at: Timestamp(f.used_at),
            count: self.usable,
            ..empty
        })
    }
}

impl Series {
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    /// Octets it takes.
    pub(crate) fn octets(&self) -> usize {
        self.len() * 18 + self.texts.iter().map(|t| t.len() + 64).sum::<usize>()
    }

    /// Adds a sample; answers with the octets it takes.
    pub(crate) fn push(&mut self, at: Timestamp, value: Option<&Value>, quality: Quality) -> usize {
        let mut octets = 18;
        let (kind, bits) = match value {
            None => (Kind::None, 0),
            Some(Value::Bool(b)) => (Kind::Bool, u64::from(*b)),
            Some(Value::Int(n)) => (Kind::Int, n.cast_unsigned()),
            Some(Value::Float(x)) => (Kind::Float, x.to_bits()),
            Some(Value::Text(text)) => {
                let next = self.texts.len() as u64;
                let index = *self.known.entry(Arc::clone(text)).or_insert(next);
                if index == next {
                    self.texts.push(Arc::clone(text));
                    octets += text.len() + 64;
                }
                (Kind::Text, index)
            }
        };
        self.at.push(at.0);
        self.bits.push(bits);
        self.mark
            .push(u16::from_be_bytes([kind as u8, quality.code()]));
        octets
    }

    /// Puts the samples in order of time; those of one time keep their order.
    pub(crate) fn sort(&mut self) {
        if self.at.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|i| self.at[*i]);
        self.at = order.iter().map(|i| self.at[*i]).collect();
        self.bits = order.iter().map(|i| self.bits[*i]).collect();
        self.mark = order.iter().map(|i| self.mark[*i]).collect();
    }

    /// Every mark and every text of a decoded series means something.
    pub(super) fn check(&self) -> Result<(), Bad> {
        for (mark, bits) in self.mark.iter().zip(&self.bits) {
            let [kind, quality] = mark.to_be_bytes();
            if Quality::from_code(quality).is_none() {
                return Err(Bad("a quality is unknown"));
            }
            if kind == Kind::Text as u8 && *bits >= self.texts.len() as u64 {
                return Err(Bad("a text is missing"));
            }
        }
        Ok(())
    }

    /// Sample `i`, which must be there.
    pub(crate) fn get(&self, i: usize) -> (Timestamp, Option<Value>, Quality) {
        let [kind, quality] = self.mark[i].to_be_bytes();
        let bits = self.bits[i];
        let value = match Kind::from_code(kind) {
            Ok(Kind::Bool) => Some(Value::Bool(bits != 0)),
            Ok(Kind::Int) => Some(Value::Int(bits.cast_signed())),
            Ok(Kind::Float) => Some(Value::Float(f64::from_bits(bits))),
            Ok(Kind::Text) => {
                let index = usize::try_from(bits).unwrap_or(usize::MAX);
                self.texts.get(index).map(|t| Value::Text(Arc::clone(t)))
            }
            Ok(Kind::None) | Err(_) => None,
        };
        // Codes were made by `code` or checked by `check`.
        let quality = Quality::from_code(quality).unwrap_or(Quality::GOOD);
        (Timestamp(self.at[i]), value, quality)
    }

    /// The samples of `[from, to)`, in order.
    pub(crate) fn within(
        &self,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (Timestamp, Option<Value>, Quality)> + '_ {
        let begin = self.at.partition_point(|at| *at < from);
        let end = self.at.partition_point(|at| *at < to);
        (begin..end.max(begin)).map(|i| self.get(i))
    }

    /// What the series amounts to; its samples must be in order.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = Sums {
            first_at: self.at.first().copied().unwrap_or(0),
            last_at: self.at.last().copied().unwrap_or(0),
            samples: u32::try_from(self.len()).unwrap_or(u32::MAX),
            ..Sums::default()
        };
        for i in 0..self.len() {
            let (at, value, quality) = self.get(i);
            let Some(x) = usable(value.as_ref(), quality) else {
                continue;
            };
            sums.usable += 1;
            let f = sums.figures.get_or_insert(Figures {
                min: x,
                max: x,
                sum: 0.0,
                first: x,
                last: x,
                used_at: at.0,
            });
            (f.min, f.max) = (f.min.min(x), f.max.max(x));
            f.sum += x;
            (f.last, f.used_at) = (x, at.0);
        }
        sums
    }

    /// True when both hold the same samples, bit by bit.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (&self.at, &self.bits, &self.mark, &self.texts)
            == (&other.at, &other.bits, &other.mark, &other.texts)
    }
}
