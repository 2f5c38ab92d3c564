//! Walks a document value by value. Owns how a place is named, so that it stays the same when its
//! neighbours move: tables of a list go by their key or name, not by their number.

use super::secret::is_secret;
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// One value that is no table.
pub(super) struct Leaf {
    /// Where, such as `adapter[field].device[ahu-1].address`.
    pub(super) at: String,
    pub(super) value: Value,
    /// Whether its key says that it is nobody's business.
    pub(super) secret: bool,
    /// Where it stands in the text.
    pub(super) span: Option<Range<usize>>,
}

/// Every value of a text; none of one that is no TOML.
pub(super) fn leaves(text: &str) -> Vec<Leaf> {
    let (Ok(table), Ok(spans)) = (text.parse::<Table>(), DeTable::parse(text)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    table_of(&table, Some(spans.get_ref()), ("", false), &mut found);
    found
}

/// Every value of a table.
pub(super) fn leaves_of(table: &Table) -> Vec<Leaf> {
    let mut found = Vec::new();
    table_of(table, None, ("", false), &mut found);
    found
}

fn table_of(
    table: &Table,
    spans: Option<&DeTable<'_>>,
    (at, secret): (&str, bool),
    found: &mut Vec<Leaf>,
) {
    for (key, value) in table {
        let span = spans.and_then(|spans| {
            let mut entries = spans.iter();
            entries.find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
        });
        let at = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        value_of(value, span, (&at, secret || is_secret(key)), found);
    }
}

fn value_of(
    value: &Value,
    span: Option<&Spanned<DeValue<'_>>>,
    (at, secret): (&str, bool),
    found: &mut Vec<Leaf>,
) {
    match value {
        Value::Table(table) => {
            let spans = span.and_then(|s| s.get_ref().as_table());
            table_of(table, spans, (at, secret), found);
        }
        Value::Array(list) if list.iter().any(Value::is_table) => {
            let spans = span.and_then(|s| s.get_ref().as_array());
            for (index, element) in list.iter().enumerate() {
                let span = spans.and_then(|spans| spans.get(index));
                let at = format!("{at}[{}]", name_of(element, index));
                value_of(element, span, (&at, secret), found);
            }
        }
        _ => found.push(Leaf {
            at: at.to_owned(),
            value: value.clone(),
            secret,
            span: span.map(Spanned::span),
        }),
    }
}

/// How an element of a list is called.
fn name_of(element: &Value, index: usize) -> String {
    let name = ["key", "name", "kind"]
        .iter()
        .find_map(|key| element.get(key)?.as_str());
    name.map_or_else(|| index.to_string(), str::to_owned)
}
