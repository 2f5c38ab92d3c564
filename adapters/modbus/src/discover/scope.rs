//! Where to look and how fast: the options of a search, and the configuration a find would get.

use crate::config::{LaneConfig, lane};
use riser_adapter::{BuildContext, ConfigError, config::parse};
use riser_model::Key;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// Most hosts of one search.
const HOSTS: usize = 1024;

/// A checked search.
pub(super) struct Scope {
    pub(super) targets: Vec<Target>,
    pub(super) units: Vec<u8>,
    pub(super) spacing: Duration,
    pub(super) profile_dir: Option<PathBuf>,
}

/// One host or serial port.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) lane: LaneConfig,
    /// A TCP server may ignore the unit id.
    pub(super) by_tcp: bool,
    table: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeTable {
    #[serde(default = "tcp")]
    transport: String,
    /// Names, addresses, `192.0.2.0/28`, `192.0.2.10-20`.
    #[serde(default, deserialize_with = "listed")]
    hosts: Vec<String>,
    port: Option<u16>,
    serial: Option<String>,
    #[serde(default, deserialize_with = "number")]
    baud: Option<u32>,
    parity: Option<String>,
    stop_bits: Option<u8>,
    /// Unit ids and ranges: `[1, 2]` or `["1-10", "20"]`; default 1 to 10.
    #[serde(default, deserialize_with = "listed_values")]
    units: Vec<toml::Value>,
    /// Requests a second over all hosts; default 10.
    rate: Option<f64>,
    timeout_ms: Option<u32>,
    connect_timeout_ms: Option<u32>,
    profile_dir: Option<PathBuf>,
}

/// A list, or one text with commas between, as a person types it.
fn listed_values<'d, D: Deserializer<'d>>(input: D) -> Result<Vec<toml::Value>, D::Error> {
    Ok(match toml::Value::deserialize(input)? {
        toml::Value::Array(list) => list,
        toml::Value::String(text) => {
            let parts = text.split([',', ';', '\n']).map(str::trim);
            parts
                .filter(|part| !part.is_empty())
                .map(toml::Value::from)
                .collect()
        }
        one => vec![one],
    })
}

fn listed<'d, D: Deserializer<'d>>(input: D) -> Result<Vec<String>, D::Error> {
    let text = |value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => Err(D::Error::custom(format!("{other} is no text"))),
    };
    listed_values(input)?.into_iter().map(text).collect()
}

/// A number, also as the text it is in a list to choose from.
fn number<'d, D: Deserializer<'d>>(input: D) -> Result<Option<u32>, D::Error> {
    let given = toml::Value::deserialize(input)?;
    let text = given
        .as_str()
        .map_or_else(|| given.to_string(), str::to_owned);
    let number = text.trim().parse();
    number
        .map(Some)
        .map_err(|_| D::Error::custom(format!("'{text}' is no number")))
}

fn tcp() -> String {
    "tcp".to_owned()
}

impl Scope {
    pub(super) fn new(options: &toml::Table) -> Result<Self, ConfigError> {
        let raw: ScopeTable = parse("discover", options)?;
        let rate = raw.rate.unwrap_or(10.0);
        if !rate.is_finite() || !(0.1..=1000.0).contains(&rate) {
            return Err(ConfigError::new(
                "discover.rate",
                format!("{rate} is not between 0.1 and 1000"),
            ));
        }
        Ok(Self {
            targets: targets(&raw)?,
            units: units(&raw.units)?,
            spacing: Duration::from_secs_f64(1.0 / rate),
            profile_dir: raw.profile_dir,
        })
    }
}

fn targets(raw: &ScopeTable) -> Result<Vec<Target>, ConfigError> {
    if raw.transport == "tls" {
        return Err(ConfigError::new(
            "discover.transport",
            "a secured server cannot be searched for; add it by hand",
        ));
    }
    let mut base = toml::Table::new();
    base.insert("transport".into(), raw.transport.clone().into());
    for (key, value) in [
        ("port", raw.port.map(i64::from)),
        ("baud", raw.baud.map(i64::from)),
        ("stop_bits", raw.stop_bits.map(i64::from)),
    ] {
        if let Some(value) = value {
            base.insert(key.into(), value.into());
        }
    }
    for (key, value) in [("serial", &raw.serial), ("parity", &raw.parity)] {
        if let Some(value) = value {
            base.insert(key.into(), value.clone().into());
        }
    }
    let mut tables = Vec::new();
    for host in hosts(&raw.hosts)? {
        let mut table = base.clone();
        table.insert("key".into(), Key::slug(&host).to_string().into());
        table.insert("host".into(), host.into());
        tables.push(table);
    }
    if let Some(serial) = &raw.serial {
        base.insert("key".into(), Key::slug(serial).to_string().into());
        tables.push(base);
    }
    if tables.is_empty() {
        return Err(ConfigError::new(
            "discover.hosts",
            "name the hosts to search, such as [\"192.0.2.0/28\"], or a serial port",
        ));
    }
    tables
        .into_iter()
        .map(|table| {
            let mut asked = table.clone();
            asked.insert(
                "timeout_ms".into(),
                i64::from(raw.timeout_ms.unwrap_or(500)).into(),
            );
            asked.insert(
                "connect_timeout_ms".into(),
                i64::from(raw.connect_timeout_ms.unwrap_or(1000)).into(),
            );
            Ok(Target {
                lane: lane::build("discover", &asked, &BuildContext::default())?,
                by_tcp: raw.transport == "tcp",
                table,
            })
        })
        .collect()
}

