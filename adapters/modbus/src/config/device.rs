//! `[[device]]`: one unit id on a lane, its points from a profile, from the table, or both.

use super::point::{self, Within};
use super::raw_point::{Defaults, Sentinel};
use super::{LaneConfig, PointConfig, Profile, Profiles, address::Addressing, millis};
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

/// Most points one `repeat` makes.
const REPEAT_MAX: i64 = 65_535;

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
    let name = raw.name.clone().unwrap_or_else(|| raw.key.to_string());
    let defaults = raw.defaults();
    let defaults = match profile {
        Some(profile) => defaults.or(&profile.defaults),
        None => defaults,
    };
    let within = Within {
        device: &raw.key,
        device_name: &name,
        defaults: &defaults,
    };
    let points = Reader::new(at, &raw, &within).read(profile)?;
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

impl DeviceTable {
    fn defaults(&self) -> Defaults {
        Defaults {
            addressing: self.addressing,
            table: self.table,
            order: self.order.clone(),
            sentinel: self.sentinel,
            interval_ms: self.interval_ms,
        }
    }
}

/// Reads the points of one device: the profile's with the device's changes, then its own, `repeat`
/// unrolled. One table at a time, because a device may have tens of thousands of them.
struct Reader<'a> {
    at: &'a str,
    raw: &'a DeviceTable,
    within: &'a Within<'a>,
    /// Which of the device's tables changed a point of the profile.
    used: Vec<bool>,
    points: Vec<PointConfig>,
}

impl<'a> Reader<'a> {
    fn new(at: &'a str, raw: &'a DeviceTable, within: &'a Within<'a>) -> Self {
        Self {
            at,
            raw,
            within,
            used: vec![false; raw.point.len()],
            points: Vec::new(),
        }
    }

    fn read(mut self, profile: Option<&Profile>) -> Result<Vec<PointConfig>, ConfigError> {
        if let Some(profile) = profile {
            for (i, table) in profile.points.iter().enumerate() {
                self.of_profile(profile, i, table.clone())?;
            }
        }
        self.skip()?;
        for (i, table) in self.raw.point.iter().enumerate() {
            if self.used.get(i) != Some(&true) {
                let at = format!("{}.point[{i}]", self.at);
                let (table, count) = repeated(&at, table.clone())?;
                for nth in 0..count {
                    self.add(&at, &instance(&table, nth), nth)?;
                }
            }
        }
        Ok(self.points)
    }

    fn of_profile(
        &mut self,
        profile: &Profile,
        i: usize,
        mut table: toml::Table,
    ) -> Result<(), ConfigError> {
        let device = self.at;
        let changed = |i: usize| format!("{device}.point[{i}] (with profile {})", profile.name);
        let at = self
            .overlay(&mut table)
            .map_or_else(|| format!("profile {}.point[{i}]", profile.name), changed);
        let (table, count) = repeated(&at, table)?;
        for nth in 0..count {
            let mut one = instance(&table, nth);
            let own = self.overlay(&mut one).map(changed);
            self.add(own.as_deref().unwrap_or(&at), &one, nth)?;
        }
        Ok(())
    }

    /// Puts the device's changes over a point of the profile with the same key.
    fn overlay(&mut self, table: &mut toml::Table) -> Option<usize> {
        let key = key_of(table)?;
        let index = self.raw.point.iter().position(|p| key_of(p) == Some(key))?;
        table.extend(self.raw.point.get(index)?.clone());
        *self.used.get_mut(index)? = true;
        Some(index)
    }

    fn add(&mut self, at: &str, table: &toml::Table, nth: u16) -> Result<(), ConfigError> {
        let mut built = point::build(at, table, nth, self.within)?;
        // Rows of equal registers are the rule: they share one description.
        if let Some(last) = self.points.last().filter(|l| l.mapping == built.mapping) {
            built.mapping = last.mapping.clone();
        }
        self.points.push(built);
        Ok(())
    }

    /// Leaves out the points of the profile the device does not want.
    fn skip(&mut self) -> Result<(), ConfigError> {
        for (i, skip) in self.raw.skip.iter().enumerate() {
            let before = self.points.len();
            self.points.retain(|p| p.point.path.point != *skip);
            if self.points.len() == before {
                let known = self.points.iter().map(|p| p.point.path.point.as_str());
                let advice = nearest(skip.as_str(), known)
                    .map_or("it has no points".into(), |near| {
                        format!("did you mean '{near}'?")
                    });
                return Err(ConfigError::new(
                    format!("{}.skip[{i}]", self.at),
                    format!("the profile has no point '{skip}'; {advice}"),
                ));
            }
        }
        Ok(())
    }
}

fn key_of(table: &toml::Table) -> Option<&str> {
    table.get("key").and_then(toml::Value::as_str)
}

/// Takes `repeat` out of a table.
fn repeated(at: &str, mut table: toml::Table) -> Result<(toml::Table, u16), ConfigError> {
    match table.remove("repeat") {
        None => Ok((table, 1)),
        Some(toml::Value::Integer(count)) if (1..=REPEAT_MAX).contains(&count) => {
            // A row of one is still a row: its point is called by its number.
            table.insert("repeat".into(), count.into());
            Ok((table, u16::try_from(count).unwrap_or(u16::MAX)))
        }
        Some(other) => Err(ConfigError::new(
            format!("{at}.repeat"),
            format!("{other} is not a count from 1 to {REPEAT_MAX}"),
        )),
    }
}

/// One of a row: key and name get its number, counted from 1.
fn instance(table: &toml::Table, nth: u16) -> toml::Table {
    let mut one = table.clone();
    if one.remove("repeat").is_some() {
        let number = u32::from(nth) + 1;
        for (field, mark) in [("key", '_'), ("name", ' ')] {
            if let Some(text) = table.get(field).and_then(toml::Value::as_str) {
                one.insert(field.into(), format!("{text}{mark}{number}").into());
            }
        }
    }
    one
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
