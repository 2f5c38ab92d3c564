//! Which day files there are and what is in them, in memory. Owns the answers to "which files hold
//! this time", "what is not durable yet, newest hour first" and "may this file go".

use crate::marks::Marks;
use crate::{Position, outbox::Occupancy};
use riser_model::Timestamp;
use riser_wire::{Epoch, Stream};
use std::collections::HashSet;
use std::path::PathBuf;

/// Length of a segment: backfill sends the newest hour first.
const HOUR: i64 = 3_600_000;

/// Numbers of one epoch in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) epoch: Epoch,
    /// The epoch's number inside the file.
    pub(crate) no: i64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Consecutive numbers of one epoch committed within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) epoch: Epoch,
    pub(crate) no: i64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) samples: u64,
    pub(crate) bytes: u64,
    /// The oldest source time in it.
    pub(crate) first_at: Timestamp,
    pub(crate) begun_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// A committed batch, or a span of them, as the catalog counts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) epoch: Epoch,
    pub(crate) no: i64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) samples: u64,
    pub(crate) bytes: u64,
    pub(crate) committed_at: Timestamp,
}

/// One day file.
#[derive(Debug, Clone)]
pub(crate) struct DayFile {
    /// The day, such as `2026-11-21`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Grows with each file that is begun; the highest was written last.
    pub(crate) opened: u64,
    /// Its day is over and its log is folded into it.
    pub(crate) sealed: bool,
    /// Its batches are chunks now, or that would gain nothing: there is nothing to compact.
    pub(crate) compacted: bool,
    /// Source times in it; `first_at > last_at` when it is empty.
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) batches: u64,
    pub(crate) samples: u64,
    pub(crate) bytes: u64,
    /// Octets it takes on the disk, at the last look.
    pub(crate) disk_bytes: u64,
    pub(crate) runs: Vec<Run>,
    /// Left empty for a file that was settled when the store was opened.
    pub(crate) segments: Vec<Segment>,
}

/// A batch to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) no: i64,
    pub(crate) position: Position,
}

impl DayFile {
    pub(crate) fn new(name: String, path: PathBuf, opened: u64) -> Self {
        Self {
            name,
            path,
            opened,
            sealed: false,
            compacted: false,
            first_at: Timestamp(i64::MAX),
            last_at: Timestamp(i64::MIN),
            batches: 0,
            samples: 0,
            bytes: 0,
            disk_bytes: 0,
            runs: Vec::new(),
            segments: Vec::new(),
        }
    }

    /// Counts what was committed.
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.first_at = self.first_at.min(entry.first_at);
        self.last_at = self.last_at.max(entry.last_at);
        self.batches += entry.last - entry.first + 1;
        self.samples += entry.samples;
        self.bytes += entry.bytes;
        match self.runs.iter_mut().find(|r| r.no == entry.no) {
            Some(run) => run.last = run.last.max(entry.last),
            None => self.runs.push(Run {
                epoch: entry.epoch,
                no: entry.no,
                first: entry.first,
                last: entry.last,
            }),
        }
        self.extend_segment(entry);
    }

    fn extend_segment(&mut self, entry: &Entry) {
        let hour = |t: Timestamp| t.0.div_euclid(HOUR);
        if let Some(last) = self.segments.last_mut()
            && last.no == entry.no
            && last.last + 1 == entry.first
            && hour(last.begun_at) == hour(entry.committed_at)
        {
            last.last = entry.last;
            last.samples += entry.samples;
            last.bytes += entry.bytes;
            last.first_at = last.first_at.min(entry.first_at);
            last.ended_at = last.ended_at.max(entry.committed_at);
            return;
        }
        self.segments.push(Segment {
            epoch: entry.epoch,
            no: entry.no,
            first: entry.first,
            last: entry.last,
            samples: entry.samples,
            bytes: entry.bytes,
            first_at: entry.first_at,
            begun_at: entry.committed_at,
            ended_at: entry.committed_at,
        });
    }

    /// True when nothing in it waits for the cloud.
    pub(crate) fn is_settled(&self, marks: &Marks) -> bool {
        self.runs
            .iter()
            .all(|r| marks.covers((r.epoch, Stream::Data), r.first, r.last))
    }

    /// Samples in it that wait for the cloud; within an hour an even spread is assumed.
    pub(crate) fn unsettled_samples(&self, marks: &Marks) -> u64 {
        self.segments
            .iter()
            .map(|s| s.share(s.samples, s.missing(marks)))
            .sum()
    }
}

impl Segment {
    fn missing(&self, marks: &Marks) -> u64 {
        marks.missing((self.epoch, Stream::Data), self.first, self.last)
    }

