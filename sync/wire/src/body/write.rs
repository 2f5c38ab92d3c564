//! Scans to columns. Works in two passes: sort the readings by point and time, then put each
//! point's run of readings into the block of its form and length.

use super::tagged;
use crate::float::{Chooser, Form};
use crate::plane::{put_based, put_column};
use crate::varint::{put, put_len, put_signed, zigzag};
use riser_model::{Reading, ScanBatch, Timestamp, Value};
use std::collections::BTreeMap;

/// A finished body.
pub(crate) struct Written {
    /// The octets, not yet compressed.
    pub(crate) octets: Vec<u8>,
    /// Readings in it.
    pub(crate) samples: u32,
}

/// One reading with its sort key.
struct Entry<'a> {
    slot: u32,
    time: u32,
    reading: &'a Reading,
}

/// Columns `scans`, relative to `base`.
pub(crate) fn write(base: Timestamp, scans: &[ScanBatch]) -> Written {
    let mut order: Vec<&ScanBatch> = scans.iter().collect();
    order.sort_by_key(|scan| scan.at);
    let mut entries = Vec::with_capacity(order.iter().map(|s| s.readings.len()).sum());
    for (time, scan) in (0_u32..).zip(&order) {
        entries.extend(scan.readings.iter().map(|reading| Entry {
            slot: reading.slot.0,
            time,
            reading,
        }));
    }
    entries.sort_by_key(|e| (e.slot, e.time));

    let mut lists = Lists::default();
    let mut blocks: BTreeMap<(Form, usize), Block> = BTreeMap::new();
    let mut chooser = Chooser::default();
    let mut integers = Vec::new();
    for series in entries.chunk_by(|a, b| a.slot == b.slot) {
        let form = form(series, &mut chooser, &mut integers);
        let when = lists.number(series);
        blocks
            .entry((form, series.len()))
            .or_default()
            .add(series, form, when, &integers);
    }

    let mut octets = Vec::with_capacity(64 + entries.len() * 8);
    put_times(&mut octets, base, &order);
    lists.put(&mut octets);
    put_len(&mut octets, blocks.len());
    let mut scratch = Scratch::default();
    for ((form, samples), block) in &blocks {
        block.put(&mut octets, *form, *samples, &mut scratch);
    }
    Written {
        octets,
        samples: u32::try_from(entries.len()).unwrap_or(u32::MAX),
    }
}

fn put_times(out: &mut Vec<u8>, base: Timestamp, order: &[&ScanBatch]) {
    put_len(out, order.len());
    let mut last = base.0;
    let mut step = 0_i64;
    for (index, scan) in order.iter().enumerate() {
        let now = scan.at.0.wrapping_sub(last);
        put_signed(out, now.wrapping_sub(step));
        step = if index == 0 { 0 } else { now };
        last = scan.at.0;
    }
}

/// Lists of times shared by series of more than one sample.
#[derive(Default)]
struct Lists {
    numbers: BTreeMap<Vec<u32>, u32>,
    order: Vec<Vec<u32>>,
    scratch: Vec<u32>,
}

