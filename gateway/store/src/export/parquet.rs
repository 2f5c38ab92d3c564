//! Rows as Apache Parquet: one page a column and row group, plain, zstd. Owns the format, as far as
//! this shape needs it (github.com/apache/parquet-format: README, `parquet.thrift`, Encodings.md).
//!
//! Columns: `point` text; `time` milliseconds in UTC; `value` the number (true is 1), null where it
//! is text or unknown; `integer` exact, where the value is whole; `text`; `quality`; `reason`, null
//! for good.

use super::{Row, Rows, csv};
use riser_model::Value;
use std::io::{self, Write};
use zstd::bulk::Compressor;

const MAGIC: &[u8; 4] = b"PAR1";
/// Rows of one group: bounds the memory.
const GROUP: usize = 65_536;

/// Physical types.
const INT64: i64 = 2;
const DOUBLE: i64 = 5;
const BYTES: i64 = 6;
/// Converted types.
const UTF8: i64 = 0;
const MILLIS: i64 = 9;
/// Codec and encodings.
const ZSTD: i64 = 6;
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// One column: name, physical type, converted type, whether it may be null.
const COLUMNS: [(&str, i64, Option<i64>, bool); 7] = [
    ("point", BYTES, Some(UTF8), false),
    ("time", INT64, Some(MILLIS), false),
    ("value", DOUBLE, None, true),
    ("integer", INT64, None, true),
    ("text", BYTES, Some(UTF8), true),
    ("quality", BYTES, Some(UTF8), false),
    ("reason", BYTES, Some(UTF8), true),
];

#[derive(Default)]
struct Column {
    present: Vec<bool>,
    octets: Vec<u8>,
}

impl Column {
    fn put(&mut self, octets: Option<&[u8]>) {
        self.present.push(octets.is_some());
        self.octets.extend_from_slice(octets.unwrap_or_default());
    }

    fn put_text(&mut self, text: Option<&str>) {
        self.present.push(text.is_some());
        if let Some(text) = text {
            let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
            self.octets.extend_from_slice(&len.to_le_bytes());
            self.octets.extend_from_slice(text.as_bytes());
        }
    }

    /// The page before compression: which values are there, as one bit-packed run, then the values.
    fn page(&self, nullable: bool) -> Vec<u8> {
        let mut page = Vec::new();
        if nullable {
            let mut levels = Vec::new();
            crate::octets::put(
                &mut levels,
                (self.present.len().div_ceil(8) as u64) << 1 | 1,
            );
            for eight in self.present.chunks(8) {
                let bits = eight.iter().enumerate();
                levels.push(bits.fold(0, |b, (i, there)| b | u8::from(*there) << i));
            }
            let len = u32::try_from(levels.len()).unwrap_or(u32::MAX);
            page.extend_from_slice(&len.to_le_bytes());
            page.extend_from_slice(&levels);
        }
        page.extend_from_slice(&self.octets);
        page
    }
}

/// Where a column of a group lies.
struct Placed {
    offset: usize,
    packed: usize,
    plain: usize,
}

/// A Parquet file being written.
pub(super) struct Parquet<'a> {
    out: &'a mut dyn Write,
    at: usize,
    zip: Compressor<'static>,
    columns: [Column; 7],
    groups: Vec<(usize, Vec<Placed>)>,
}

impl<'a> Parquet<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> io::Result<Self> {
        Ok(Self {
            out,
            at: 0,
            zip: Compressor::new(3)?,
            columns: Default::default(),
            groups: Vec::new(),
        })
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.at += octets.len();
        self.out.write_all(octets)
    }

    fn group(&mut self) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        let rows = columns[0].present.len();
        if rows == 0 {
            return Ok(());
        }
        if self.at == 0 {
            self.write(MAGIC)?;
        }
        let mut placed = Vec::new();
        for (column, shape) in columns.iter().zip(COLUMNS) {
            let page = column.page(shape.3);
            let packed = self.zip.compress(&page)?;
            let mut head = Thrift::default();
            head.number(1, I32, 0);
            head.number(2, I32, len(page.len()));
            head.number(3, I32, len(packed.len()));
            head.open(5);
            head.number(1, I32, len(rows));
            head.number(2, I32, PLAIN);
            head.number(3, I32, RLE);
            head.number(4, I32, RLE);
            head.close();
            head.close();
            placed.push(Placed {
                offset: self.at,
                packed: head.out.len() + packed.len(),
                plain: head.out.len() + page.len(),
            });
            self.write(&head.out)?;
            self.write(&packed)?;
        }
        self.groups.push((rows, placed));
        Ok(())
    }

    fn foot(&self) -> Vec<u8> {
        let mut t = Thrift::default();
        t.number(1, I32, 1);
        t.list(2, STRUCT, COLUMNS.len() + 1);
        t.begin();
        t.text(4, "samples");
        t.number(5, I32, len(COLUMNS.len()));
        t.close();
        for (name, kind, converted, nullable) in COLUMNS {
            t.begin();
            t.number(1, I32, kind);
            t.number(3, I32, i64::from(nullable));
            t.text(4, name);
            if let Some(converted) = converted {
                t.number(6, I32, converted);
            }
            t.close();
        }
        let rows: usize = self.groups.iter().map(|g| g.0).sum();
        t.number(3, I64, len(rows));
        t.list(4, STRUCT, self.groups.len());
        for (rows, placed) in &self.groups {
            group_foot(&mut t, *rows, placed);
        }
        t.text(6, "Riser");
        t.close();
        t.out
    }
}

