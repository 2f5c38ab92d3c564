//! Counts the repeated parts of an event before it is decoded. Two octets are enough to make a
//! protobuf decoder allocate a whole empty point, so a body within its size limit could still ask
//! for gigabytes.

use crate::WireError;
use crate::limits::{MAX_LABELS, MAX_LEDGER_ROWS, MAX_POINTS};
use crate::varint::Cursor;

/// Field numbers of `proto/riser/v1/event.proto`.
const EVENT_DIRECTORY: u64 = 1;
const DIRECTORY_DEVICES: u64 = 2;
const DIRECTORY_POINTS: u64 = 3;
const POINT_LABELS: u64 = 11;
const EVENT_LEDGER: u64 = 7;
const LEDGER_LANES: u64 = 3;

/// Refuses an event with more devices, points, labels or ledger rows than [`crate::limits`] allow.
pub(crate) fn check(event: &[u8]) -> Result<(), WireError> {
    let (mut devices, mut points, mut labels) = (0, 0, 0);
    let mut rows = 0;
    fields(event, &mut |field, directory| {
        if field == EVENT_LEDGER {
            return ledger(directory, &mut rows);
        }
        if field != EVENT_DIRECTORY {
            return Ok(());
        }
        fields(directory, &mut |field, part| match field {
            DIRECTORY_DEVICES => one_more("devices in a directory", &mut devices, MAX_POINTS),
            DIRECTORY_POINTS => {
                one_more("points in a directory", &mut points, MAX_POINTS)?;
                fields(part, &mut |field, _| match field {
                    POINT_LABELS => one_more("labels in a directory", &mut labels, MAX_LABELS),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        })
    })
}

fn ledger(part: &[u8], count: &mut usize) -> Result<(), WireError> {
    const WHAT: &str = "rows and devices in a ledger";
    fields(part, &mut |field, part| {
        one_more(WHAT, count, MAX_LEDGER_ROWS)?;
        if field != LEDGER_LANES {
            return Ok(());
        }
        fields(part, &mut |_, _| one_more(WHAT, count, MAX_LEDGER_ROWS))
    })
}

fn one_more(what: &'static str, count: &mut usize, limit: usize) -> Result<(), WireError> {
    *count += 1;
    WireError::check(what, *count, limit)
}

/// Shows the length-delimited fields of a message, one level deep.
fn fields<'a>(
    message: &'a [u8],
    visit: &mut dyn FnMut(u64, &'a [u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut cursor = Cursor::new(message, "event");
    while !cursor.is_empty() {
        let key = cursor.unsigned()?;
        match key & 7 {
            0 => {
                cursor.unsigned()?;
            }
            1 => {
                cursor.take(8)?;
            }
            2 => {
                let length = cursor.count("length of a field", message.len())?;
                visit(key >> 3, cursor.take(length)?)?;
            }
            5 => {
                cursor.take(4)?;
            }
            // Groups are deprecated and no version of Riser has written one.
            _ => return Err(WireError::Malformed("an event holds a protobuf group")),
        }
    }
    Ok(())
}