    /// The part of a sum that falls to `n` of the segment's batches, rounded up.
    fn share(&self, sum: u64, n: u64) -> u64 {
        let all = u128::from(self.last - self.first + 1);
        let part = (u128::from(sum) * u128::from(n)).div_ceil(all);
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// When a batch of the segment was committed, by even pace.
    fn committed_at(&self, seq: u64) -> Timestamp {
        let span = self.ended_at.since(self.begun_at).max(0);
        let steps = i64::try_from(self.last - self.first)
            .unwrap_or(i64::MAX)
            .max(1);
        let step = i64::try_from(seq - self.first).unwrap_or(0);
        let offset = i128::from(span) * i128::from(step) / i128::from(steps);
        Timestamp(self.begun_at.0 + i64::try_from(offset).unwrap_or(0))
    }
}

/// The oldest batch that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oldest {
    pub(crate) position: Position,
    /// When it was committed, by even pace within its hour.
    pub(crate) about: Timestamp,
}

/// All day files, in the order they were begun.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    files: Vec<DayFile>,
}

impl Catalog {
    pub(crate) fn new(mut files: Vec<DayFile>) -> Self {
        files.sort_by_key(|f| f.opened);
        Self { files }
    }

    pub(crate) fn files(&self) -> &[DayFile] {
        &self.files
    }

