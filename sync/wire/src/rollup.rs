//! Rollups on the link: what a gateway sends of a stretch of time whose batches it cannot send yet.
//! Owns the frame of one; its rows are those of `cells`.
//!
//! ```text
//! rollup := envelope of "RR", a RollupHeader and rows
//! rows   := ( varint group, varint length, row of cells )*      groups ascending
//! ```
//!
//! A rollup has no number. It is named by its stretch: the same stretch sent again takes the place of
//! what was there, and batches are the truth wherever there are as many samples of them.

use crate::cells::{self, Cell, GROUP};
use crate::envelope::{seal, unseal};
use crate::from_proto::uuid;
use crate::limits::{MAX_POINTS, MAX_ROLLUP_PIECES};
use crate::varint::{Cursor, put, put_len};
use crate::{Epoch, WireError, proto};
use prost::Message;
use riser_model::trend::Part;
use riser_model::{Slot, Timestamp};
use zstd::bulk::Decompressor;

const MAGIC: [u8; 2] = *b"RR";
/// Most minutes a stretch may have; it is a whole part of an hour.
const MAX_MINUTES: u32 = 60;

/// Which stretch of time, and which piece of it: many points take several frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupHeader {
    /// The numbering in use: it says what the slots mean.
    pub epoch: Epoch,
    /// Version of the point directory the slots belong to.
    pub dictionary: u32,
    /// First minute of the stretch, since 1970; a whole multiple of `minutes`.
    pub minute: u32,
    /// How many: a whole part of an hour.
    pub minutes: u32,
    /// Which of the frames of the stretch, from 0.
    pub piece: u32,
    /// How many there are.
    pub pieces: u32,
}

impl RollupHeader {
    /// Where the stretch begins.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        Timestamp(i64::from(self.minute) * Timestamp::MINUTE)
    }

    /// Where it ends.
    #[must_use]
    pub fn to(&self) -> Timestamp {
        let length = i64::from(self.minutes) * Timestamp::MINUTE;
        Timestamp(self.from().0 + length)
    }

    /// A cell of it as a part of a trend.
    #[must_use]
    pub fn part(&self, cell: &Cell) -> Part {
        Part {
            at: self.from(),
            min: cell.min,
            max: cell.max,
            sum: cell.sum,
            last: cell.last,
            last_at: Timestamp(self.from().0 + i64::from(cell.last_at)),
            count: cell.count,
            bad: cell.bad,
        }
    }

    fn check(&self) -> Result<(), WireError> {
        let whole = (1..=MAX_MINUTES).contains(&self.minutes)
            && MAX_MINUTES.is_multiple_of(self.minutes)
            && self.minute.is_multiple_of(self.minutes);
        if !whole {
            return Err(WireError::Malformed(
                "a rollup is not over a whole part of an hour",
            ));
        }
        if self.piece >= self.pieces || self.pieces > MAX_ROLLUP_PIECES {
            return Err(WireError::Malformed(
                "a rollup is a piece of none, or of too many",
            ));
        }
        Ok(())
    }
}

/// Encodes rows of cells into one frame: the group (slot ÷ 256) and the row as [`cells::encode`]
/// makes it, ascending.
#[must_use]
pub fn encode_rollup(header: &RollupHeader, rows: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let wire = proto::RollupHeader {
        epoch: header.epoch.0.as_bytes().to_vec(),
        dictionary: header.dictionary,
        minute: header.minute,
        minutes: header.minutes,
        piece: header.piece,
        pieces: header.pieces,
    };
    let mut body = Vec::with_capacity(rows.iter().map(|(_, row)| row.len() + 8).sum());
    for (group, row) in rows {
        put(&mut body, u64::from(*group));
        put_len(&mut body, row.len());
        body.extend_from_slice(row);
    }
    seal(MAGIC, &wire, &body)
}

/// Reads the header and verifies the checksum; decompresses nothing.
///
/// # Errors
/// When it is damaged or none.
pub fn peek_rollup(frame: &[u8]) -> Result<RollupHeader, WireError> {
    open(frame).map(|(header, _)| header)
}

