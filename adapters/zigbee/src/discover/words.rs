//! What was found, as finds: a bridge first, then the devices behind it, each with what it offers and
//! what stands against it in words. Owns those words, and what a find would write.

use super::look::{Bridges, Seen};
use super::same_network;
use crate::client::Refusal;
use crate::codec::{BridgeDevice, Power, Role, Said, device};
use crate::config::key_of;
use crate::mapping::{EntityName, build};
use crate::network::members::remark;
use riser_adapter::{Found, devices};
use riser_model::Key;
use toml::{Table, Value};

/// Points named in one find.
const NAMED: usize = 8;

/// Where was looked, and what runs there already.
pub(super) struct Scope<'a> {
    /// The broker, as people write it.
    pub(super) place: &'a str,
    /// The only base topic that was asked for.
    pub(super) base: Option<&'a str>,
    /// What reaches the broker.
    pub(super) options: &'a Table,
    /// The configurations of the networks that run.
    pub(super) running: &'a [Table],
}

/// The finds of one broker.
pub(super) fn finds(seen: &Bridges, scope: &Scope<'_>) -> Vec<Found> {
    if seen.is_empty() {
        return vec![nobody(scope)];
    }
    let mut finds = Vec::new();
    for (base, seen) in seen {
        let mut config = scope.options.clone();
        config.insert("base_topic".to_owned(), base.as_str().into());
        finds.push(bridge(base, seen, scope, &config));
        let list = seen.devices.iter().flat_map(|(list, _)| list);
        for device in list.filter(|d| d.role != Role::Coordinator) {
            finds.push(member(device, seen, scope, (base, &config)));
        }
    }
    finds
}

fn nobody(scope: &Scope<'_>) -> Found {
    let under = match scope.base {
        Some(base) => format!("under '{base}'"),
        None => "under any topic of one or two levels".to_owned(),
    };
    Found {
        address: scope.place.to_owned(),
        identity: Vec::new(),
        profile: None,
        remark: format!(
            "zigbee bridge down: the broker answers, but no retained bridge/state is kept {under}; start zigbee2mqtt, or \
             compare mqtt.server and mqtt.base_topic in its settings with what was searched"
        ),
        config: Table::new(),
    }
}

fn bridge(base: &str, seen: &Seen, scope: &Scope<'_>, config: &Table) -> Found {
    let mut remark = vec![state(seen, base)];
    match &seen.devices {
        None => remark.push(
            "its list of devices is not on the broker, or the broker's access list keeps it back"
                .to_owned(),
        ),
        Some((list, left_out)) => {
            if list.iter().all(|d| d.role == Role::Coordinator) {
                remark.push(
                    "no devices joined yet: add it, then allow joining (operation permit_join)"
                        .to_owned(),
                );
            }
            if *left_out > 0 {
                remark.push(format!(
                    "{left_out} entries of its list of devices could not be read"
                ));
            }
        }
    }
    let doubts = seen
        .facts
        .iter()
        .flat_map(crate::codec::bridge::BridgeFacts::doubts);
    remark.extend(doubts.map(str::to_owned));
    Found {
        address: format!("{} {base}", scope.place),
        identity: bridge_identity(base, seen),
        profile: None,
        remark: remark.join("; "),
        config: config.clone(),
    }
}

fn bridge_identity(base: &str, seen: &Seen) -> Vec<(String, String)> {
    let facts = seen.facts.clone().unwrap_or_default();
    let members =
        |list: &[BridgeDevice]| list.iter().filter(|d| d.role != Role::Coordinator).count();
    let count = seen
        .devices
        .as_ref()
        .map(|(list, _)| members(list).to_string());
    let joining = if facts.permit_join { "allowed" } else { "" };
    let parts = [
        ("base_topic", base.to_owned()),
        ("version", facts.version),
        ("coordinator", facts.coordinator),
        ("devices", count.unwrap_or_default()),
        ("joining", joining.to_owned()),
    ];
    named(parts)
}