    pub(crate) fn get(&self, name: &str) -> Option<&DayFile> {
        self.files.iter().find(|f| f.name == name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut DayFile> {
        self.files.iter_mut().find(|f| f.name == name)
    }

    /// Number of the next file that is begun.
    pub(crate) fn next_opened(&self) -> u64 {
        self.files.iter().map(|f| f.opened).max().unwrap_or(0) + 1
    }

    /// Adds a file, or moves it to the end when it is written again.
    pub(crate) fn begin(&mut self, name: &str, path: PathBuf) -> u64 {
        let opened = self.next_opened();
        match self.get_mut(name) {
            Some(file) => {
                (file.opened, file.sealed, file.compacted) = (opened, false, false);
            }
            None => self.files.push(DayFile::new(name.to_owned(), path, opened)),
        }
        self.files.sort_by_key(|f| f.opened);
        opened
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<DayFile> {
        let i = self.files.iter().position(|f| f.name == name)?;
        Some(self.files.remove(i))
    }

    /// Files that hold source times of `[from, to)`.
    pub(crate) fn overlapping(&self, from: Timestamp, to: Timestamp) -> Vec<DayFile> {
        let holds = |f: &&DayFile| f.last_at >= from && f.first_at < to;
        let bare = |f: &DayFile| DayFile {
            name: f.name.clone(),
            path: f.path.clone(),
            runs: Vec::new(),
            segments: Vec::new(),
            ..*f
        };
        self.files.iter().filter(holds).map(bare).collect()
    }

    /// The last number of an epoch; 0 when no file has it.
    pub(crate) fn last(&self, epoch: Epoch) -> u64 {
        let runs = self.files.iter().flat_map(|f| &f.runs);
        runs.filter(|r| r.epoch == epoch)
            .map(|r| r.last)
            .max()
            .unwrap_or(0)
    }

    /// Number of files, octets of the frames in them.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (
            self.files.len() as u64,
            self.files.iter().map(|f| f.bytes).sum(),
        )
    }

    /// Where numbers of one epoch above `after` lie, ascending, at most `max`. A clock that steps
    /// over midnight and back leaves numbers of one file between those of another, so only the
    /// segments tell which file has a number. What was settled at opening has none.
    pub(crate) fn after(&self, after: Position, max: usize) -> Vec<Place> {
        let segments = self
            .files
            .iter()
            .flat_map(|f| f.segments.iter().map(move |s| (f, s)));
        let mut segments: Vec<_> = segments
            .filter(|(_, s)| s.epoch == after.epoch && s.last > after.seq)
            .collect();
        segments.sort_by_key(|(_, s)| s.first);
        let epoch = after.epoch;
        let places = segments.into_iter().flat_map(|(f, s)| {
            let numbers = s.first.max(after.seq + 1)..=s.last;
            numbers.map(move |seq| f.place(s.no, Position { epoch, seq }))
        });
        places.take(max).collect()
    }

    /// What is not settled: newest hour first, ascending inside the hour.
    pub(crate) fn unsettled(
        &self,
        marks: &Marks,
        in_flight: &HashSet<Position>,
        below: Position,
        max: usize,
    ) -> Vec<Place> {
        let mut found = Vec::new();
        let segments = self
            .files
            .iter()
            .rev()
            .flat_map(|f| f.segments.iter().rev().map(move |s| (f, s)));
        for (file, segment) in segments {
            let epoch = segment.epoch;
            let last = if epoch == below.epoch {
                segment.last.min(below.seq.saturating_sub(1))
            } else {
                segment.last
            };
            let Some(settled) = marks.of((epoch, Stream::Data)) else {
                continue;
            };
            let waiting = settled
                .gaps(segment.first, last)
                .flat_map(|(a, b)| a..=b)
                .map(|seq| Position { epoch, seq })
                .filter(|p| !in_flight.contains(p))
                .map(|p| file.place(segment.no, p));
            found.extend(waiting.take(max - found.len()));
            if found.len() >= max {
                break;
            }
        }
        found
    }

    /// How many batches wait, their octets, and the oldest of them.
    pub(crate) fn occupancy(&self, marks: &Marks) -> (Occupancy, Option<Oldest>) {
        let mut sum = Occupancy::default();
        let mut oldest: Option<Oldest> = None;
        for segment in self.files.iter().flat_map(|f| &f.segments) {
            let missing = segment.missing(marks);
            if missing == 0 {
                continue;
            }
            sum.batches += missing;
            sum.bytes += segment.share(segment.bytes, missing);
            if oldest.is_none_or(|o| segment.begun_at < o.about)
                && let Some(settled) = marks.of((segment.epoch, Stream::Data))
                && let Some((seq, _)) = settled.gaps(segment.first, segment.last).next()
            {
                let position = Position {
                    epoch: segment.epoch,
                    seq,
                };
                let about = segment.committed_at(seq);
                if oldest.is_none_or(|o| about < o.about) {
                    oldest = Some(Oldest { position, about });
                }
            }
        }
        (sum, oldest)
    }
}

impl DayFile {
    fn place(&self, no: i64, position: Position) -> Place {
        Place {
            name: self.name.clone(),
            path: self.path.clone(),
            no,
            position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Epoch {
        Epoch(uuid::Uuid::from_u128(1))
    }

    fn entry(seq: u64, hour: i64) -> Entry {
        let at = Timestamp(hour * HOUR + i64::try_from(seq).unwrap());
        Entry {
            epoch: epoch(),
            no: 1,
            first: seq,
            last: seq,
            first_at: at,
            last_at: at,
            samples: 10,
            bytes: 100,
            committed_at: at,
        }
    }

    fn catalog() -> (Catalog, Marks) {
        let mut catalog = Catalog::default();
        catalog.begin("d1", "d1.db".into());
        for (seq, hour) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
            catalog.get_mut("d1").unwrap().add(&entry(seq, hour));
        }
        catalog.begin("d2", "d2.db".into());
        for (seq, hour) in [(5, 2), (6, 2), (7, 2)] {
            catalog.get_mut("d2").unwrap().add(&entry(seq, hour));
        }
        let mut marks = Marks::default();
        marks.begin((epoch(), Stream::Data));
        (catalog, marks)
    }

    fn seqs(places: &[Place]) -> Vec<u64> {
        places.iter().map(|p| p.position.seq).collect()
    }

    #[test]
    fn the_newest_hour_is_claimed_first_and_ascending() {
        let (catalog, mut marks) = catalog();
        let at = |seq| Position {
            epoch: epoch(),
            seq,
        };
        let none = HashSet::new();
        let all = catalog.unsettled(&marks, &none, at(99), 99);
        assert_eq!(seqs(&all), [5, 6, 7, 3, 4, 1, 2]);
        marks.settle((epoch(), Stream::Data), 6, 6);
        let flying = HashSet::from([at(3)]);
        assert_eq!(
            seqs(&catalog.unsettled(&marks, &flying, at(7), 3)),
            [5, 4, 1]
        );
        assert_eq!(seqs(&catalog.after(at(4), 2)), [5, 6]);
    }

    #[test]
    fn a_number_is_looked_for_in_the_file_that_has_it_though_the_clock_went_back() {
        let (mut catalog, marks) = catalog();
        // As if the clock had been set back to the day of d1, and on again.
        catalog.begin("d1", "d1.db".into());
        catalog.get_mut("d1").unwrap().add(&entry(8, 1));
        catalog.begin("d2", "d2.db".into());
        catalog.get_mut("d2").unwrap().add(&entry(9, 2));
        let epoch = epoch();
        let found = catalog.after(Position { epoch, seq: 3 }, 99);
        let files: Vec<_> = found.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(seqs(&found), [4, 5, 6, 7, 8, 9]);
        assert_eq!(files, ["d1", "d2", "d2", "d2", "d1", "d2"]);
        let below = Position { epoch, seq: 99 };
        let waiting = catalog.unsettled(&marks, &HashSet::new(), below, 99);
        assert_eq!(waiting.len(), 9);
    }

    #[test]
    fn occupancy_counts_what_is_not_settled() {
        let (catalog, mut marks) = catalog();
        marks.settle((epoch(), Stream::Data), 1, 3);
        let (sum, oldest) = catalog.occupancy(&marks);
        assert_eq!((sum.batches, sum.bytes), (4, 400));
        assert_eq!(oldest.unwrap().position.seq, 4);
        assert!(!catalog.get("d1").unwrap().is_settled(&marks));
        assert_eq!(catalog.get("d1").unwrap().unsettled_samples(&marks), 10);
        marks.settle((epoch(), Stream::Data), 4, 4);
        assert!(catalog.get("d1").unwrap().is_settled(&marks));
    }
}
