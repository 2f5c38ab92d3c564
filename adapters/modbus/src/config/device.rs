//! `[[device]]`: one unit id on a lane, its points from a profile, from the table, or both.

use super::point::{self, Within};
use super::raw_point::{Defaults, Sentinel};
use super::{LaneConfig, PointConfig, Profiles, address::Addressing, millis};
use crate::codec::Table;
use riser_adapter::{ConfigError, config::nearest};
use riser_model::Key;
use serde::Deserialize;
use std::time::Duration;

/// One device, checked.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// First half of its points' paths.
    pub key: Key,
    /// What people read.
    pub name: String,
    /// Unit id (slave address).
    pub unit: u8,
    /// For an answer.
    pub timeout: Duration,
    /// After a timeout, before a scan counts as failed.
    pub retries: u8,
    /// Most registers in one request.
    pub max_span: u16,
    /// Registers a merged request may read over.
    pub gap: u16,
    /// Its points.
    pub points: Vec<PointConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceTable {
    key: Key,
    name: Option<String>,
    pub(super) lane: Key,
    unit: Option<u8>,
    profile: Option<String>,
    #[serde(default)]
    skip: Vec<Key>,
    addressing: Option<Addressing>,
    table: Option<Table>,
    order: Option<String>,
    sentinel: Option<Sentinel>,
    interval_ms: Option<u32>,
    timeout_ms: Option<u32>,
    retries: Option<u8>,
    max_span: Option<u16>,
    gap: Option<u16>,
    #[serde(default)]
    point: Vec<toml::Table>,
}

/// A point's table with where it was written and its place in a `repeat`.
struct Entry {
    at: String,
    table: toml::Table,
    nth: u16,
}

/// Most points one `repeat` makes.
const REPEAT_MAX: i64 = 65_536;

pub(super) fn build(
    at: &str,
    raw: DeviceTable,
    lane: &LaneConfig,
    profiles: &Profiles,
) -> Result<DeviceConfig, ConfigError> {
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    let profile = match &raw.profile {
        None => None,
        Some(name) => Some(profiles.get(name).map_err(|e| wrong("profile", e))?),
    };
    let entries = entries(
        at,
        &raw,
        profile.map(|p| (p.name.as_str(), p.points.as_slice())),
    )?;
    let unit = raw.unit.or(profile.and_then(|p| p.unit)).unwrap_or(1);
    let serial = lane.transport.serial();
    if serial.is_some() && !(1..=247).contains(&unit) {
        return Err(wrong(
            "unit",
            format!("{unit} is not between 1 and 247, which a serial line has"),
        ));
    }
    let max_span = raw
        .max_span
        .or(profile.and_then(|p| p.max_span))
        .unwrap_or(125);
    if !(1..=125).contains(&max_span) {
        return Err(wrong(
            "max_span",
            format!("{max_span} is not between 1 and 125"),
        ));
    }
    let own = Defaults {
        addressing: raw.addressing,
        table: raw.table,
        order: raw.order,
        sentinel: raw.sentinel,
        interval_ms: raw.interval_ms,
    };
    let from_profile = profile.map(|p| p.defaults.clone()).unwrap_or_default();
    let name = raw.name.unwrap_or_else(|| raw.key.to_string());
    let device_defaults = own.or(&from_profile);
    let within = Within {
        device: &raw.key,
        device_name: &name,
        defaults: &device_defaults,
    };
    let points = entries
        .iter()
        .map(|e| point::build(&e.at, &e.table, e.nth, &within))
        .collect::<Result<Vec<_>, _>>()?;
    check_points(at, &points, max_span)?;
    let timeout_ms = raw.timeout_ms.or(profile.and_then(|p| p.timeout_ms));
    Ok(DeviceConfig {
        key: raw.key,
        name,
        unit,
        timeout: timeout_ms.filter(|ms| *ms > 0).map_or(lane.timeout, millis),
        retries: raw.retries.unwrap_or(lane.retries),
        max_span,
        gap: raw.gap.or(profile.and_then(|p| p.gap)).unwrap_or(10),
        points,
    })
}

