//! Which points somebody is looking at right now. Owns the leases: each named point is watched
//! until its time is over, whoever asked last.

use riser_model::{ScanBatch, Slot};
use riser_rules::Tick;
use rustc_hash::FxHashMap;

/// Points that may be watched at once; a screen shows hundreds, not thousands.
pub(crate) const WATCHED_MAX: usize = 4096;

/// The points being watched.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    until: FxHashMap<Slot, Tick>,
}

impl Leases {
    /// Watches a point until `until`, or longer if it is watched longer already. `false` when too
    /// many are watched.
    pub(crate) fn extend(&mut self, slot: Slot, until: Tick) -> bool {
        if self.until.len() >= WATCHED_MAX && !self.until.contains_key(&slot) {
            return false;
        }
        let known = self.until.entry(slot).or_insert(until);
        *known = (*known).max(until);
        true
    }

    /// The watched part of a scan; `None` when nobody looks at any of it.
    pub(crate) fn select(&self, now: Tick, scan: &ScanBatch) -> Option<ScanBatch> {
        if self.until.is_empty() {
            return None;
        }
        let watched = |slot| self.until.get(&slot).is_some_and(|until| *until > now);
        let readings: Vec<_> = scan
            .readings
            .iter()
            .filter(|r| watched(r.slot))
            .cloned()
            .collect();
        (!readings.is_empty()).then_some(ScanBatch {
            at: scan.at,
            readings,
        })
    }

    /// Forgets leases that are over.
    pub(crate) fn sweep(&mut self, now: Tick) {
        self.until.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Quality, Reading, Timestamp};

    fn scan() -> ScanBatch {
        let reading = |slot| Reading {
            slot: Slot(slot),
            value: None,
            quality: Quality::GOOD,
        };
        ScanBatch {
            at: Timestamp(5),
            readings: vec![reading(1), reading(2), reading(3)],
        }
    }

    #[test]
    fn only_watched_points_are_selected_and_only_in_time() {
        let mut leases = Leases::default();
        assert_eq!(leases.select(Tick(0), &scan()), None);
        leases.extend(Slot(2), Tick(100));
        leases.extend(Slot(9), Tick(900));
        let selected = leases.select(Tick(99), &scan()).unwrap();
        assert_eq!(selected.at, Timestamp(5));
        assert_eq!(selected.readings.len(), 1);
        assert_eq!(selected.readings[0].slot, Slot(2));
        assert_eq!(leases.select(Tick(100), &scan()), None);
    }

    #[test]
    fn a_shorter_lease_takes_nothing_away() {
        let mut leases = Leases::default();
        leases.extend(Slot(2), Tick(100));
        leases.extend(Slot(2), Tick(50));
        leases.sweep(Tick(60));
        assert!(leases.select(Tick(60), &scan()).is_some());
        leases.sweep(Tick(100));
        assert_eq!(leases.until.len(), 0);
    }

    #[test]
    fn the_number_of_watched_points_is_bounded() {
        let mut leases = Leases::default();
        for slot in 0..WATCHED_MAX {
            assert!(leases.extend(Slot(u32::try_from(slot).unwrap()), Tick(1)));
        }
        assert!(!leases.extend(Slot(999_999), Tick(1)));
        assert!(leases.extend(Slot(0), Tick(2)));
    }
}
