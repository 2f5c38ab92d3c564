//! A configuration as a document that stands by itself. Owns its canonical form and hash, what differs
//! between two of them, and what a difference means for what runs.
//!
//! The canonical form is JSON without spaces, keys in order of their octets, behind the line
//! `riser-configuration-1`: comments, layout and order of keys do not count, the order of lists does.
//! What stands in a file of its own (`file` of an adapter) is part of it; device profiles,
//! certificates and keys are files beside it and are not.

use super::secret::shown;
use super::walk::{Leaf, leaves_of};
use riser_model::{AuditHash, ConfigurationDifference, ConfigurationEffects};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use toml::{Table, Value};

/// First line of what is hashed: a change of the form is another mark.
const MARK: &str = "riser-configuration-1\n";
/// Differences listed at most.
const DIFFERENCES: usize = 500;
/// Sections that are exchanged while everything else runs.
const LIVE: [&str; 4] = ["adapter", "rule", "schedule", "cloud"];

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// As it is kept and shown: as written, unless parts of it stood in files of their own.
    pub(crate) text: String,
    pub(crate) sha256: AuditHash,
    table: Table,
}

impl Document {
    /// A text that stands by itself.
    ///
    /// # Errors
    /// It is no TOML.
    pub(crate) fn of_text(text: &str) -> Result<Self, toml::de::Error> {
        Ok(Self::new(text.to_owned(), text.parse()?))
    }