impl Lists {
    /// The time index of a single sample, or the number of the list of several.
    fn number(&mut self, series: &[Entry<'_>]) -> u32 {
        if let [only] = series {
            return only.time;
        }
        self.scratch.clear();
        self.scratch.extend(series.iter().map(|e| e.time));
        if let Some(number) = self.numbers.get(&self.scratch) {
            return *number;
        }
        let number = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        self.numbers.insert(self.scratch.clone(), number);
        self.order.push(self.scratch.clone());
        number
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_len(out, self.order.len());
        for list in &self.order {
            put_len(out, list.len());
            let mut last = 0;
            for time in list {
                put(out, u64::from(time - last));
                last = *time;
            }
        }
    }
}

/// The form of a series. For numeric forms `integers` holds one integer per sample afterwards;
/// an absent value repeats the one before it.
fn form(series: &[Entry<'_>], chooser: &mut Chooser, integers: &mut Vec<i64>) -> Form {
    integers.clear();
    let mut kinds = series.iter().filter_map(|e| e.reading.value.as_ref());
    let Some(first) = kinds.next() else {
        integers.resize(series.len(), 0);
        return Form::Int;
    };
    if kinds.any(|v| std::mem::discriminant(v) != std::mem::discriminant(first)) {
        return Form::Tagged;
    }
    let form = match first {
        Value::Text(_) => return Form::Tagged,
        Value::Bool(_) => Form::Bool,
        Value::Int(_) => Form::Int,
        Value::Float(_) => {
            let reals = series.iter().filter_map(|e| match e.reading.value {
                Some(Value::Float(real)) => Some(real),
                _ => None,
            });
            chooser.choose(&reals, integers)
        }
    };
    if form == Form::Bool || form == Form::Int {
        integers.extend(series.iter().filter_map(|e| match e.reading.value {
            Some(Value::Bool(on)) => Some(i64::from(on)),
            Some(Value::Int(integer)) => Some(integer),
            _ => None,
        }));
    }
    spread(series, integers);
    form
}

/// Moves the integers of present values to their places and fills the gaps with the value before.
fn spread(series: &[Entry<'_>], integers: &mut Vec<i64>) {
    if integers.len() == series.len() {
        return;
    }
    let mut present = std::mem::take(integers).into_iter();
    let mut last = None;
    for entry in series {
        if entry.reading.value.is_some() {
            last = present.next();
        }
        integers.push(last.unwrap_or(0));
    }
}

/// Series of the same form and length.
#[derive(Default)]
struct Block {
    slots: Vec<u32>,
    when: Vec<u64>,
    firsts: Vec<i64>,
    steps: Vec<u64>,
    marks: Marks,
    tagged: Vec<u8>,
}

impl Block {
    fn add(&mut self, series: &[Entry<'_>], form: Form, when: u32, integers: &[i64]) {
        self.slots.extend(series.first().map(|e| e.slot));
        self.when.push(u64::from(when));
        for entry in series {
            self.marks.add(entry.reading);
        }
        if form == Form::Tagged {
            for entry in series {
                tagged::put(&mut self.tagged, entry.reading.value.as_ref());
            }
            return;
        }
        self.firsts.extend(integers.first());
        self.steps
            .extend(integers.windows(2).map(|pair| match form.is_bits() {
                true => (pair[0] ^ pair[1]).cast_unsigned(),
                false => zigzag(pair[1].wrapping_sub(pair[0])),
            }));
    }

    fn put(&self, out: &mut Vec<u8>, form: Form, samples: usize, scratch: &mut Scratch) {
        let Scratch { block, column } = scratch;
        block.clear();
        put_slots(block, &self.slots);
        put_column(block, &self.when);
        self.marks.put(block);
        if form == Form::Tagged {
            block.extend_from_slice(&self.tagged);
        } else {
            put_based(block, &self.firsts, column);
            put_column(block, &self.steps);
        }
        out.push(form.code());
        put_len(out, self.slots.len());
        put_len(out, samples);
        put_len(out, block.len());
        out.extend_from_slice(block);
    }
}

#[derive(Default)]
struct Scratch {
    block: Vec<u8>,
    column: Vec<u64>,
}

fn put_slots(out: &mut Vec<u8>, slots: &[u32]) {
    let mut next = 0_u64;
    for run in slots.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        let first = run.first().copied().map_or(0, u64::from);
        put(out, first - next);
        put_len(out, run.len() - 1);
        next = first + run.len() as u64;
    }
}

/// Run-length coded quality and presence.
#[derive(Default)]
struct Marks {
    runs: Vec<(u8, bool, u64)>,
}

impl Marks {
    fn add(&mut self, reading: &Reading) {
        let (code, present) = (reading.quality.code(), reading.value.is_some());
        match self.runs.last_mut() {
            Some((c, p, run)) if *c == code && *p == present => *run += 1,
            _ => self.runs.push((code, present, 1)),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        for (code, present, run) in &self.runs {
            put(out, (run - 1) * 2 + u64::from(*present));
            out.push(*code);
        }
    }
}
