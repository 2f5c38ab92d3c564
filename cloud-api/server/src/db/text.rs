//! Small conversions between model types and columns. Owns the spelling of enum words, JSON
//! columns and unsigned numbers in SQLite.

use super::DbError;
use riser_model::{Quality, Reason, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A unit variant as its JSON word without quotes.
pub(super) fn word<T: Serialize>(value: &T) -> Result<String, DbError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(DbError::stored("word", format!("{other} is not a word"))),
        Err(error) => Err(DbError::stored("word", error)),
    }
}

/// A JSON column.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|e| DbError::stored("record", e))
}

/// A JSON column, back.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|e| DbError::stored(what, e))
}

/// SQLite's integers are signed; every number stored here is far below the border.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A UUID column.
pub(super) fn uuid(what: &'static str, octets: &[u8]) -> Result<Uuid, DbError> {
    Uuid::from_slice(octets).map_err(|e| DbError::stored(what, e))
}

/// The two columns `kind` and `value` of a present value.
pub(super) fn value_columns(value: Option<&Value>) -> (i64, rusqlite::types::Value) {
    use rusqlite::types::Value as Sql;
    match value {
        None => (0, Sql::Null),
        Some(Value::Bool(b)) => (1, Sql::Integer(i64::from(*b))),
        Some(Value::Int(i)) => (2, Sql::Integer(*i)),
        Some(Value::Float(f)) => (3, Sql::Real(*f)),
        Some(Value::Text(t)) => (4, Sql::Text(t.as_ref().to_owned())),
    }
}

/// The inverse of [`value_columns`].
///
/// # Errors
/// When the pair is one no version has written.
pub fn value_from_columns(
    kind: i64,
    value: rusqlite::types::Value,
) -> Result<Option<Value>, DbError> {
    use rusqlite::types::Value as Sql;
    match (kind, value) {
        (0, _) => Ok(None),
        (1, Sql::Integer(i)) => Ok(Some(Value::Bool(i != 0))),
        (2, Sql::Integer(i)) => Ok(Some(Value::Int(i))),
        (3, Sql::Real(f)) => Ok(Some(Value::Float(f))),
        // SQLite keeps NaN as NULL.
        (3, Sql::Null) => Ok(Some(Value::Float(f64::NAN))),
        (4, Sql::Text(t)) => Ok(Some(Value::text(&t))),
        (kind, _) => Err(DbError::stored(
            "value",
            format!("kind {kind} does not fit"),
        )),
    }
}

/// The quality column.
#[must_use]
pub fn quality_from_column(code: i64) -> Quality {
    u8::try_from(code)
        .ok()
        .and_then(Quality::from_code)
        .unwrap_or(Quality::bad(Reason::Undecodable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_their_columns() {
        for value in [
            None,
            Some(Value::Bool(true)),
            Some(Value::Int(-3)),
            Some(Value::Float(-0.0)),
            Some(Value::text("auto")),
        ] {
            let (kind, column) = value_columns(value.as_ref());
            assert_eq!(value_from_columns(kind, column).unwrap(), value);
        }
        assert!(value_from_columns(2, rusqlite::types::Value::Null).is_err());
    }
}
