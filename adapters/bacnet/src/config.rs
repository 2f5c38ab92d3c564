//! Configuration: lanes (an own UDP port each) with their devices and points. Owns every default and
//! every check; nothing opens before all of it has passed.

mod device;
mod lane;
mod point;

pub use device::{CovTerms, DeviceConfig};
pub(crate) use lane::build as lane_of;
pub use lane::{Bbmd, ClockTerms, LaneConfig};
pub(crate) use point::labels;
pub use point::{PointConfig, kind_of};

use riser_adapter::{ConfigError, config::nearest, config::parse};
use riser_model::{Key, Point};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Lanes, each with its devices.
    pub lanes: Vec<LaneConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    lane: Vec<toml::Table>,
    #[serde(default)]
    device: Vec<toml::Table>,
}

impl Config {
    /// Checks a table.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it stands and what to write instead.
    pub fn new(table: &toml::Table) -> Result<Self, ConfigError> {
        let document: Document = parse("", table)?;
        let mut lanes: Vec<LaneConfig> = Vec::new();
        for (i, table) in document.lane.iter().enumerate() {
            let at = format!("lane[{i}]");
            let lane = lane::build(&at, table)?;
            if lanes.iter().any(|l| l.key == lane.key) {
                let problem = format!("there are two lanes '{}'; give one another key", lane.key);
                return Err(ConfigError::new(format!("{at}.key"), problem));
            }
            if let Some(other) = lanes.iter().find(|l| l.overlaps(&lane)) {
                let problem = format!(
                    "lane '{}' has this address and port already; put the devices on one lane, or give this one another port",
                    other.key
                );
                return Err(ConfigError::new(format!("{at}.port"), problem));
            }
            lanes.push(lane);
        }
        let mut keys = HashSet::new();
        for (i, table) in document.device.iter().enumerate() {
            let at = format!("device[{i}]");
            let (lane, device) = device::build(&at, table)?;
            if !keys.insert(device.key.clone()) {
                let problem = format!(
                    "there are two devices '{}'; give one another key",
                    device.key
                );
                return Err(ConfigError::new(format!("{at}.key"), problem));
            }
            add(&mut lanes, &at, &lane, device)?;
        }
        Ok(Self { lanes })
    }

    /// Every point that is named.
    #[must_use]
    pub fn points(&self) -> Vec<Arc<Point>> {
        let devices = self.lanes.iter().flat_map(|l| &l.devices);
        devices
            .flat_map(|d| d.points.iter().map(|p| p.point.clone()))
            .collect()
    }

    /// What works and is hardly meant.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for lane in &self.lanes {
            if lane.devices.is_empty() {
                doubts.push(format!(
                    "lane '{}' has no device; add one, or take the lane out",
                    lane.key
                ));
            }
            for device in lane
                .devices
                .iter()
                .filter(|d| !d.learn && d.points.is_empty())
            {
                doubts.push(format!(
                    "device '{}' has no point; write learn = true to take all of its objects, or name some",
                    device.key
                ));
            }
        }
        doubts
    }
}

fn add(
    lanes: &mut [LaneConfig],
    at: &str,
    key: &Key,
    device: DeviceConfig,
) -> Result<(), ConfigError> {
    let Some(lane) = lanes.iter_mut().find(|l| l.key == *key) else {
        let known = nearest(key.as_str(), lanes.iter().map(|l| l.key.as_str()));
        let hint = match known {
            Some(near) => format!("did you mean '{near}'?"),
            None => "there is none at all; add [[lane]]".to_owned(),
        };
        let problem = format!("there is no lane '{key}'; {hint}");
        return Err(ConfigError::new(format!("{at}.lane"), problem));
    };
    let same = |d: &&DeviceConfig| d.instance.is_some() && d.instance == device.instance;
    if let Some(other) = lane.devices.iter().find(same) {
        let problem = format!(
            "device '{}' on this lane has this instance already; instances are unique in a BACnet network",
            other.key
        );
        return Err(ConfigError::new(format!("{at}.instance"), problem));
    }
    lane.devices.push(device);
    Ok(())
}

/// A number of milliseconds within bounds, or the default.
fn millis(
    at: &str,
    key: &str,
    given: Option<u64>,
    default: u64,
    bounds: (u64, u64),
) -> Result<Duration, ConfigError> {
    let value = given.unwrap_or(default);
    if (bounds.0..=bounds.1).contains(&value) {
        return Ok(Duration::from_millis(value));
    }
    let (least, most) = bounds;
    let problem = format!("{value} is not between {least} and {most}");
    Err(ConfigError::new(format!("{at}.{key}"), problem))
}
