//! Writing entries into the text of a configuration, as a person would have: a table of its own for each
//! device, at the end of those there are. Everything else stays as it was written.

use super::Target;
use toml::{Table, Value};
use toml_edit::{
    Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table as TextTable, Value as TextValue,
    value,
};

/// The table of an adapter, made if it is a new one.
pub(super) fn adapter<'d>(
    document: &'d mut DocumentMut,
    index: usize,
    (kind, target): (&str, &Target),
) -> Result<&'d mut TextTable, String> {
    let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
    let list = document.entry("adapter").or_insert_with(fresh);
    let list = list.as_array_of_tables_mut().ok_or(
        "'adapter' stands in one line in the running configuration; write it as [[adapter]] to add to it",
    )?;
    if let Target::New(name) = target {
        let mut table = TextTable::new();
        table.insert("kind", value(kind));
        if name != kind {
            table.insert("name", value(name.as_str()));
        }
        list.push(table);
    }
    let gone = "the adapter is not where it was; look at the running configuration";
    list.get_mut(index).ok_or_else(|| gone.to_owned())
}

/// A find's configuration without what is there already under whatever key, such as a lane with the same
/// settings: its devices refer to that one.
pub(super) fn settled(have: &Table, mut config: Table) -> Table {
    let lists: Vec<String> = config
        .iter()
        .filter(|(key, value)| *key != "device" && value.is_array())
        .map(|(key, _)| key.clone())
        .collect();
    for list in lists {
        let Some(Value::Array(elements)) = config.remove(&list) else {
            continue;
        };
        let (mut rest, mut renamed) = (Vec::new(), Vec::new());
        for element in elements {
            match same(have, &list, &element) {
                Some(names) => renamed.push(names),
                None => rest.push(element),
            }
        }
        if !rest.is_empty() {
            config.insert(list.clone(), Value::Array(rest));
        }
        let devices = config.get_mut("device").and_then(Value::as_array_mut);
        for device in devices
            .into_iter()
            .flatten()
            .filter_map(Value::as_table_mut)
        {
            if let Some(Value::String(used)) = device.get_mut(&list)
                && let Some((_, new)) = renamed.iter().find(|(old, _)| old == used)
            {
                used.clone_from(new);
            }
        }
    }
    config
}

/// The key of an element and of the one that is there with at least its settings.
fn same(have: &Table, list: &str, element: &Value) -> Option<(String, String)> {
    let element = element.as_table()?;
    let own = element.get("key")?.as_str()?;
    let mut there = have
        .get(list)?
        .as_array()?
        .iter()
        .filter_map(Value::as_table);
    let found = there.find(|there| {
        let mut settings = element.iter().filter(|(key, _)| *key != "key");
        settings.all(|(key, value)| there.get(key) == Some(value))
    })?;
    Some((own.to_owned(), found.get("key")?.as_str()?.to_owned()))
}

/// Writes one entry of a find into an adapter, and notes in `have` that it is there. Answers with the
/// place of what was added below the adapter, where it is an element of a list.
pub(super) fn entry(
    into: &mut TextTable,
    have: &mut Table,
    (key, given): (&str, Value),
) -> Result<Option<String>, String> {
    let tables = match given {
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_table) => list,
        single => return setting(into, have, (key, single)).map(|()| None),
    };
    let there = have.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    let there = there
        .as_array_mut()
        .ok_or_else(|| format!("'{key}' is no list in the running configuration"))?;
    let mut place = None;
    for element in tables {
        // Two finds behind the same lane bring it both.
        if there.contains(&element) {
            continue;
        }
        push(into, key, &element)?;
        place = Some(format!("{key}[{}]", there.len()));
        there.push(element);
    }
    Ok(place)
}

/// A setting of the adapter as a whole.
fn setting(
    into: &mut TextTable,
    have: &mut Table,
    (key, given): (&str, Value),
) -> Result<(), String> {
    match have.get(key) {
        None => {
            into.insert(key, item(&given));
            have.insert(key.to_owned(), given);
            Ok(())
        }
        Some(there) if *there == given => Ok(()),
        Some(there) => Err(format!(
            "needs {key} = {given}, but this adapter has {there}; add it as an adapter of its own"
        )),
    }
}

fn push(into: &mut TextTable, key: &str, element: &Value) -> Result<(), String> {
    let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
    match into.entry(key).or_insert_with(fresh) {
        Item::ArrayOfTables(list) => {
            if let Some(table) = element.as_table() {
                list.push(text_table(table));
            }
            Ok(())
        }
        Item::Value(TextValue::Array(list)) => {
            list.push(inline(element));
            Ok(())
        }
        _ => Err(format!("'{key}' is no list in the running configuration")),
    }
}

/// A value with tables of their own for lists of tables.
fn item(given: &Value) -> Item {
    match given {
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_table) => {
            let tables = list.iter().filter_map(Value::as_table).map(text_table);
            Item::ArrayOfTables(tables.collect())
        }
        other => Item::Value(inline(other)),
    }
}

fn text_table(table: &Table) -> TextTable {
    let mut text = TextTable::new();
    // The key and the name come first, as a person writes it; lists of tables last, as TOML wants it.
    let first = ["key", "name"]
        .iter()
        .filter_map(|k| table.get_key_value(*k));
    let rest = table.iter().filter(|(k, _)| *k != "key" && *k != "name");
    for (key, given) in first.chain(rest) {
        text.insert(key, item(given));
    }
    text
}

fn inline(given: &Value) -> TextValue {
    match given {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(yes) => (*yes).into(),
        // The two crates have the same dates.
        Value::Datetime(at) => (*at).into(),
        Value::Array(list) => list.iter().map(inline).collect::<Array>().into(),
        Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| (key.as_str(), inline(value)));
            entries.collect::<InlineTable>().into()
        }
    }
}
