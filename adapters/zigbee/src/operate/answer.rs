//! The bridge's answers as tables people and programs read. Owns the conversion from JSON, bounded in
//! depth and size: TOML knows no null, and a map of a large network is long.

use serde_json::{Map, Value as Json};
use toml::{Table, Value};

/// Levels taken over.
const DEPTH: usize = 6;
/// Members of one list or table taken over.
const MEMBERS: usize = 4_000;

/// An answer as it is, without what it repeats of the question.
pub(crate) fn plain(data: &Json) -> Table {
    match data {
        Json::Object(map) => table(map, 0),
        Json::Null => Table::new(),
        other => {
            let mut table = Table::new();
            table.extend(value(other, 0).map(|v| ("answer".to_owned(), v)));
            table
        }
    }
}

/// The network map: who is there, and who hears whom how well.
pub(crate) fn map(data: &Json) -> Table {
    let list = |key: &str, read: fn(&Json) -> Table| {
        let list = data
            .pointer(&format!("/value/{key}"))
            .and_then(Json::as_array);
        let list = list.into_iter().flatten().take(MEMBERS);
        Value::Array(list.map(|entry| Value::Table(read(entry))).collect())
    };
    let mut answer = Table::new();
    answer.insert("nodes".to_owned(), list("nodes", node));
    answer.insert("links".to_owned(), list("links", link));
    answer
}

fn node(entry: &Json) -> Table {
    let parts = [
        ("address", "/ieeeAddr"),
        ("name", "/friendlyName"),
        ("role", "/type"),
        ("model", "/definition/model"),
        ("failed", "/failed"),
    ];
    pick(entry, &parts)
}

fn link(entry: &Json) -> Table {
    let parts = [
        ("from", "/source/ieeeAddr"),
        ("to", "/target/ieeeAddr"),
        ("quality", "/linkquality"),
        ("relationship", "/relationship"),
        ("routes", "/routes"),
    ];
    pick(entry, &parts)
}

fn pick(entry: &Json, parts: &[(&str, &str)]) -> Table {
    let found = parts.iter().filter_map(|(name, at)| {
        let value = value(entry.pointer(at)?, 2)?;
        Some(((*name).to_owned(), value))
    });
    found.collect()
}

fn table(map: &Map<String, Json>, depth: usize) -> Table {
    let members = map.iter().take(MEMBERS);
    members
        .filter_map(|(key, json)| Some((key.clone(), value(json, depth + 1)?)))
        .collect()
}

fn value(json: &Json, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, real) => Value::Float(real?),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(list) => {
            let list = list.iter().take(MEMBERS);
            Value::Array(list.filter_map(|v| value(v, depth + 1)).collect())
        }
        Json::Object(map) => Value::Table(table(map, depth)),
    })
}