/// Shows every cell, ascending by slot; empty ones are left out.
///
/// # Errors
/// When it is damaged or none. What was shown before is to be forgotten then.
pub fn read_rollup(
    frame: &[u8],
    visit: &mut dyn FnMut(Slot, &Cell),
) -> Result<RollupHeader, WireError> {
    let (header, body) = open(frame)?;
    let mut unzip = decompressor()?;
    let mut found = 0;
    for row in Rows::new(body) {
        let (group, octets) = row?;
        for (offset, cell) in sound(&header, octets, &mut unzip)? {
            found += 1;
            WireError::check("points in a rollup", found, MAX_POINTS)?;
            visit(Slot(group * GROUP + u32::from(offset)), &cell);
        }
    }
    Ok(header)
}

/// The cell of one point; other rows are passed over, not decompressed.
///
/// # Errors
/// When the frame or the row of the point is damaged.
pub fn read_rollup_point(frame: &[u8], slot: Slot) -> Result<Option<Cell>, WireError> {
    let (header, body) = open(frame)?;
    for row in Rows::new(body) {
        let (group, octets) = row?;
        if group != slot.0 / GROUP {
            continue;
        }
        let cells = sound(&header, octets, &mut decompressor()?)?;
        let wanted = |offset: u8| group * GROUP + u32::from(offset) == slot.0;
        return Ok(cells.into_iter().find(|(o, _)| wanted(*o)).map(|c| c.1));
    }
    Ok(None)
}

fn decompressor() -> Result<Decompressor<'static>, WireError> {
    Decompressor::new().map_err(|e| WireError::Compression(e.to_string()))
}

fn open(frame: &[u8]) -> Result<(RollupHeader, &[u8]), WireError> {
    let stranger = "this is not a rollup: it does not begin with 'RR'";
    let (header, body) = unseal(MAGIC, frame, stranger)?;
    let wire = proto::RollupHeader::decode(header)?;
    let header = RollupHeader {
        epoch: Epoch(uuid(&wire.epoch)?),
        dictionary: wire.dictionary,
        minute: wire.minute,
        minutes: wire.minutes,
        piece: wire.piece,
        pieces: wire.pieces,
    };
    header.check()?;
    Ok((header, body))
}

/// The cells of a row that have samples. A figure no trend can draw is damage.
fn sound(
    header: &RollupHeader,
    octets: &[u8],
    unzip: &mut Decompressor<'_>,
) -> Result<Vec<(u8, Cell)>, WireError> {
    let length = header.to().since(header.from());
    let mut cells = cells::decode(octets, unzip)?;
    cells.retain(|(_, cell)| cell.count > 0 || cell.bad > 0);
    for (_, cell) in cells.iter().filter(|(_, cell)| cell.count > 0) {
        let figures = [cell.min, cell.max, cell.sum, cell.last];
        if figures.iter().any(|x| !x.is_finite()) || i64::from(cell.last_at) >= length {
            return Err(WireError::Malformed("a rollup has impossible figures"));
        }
    }
    Ok(cells)
}

/// The rows of a body, ascending and within bounds.
struct Rows<'a> {
    cursor: Cursor<'a>,
    next: u32,
    broken: bool,
}

impl<'a> Rows<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(body, "rollup"),
            next: 0,
            broken: false,
        }
    }

    fn read(&mut self) -> Result<(u32, &'a [u8]), WireError> {
        let group = self.cursor.number()?;
        if group < self.next || group > u32::MAX / GROUP {
            return Err(WireError::Malformed(
                "the rows of a rollup are not in order",
            ));
        }
        self.next = group + 1;
        let length = self.cursor.count("length of a row", usize::MAX)?;
        Ok((group, self.cursor.take(length)?))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<(u32, &'a [u8]), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken || self.cursor.is_empty() {
            return None;
        }
        let row = self.read();
        self.broken = row.is_err();
        Some(row)
    }
}
