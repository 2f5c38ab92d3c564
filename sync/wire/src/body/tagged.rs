//! Values that carry their own kind, in blocks of form `Tagged`: text, and series that change
//! their kind.

use crate::WireError;
use crate::limits::MAX_BODY;
use crate::varint::{Cursor, put_len, put_signed};
use riser_model::Value;

const NONE: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;

/// Appends a value with its tag.
pub(super) fn put(out: &mut Vec<u8>, value: Option<&Value>) {
    match value {
        None => out.push(NONE),
        Some(Value::Bool(on)) => out.push(if *on { TRUE } else { FALSE }),
        Some(Value::Int(integer)) => {
            out.push(INT);
            put_signed(out, *integer);
        }
        Some(Value::Float(real)) => {
            out.push(FLOAT);
            out.extend_from_slice(&real.to_bits().to_le_bytes());
        }
        Some(Value::Text(text)) => {
            out.push(TEXT);
            put_len(out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// The next value; `None` where there is none.
pub(super) fn take(cursor: &mut Cursor<'_>) -> Result<Option<Value>, WireError> {
    Ok(Some(match cursor.octet()? {
        NONE => return Ok(None),
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(cursor.signed()?),
        FLOAT => {
            let bits = cursor.take(8)?.try_into().unwrap_or_default();
            Value::Float(f64::from_bits(u64::from_le_bytes(bits)))
        }
        TEXT => {
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

/// Passes over the next value.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<(), WireError> {
    match cursor.octet()? {
        NONE | FALSE | TRUE => {}
        INT => {
            cursor.unsigned()?;
        }
        FLOAT => {
            cursor.take(8)?;
        }
        TEXT => {
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
