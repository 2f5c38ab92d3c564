//! Configuration: what a technician writes, checked whole before anything opens. Owns the tables of
//! `sample.toml` and of device profiles, and the validated types the rest of the adapter works with.
//!
//! Raw tables live in the modules below and deny unknown keys; what leaves here is valid: addresses
//! are protocol addresses, orders are permutations, every point has its mapping.

pub mod address;
pub mod device;
pub mod lane;
pub mod point;
pub mod profile;
mod raw_point;
mod shape;

pub use device::DeviceConfig;
pub use lane::{LaneConfig, SerialConfig, TlsConfig, Transport};
pub use point::{PointConfig, WriteConfig, WriteFunction};
pub use profile::{Category, Example, Fingerprint, Profile, Profiles, Source, SourceRole};

use riser_adapter::{BuildContext, ConfigError, config::parse};
use riser_model::Point;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A whole, valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Lanes with their devices; a lane without devices is not opened.
    pub lanes: Vec<LaneConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootTable {
    #[serde(default)]
    lane: Vec<toml::Table>,
    #[serde(default)]
    device: Vec<toml::Table>,
}

impl Config {
    /// Checks the adapter's table. Certificates are read, nothing else is opened.
    pub fn new(table: &toml::Table, context: &BuildContext) -> Result<Self, ConfigError> {
        let root: RootTable = parse("", table)?;
        let profiles = Profiles::load(context.profile_dir.as_deref())?;
        let mut lanes = Vec::with_capacity(root.lane.len());
        for (i, table) in root.lane.iter().enumerate() {
            lanes.push(lane::build(&format!("lane[{i}]"), table, context)?);
        }
        distinct_lanes(&lanes)?;
        let mut config = Self { lanes };
        for (i, table) in root.device.iter().enumerate() {
            config.add_device(&format!("device[{i}]"), table, &profiles)?;
        }
        Ok(config)
    }

    fn add_device(
        &mut self,
        at: &str,
        table: &toml::Table,
        profiles: &Profiles,
    ) -> Result<(), ConfigError> {
        let raw: device::DeviceTable = parse(at, table)?;
        let Some(lane) = self.lanes.iter_mut().find(|l| l.key == raw.lane) else {
            let known = self.lanes.iter().map(|l| l.key.as_str());
            let advice = riser_adapter::config::nearest(raw.lane.as_str(), known)
                .map_or("there is no [[lane]] at all".to_owned(), |near| {
                    format!("the nearest known one is '{near}'")
                });
            return Err(ConfigError::new(
                format!("{at}.lane"),
                format!("no lane is called '{}'; {advice}", raw.lane),
            ));
        };
        let built = device::build(at, raw, lane, profiles)?;
        lane.devices.push(built);
        self.check_last(at)
    }

    /// No two devices share a name, none on one lane a unit id.
    fn check_last(&self, at: &str) -> Result<(), ConfigError> {
        let mut keys = BTreeSet::new();
        for lane in &self.lanes {
            let mut units = BTreeSet::new();
            for device in &lane.devices {
                if !keys.insert(&device.key) {
                    return Err(ConfigError::new(
                        format!("{at}.key"),
                        format!("another device is already called '{}'", device.key),
                    ));
                }
                if !units.insert(device.unit) {
                    return Err(ConfigError::new(
                        format!("{at}.unit"),
                        format!(
                            "lane '{}' already has a device with unit {}; give both sets of points to one device",
                            lane.key, device.unit
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Points that go stale between any two readings.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let devices = self.lanes.iter().flat_map(|lane| &lane.devices);
        let points = devices.flat_map(|device| &device.points);
        let doubts = points.filter_map(|config| {
            let (point, interval) = (&config.point, config.interval.as_millis());
            let stale = point.stale_after_ms;
            let doubtful = stale > 0 && u128::from(stale) < interval;
            doubtful.then(|| {
                format!(
                    "point {}: stale_after_ms = {stale} is shorter than its interval_ms = \
                     {interval}, so it is stale before every reading; take twice the interval or \
                     more, or leave it out",
                    point.path
                )
            })
        });
        doubts.collect()
    }

    /// Every point, in the order in which slots are asked for: lane, device, point.
    #[must_use]
    pub fn points(&self) -> Vec<Arc<Point>> {
        self.lanes
            .iter()
            .flat_map(|l| &l.devices)
            .flat_map(|d| &d.points)
            .map(|p| Arc::clone(&p.point))
            .collect()
    }
}

fn distinct_lanes(lanes: &[LaneConfig]) -> Result<(), ConfigError> {
    for (i, lane) in lanes.iter().enumerate() {
        for other in lanes.iter().take(i) {
            if other.key == lane.key {
                return Err(ConfigError::new(
                    format!("lane[{i}].key"),
                    format!("another lane is already called '{}'", lane.key),
                ));
            }
            if other.name == lane.name {
                return Err(ConfigError::new(
                    format!("lane[{i}]"),
                    format!(
                        "lanes '{}' and '{}' both open {}: what must be serial there would not be; use one lane (and raise its 'outstanding' if it can take more than one request)",
                        other.key, lane.key, lane.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// A duration out of milliseconds.
pub(crate) fn millis(ms: u32) -> std::time::Duration {
    std::time::Duration::from_millis(ms.into())
}
