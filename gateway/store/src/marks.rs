//! What is settled of each numbering: durable in the cloud, refused by it, or dropped here. Owns
//! merging what the cloud says and what of it still has to be written to `state.db`.

use crate::outbox::DurableRanges;
use crate::ranges::RangeSet;
use riser_wire::{Epoch, Stream};
use rustc_hash::{FxHashMap, FxHashSet};

/// One numbered stream of one epoch.
pub(crate) type Numbering = (Epoch, Stream);

/// Settled numbers of every numbering that still has rows somewhere.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    settled: FxHashMap<Numbering, RangeSet>,
    dirty: FxHashSet<Numbering>,
    /// The cloud called something durable that was never written here.
    beyond_head: bool,
}

impl Marks {
    /// Adds a range, as read from disk.
    pub(crate) fn load(&mut self, numbering: Numbering, first: u64, last: u64) {
        self.settled
            .entry(numbering)
            .or_default()
            .insert(first, last);
    }

    /// Settles a range and remembers to write it down. True when anything was new.
    pub(crate) fn settle(&mut self, numbering: Numbering, first: u64, last: u64) -> bool {
        let new = self
            .settled
            .entry(numbering)
            .or_default()
            .insert(first, last);
        if new {
            self.dirty.insert(numbering);
        }
        new
    }

    /// Takes over what the cloud calls durable of a numbering whose last number is `head`. Numbers
    /// beyond it are not believed: where the numbering is in use, they mean that this store is older
    /// than what the cloud has seen of it, and that a new epoch must begin before one of them is
    /// given out again. Answers whether that is so.
    pub(crate) fn confirm(
        &mut self,
        numbering: Numbering,
        (head, in_use): (u64, bool),
        ranges: impl IntoIterator<Item = (u64, u64)>,
    ) -> bool {
        for (first, last) in ranges {
            if first > last {
                continue;
            }
            self.beyond_head |= in_use && last > head;
            if first <= head {
                self.settle(numbering, first, last.min(head));
            }
        }
        self.beyond_head
    }

    /// True once after the cloud confirmed what was never written.
    pub(crate) fn take_beyond_head(&mut self) -> bool {
        std::mem::take(&mut self.beyond_head)
    }

    /// Asks again for a new epoch that could not be begun.
    pub(crate) fn set_beyond_head(&mut self) {
        self.beyond_head = true;
    }

    /// True for a numbering that is known here.
    pub(crate) fn knows(&self, numbering: Numbering) -> bool {
        self.settled.contains_key(&numbering)
    }

    /// Makes a numbering known.
    pub(crate) fn begin(&mut self, numbering: Numbering) {
        self.settled.entry(numbering).or_default();
    }

    /// Forgets every numbering not named; answers with those it forgot.
    pub(crate) fn forget_all_but(&mut self, keep: &FxHashSet<Numbering>) -> Vec<Numbering> {
        let gone: Vec<_> = self
            .settled
            .keys()
            .filter(|n| !keep.contains(n))
            .copied()
            .collect();
        for numbering in &gone {
            self.settled.remove(numbering);
            self.dirty.remove(numbering);
        }
        gone
    }

    /// What is settled of a numbering.
    pub(crate) fn of(&self, numbering: Numbering) -> Option<&RangeSet> {
        self.settled.get(&numbering)
    }

    /// True when every number of the inclusive range is settled.
    pub(crate) fn covers(&self, numbering: Numbering, first: u64, last: u64) -> bool {
        self.of(numbering).is_some_and(|s| s.covers(first, last))
    }

    /// How many numbers of the inclusive range are not settled.
    pub(crate) fn missing(&self, numbering: Numbering, first: u64, last: u64) -> u64 {
        match self.of(numbering) {
            Some(settled) => settled.missing(first, last),
            None => (last + 1).saturating_sub(first.max(1)),
        }
    }

    /// The settled ranges in the form the cloud uses.
    pub(crate) fn ranges(&self, epoch: Epoch, stream: Stream) -> DurableRanges {
        let Some(settled) = self.of((epoch, stream)) else {
            return DurableRanges::default();
        };
        let contiguous = settled.contiguous();
        let ranges = settled.iter().filter(|r| r.0 > contiguous).collect();
        DurableRanges { contiguous, ranges }
    }

    /// Numberings that changed since they were last written down, with their ranges.
    pub(crate) fn dirty(&self) -> Vec<(Numbering, RangeSet)> {
        let of = |n: &Numbering| (*n, self.settled.get(n).cloned().unwrap_or_default());
        self.dirty.iter().map(of).collect()
    }

    /// Anything to write down?
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// `written` is on disk now. What has changed meanwhile stays to be written.
    pub(crate) fn written(&mut self, written: &[(Numbering, RangeSet)]) {
        for (numbering, ranges) in written {
            if self.settled.get(numbering).is_none_or(|now| now == ranges) {
                self.dirty.remove(numbering);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_given_out_are_not_believed() {
        let n = (Epoch(uuid::Uuid::from_u128(1)), Stream::Data);
        let mut marks = Marks::default();
        marks.begin(n);
        assert!(marks.confirm(n, (10, true), [(1, 3), (8, 12), (9, 4)]));
        assert_eq!(marks.ranges(n.0, n.1).ranges, [(8, 10)]);
        assert!(marks.take_beyond_head());
        assert!(!marks.take_beyond_head());
    }

    #[test]
    fn a_change_while_writing_is_written_again() {
        let n = (Epoch(uuid::Uuid::from_u128(1)), Stream::Event);
        let mut marks = Marks::default();
        marks.settle(n, 1, 3);
        let written = marks.dirty();
        marks.settle(n, 5, 5);
        marks.written(&written);
        assert!(marks.is_dirty());
        let written = marks.dirty();
        marks.written(&written);
        assert!(!marks.is_dirty());
    }
}
