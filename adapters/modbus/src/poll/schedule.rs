//! When a scan group is due and which of its requests comes next. Owns due times, phase spread,
//! overruns, and the parking of single requests that stay without answer.

use super::merge::Block;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Unanswered tries in a row after which one request of an otherwise answering device is parked.
const FAILURES_TO_PARK: u32 = 3;

#[derive(Debug)]
struct Entry {
    block: Arc<Block>,
    failures: u32,
    parked_until: Option<Instant>,
    refused: bool,
}

/// What to send now.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Place of the request in its group.
    pub(crate) index: usize,
    /// Plan the place belongs to.
    pub(crate) version: u32,
    /// The request.
    pub(crate) block: Arc<Block>,
}

/// The requests of one device, table and interval.
#[derive(Debug)]
pub(crate) struct Group {
    interval: Duration,
    phase: Duration,
    due: Instant,
    first: bool,
    cursor: Option<usize>,
    version: u32,
    entries: Vec<Entry>,
}

impl Group {
    /// A group that is due at `start` for the first time and then at its own phase of the interval.
    pub(crate) fn new(interval: Duration, phase: Duration, start: Instant) -> Self {
        Self {
            interval,
            phase,
            due: start,
            first: true,
            cursor: None,
            version: 0,
            entries: Vec::new(),
        }
    }

    /// Replaces the requests; a scan in progress begins again at its next due time.
    pub(crate) fn plan(&mut self, blocks: Vec<Block>) {
        self.version = self.version.wrapping_add(1);
        // A group that had nothing to do has missed nothing.
        self.first |= self.entries.is_empty();
        if self.cursor.take().is_some() {
            self.due += self.interval;
        }
        self.entries = blocks
            .into_iter()
            .map(|block| Entry {
                block: Arc::new(block),
                failures: 0,
                parked_until: None,
                refused: false,
            })
            .collect();
    }

