//! Parameters and answers on their way between JSON and the tables adapters take. Owns what has no
//! counterpart: a null is left out, a date becomes text.

use serde_json::{Map, Value as Json};
use toml::{Table, Value};

/// A table of what was given as JSON.
pub(crate) fn table(json: Map<String, Json>) -> Table {
    let entries = json.into_iter();
    entries
        .filter_map(|(key, value)| Some((key, plain(value)?)))
        .collect()
}

fn plain(json: Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(yes) => Value::Boolean(yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, real) => Value::Float(real?),
        },
        Json::String(text) => Value::String(text),
        Json::Array(list) => Value::Array(list.into_iter().filter_map(plain).collect()),
        Json::Object(map) => Value::Table(table(map)),
    })
}

/// A table as JSON.
pub(crate) fn object(table: Table) -> Map<String, Json> {
    let entries = table.into_iter();
    entries.map(|(key, value)| (key, json(value))).collect()
}

/// A value as JSON.
pub(crate) fn json(value: Value) -> Json {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Boolean(yes) => yes.into(),
        Value::Datetime(at) => at.to_string().into(),
        Value::Array(list) => list.into_iter().map(json).collect(),
        Value::Table(table) => object(table).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_back() {
        let given =
            serde_json::json!({"a": 1, "b": 2.5, "c": ["x", true], "d": {"e": "f"}, "n": null});
        let Json::Object(map) = given.clone() else {
            unreachable!("an object was written")
        };
        let mut back = object(table(map));
        assert!(!back.contains_key("n"));
        back.insert("n".into(), Json::Null);
        assert_eq!(Json::Object(back), given);
    }
}
