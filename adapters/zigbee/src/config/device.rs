//! `[[device]]`: what a technician says about one device ahead of time. Owns IEEE addresses and the
//! points that are named before the device was heard.

use super::Timing;
use riser_adapter::{ConfigError, config::parse};
use riser_model::{Access, Key, Label, Limits, Point, PointPath, Unit, ValueKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The address a Zigbee device has for life, 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ieee(pub u64);

impl fmt::Display for Ieee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016x}", self.0)
    }
}

impl FromStr for Ieee {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no IEEE address; write it as 0x00158d0001a2b3c4");
        let hex = text.strip_prefix("0x").ok_or_else(wrong)?;
        if hex.len() != 16 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u64::from_str_radix(hex, 16).map(Self).map_err(|_| wrong())
    }
}

/// One device, checked.
#[derive(Debug, Clone, Default)]
pub struct DeviceConfig {
    /// Its key instead of its address.
    pub key: Option<Key>,
    /// Properties left out.
    pub skip: BTreeSet<String>,
    /// Age after which its values are stale, in milliseconds.
    pub stale_ms: Option<u32>,
    /// How long its state may take to show what was written.
    pub settle: Option<Duration>,
    /// Points named ahead of time, by their key.
    pub points: BTreeMap<Key, Arc<Point>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceTable {
    ieee: String,
    key: Option<Key>,
    name: Option<String>,
    #[serde(default)]
    skip: BTreeSet<String>,
    stale_after_ms: Option<u32>,
    settle_ms: Option<u32>,
    #[serde(default)]
    point: Vec<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointTable {
    key: Key,
    name: Option<String>,
    #[serde(default = "float")]
    kind: ValueKind,
    unit: Option<Unit>,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    labels: Vec<String>,
    deadband: Option<f64>,
    stale_after_ms: Option<u32>,
}

fn float() -> ValueKind {
    ValueKind::Float
}

/// Checks every `[[device]]`.
pub(super) fn build_all(
    tables: &[toml::Table],
    timing: &Timing,
) -> Result<BTreeMap<Ieee, DeviceConfig>, ConfigError> {
    let mut devices = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for (i, table) in tables.iter().enumerate() {
        let at = format!("device[{i}]");
        let (ieee, device) = build(&at, table, timing)?;
        let key = device.key.clone().unwrap_or_else(|| key_of(ieee));
        if !keys.insert(key.clone()) {
            let text = format!("another device is already called '{key}'");
            return Err(ConfigError::new(format!("{at}.key"), text));
        }
        if devices.insert(ieee, device).is_some() {
            let text = format!("{ieee} has an entry already");
            return Err(ConfigError::new(format!("{at}.ieee"), text));
        }
    }
    Ok(devices)
}

/// The key of a device nobody has named: its address.
#[must_use]
pub fn key_of(ieee: Ieee) -> Key {
    Key::slug(&ieee.to_string())
}

fn build(
    at: &str,
    table: &toml::Table,
    timing: &Timing,
) -> Result<(Ieee, DeviceConfig), ConfigError> {
    let raw: DeviceTable = parse(at, table)?;
    let ieee: Ieee = raw
        .ieee
        .parse()
        .map_err(|problem: String| ConfigError::new(format!("{at}.ieee"), problem))?;
    let key = raw.key.clone().unwrap_or_else(|| key_of(ieee));
    let settle = match raw.settle_ms {
        Some(ms) => {
            let ms = super::within("settle_ms", ms, 50, super::SETTLE_MAX_MS);
            Some(Duration::from_millis(ms.map_err(|e| e.within(at))?.into()))
        }
        None => None,
    };
    let mut points = BTreeMap::new();
    for (i, table) in raw.point.iter().enumerate() {
        let at = format!("{at}.point[{i}]");
        let table: PointTable = parse(&at, table)?;
        let stale = raw.stale_after_ms.unwrap_or(timing.battery_stale_ms);
        let device_name = raw.name.clone().unwrap_or_else(|| key.to_string());
        let point = Arc::new(point(table, (&key, device_name), stale));
        let name = point.path.point.clone();
        if points.insert(name.clone(), point).is_some() {
            let text = format!("another point of the device is already called '{name}'");
            return Err(ConfigError::new(format!("{at}.key"), text));
        }
    }
    let device = DeviceConfig {
        key: raw.key,
        skip: raw.skip,
        stale_ms: raw.stale_after_ms,
        settle,
        points,
    };
    Ok((ieee, device))
}

fn point(table: PointTable, (device, device_name): (&Key, String), stale_ms: u32) -> Point {
    let labels = (0..).zip(table.labels);
    Point {
        path: PointPath::new(device.clone(), table.key.clone()),
        name: table.name.unwrap_or_else(|| table.key.to_string()),
        device_name,
        kind: table.kind,
        unit: table.unit,
        access: table.access,
        limits: table.limits,
        labels: labels.map(|(state, text)| Label { state, text }).collect(),
        deadband: table.deadband,
        stale_after_ms: table.stale_after_ms.unwrap_or(stale_ms),
    }
}
