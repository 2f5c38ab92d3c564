//! What of a search is configured already: which lanes lead to the same place, which device is at the
//! same unit id, and how a find joins what is there. Owns no reading of buses.

use super::scope::Target;
use crate::config::{LaneConfig, Transport, lane};
use riser_adapter::{BuildContext, Found, devices};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// A lane of a running adapter.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) key: String,
    lane: LaneConfig,
    /// Unit ids of its devices.
    pub(super) units: BTreeSet<i64>,
}

/// The lanes of a configuration; what cannot be read is left out.
pub(super) fn open(configuration: &Table) -> Vec<Open> {
    let lanes = tables(configuration, "lane");
    lanes
        .filter_map(|table| {
            // Keys and certificates are no part of the place.
            let mut plain = table.clone();
            if plain.get("transport").and_then(Value::as_str) == Some("tls") {
                plain.insert("transport".into(), "tcp".into());
                plain.entry("port").or_insert(802.into());
                for key in ["ca", "cert", "private_key", "server_name"] {
                    plain.remove(key);
                }
            }
            let lane = lane::build("", &plain, &BuildContext::default()).ok()?;
            let key = lane.key.to_string();
            let on = devices(configuration);
            let on = on.filter(|d| d.get("lane").and_then(Value::as_str) == Some(key.as_str()));
            let units = on.map(|d| unit(d).unwrap_or(1)).collect();
            Some(Open { key, lane, units })
        })
        .collect()
}

impl Open {
    /// Whether two lanes would open the same port or connection.
    pub(super) fn same(&self, other: &LaneConfig) -> bool {
        match (end(&self.lane.transport), end(&other.transport)) {
            ((Some(host), port), (Some(other), number)) => {
                port == number && host.eq_ignore_ascii_case(other)
            }
            ((None, _), (None, _)) => path(&self.lane.transport) == path(&other.transport),
            _ => false,
        }
    }

    /// What a find says that stands for a place nobody looked at.
    pub(super) fn taken(&self, target: &Target) -> Found {
        let units: Vec<String> = self.units.iter().map(ToString::to_string).collect();
        let units = if units.is_empty() {
            "no device is on it yet".to_owned()
        } else {
            format!("it reads unit {}", units.join(", "))
        };
        Found {
            address: target.lane.name.clone(),
            identity: Vec::new(),
            profile: None,
            remark: format!(
                "in use by lane '{}' of a running adapter ({units}), and was left alone: a second one who asks \
                 here would disturb it. Further devices on it are added by hand, or found while that \
                 adapter is stopped",
                self.key
            ),
            config: Table::new(),
        }
    }
}

fn end(transport: &Transport) -> (Option<&str>, u16) {
    match transport {
        Transport::Tcp { host, port }
        | Transport::Tls { host, port, .. }
        | Transport::RtuOverTcp { host, port, .. } => (Some(host), *port),
        Transport::Rtu { .. } => (None, 0),
    }
}

fn path(transport: &Transport) -> Option<&str> {
    match transport {
        Transport::Rtu { path, .. } => Some(path),
        _ => None,
    }
}

fn unit(device: &Table) -> Option<i64> {
    device.get("unit")?.as_integer()
}

fn tables<'t>(configuration: &'t Table, list: &str) -> impl Iterator<Item = &'t Table> {
    let list = configuration.get(list).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table)
}

/// The lane of a find, and the one that leads to the same place.
fn lane_there(configured: &Table, find: &Found) -> Option<Open> {
    let lane = open(&find.config).pop()?.lane;
    open(configured).into_iter().find(|open| open.same(&lane))
}

/// The configured device at a find's unit id, on a lane to the same place.
pub(super) fn known(configured: &Table, find: &Found) -> Option<String> {
    let there = lane_there(configured, find)?;
    let unit_found = unit(devices(&find.config).next()?)?;
    let same = |device: &&Table| {
        device.get("lane").and_then(Value::as_str) == Some(there.key.as_str())
            && unit(device).unwrap_or(1) == unit_found
    };
    let device = devices(configured).find(same)?;
    Some(device.get("key")?.as_str()?.to_owned())
}

/// A find on a lane that is there uses it; a new lane gets a key that is free.
pub(super) fn join(configured: &Table, find: &Found) -> Table {
    let mut config = find.config.clone();
    let key = match lane_there(configured, find) {
        Some(there) => {
            config.remove("lane");
            there.key
        }
        None => {
            let keys = tables(configured, "lane").filter_map(|l| l.get("key")?.as_str());
            let taken: BTreeSet<&str> = keys.collect();
            let Some(wanted) = tables(&config, "lane").find_map(|l| l.get("key")?.as_str()) else {
                return config;
            };
            let numbered = (2..=u32::MAX).map(|n| format!("{wanted}-{n}"));
            let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
            let free = all.find(|key| !taken.contains(key.as_str()));
            let free = free.unwrap_or_else(|| wanted.to_owned());
            each(&mut config, "lane", |lane| {
                drop(lane.insert("key".into(), free.clone().into()));
            });
            free
        }
    };
    each(&mut config, "device", |device| {
        drop(device.insert("lane".into(), key.clone().into()));
    });
    config
}

fn each(config: &mut Table, list: &str, change: impl Fn(&mut Table)) {
    let list = config.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_table_mut)
        .for_each(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: &str = "\
        [[lane]]\nkey = 'plant'\ntransport = 'tcp'\nhost = '192.0.2.7'\n\
        [[lane]]\nkey = 'bus'\ntransport = 'rtu'\nserial = '/dev/ttyS1'\n\
        [[device]]\nkey = 'meter'\nlane = 'plant'\nprofile = 'x'\n\
        [[device]]\nkey = 'ahu'\nlane = 'bus'\nunit = 3\n";

    fn find(lane: &str, unit: u8) -> Found {
        Found {
            address: String::new(),
            identity: Vec::new(),
            profile: None,
            remark: String::new(),
            config: format!(
                "[[lane]]\nkey = 'plant'\n{lane}\n[[device]]\nkey = 'n'\nlane = 'plant'\nunit = {unit}"
            )
            .parse()
            .unwrap(),
        }
    }

    #[test]
    fn the_same_place_is_known_however_it_is_written() {
        let there: Table = THERE.parse().unwrap();
        let known = |lane: &str, unit| known(&there, &find(lane, unit));
        let tcp = "transport = 'tcp'\nhost = '192.0.2.7'\nport = 502";
        assert_eq!(known(tcp, 1), Some("meter".into()));
        assert_eq!(known(tcp, 2), None);
        assert_eq!(
            known("transport = 'tcp'\nhost = '192.0.2.7'\nport = 503", 1),
            None
        );
        assert_eq!(
            known("transport = 'rtu'\nserial = '/dev/ttyS1'\nbaud = 9600", 3),
            Some("ahu".into())
        );
        assert_eq!(known("transport = 'rtu'\nserial = '/dev/ttyS2'", 3), None);
    }

    #[test]
    fn a_lane_that_is_there_is_used_and_another_one_gets_a_free_key() {
        let there: Table = THERE.parse().unwrap();
        let joined = join(&there, &find("transport = 'rtu'\nserial = '/dev/ttyS1'", 4));
        assert!(!joined.contains_key("lane"));
        assert_eq!(joined["device"][0]["lane"].as_str(), Some("bus"));
        let joined = join(&there, &find("transport = 'tcp'\nhost = 'other'", 4));
        assert_eq!(joined["lane"][0]["key"].as_str(), Some("plant-2"));
        assert_eq!(joined["device"][0]["lane"].as_str(), Some("plant-2"));
    }
}