    /// A file with the files its adapters stand in.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(crate) fn of_file(file: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let text = std::fs::read_to_string(file)?;
        let mut table: Table = text.parse()?;
        let base = file.parent().unwrap_or(Path::new("."));
        if !gathered(&mut table, base)? {
            return Ok(Self::new(text, table));
        }
        Ok(Self::new(toml::to_string(&table)?, table))
    }

    fn new(text: String, table: Table) -> Self {
        let mut form = MARK.to_owned();
        canonical_table(&table, &mut form);
        Self {
            text,
            sha256: AuditHash(Sha256::digest(form.as_bytes()).into()),
            table,
        }
    }

    /// Adapters that stand in a file of their own.
    pub(crate) fn with_files(&self) -> Option<String> {
        let with_file = adapters(&self.table).find(|a| a.get("file").is_some())?;
        Some(name(with_file))
    }

    /// The folder it names for everything the gateway keeps.
    pub(crate) fn data_dir(&self) -> Option<&str> {
        self.table.get("gateway")?.get("data_dir")?.as_str()
    }

    /// What says who this gateway is and where its store lies.
    pub(crate) fn identity(&self) -> [Option<&Value>; 3] {
        let gateway = self.table.get("gateway");
        ["id", "tenant", "data_dir"].map(|key| gateway.and_then(|g| g.get(key)))
    }

    /// What is different in `new`, in order of places, secrets hidden.
    pub(crate) fn differences(&self, new: &Self) -> Vec<ConfigurationDifference> {
        let (before, after) = (by_place(&self.table), by_place(&new.table));
        let places: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut found: Vec<ConfigurationDifference> = places
            .into_iter()
            .filter_map(|at| difference(at, before.get(at), after.get(at)))
            .collect();
        if found.len() > DIFFERENCES {
            let more = found.len() - DIFFERENCES;
            found.truncate(DIFFERENCES);
            found.push(ConfigurationDifference {
                at: format!("and {more} more"),
                before: None,
                after: None,
            });
        }
        found
    }

    /// What going over to `new` does to what runs.
    pub(crate) fn effects(&self, new: &Self) -> ConfigurationEffects {
        let mut effects = ConfigurationEffects::default();
        let (before, after) = (parts(&self.table), parts(&new.table));
        for (name, form) in &after {
            match before.get(name) {
                None => effects.started.push(name.clone()),
                Some(old) if old != form => effects.restarted.push(name.clone()),
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        effects.stopped = gone.cloned().collect();
        let form = |table: &Table, key: &str| table.get(key).map(canonical);
        effects.rules = form(&self.table, "rule") != form(&new.table, "rule");
        effects.schedules = form(&self.table, "schedule") != form(&new.table, "schedule");
        let sections: BTreeSet<&String> = self.table.keys().chain(new.table.keys()).collect();
        for section in sections {
            if !LIVE.contains(&section.as_str())
                && form(&self.table, section) != form(&new.table, section)
            {
                effects.whole.push(section.clone());
            }
        }
        match (form(&self.table, "cloud"), form(&new.table, "cloud")) {
            (Some(old), Some(new)) => effects.link = old != new,
            // Whether anybody waits for the samples is settled when the store is opened.
            (None, Some(_)) | (Some(_), None) => effects.whole.push("cloud".to_owned()),
            (None, None) => {}
        }
        effects
    }
}

/// Puts what stands in files of their own in its place; says whether there was any.
fn gathered(
    table: &mut Table,
    base: &Path,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let mut any = false;
    let list = table.get_mut("adapter").and_then(Value::as_array_mut);
    for adapter in list.into_iter().flatten().filter_map(Value::as_table_mut) {
        let Some(file) = adapter.get("file").and_then(Value::as_str) else {
            continue;
        };
        let part: Table = std::fs::read_to_string(base.join(file))?.parse()?;
        adapter.remove("file");
        for (key, value) in part {
            adapter.entry(key).or_insert(value);
        }
        any = true;
    }
    Ok(any)
}

fn adapters(table: &Table) -> impl Iterator<Item = &Value> {
    table
        .get("adapter")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn name(adapter: &Value) -> String {
    let name = adapter.get("name").or_else(|| adapter.get("kind"));
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The canonical form of each adapter's part.
fn parts(table: &Table) -> BTreeMap<String, String> {
    adapters(table).map(|a| (name(a), canonical(a))).collect()
}

fn by_place(table: &Table) -> BTreeMap<String, Leaf> {
    let leaves = leaves_of(table).into_iter();
    leaves.map(|leaf| (leaf.at.clone(), leaf)).collect()
}

fn difference(
    at: &str,
    before: Option<&Leaf>,
    after: Option<&Leaf>,
) -> Option<ConfigurationDifference> {
    if before.map(|l| &l.value) == after.map(|l| &l.value) {
        return None;
    }
    let (old, mut new) = (before.map(shown), after.map(shown));
    if let (Some(old), Some(new)) = (&old, &mut new)
        && old == new
    {
        new.push_str(" (changed)");
    }
    Some(ConfigurationDifference {
        at: at.to_owned(),
        before: old,
        after: new,
    })
}

fn canonical(value: &Value) -> String {
    let mut form = String::new();
    canonical_value(value, &mut form);
    form
}

fn canonical_table(table: &Table, form: &mut String) {
    let sorted: BTreeMap<&String, &Value> = table.iter().collect();
    form.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            form.push(',');
        }
        form.push_str(&serde_json::Value::from(key.as_str()).to_string());
        form.push(':');
        canonical_value(value, form);
    }
    form.push('}');
}

fn canonical_value(value: &Value, form: &mut String) {
    match value {
        Value::Table(table) => canonical_table(table, form),
        Value::Array(list) => {
            form.push('[');
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    form.push(',');
                }
                canonical_value(element, form);
            }
            form.push(']');
        }
        Value::String(text) => form.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        // Writing into a String cannot fail.
        Value::Integer(number) => drop(write!(form, "{number}")),
        Value::Float(number) => drop(write!(form, "{number:?}")),
        Value::Boolean(yes) => drop(write!(form, "{yes}")),
        Value::Datetime(at) => drop(write!(form, "{{\"$datetime\":\"{at}\"}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "\
[gateway]
id = \"gw\"
[http]
listen = \"0.0.0.0:80\"
[[adapter]]
kind = \"modbus\"
name = \"a\"
[[adapter.device]]
key = \"d1\"
unit = 1
password = \"x\"
[[adapter]]
kind = \"modbus\"
name = \"b\"
[[rule]]
key = \"r\"
";

    fn document(text: &str) -> Document {
        Document::of_text(text).unwrap()
    }

    #[test]
    fn layout_comments_and_order_of_keys_do_not_count() {
        let other = "# said\n[http]\nlisten='0.0.0.0:80'\n[gateway]\nid   = 'gw' # here\n\
            [[adapter]]\nname = \"a\"\nkind = \"modbus\"\ndevice = [{unit=1, password='x', key='d1'}]\n\
            [[adapter]]\nname = \"b\"\nkind = \"modbus\"\n[[rule]]\nkey = \"r\"\n";
        assert_eq!(document(BASE).sha256, document(other).sha256);
        assert_ne!(
            document(BASE).sha256,
            document(&BASE.replace("unit = 1", "unit = 1.0")).sha256
        );
    }

    #[test]
    fn the_hash_is_fixed_for_ever() {
        // Computed by Python's hashlib over: riser-configuration-1\n{"a":[1,2.5,true],"b":{"c":"x\"ä"}}
        let hash = document("b.c = 'x\"ä'\na = [1, 2.5, true]\n").sha256;
        assert_eq!(
            hash.to_string(),
            "cc1956ddb8deeef548280b844f39429eb48ed664d801282f501d9b198ae0ba3f"
        );
    }

    #[test]
    fn effects_name_what_changes_and_nothing_else() {
        let base = document(BASE);
        assert_eq!(base.effects(&base), ConfigurationEffects::default());
        let one = document(&BASE.replace("unit = 1", "unit = 2"));
        let effects = base.effects(&one);
        assert_eq!(effects.restarted, ["a"]);
        assert!(effects.started.is_empty() && effects.whole.is_empty() && !effects.rules);
        let moved = document(
            &BASE
                .replace("name = \"b\"", "name = \"c\"")
                .replace("\"r\"", "\"s\""),
        );
        let effects = base.effects(&moved);
        assert_eq!(
            (effects.started, effects.stopped),
            (vec!["c".into()], vec!["b".into()])
        );
        assert!(effects.rules);
        let timed = document(&format!("{BASE}[[schedule]]\nkey = \"t\"\n"));
        let effects = base.effects(&timed);
        assert!(effects.schedules && effects.whole.is_empty() && effects.restarted.is_empty());
        let port = document(&BASE.replace(":80", ":81"));
        assert_eq!(base.effects(&port).whole, ["http"]);
        let cloud = document(&format!("{BASE}[cloud]\nurl = \"mqtts://x\"\n"));
        assert_eq!(base.effects(&cloud).whole, ["cloud"]);
        assert!(!base.effects(&cloud).link);
    }

    #[test]
    fn differences_go_by_name_and_hide_secrets() {
        let new = BASE
            .replace("unit = 1", "unit = 2\nport = 502")
            .replace("\"x\"", "\"y\"");
        let found = document(BASE).differences(&document(&new));
        let told: Vec<_> = found
            .iter()
            .map(|d| (d.at.as_str(), d.before.as_deref(), d.after.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "adapter[a].device[d1].password",
                    Some("<hidden>"),
                    Some("<hidden> (changed)")
                ),
                ("adapter[a].device[d1].port", None, Some("502")),
                ("adapter[a].device[d1].unit", Some("1"), Some("2")),
            ]
        );
    }

    #[test]
    fn what_stands_in_other_files_is_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("riser.toml");
        std::fs::write(&file, "[[adapter]]\nkind = \"modbus\"\nfile = \"m.toml\"\n").unwrap();
        std::fs::write(dir.path().join("m.toml"), "[[lane]]\nkey = \"l\"\n").unwrap();
        let found = Document::of_file(&file).unwrap();
        let whole = document("[[adapter]]\nkind = \"modbus\"\n[[adapter.lane]]\nkey = \"l\"\n");
        assert_eq!(found.sha256, whole.sha256);
        assert_eq!(document(&found.text).sha256, whole.sha256);
        assert_eq!(
            document("[[adapter]]\nkind=\"m\"\nfile=\"x\"\n").with_files(),
            Some("m".into())
        );
    }
}