fn named<const N: usize>(parts: [(&str, String); N]) -> Vec<(String, String)> {
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    parts.map(|(name, text)| (name.to_owned(), text)).collect()
}

/// Whether the bridge is there, as far as can be told from outside.
fn state(seen: &Seen, base: &str) -> String {
    match (seen.said, seen.answered, seen.refused) {
        (_, true, _) => "zigbee2mqtt is running; once it is added its devices come by themselves, an entry of its own only gives one another key".to_owned(),
        (Some(Said::Online), _, Some(Refusal::Denied)) => format!(
            "it says online, but the broker does not let this user publish below '{base}/', so nothing could be switched; allow it in the broker's access list"
        ),
        (Some(Said::Online), _, Some(Refusal::Nobody)) => "zigbee bridge down: the broker has kept its 'online', but it is not connected any more; start zigbee2mqtt".to_owned(),
        (Some(Said::Online), ..) => "zigbee bridge down: it says online and does not answer; restart zigbee2mqtt".to_owned(),
        (Some(Said::Offline), ..) => "zigbee bridge down: it says offline; start zigbee2mqtt, and look whether its stick is plugged in".to_owned(),
        _ => "zigbee bridge down: the broker answers, but no retained bridge/state is kept; start zigbee2mqtt".to_owned(),
    }
}

fn member(
    device: &BridgeDevice,
    seen: &Seen,
    scope: &Scope<'_>,
    (base, network): (&str, &Table),
) -> Found {
    let mut words = vec![offers(device)];
    words.extend(remark(device));
    if !seen.answered && seen.refused != Some(Refusal::Denied) {
        words.push("known from before: the bridge is down".to_owned());
    }
    let there = scope.running.iter().any(|running| {
        same_network(running, network)
            && devices(running).all(|d| super::address(d) != Some(device.ieee))
    });
    if there {
        words.push(format!(
            "it runs already as {}; an entry gives its points another key, under which their history begins anew",
            key_of(device.ieee)
        ));
    }
    let name = device::shown(&device.name);
    let power = match device.power {
        Power::Mains => "mains",
        Power::Battery => "battery",
        Power::Unknown => "",
    };
    Found {
        address: format!("{} {base} {}", scope.place, device.ieee),
        identity: named([
            ("name", name.clone()),
            ("model", device.model.clone()),
            ("description", device.description.clone()),
            ("power", power.to_owned()),
            ("firmware", device.firmware.clone().unwrap_or_default()),
        ]),
        profile: None,
        remark: words.join("; "),
        config: entry(device, &name, network),
    }
}

/// What adds a device: its entry, and the bridge it is behind.
fn entry(device: &BridgeDevice, name: &str, network: &Table) -> Table {
    let address = device.ieee.to_string();
    let mut entry = Table::new();
    let key = if name == address {
        key_of(device.ieee)
    } else {
        Key::slug(name)
    };
    entry.insert("key".to_owned(), key.as_str().into());
    entry.insert("ieee".to_owned(), address.as_str().into());
    if name != address {
        entry.insert("name".to_owned(), name.into());
    }
    let mut config = network.clone();
    config.insert("device".to_owned(), Value::Array(vec![Value::Table(entry)]));
    config
}

/// What a device has for points.
fn offers(device: &BridgeDevice) -> String {
    let key = key_of(device.ieee);
    let of = EntityName {
        key: &key,
        name: "",
        stale_ms: 0,
    };
    let points = device.features.iter().filter_map(|f| build(f, of));
    let mut names: Vec<String> = points
        .map(|p| match p.unit {
            Some(unit) => format!("{} {}", p.name, unit.symbol()),
            None => p.name,
        })
        .collect();
    let all = names.len();
    if all == 0 {
        return "offers no points".to_owned();
    }
    names.truncate(NAMED);
    let more = if all > NAMED {
        format!(" and {} more", all - NAMED)
    } else {
        String::new()
    };
    let points = if all == 1 { "point" } else { "points" };
    format!("offers {all} {points}: {}{more}", names.join(", "))
}
