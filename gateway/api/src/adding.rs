//! Puts finds into the text of a configuration. Owns where their entries go, that comments and the order
//! of everything else stay, and which keys are free; what the entries mean is the adapter's, whether the
//! whole can be used is the daemon's.

mod write;

use riser_model::Key;
use riser_runtime::{Discover, Found, devices};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};
use toml_edit::DocumentMut;

/// Which adapter finds are added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One that is there.
    Existing(String),
    /// A new one of this name.
    New(String),
}

/// One find a person chose.
pub(crate) struct Choice<'a> {
    /// Its number among the finds.
    pub(crate) number: usize,
    pub(crate) find: &'a Found,
    /// Key of the device; the find's own without.
    pub(crate) key: Option<String>,
    /// Name people read.
    pub(crate) name: Option<String>,
    /// Device profile, where the find has none.
    pub(crate) profile: Option<String>,
    /// What only a person can say.
    pub(crate) values: Table,
}

/// Why a find cannot be added as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Which find; all of them without.
    pub(crate) number: Option<usize>,
    pub(crate) text: String,
    /// Another key that would do.
    pub(crate) proposal: Option<String>,
}

/// A document with the finds in it.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) text: String,
    /// Where the entries of each find stand, such as `adapter[0].device[3]`.
    pub(crate) places: Vec<(String, usize)>,
}

impl Trouble {
    fn all(text: String) -> Self {
        Self {
            number: None,
            text,
            proposal: None,
        }
    }

    fn of(number: usize, text: String) -> Self {
        Self {
            number: Some(number),
            text,
            proposal: None,
        }
    }
}

/// An adapter as a document has it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) table: Table,
}

/// The adapters of a document, in its order; none of one that is no TOML.
pub(crate) fn standing(document: &str) -> Vec<Standing> {
    let whole: Table = document.parse().unwrap_or_default();
    let list = whole.get("adapter").and_then(Value::as_array);
    let tables = list.into_iter().flatten().filter_map(Value::as_table);
    tables
        .map(|table| {
            let mut table = table.clone();
            let mut text = |key| match table.remove(key) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            };
            let (kind, name) = (text("kind").unwrap_or_default(), text("name"));
            Standing {
                name: name.unwrap_or_else(|| kind.clone()),
                kind,
                table,
            }
        })
        .collect()
}

/// The key of the device a find would become, where it becomes one.
pub(crate) fn key_of(config: &Table) -> Option<&str> {
    devices(config).next()?.get("key")?.as_str()
}

/// The key of the configured device a find is; empty where it is the adapter itself, such as a bridge.
pub(crate) fn known(finder: &dyn Discover, have: &Table, find: &Found) -> Option<String> {
    let settings = || {
        let given = find.config.iter();
        let mut given = given
            .filter(|(_, value)| value.as_str() != Some(""))
            .peekable();
        given.peek()?;
        let bridge = devices(&find.config).next().is_none();
        let same = bridge && given.all(|(key, value)| have.get(key) == Some(value));
        same.then(String::new)
    };
    finder.known(have, find).or_else(settings)
}

/// What only a person can say: keys that stand there without a value.
pub(crate) fn asks(config: &Table) -> Vec<String> {
    let empty = |table: &Table| -> Vec<String> {
        let entries = table.iter();
        let empty = entries.filter(|(_, value)| value.as_str() == Some(""));
        empty.map(|(key, _)| key.clone()).collect()
    };
    let mut all = empty(config);
    all.extend(devices(config).take(1).flat_map(empty));
    all
}

/// `wanted`, or the first of `wanted-2`, `wanted-3` … that is free.
pub(crate) fn free_key(wanted: &str, taken: &BTreeSet<String>) -> String {
    let wanted = Key::slug(wanted).to_string();
    if !taken.contains(&wanted) {
        return wanted;
    }
    let numbered = (2..=u32::MAX).map(|n| format!("{wanted}-{n}"));
    let mut free = numbered.filter(|key| !taken.contains(key));
    free.next().unwrap_or(wanted)
}