/// The profile's points with the device's changes, then the device's own ones, `repeat` unrolled.
fn entries(
    at: &str,
    raw: &DeviceTable,
    profile: Option<(&str, &[toml::Table])>,
) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    let mut used = vec![false; raw.point.len()];
    let mut overlay = |table: &mut toml::Table| {
        let mut index = None;
        for (i, change) in raw.point.iter().enumerate() {
            if key_of(change).is_some() && key_of(change) == key_of(table) {
                table.extend(change.clone());
                used[i] = true;
                index = Some(i);
            }
        }
        index
    };
    if let Some((name, points)) = profile {
        for (i, point) in points.iter().enumerate() {
            let mut point = point.clone();
            let mut here = format!("profile {name}.point[{i}]");
            if let Some(i) = overlay(&mut point) {
                here = format!("{at}.point[{i}] (with profile {name})");
            }
            for mut entry in unroll(&here, point)? {
                if let Some(i) = overlay(&mut entry.table) {
                    entry.at = format!("{at}.point[{i}] (with profile {name})");
                }
                entries.push(entry);
            }
        }
    }
    check_skips(at, raw, &entries)?;
    entries.retain(|e| {
        !raw.skip
            .iter()
            .any(|s| key_of(&e.table) == Some(s.as_str()))
    });
    for (i, (point, used)) in raw.point.iter().zip(used).enumerate() {
        if !used {
            entries.extend(unroll(&format!("{at}.point[{i}]"), point.clone())?);
        }
    }
    Ok(entries)
}

fn check_skips(at: &str, raw: &DeviceTable, entries: &[Entry]) -> Result<(), ConfigError> {
    let keys = || entries.iter().filter_map(|e| key_of(&e.table));
    for (i, skip) in raw.skip.iter().enumerate() {
        if !keys().any(|k| k == skip.as_str()) {
            let advice = nearest(skip.as_str(), keys()).map_or("it has no points".into(), |near| {
                format!("did you mean '{near}'?")
            });
            return Err(ConfigError::new(
                format!("{at}.skip[{i}]"),
                format!("the profile has no point '{skip}'; {advice}"),
            ));
        }
    }
    Ok(())
}

fn key_of(table: &toml::Table) -> Option<&str> {
    table.get("key").and_then(toml::Value::as_str)
}

fn unroll(at: &str, mut table: toml::Table) -> Result<Vec<Entry>, ConfigError> {
    let entry = |table, nth| Entry {
        at: at.to_owned(),
        table,
        nth,
    };
    let count = match table.remove("repeat") {
        None => return Ok(vec![entry(table, 0)]),
        Some(toml::Value::Integer(count)) if (1..=REPEAT_MAX).contains(&count) => count,
        Some(other) => {
            return Err(ConfigError::new(
                format!("{at}.repeat"),
                format!("{other} is not a count from 1 to {REPEAT_MAX}"),
            ));
        }
    };
    let name = |field: &str| {
        table
            .get(field)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    let (key, title) = (name("key").unwrap_or_default(), name("name"));
    Ok((0..=u16::MAX)
        .zip(1..=count)
        .map(|(nth, number)| {
            let mut one = table.clone();
            one.insert("key".into(), format!("{key}_{number}").into());
            if let Some(title) = &title {
                one.insert("name".into(), format!("{title} {number}").into());
            }
            entry(one, nth)
        })
        .collect())
}

fn check_points(at: &str, points: &[PointConfig], max_span: u16) -> Result<(), ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    for config in points {
        let key = &config.point.path.point;
        if !seen.insert(key) {
            return Err(ConfigError::new(
                at,
                format!("two points are called '{key}'"),
            ));
        }
        if config.mapping.registers > max_span {
            return Err(ConfigError::new(
                at,
                format!(
                    "point '{key}' takes {} registers, more than max_span = {max_span}",
                    config.mapping.registers
                ),
            ));
        }
    }
    for config in points {
        let Some(from) = &config.scale_from else {
            continue;
        };
        let source = points.iter().find(|p| p.point.path.point == *from);
        let usable = source.is_some_and(|p| p.point.kind == riser_model::ValueKind::Integer);
        if !usable {
            return Err(ConfigError::new(
                at,
                format!(
                    "point '{}' takes its scale from '{from}', which is no whole-number point of this device",
                    config.point.path.point
                ),
            ));
        }
    }
    Ok(())
}
