//! Finding devices nobody has configured yet. Owns what a search is told, what it answers, and how a
//! find is recognised in a configuration and added to one; protocols whose entries need more than that
//! say so in their own way.

use crate::{AdapterError, Field};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

/// Finds devices nobody has configured yet. Made anew for each search.
pub trait Discover: Send + Sync {
    /// Looks politely, sends each find as it comes, ends by itself or when cancelled.
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>>;

    /// What a person can say about where to look, in the order to ask it in.
    fn fields(&self) -> Vec<SearchField> {
        Vec::new()
    }

    /// Told before the search: the configurations of the adapters of this kind that run. What only
    /// one may hold open (a serial port, a gateway with one connection) is left to them, and a find
    /// says so.
    fn beside(&mut self, running: Vec<Table>) {
        drop(running);
    }

    /// The key of the configured device that a find is, if it is there already.
    fn known(&self, configured: &Table, find: &Found) -> Option<String> {
        same_device(configured, find)
    }

    /// What of a find's configuration has to be added to one that is there: what both share, such
    /// as the lane, is left out and referred to.
    fn join(&self, configured: &Table, find: &Found) -> Table {
        let _ = configured;
        find.config.clone()
    }
}

/// Where to look. Protocol-specific keys, checked by the adapter like its configuration.
#[derive(Debug, Clone, Default)]
pub struct DiscoverRequest {
    /// Options, such as `hosts`, `units`, `rate`.
    pub options: Table,
}

/// One thing a person may say about where to look.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchField {
    /// Its key among the options, and what it takes.
    pub field: Field,
    /// What is offered at first.
    pub default: Option<Value>,
    /// What to write, with an example; empty where the title says it.
    pub about: String,
    /// Only asked when another field has one of these values.
    pub when: Option<(String, Vec<String>)>,
}

/// One device somebody could add.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is, such as `192.0.2.7:502 unit 3`.
    pub address: String,
    /// What it says it is: vendor, model, version, as far as known.
    pub identity: Vec<(String, String)>,
    /// Device profile that fits, if any.
    pub profile: Option<String>,
    /// How the profile was matched, or why none was, in words.
    pub remark: String,
    /// A configuration table that would add it. An empty text stands for what only a person can say,
    /// such as a key. An empty table: it cannot be added, and the remark says why.
    pub config: Table,
}

/// Keys that tell a device from every other, wherever it is, the surest first.
const IDENTITIES: [&str; 8] = [
    "id",
    "ieee",
    "ieee_address",
    "device_id",
    "instance",
    "uuid",
    "serial_number",
    "entity_id",
];
/// Keys a person chooses.
const CHOSEN: [&str; 4] = ["key", "name", "profile", "interval_ms"];

/// The configured device with the same identity as the find's, or with the same place where neither
/// has an identity.
fn same_device(configured: &Table, find: &Found) -> Option<String> {
    let found = devices(&find.config).next()?;
    let same = |have: &Table| {
        let named = IDENTITIES.iter().find(|key| found.contains_key(**key));
        match named {
            Some(key) => have.get(*key) == found.get(*key),
            None => {
                let mut place = found
                    .iter()
                    .filter(|(key, _)| !CHOSEN.contains(&key.as_str()));
                found.keys().any(|key| !CHOSEN.contains(&key.as_str()))
                    && place.all(|(key, value)| have.get(key) == Some(value))
            }
        }
    };
    let known = devices(configured).find(|have| same(have))?;
    Some(
        known
            .get("key")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    )
}

/// The `[[device]]` entries of a configuration.
pub fn devices(configuration: &Table) -> impl Iterator<Item = &Table> {
    let list = configuration.get("device").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str) -> Found {
        Found {
            address: String::new(),
            identity: Vec::new(),
            profile: None,
            remark: String::new(),
            config: config.parse().unwrap(),
        }
    }

    #[test]
    fn a_device_is_known_by_its_identity_and_without_one_by_its_place() {
        let have: Table = "[[device]]\nkey = 'a'\nid = 'x'\nhost = 'old'\n\
             [[device]]\nkey = 'b'\nhost = 'h'\nunit = 2\ninterval_ms = 5\n"
            .parse()
            .unwrap();
        let known = |config: &str| same_device(&have, &find(config));
        assert_eq!(
            known("[[device]]\nkey='n'\nid='x'\nhost='new'"),
            Some("a".into())
        );
        assert_eq!(known("[[device]]\nkey='n'\nid='y'\nhost='old'"), None);
        assert_eq!(
            known("[[device]]\nkey='n'\nhost='h'\nunit=2"),
            Some("b".into())
        );
        assert_eq!(known("[[device]]\nkey='n'\nhost='h'\nunit=3"), None);
        assert_eq!(known("[[device]]\nkey='n'"), None);
        assert_eq!(known("host = 'h'"), None);
    }
}