/// The configuration that would add a find.
pub(super) fn configuration(target: &Target, unit: u8, profile: Option<&str>) -> toml::Table {
    let mut device = toml::Table::new();
    let lane = &target.lane.key;
    device.insert(
        "key".into(),
        Key::slug(&format!("{lane}-{unit}")).to_string().into(),
    );
    device.insert("lane".into(), lane.to_string().into());
    device.insert("unit".into(), i64::from(unit).into());
    if let Some(profile) = profile {
        device.insert("profile".into(), profile.into());
    }
    let mut config = toml::Table::new();
    config.insert(
        "lane".into(),
        toml::Value::Array(vec![target.table.clone().into()]),
    );
    config.insert("device".into(), toml::Value::Array(vec![device.into()]));
    config
}

fn hosts(written: &[String]) -> Result<Vec<String>, ConfigError> {
    let mut all = Vec::new();
    for (i, text) in written.iter().enumerate() {
        let wrong = |problem: String| ConfigError::new(format!("discover.hosts[{i}]"), problem);
        match range(text).map_err(wrong)? {
            Some((first, last)) => {
                all.extend(
                    (first..=last)
                        .take(HOSTS + 1)
                        .map(|a| Ipv4Addr::from(a).to_string()),
                );
            }
            None => all.push(text.trim().to_owned()),
        }
        if all.len() > HOSTS {
            return Err(wrong(format!(
                "more than {HOSTS} hosts; search in smaller parts"
            )));
        }
    }
    Ok(all)
}

/// First and last address of `a.b.c.d/n`, `a.b.c.d-e` or `a.b.c.d-e.f.g.h`; `None` for a single host.
fn range(text: &str) -> Result<Option<(u32, u32)>, String> {
    let address = |t: &str| t.trim().parse::<Ipv4Addr>().ok();
    if let Some((net, bits)) = text.split_once('/') {
        let (Some(net), Ok(bits @ 8..=32)) = (address(net), bits.trim().parse::<u32>()) else {
            return Err(format!("'{text}' is not a network such as 192.0.2.0/28"));
        };
        let size = u32::MAX.checked_shr(bits).unwrap_or(0);
        let first = u32::from(net) & !size;
        // Network and broadcast address are no hosts, except in the smallest networks.
        return Ok(Some(if bits < 31 {
            (first + 1, first + size - 1)
        } else {
            (first, first + size)
        }));
    }
    let Some((first, last)) = text.split_once('-') else {
        return Ok(None);
    };
    let Some(first) = address(first) else {
        return Ok(None);
    };
    let last = address(last).or_else(|| {
        let [a, b, c, _] = first.octets();
        last.trim()
            .parse()
            .ok()
            .map(|d: u8| Ipv4Addr::new(a, b, c, d))
    });
    match last {
        Some(last) if last >= first => Ok(Some((first.into(), last.into()))),
        _ => Err(format!("'{text}' is not a range such as 192.0.2.10-20")),
    }
}

fn units(written: &[toml::Value]) -> Result<Vec<u8>, ConfigError> {
    let mut all = Vec::new();
    for (i, value) in written.iter().enumerate() {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last => all.extend(first..=last),
            _ => {
                return Err(ConfigError::new(
                    format!("discover.units[{i}]"),
                    format!("'{text}' is neither a unit id nor a range such as 1-10"),
                ));
            }
        }
    }
    if all.is_empty() {
        all.extend(1..=10);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_as_names_networks_and_ranges() {
        let list = |t: &str| hosts(&[t.to_owned()]).unwrap();
        assert_eq!(list("plc-1.example"), ["plc-1.example"]);
        assert_eq!(
            list("192.0.2.10-12"),
            ["192.0.2.10", "192.0.2.11", "192.0.2.12"]
        );
        assert_eq!(list("192.0.2.9-192.0.2.10").len(), 2);
        assert_eq!(list("192.0.2.0/29").len(), 6);
        assert_eq!(list("192.0.2.5/32"), ["192.0.2.5"]);
        for bad in ["192.0.2.0/33", "192.0.2.0/4", "192.0.2.10-5", "10.0.0.0/8"] {
            assert!(hosts(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn units_come_as_numbers_and_ranges() {
        let list = |t: &str| {
            units(
                toml::from_str::<toml::Table>(&format!("u = {t}")).unwrap()["u"]
                    .as_array()
                    .unwrap(),
            )
        };
        assert_eq!(list("[1, \"5-7\"]").unwrap(), [1, 5, 6, 7]);
        assert_eq!(list("[]").unwrap().len(), 10);
        assert!(list("[300]").is_err());
    }
}