    /// When the group has something to send; `None` when it has no request at all.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        (!self.entries.is_empty()).then_some(self.due)
    }

    /// By when its scan should be done: what the lane orders by.
    pub(crate) fn deadline(&self) -> Instant {
        self.due + self.interval
    }

    /// Begins or continues a scan. Counts into `overruns` the scans that were missed.
    pub(crate) fn next(&mut self, now: Instant, overruns: &mut u64) -> Option<Turn> {
        if self.cursor.is_none() {
            if now < self.due {
                return None;
            }
            *overruns += self.catch_up(now);
            self.cursor = Some(0);
        }
        let from = self.cursor.unwrap_or(0);
        let found = (from..self.entries.len()).find(|i| {
            self.entries
                .get(*i)
                .is_some_and(|e| e.parked_until.is_none_or(|until| until <= now))
        });
        match found {
            Some(index) => {
                self.cursor = Some(index + 1);
                if index + 1 >= self.entries.len() {
                    self.finish();
                }
                self.entries.get(index).map(|entry| Turn {
                    index,
                    version: self.version,
                    block: entry.block.clone(),
                })
            }
            None => {
                self.finish();
                None
            }
        }
    }

    /// Whole intervals the scan is late; the due time moves up to the present one.
    fn catch_up(&mut self, now: Instant) -> u64 {
        let late = now.saturating_duration_since(self.due);
        let missed = late.as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.due += self.interval.saturating_mul(missed);
        if self.first { 0 } else { missed.into() }
    }

    fn finish(&mut self) {
        self.cursor = None;
        self.due += self.interval;
        if std::mem::take(&mut self.first) {
            // All groups were read at once; from now on each at its own time.
            self.due += self.phase;
        }
    }

    /// The device is back, or the lane is: scan as soon as the lane allows.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.cursor = None;
        self.due = now;
        self.first = true;
        for entry in &mut self.entries {
            (entry.failures, entry.parked_until) = (0, None);
        }
    }

    /// A request of this plan was answered.
    pub(crate) fn answered(&mut self, turn: &Turn) {
        if let Some(entry) = self.entry(turn) {
            (entry.failures, entry.parked_until, entry.refused) = (0, None, false);
        }
    }

    /// The device answered a request of this plan with an error.
    pub(crate) fn refused(&mut self, turn: &Turn) {
        if let Some(entry) = self.entry(turn) {
            (entry.failures, entry.parked_until, entry.refused) = (0, None, true);
        }
    }

    /// Some request is parked, or was answered with an error the last time.
    pub(crate) fn is_impaired(&self) -> bool {
        self.entries
            .iter()
            .any(|e| e.refused || e.parked_until.is_some())
    }

    /// A request stayed without answer while the device answers others. True when it is parked now
    /// and was not before.
    pub(crate) fn unanswered(&mut self, turn: &Turn, until: Instant) -> bool {
        let Some(entry) = self.entry(turn) else {
            return false;
        };
        entry.failures += 1;
        if entry.failures < FAILURES_TO_PARK {
            return false;
        }
        entry.parked_until = Some(until);
        entry.failures == FAILURES_TO_PARK
    }

    /// Whether the turn is of the plan that is in force.
    pub(crate) fn is_current(&self, turn: &Turn) -> bool {
        turn.version == self.version
    }

    /// Largest request, for checking timeouts against the line.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.entries.iter().map(|e| e.block.as_ref())
    }

    fn entry(&mut self, turn: &Turn) -> Option<&mut Entry> {
        if turn.version == self.version {
            self.entries.get_mut(turn.index)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Table;
    use crate::poll::Item;

    const SECOND: Duration = Duration::from_secs(1);

    fn group(blocks: u16, start: Instant) -> Group {
        let mut group = Group::new(SECOND, Duration::from_millis(300), start);
        let block = |address| {
            let item = Item {
                address,
                length: 1,
                point: 0,
            };
            Block::new(Table::Holding, vec![item])
        };
        group.plan((0..blocks).map(block).collect());
        group
    }

    fn scan(group: &mut Group, now: Instant) -> (usize, u64) {
        let (mut turns, mut overruns) = (0, 0);
        while group.next(now, &mut overruns).is_some() {
            turns += 1;
        }
        (turns, overruns)
    }

    #[test]
    fn the_first_scan_is_at_once_and_the_next_ones_keep_their_phase() {
        let start = Instant::now();
        let mut group = group(3, start);
        assert_eq!(scan(&mut group, start), (3, 0));
        assert_eq!(
            group.ready_at(),
            Some(start + SECOND + Duration::from_millis(300))
        );
        assert_eq!(scan(&mut group, start + SECOND), (0, 0));
        assert_eq!(scan(&mut group, start + SECOND * 3 / 2), (3, 0));
        assert_eq!(
            group.ready_at(),
            Some(start + SECOND * 2 + Duration::from_millis(300))
        );
    }

    #[test]
    fn missed_scans_are_counted_and_not_made_up_for() {
        let start = Instant::now();
        let mut group = group(1, start);
        scan(&mut group, start);
        assert_eq!(scan(&mut group, start + SECOND * 5), (1, 3));
        assert!(group.ready_at() > Some(start + SECOND * 5));
    }

    #[test]
    fn a_request_that_stays_silent_is_parked_and_the_others_go_on() {
        let start = Instant::now();
        let mut group = group(2, start);
        let mut overruns = 0;
        let turn = group.next(start, &mut overruns).unwrap();
        let until = start + SECOND * 60;
        assert_eq!(
            (0..4)
                .map(|_| group.unanswered(&turn, until))
                .filter(|p| *p)
                .count(),
            1
        );
        scan(&mut group, start);
        let (turns, _) = scan(&mut group, start + SECOND * 10);
        assert_eq!(turns, 1);
        let (turns, _) = scan(&mut group, start + SECOND * 61);
        assert_eq!(turns, 2);
    }
}