/// Adds finds of one protocol to a document. `taken` are the keys of all devices there are.
///
/// # Errors
/// Everything that stands against it, find by find.
pub(crate) fn add(
    document: &str,
    (kind, finder): (&str, &dyn Discover),
    target: &Target,
    choices: &[Choice<'_>],
    taken: &BTreeSet<String>,
) -> Result<Added, Vec<Trouble>> {
    let one = |text: String| vec![Trouble::all(text)];
    let mut edited: DocumentMut = document
        .parse()
        .map_err(|e| one(format!("the running configuration is no TOML: {e}")))?;
    let configs = named(choices, taken)?;
    let all = standing(document);
    let (index, mut have) = place(&all, kind, target).map_err(one)?;
    let into = write::adapter(&mut edited, index, (kind, target)).map_err(one)?;
    let (mut troubles, mut places) = (Vec::new(), Vec::new());
    for (choice, config) in choices.iter().zip(configs) {
        let mut found = choice.find.clone();
        found.config = config;
        if let Some(key) = known(finder, &have, &found) {
            let text = match key.as_str() {
                "" => "is there already: it is this adapter".to_owned(),
                key => format!("is there already, as '{key}'"),
            };
            troubles.push(Trouble::of(choice.number, text));
            continue;
        }
        for (key, value) in write::settled(&have, finder.join(&have, &found)) {
            match write::entry(into, &mut have, (&key, value)) {
                Ok(Some(below)) => {
                    places.push((format!("adapter[{index}].{below}"), choice.number));
                }
                Ok(None) => {}
                Err(text) => troubles.push(Trouble::of(choice.number, text)),
            }
        }
    }
    if !troubles.is_empty() {
        return Err(troubles);
    }
    Ok(Added {
        text: edited.to_string(),
        places,
    })
}

/// Where the adapter stands or will stand, and what it has.
fn place(all: &[Standing], kind: &str, target: &Target) -> Result<(usize, Table), String> {
    match target {
        Target::Existing(name) => {
            let index = all.iter().position(|a| a.name == *name && a.kind == kind);
            let index = index.ok_or_else(|| {
                format!(
                    "there is no adapter '{name}' of kind '{kind}' in the running configuration"
                )
            })?;
            Ok((index, all[index].table.clone()))
        }
        Target::New(name) if all.iter().any(|a| a.name == *name) => Err(format!(
            "there is an adapter '{name}' already; add to it, or give the new one another name"
        )),
        Target::New(_) => Ok((all.len(), Table::new())),
    }
}

/// The finds' configurations under the keys and with the values a person chose.
fn named(choices: &[Choice<'_>], taken: &BTreeSet<String>) -> Result<Vec<Table>, Vec<Trouble>> {
    let (mut taken, mut troubles) = (taken.clone(), Vec::new());
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut configs = Vec::new();
    for choice in choices {
        let mut config = choice.find.config.clone();
        if config.is_empty() {
            let text = format!("cannot be added: {}", choice.find.remark);
            troubles.push(Trouble::of(choice.number, text));
            continue;
        }
        fill(&mut config, &choice.values);
        if let Some(missing) = asks(&config).first() {
            let text = format!("'{missing}' has to be given");
            troubles.push(Trouble::of(choice.number, text));
        }
        let Some(old) = key_of(&config).map(str::to_owned) else {
            configs.push(config);
            continue;
        };
        let key = choice.key.clone().unwrap_or_else(|| old.clone());
        if let Err(error) = Key::new(&key) {
            troubles.push(Trouble {
                number: Some(choice.number),
                text: format!("key '{key}': {error}"),
                proposal: Some(free_key(&key, &taken)),
            });
        } else if !taken.insert(key.clone()) {
            troubles.push(Trouble {
                number: Some(choice.number),
                text: format!("key '{key}' is another device's"),
                proposal: Some(free_key(&key, &taken)),
            });
        }
        if let Some(device) = first_device(&mut config) {
            device.insert("key".into(), key.clone().into());
            if let Some(name) = choice.name.as_deref().filter(|n| !n.trim().is_empty()) {
                device.insert("name".into(), name.trim().into());
            }
            if let Some(profile) = choice.profile.as_deref().filter(|p| !p.trim().is_empty()) {
                device.insert("profile".into(), profile.trim().into());
            }
        }
        renamed.insert(old, key);
        configs.push(config);
    }
    for device in configs.iter_mut().filter_map(first_device) {
        follow(device, &renamed);
    }
    if troubles.is_empty() {
        Ok(configs)
    } else {
        Err(troubles)
    }
}

/// Puts in what only a person can say, wherever it is asked for.
fn fill(config: &mut Table, values: &Table) {
    let set = |table: &mut Table| {
        for (key, value) in values {
            if table.get(key).and_then(Value::as_str) == Some("") {
                table.insert(key.clone(), value.clone());
            }
        }
    };
    set(config);
    first_device(config).map(set);
}

/// A device behind another one refers to it by its key.
fn follow(device: &mut Table, renamed: &BTreeMap<String, String>) {
    if let Some(Value::String(via)) = device.get_mut("via")
        && let Some(key) = renamed.get(via.as_str())
    {
        via.clone_from(key);
    }
}

fn first_device(config: &mut Table) -> Option<&mut Table> {
    let list = config.get_mut("device")?.as_array_mut()?;
    list.first_mut()?.as_table_mut()
}

#[cfg(test)]
mod tests;
