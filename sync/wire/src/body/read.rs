//! Columns back to samples: all of them, or one point's without decoding the others.

use super::tag;
use crate::WireError;
use crate::float::Form;
use crate::limits::{MAX_BODY, MAX_SAMPLES};
use crate::plane::{Based, Column};
use crate::varint::{Cursor, unzigzag};
use riser_model::quality::Level;
use riser_model::{Quality, Reason, Sample, Slot, Timestamp, Value};

/// What a reader does with each sample.
type Visit<'v> = dyn FnMut(Timestamp, Option<&Value>, Quality) + 'v;

/// Every sample of a body, series by series, each series in order of time.
pub(crate) fn decode(
    base: Timestamp,
    body: &[u8],
    stated: usize,
) -> Result<Vec<Sample>, WireError> {
    let mut cursor = Cursor::new(body, "body");
    let shared = Shared::read(&mut cursor, base)?;
    let mut samples = Vec::with_capacity(stated.min(MAX_SAMPLES));
    for _ in 0..cursor.count("number of blocks", MAX_SAMPLES)? {
        let mut head = Head::read(&mut cursor)?;
        if samples.len() + head.total > stated {
            return Err(WireError::Malformed(
                "the body holds more samples than the header says",
            ));
        }
        let slots = Slots::read(&mut head.cursor, head.series)?;
        let mut block = Block::read(&head)?;
        for (index, slot) in slots.iter().enumerate() {
            block.series(index, &shared, &mut |at, value, quality| {
                samples.push(Sample {
                    slot,
                    at,
                    value: value.cloned(),
                    quality,
                });
            })?;
        }
    }
    if !cursor.is_empty() {
        return Err(WireError::Malformed(
            "octets follow the last block of the body",
        ));
    }
    if samples.len() != stated {
        return Err(WireError::Malformed(
            "the body holds fewer samples than the header says",
        ));
    }
    Ok(samples)
}

/// One point's samples in order of time.
pub(crate) fn read_point(
    base: Timestamp,
    body: &[u8],
    slot: Slot,
    visit: &mut Visit<'_>,
) -> Result<(), WireError> {
    let mut cursor = Cursor::new(body, "body");
    let shared = Shared::read(&mut cursor, base)?;
    for _ in 0..cursor.count("number of blocks", MAX_SAMPLES)? {
        let mut head = Head::read(&mut cursor)?;
        let slots = Slots::read(&mut head.cursor, head.series)?;
        if let Some(index) = slots.position(slot) {
            let mut block = Block::read(&head)?;
            block.skip_to(index)?;
            return block.series(index, &shared, visit);
        }
    }
    Ok(())
}

/// What blocks refer to.
struct Shared {
    times: Vec<Timestamp>,
    /// All lists one after another, and where each begins and ends.
    steps: Vec<u32>,
    lists: Vec<std::ops::Range<usize>>,
}

impl Shared {
    fn read(cursor: &mut Cursor<'_>, base: Timestamp) -> Result<Self, WireError> {
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
    fn time(&self, when: u64, samples: usize, n: usize) -> Result<Timestamp, WireError> {
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

/// The beginning of a block; `cursor` covers the rest of it.
struct Head<'a> {
    form: Form,
    series: usize,
    samples: usize,
    total: usize,
    cursor: Cursor<'a>,
}

impl<'a> Head<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let code = cursor.octet()?;
        let form = Form::from_code(code).ok_or(WireError::Unknown {
            what: "form of a block",
            code: i64::from(code),
        })?;
        let series = cursor.count("number of series", MAX_SAMPLES)?;
        let samples = cursor.count("length of a series", MAX_SAMPLES)?;
        let total = series * samples;
        WireError::check("number of samples", total, MAX_SAMPLES)?;
        if total == 0 {
            return Err(WireError::Malformed("a block is empty"));
        }
        let octets = cursor.count("length of a block", MAX_BODY)?;
        let cursor = Cursor::new(cursor.take(octets)?, "block");
        Ok(Self {
            form,
            series,
            samples,
            total,
            cursor,
        })
    }
}

/// The slots of a block as runs.
struct Slots {
    runs: Vec<(u32, u32)>,
}

