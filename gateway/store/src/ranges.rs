//! A set of sequence numbers as disjoint inclusive ranges. Owns the arithmetic of durable ranges;
//! pure, bounded by what it is given.

/// Numbers from 1, as ascending ranges with a gap between any two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(Vec<(u64, u64)>);

impl RangeSet {
    /// Adds an inclusive range; 0 and reversed ranges add nothing. True when anything was new.
    pub(crate) fn insert(&mut self, first: u64, last: u64) -> bool {
        let first = first.max(1);
        if first > last || self.covers(first, last) {
            return false;
        }
        // Everything that overlaps or touches the new range is melted into it.
        let from = self.0.partition_point(|r| r.1.saturating_add(1) < first);
        let to = self.0.partition_point(|r| r.0 <= last.saturating_add(1));
        let mut merged = (first, last);
        for r in &self.0[from..to] {
            merged = (merged.0.min(r.0), merged.1.max(r.1));
        }
        self.0.splice(from..to, [merged]);
        true
    }

    /// Adds every range of another set.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (first, last) in other.iter() {
            self.insert(first, last);
        }
    }

    /// True when every number of the inclusive range is in the set.
    pub(crate) fn covers(&self, first: u64, last: u64) -> bool {
        let i = self.0.partition_point(|r| r.1 < last);
        self.0.get(i).is_some_and(|r| r.0 <= first)
    }

    /// Everything up to and including this number is in the set.
    pub(crate) fn contiguous(&self) -> u64 {
        self.0.first().filter(|r| r.0 == 1).map_or(0, |r| r.1)
    }

    /// The largest number; 0 for the empty set.
    pub(crate) fn last(&self) -> u64 {
        self.0.last().map_or(0, |r| r.1)
    }

    /// The ranges, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// What is missing of an inclusive range, ascending.
    pub(crate) fn gaps(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let start = self.0.partition_point(|r| r.1 < first);
        let mut next = first.max(1);
        let mut ranges = self.0[start..].iter().copied();
        let mut done = false;
        std::iter::from_fn(move || {
            while !done && next <= last {
                let Some((a, b)) = ranges.next().filter(|r| r.0 <= last) else {
                    done = true;
                    return Some((next, last));
                };
                let gap = (next, a.saturating_sub(1));
                next = next.max(b.saturating_add(1));
                done = b >= last;
                if gap.0 <= gap.1 {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// How many numbers of an inclusive range are missing.
    pub(crate) fn missing(&self, first: u64, last: u64) -> u64 {
        self.gaps(first, last).map(|(a, b)| b - a + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(
            inserts in prop::collection::vec((0u64..60, 0u64..60), 0..40),
            probe in (0u64..60, 0u64..60),
        ) {
            let mut ranges = RangeSet::default();
            let mut model = BTreeSet::new();
            for (a, b) in inserts {
                let before = model.len();
                model.extend(a.max(1)..=b);
                prop_assert_eq!(ranges.insert(a, b), model.len() > before);
            }
            let flat: Vec<u64> = ranges.iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(&flat, &model.iter().copied().collect::<Vec<_>>());
            prop_assert!(ranges.0.windows(2).all(|w| w[0].1 + 1 < w[1].0));
            let run = (1..).take_while(|n| model.contains(n)).count() as u64;
            prop_assert_eq!(ranges.contiguous(), run);
            prop_assert_eq!(ranges.last(), model.last().copied().unwrap_or(0));
            let (a, b) = (probe.0.max(1), probe.1);
            let missing: Vec<u64> = (a..=b).filter(|n| !model.contains(n)).collect();
            let gaps: Vec<u64> = ranges.gaps(a, b).flat_map(|(x, y)| x..=y).collect();
            prop_assert_eq!(&gaps, &missing);
            prop_assert_eq!(ranges.missing(a, b), missing.len() as u64);
            if a <= b {
                prop_assert_eq!(ranges.covers(a, b), missing.is_empty());
            }
        }
    }

    #[test]
    fn survives_the_largest_numbers() {
        let mut ranges = RangeSet::default();
        assert!(ranges.insert(5, u64::MAX));
        assert!(ranges.insert(1, 4));
        assert!(!ranges.insert(0, 0));
        assert_eq!(ranges.contiguous(), u64::MAX);
        assert_eq!(ranges.gaps(1, u64::MAX).count(), 0);
    }
}