fn group_foot(t: &mut Thrift, rows: usize, placed: &[Placed]) {
    t.begin();
    t.list(1, STRUCT, placed.len());
    for (place, (name, kind, _, _)) in placed.iter().zip(COLUMNS) {
        t.begin();
        t.number(2, I64, len(place.offset));
        t.open(3);
        t.number(1, I32, kind);
        t.list(2, I32, 2);
        t.item(PLAIN);
        t.item(RLE);
        t.list(3, BINARY, 1);
        t.item_text(name);
        t.number(4, I32, ZSTD);
        t.number(5, I64, len(rows));
        t.number(6, I64, len(place.plain));
        t.number(7, I64, len(place.packed));
        t.number(9, I64, len(place.offset));
        t.close();
        t.close();
    }
    t.number(2, I64, placed.iter().map(|p| len(p.plain)).sum());
    t.number(3, I64, len(rows));
    t.close();
}

impl Rows for Parquet<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let (level, reason) = csv::quality(row);
        let number = row.value.as_ref().and_then(Value::as_f64);
        let (integer, text) = match &row.value {
            Some(Value::Int(n)) => (Some(n.to_le_bytes()), None),
            Some(Value::Text(text)) => (None, Some(&**text)),
            _ => (None, None),
        };
        let [point, time, value, whole, words, quality, why] = &mut self.columns;
        point.put_text(Some(row.point));
        time.put(Some(&row.at.0.to_le_bytes()));
        value.put(number.map(f64::to_le_bytes).as_ref().map(|b| b.as_slice()));
        whole.put(integer.as_ref().map(|b| b.as_slice()));
        words.put_text(text);
        quality.put_text(Some(level));
        why.put_text((!reason.is_empty()).then_some(reason.as_str()));
        if self.columns[0].present.len() >= GROUP {
            self.group()?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.group()?;
        if self.at == 0 {
            self.write(MAGIC)?;
        }
        let foot = self.foot();
        self.write(&foot)?;
        let length = u32::try_from(foot.len()).map_err(io::Error::other)?;
        self.write(&length.to_le_bytes())?;
        self.write(MAGIC)?;
        self.out.flush()
    }
}

fn len(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Types of the compact protocol.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Thrift's compact protocol, written.
#[derive(Default)]
struct Thrift {
    out: Vec<u8>,
    /// Last field of each structure around the one being written.
    open: Vec<u8>,
    last: u8,
}

impl Thrift {
    fn field(&mut self, id: u8, kind: u8) {
        self.out.push((id - self.last) << 4 | kind);
        self.last = id;
    }

    fn number(&mut self, id: u8, kind: u8, n: i64) {
        self.field(id, kind);
        crate::octets::put(&mut self.out, crate::octets::zigzag(n));
    }

    fn text(&mut self, id: u8, text: &str) {
        self.field(id, BINARY);
        self.item_text(text);
    }

    fn item(&mut self, n: i64) {
        crate::octets::put(&mut self.out, crate::octets::zigzag(n));
    }

    fn item_text(&mut self, text: &str) {
        crate::octets::put_block(&mut self.out, text.as_bytes());
    }

    /// Begins a structure in a field.
    fn open(&mut self, id: u8) {
        self.field(id, STRUCT);
        self.begin();
    }

    /// Begins a structure in a list.
    fn begin(&mut self) {
        self.open.push(self.last);
        self.last = 0;
    }

    /// Ends a structure.
    fn close(&mut self) {
        self.out.push(0);
        self.last = self.open.pop().unwrap_or(0);
    }

    fn list(&mut self, id: u8, kind: u8, n: usize) {
        self.field(id, LIST);
        match u8::try_from(n) {
            Ok(n) if n < 15 => self.out.push(n << 4 | kind),
            _ => {
                self.out.push(0xf0 | kind);
                crate::octets::put(&mut self.out, n as u64);
            }
        }
    }
}
