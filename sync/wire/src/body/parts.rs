//! The parts of a body that say which, when and how good, as against what: times, lists of times,
//! slots and marks.

use crate::WireError;
use crate::limits::MAX_SAMPLES;
use crate::varint::Cursor;
use riser_model::quality::Level;
use riser_model::{Quality, Reason, Slot, Timestamp};

/// What blocks refer to.
pub(super) struct Shared {
    times: Vec<Timestamp>,
    /// All lists one after another, and where each begins and ends.
    steps: Vec<u32>,
    lists: Vec<std::ops::Range<usize>>,
}

impl Shared {
    /// Reads it off the cursor.
    pub(super) fn read(cursor: &mut Cursor<'_>, base: Timestamp) -> Result<Self, WireError> {
        let count = cursor.count("number of scans", MAX_SAMPLES)?;
        let mut times = Vec::with_capacity(count.min(4_096));
        let (mut last, mut step) = (base.0, 0_i64);
        for index in 0..count {
            let now = step.wrapping_add(cursor.signed()?);
            last = last.wrapping_add(now);
            step = if index == 0 { 0 } else { now };
            times.push(Timestamp(last));
        }
        let mut shared = Self {
            times,
            steps: Vec::new(),
            lists: Vec::new(),
        };
        for _ in 0..cursor.count("number of time lists", MAX_SAMPLES)? {
            shared.read_list(cursor)?;
        }
        Ok(shared)
    }

    fn read_list(&mut self, cursor: &mut Cursor<'_>) -> Result<(), WireError> {
        let start = self.steps.len();
        let length = cursor.count("length of a time list", MAX_SAMPLES - start)?;
        let mut index = 0_u32;
        for _ in 0..length {
            index = index
                .checked_add(cursor.number()?)
                .filter(|i| (*i as usize) < self.times.len())
                .ok_or(WireError::Malformed(
                    "a time list names a scan that is not there",
                ))?;
            self.steps.push(index);
        }
        self.lists.push(start..self.steps.len());
        Ok(())
    }

    /// The time of sample `n` of a series with the given `when`.
    pub(super) fn time(&self, when: u64, samples: usize, n: usize) -> Result<Timestamp, WireError> {
        const MISSING: WireError = WireError::Malformed("a series names a time that is not there");
        let when = usize::try_from(when).map_err(|_| MISSING)?;
        let index = if samples == 1 {
            when
        } else {
            let list = self.lists.get(when).cloned().ok_or(MISSING)?;
            let steps = self.steps.get(list).ok_or(MISSING)?;
            if steps.len() != samples {
                return Err(WireError::Malformed(
                    "a time list is not as long as its series",
                ));
            }
            steps[n] as usize
        };
        self.times.get(index).copied().ok_or(MISSING)
    }
}

/// The slots of a block as runs.
pub(super) struct Slots {
    runs: Vec<(u32, u32)>,
}

impl Slots {
    /// Reads it off the cursor.
    pub(super) fn read(cursor: &mut Cursor<'_>, series: usize) -> Result<Self, WireError> {
        const OVER: WireError = WireError::Malformed("a block names more slots than it has series");
        let mut runs = Vec::new();
        let (mut next, mut left) = (0_u32, series);
        while left > 0 {
            let first = next.checked_add(cursor.number()?).ok_or(OVER)?;
            let more = cursor.number()?;
            let last = first.checked_add(more).ok_or(OVER)?;
            left = left.checked_sub(more as usize + 1).ok_or(OVER)?;
            runs.push((first, last));
            if left > 0 {
                next = last.checked_add(1).ok_or(OVER)?;
            }
        }
        Ok(Self { runs })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.runs
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .map(Slot)
    }

    pub(super) fn position(&self, slot: Slot) -> Option<usize> {
        let mut before = 0;
        for (first, last) in &self.runs {
            if (*first..=*last).contains(&slot.0) {
                return Some(before + (slot.0 - first) as usize);
            }
            before += (last - first) as usize + 1;
        }
        None
    }
}

/// Quality and presence, sample by sample.
pub(super) struct Marks<'a> {
    cursor: Cursor<'a>,
    left: u64,
    present: bool,
    quality: Quality,
}

impl<'a> Marks<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self {
            cursor,
            left: 0,
            present: false,
            quality: Quality::GOOD,
        }
    }

    /// Moves `cursor` behind the marks of `total` samples.
    pub(super) fn skim(cursor: &mut Cursor<'_>, total: usize) -> Result<(), WireError> {
        let mut left = total as u64;
        while left > 0 {
            let run = cursor.unsigned()? / 2 + 1;
            cursor.octet()?;
            left = left.checked_sub(run).ok_or(WireError::Malformed(
                "more samples are marked than there are",
            ))?;
        }
        Ok(())
    }

    fn load(&mut self) -> Result<(), WireError> {
        let word = self.cursor.unsigned()?;
        self.left = word / 2 + 1;
        self.present = word & 1 == 1;
        self.quality = quality(self.cursor.octet()?)?;
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<(bool, Quality), WireError> {
        if self.left == 0 {
            self.load()?;
        }
        self.left -= 1;
        Ok((self.present, self.quality))
    }

    pub(super) fn skip(&mut self, mut samples: u64) -> Result<(), WireError> {
        while samples > 0 {
            if self.left == 0 {
                self.load()?;
            }
            let step = samples.min(self.left);
            self.left -= step;
            samples -= step;
        }
        Ok(())
    }
}

/// A quality whose reason only a newer version knows keeps its level.
pub(crate) fn quality(code: u8) -> Result<Quality, WireError> {
    if let Some(known) = Quality::from_code(code) {
        return Ok(known);
    }
    let reason = (code & 0b0011_1111 != 0).then_some(Reason::Undecodable);
    let level = match code & 0b1100_0000 {
        64 => Level::Uncertain,
        128 => Level::Bad,
        _ => {
            return Err(WireError::Unknown {
                what: "quality",
                code: i64::from(code),
            });
        }
    };
    Ok(Quality { level, reason })
}
