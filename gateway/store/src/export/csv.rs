//! Rows as comma-separated values. Owns the columns and the form of times.

use super::{Row, Rows};
use crate::retention::day_name;
use riser_model::{Level, Timestamp, csv_value};
use std::io::{self, Write};

/// A CSV file being written.
pub(super) struct Csv<'a> {
    out: &'a mut dyn Write,
    begun: bool,
    /// The value being written.
    cell: String,
}

impl<'a> Csv<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            begun: false,
            cell: String::new(),
        }
    }

    fn head(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.out
                .write_all(b"point,at,time,value,quality,reason\r\n")?;
        }
        Ok(())
    }
}

impl Rows for Csv<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.head()?;
        let (level, reason) = quality(row);
        let (at, time) = (row.at.0, iso(row.at));
        self.cell.clear();
        csv_value(row.value.as_ref(), &mut self.cell);
        write!(
            self.out,
            "{},{at},{time},{},{level},{reason}\r\n",
            row.point, self.cell
        )
    }

    fn end(&mut self) -> io::Result<()> {
        self.head()?;
        self.out.flush()
    }
}

/// Level and reason in the words of the API.
pub(super) fn quality(row: &Row<'_>) -> (&'static str, String) {
    let level = match row.quality.level {
        Level::Good => "good",
        Level::Uncertain => "uncertain",
        Level::Bad => "bad",
    };
    let reason = row.quality.reason.map(serde_json::to_value);
    let reason = reason.and_then(|r| r.ok()?.as_str().map(str::to_owned));
    (level, reason.unwrap_or_default())
}

/// Such as `2026-11-21T12:00:00.000Z`.
fn iso(at: Timestamp) -> String {
    let ms = at.0.rem_euclid(Timestamp::DAY);
    let (h, m) = (ms / 3_600_000, ms / 60_000 % 60);
    let (s, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{}T{h:02}:{m:02}:{s:02}.{ms:03}Z", day_name(at))
}
