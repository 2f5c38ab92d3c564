//! Columns back to samples: all of them, or one point's without decoding the others.

use super::parts::{Marks, Shared, Slots};
use super::tagged;
use crate::WireError;
use crate::float::Form;
use crate::limits::{MAX_BODY, MAX_SAMPLES};
use crate::plane::{Based, Column};
use crate::varint::{Cursor, unzigzag};
use riser_model::{Quality, Sample, Slot, Timestamp, Value};

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
                tagged::skip(cursor)?;
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
                Values::Tagged(cursor) => tagged::take(cursor)?,
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