impl Slots {
    fn read(cursor: &mut Cursor<'_>, series: usize) -> Result<Self, WireError> {
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

    fn iter(&self) -> impl Iterator<Item = Slot> {
        self.runs
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .map(Slot)
    }

    fn position(&self, slot: Slot) -> Option<usize> {
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

/// A block after its slots. Series are read in order; [`Block::skip_to`] jumps ahead.
struct Block<'a> {
    form: Form,
    samples: usize,
    when: Column<'a>,
    marks: Marks<'a>,
    values: Values<'a>,
}

enum Values<'a> {
    Numeric {
        firsts: Based<'a>,
        steps: Column<'a>,
    },
    Tagged(Cursor<'a>),
}

impl<'a> Block<'a> {
    fn read(head: &Head<'a>) -> Result<Self, WireError> {
        let Head {
            form,
            series,
            samples,
            total,
            mut cursor,
        } = *head;
        let when = Column::read(&mut cursor, series)?;
        let marks = Marks::new(cursor);
        Marks::skim(&mut cursor, total)?;
        let values = if form == Form::Tagged {
            Values::Tagged(cursor)
        } else {
            let firsts = Based::read(&mut cursor, series)?;
            let steps = Column::read(&mut cursor, total - series)?;
            Values::Numeric { firsts, steps }
        };
        Ok(Self {
            form,
            samples,
            when,
            marks,
            values,
        })
    }

    /// Passes over the series before `index`.
    fn skip_to(&mut self, index: usize) -> Result<(), WireError> {
        let before = index * self.samples;
        self.marks.skip(before as u64)?;
        if let Values::Tagged(cursor) = &mut self.values {
            for _ in 0..before {
                skip_tagged(cursor)?;
            }
        }
        Ok(())
    }

    /// Shows the samples of the series at `index`, which must be the next one.
    fn series(
        &mut self,
        index: usize,
        shared: &Shared,
        visit: &mut Visit<'_>,
    ) -> Result<(), WireError> {
        let when = self.when.get(index);
        let mut integer = 0;
        for n in 0..self.samples {
            let at = shared.time(when, self.samples, n)?;
            let (present, quality) = self.marks.next()?;
            let value = match &mut self.values {
                Values::Tagged(cursor) => take_tagged(cursor)?,
                Values::Numeric { firsts, steps } => {
                    integer = match n {
                        0 => firsts.get(index),
                        _ => {
                            let step = steps.get(index * (self.samples - 1) + n - 1);
                            follow(self.form, integer, step)
                        }
                    };
                    present.then(|| numeric(self.form, integer))
                }
            };
            if present != value.is_some() {
                return Err(WireError::Malformed(
                    "a value is there that is marked as absent",
                ));
            }
            visit(at, value.as_ref(), quality);
        }
        Ok(())
    }
}

fn follow(form: Form, integer: i64, step: u64) -> i64 {
    if form.is_bits() {
        integer ^ step.cast_signed()
    } else {
        integer.wrapping_add(unzigzag(step))
    }
}

fn numeric(form: Form, integer: i64) -> Value {
    match form {
        Form::Bool => Value::Bool(integer != 0),
        Form::Int => Value::Int(integer),
        _ => Value::Float(form.real(integer)),
    }
}

/// Quality and presence, sample by sample.
struct Marks<'a> {
    cursor: Cursor<'a>,
    left: u64,
    present: bool,
    quality: Quality,
}

impl<'a> Marks<'a> {
    fn new(cursor: Cursor<'a>) -> Self {
        Self {
            cursor,
            left: 0,
            present: false,
            quality: Quality::GOOD,
        }
    }

    /// Moves `cursor` behind the marks of `total` samples.
    fn skim(cursor: &mut Cursor<'_>, total: usize) -> Result<(), WireError> {
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

    fn next(&mut self) -> Result<(bool, Quality), WireError> {
        if self.left == 0 {
            self.load()?;
        }
        self.left -= 1;
        Ok((self.present, self.quality))
    }

    fn skip(&mut self, mut samples: u64) -> Result<(), WireError> {
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

fn take_tagged(cursor: &mut Cursor<'_>) -> Result<Option<Value>, WireError> {
    Ok(Some(match cursor.octet()? {
        tag::NONE => return Ok(None),
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::INT => Value::Int(cursor.signed()?),
        tag::FLOAT => {
            let bits = cursor.take(8)?.try_into().unwrap_or_default();
            Value::Float(f64::from_bits(u64::from_le_bytes(bits)))
        }
        tag::TEXT => {
            let len = cursor.count("length of a text", MAX_BODY)?;
            let text = std::str::from_utf8(cursor.take(len)?)
                .map_err(|_| WireError::Malformed("a text is not UTF-8"))?;
            Value::Text(text.into())
        }
        code => {
            return Err(WireError::Unknown {
                what: "value tag",
                code: i64::from(code),
            });
        }
    }))
}

fn skip_tagged(cursor: &mut Cursor<'_>) -> Result<(), WireError> {
    match cursor.octet()? {
        tag::NONE | tag::FALSE | tag::TRUE => {}
        tag::INT => {
            cursor.unsigned()?;
        }
        tag::FLOAT => {
            cursor.take(8)?;
        }
        tag::TEXT => {
            let len = cursor.count("length of a text", MAX_BODY)?;
            cursor.take(len)?;
        }
        code => {
            return Err(WireError::Unknown {
                what: "value tag",
                code: i64::from(code),
            });
        }
    }
    Ok(())
}
