//! Samples of many points on their way from batches, which hold many points of one moment, to
//! chunks, which hold many moments of one point. Owns the bound on memory.

use crate::chunk::Series;
use riser_model::Sample;
use rustc_hash::FxHashMap;

/// Octets of samples held at once: some 500,000 samples. It bounds the memory compaction takes
/// whatever the size of the day; fewer samples a chunk cost a little more room.
const MEMORY: usize = 10 << 20;

/// Samples by point.
#[derive(Default)]
pub(crate) struct Gather {
    series: FxHashMap<u32, Series>,
    octets: usize,
}

impl Gather {
    /// Takes a sample.
    pub(crate) fn push(&mut self, sample: &Sample) {
        let series = self.series.entry(sample.slot.0).or_default();
        self.octets += series.push(sample.at, sample.value.as_ref(), sample.quality);
    }

    /// True when a round has to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.octets > MEMORY
    }

    /// Takes out the longer half, or all of it, in the order of slots. Points that are read seldom
    /// stay behind and get longer chunks.
    pub(crate) fn take(&mut self, all: bool) -> Vec<(u32, Series)> {
        let samples: usize = self.series.values().map(Series::len).sum();
        let least = if all {
            0
        } else {
            samples / self.series.len().max(1) / 2
        };
        let mut taken: Vec<(u32, Series)> =
            self.series.extract_if(|_, s| s.len() >= least).collect();
        taken.sort_unstable_by_key(|(slot, _)| *slot);
        self.octets = self.series.values().map(Series::octets).sum();
        taken
    }
}
