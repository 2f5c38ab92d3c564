//! `[[device]]`: one device by its instance, its address, or both, with the points named or learned.

use super::{PointConfig, millis, point};
use crate::client::Place;
use crate::codec::ANY_INSTANCE;
use riser_adapter::{ConfigError, config::parse};
use riser_model::Key;
use serde::Deserialize;
use std::collections::HashSet;
use std::time::Duration;

/// How changes are subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CovTerms {
    /// How long a subscription lasts; renewed at half of it.
    pub lifetime: Duration,
    /// Whether notifications are acknowledged.
    pub confirmed: bool,
    /// How often subscribed values are read nevertheless.
    pub verify: Duration,
}

/// One device, checked.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// First half of its points' paths.
    pub key: Key,
    /// What people read.
    pub name: String,
    /// Device instance; unknown ones are asked for at the address.
    pub instance: Option<u32>,
    /// Where it is; unknown ones are looked for by instance.
    pub place: Option<Place>,
    /// How often values are read.
    pub interval: Duration,
    /// Whether every object that has a value becomes a point.
    pub learn: bool,
    /// Whether learned outputs and values may be written.
    pub writable: bool,
    /// How learned points, and named ones that say nothing else, are subscribed to.
    pub cov: bool,
    /// The terms of subscriptions.
    pub terms: CovTerms,
    /// Requests on the wire at once.
    pub outstanding: usize,
    /// How often a device that does not answer is looked for.
    pub probe_interval: Duration,
    /// How long a written value may take to show.
    pub settle: Duration,
    /// Whether the device's own trend logs are filled in as history.
    pub trend_logs: bool,
    /// How often it is asked which alarms stand; `None`: it only tells by itself.
    pub events: Option<Duration>,
    /// Points that are named.
    pub points: Vec<PointConfig>,
}

impl DeviceConfig {
    /// Age after which a value of this device is stale, unless its point says otherwise.
    #[must_use]
    pub fn stale_after_ms(&self, cov: bool) -> u32 {
        let every = if cov {
            self.terms.verify
        } else {
            self.interval
        };
        let age = every * 3 + Duration::from_secs(10);
        u32::try_from(age.as_millis()).unwrap_or(u32::MAX)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceTable {
    key: Key,
    lane: Key,
    name: Option<String>,
    instance: Option<u32>,
    address: Option<String>,
    interval_ms: Option<u64>,
    #[serde(default)]
    learn: bool,
    #[serde(default)]
    writable: bool,
    #[serde(default)]
    cov: bool,
    cov_lifetime_s: Option<u64>,
    #[serde(default)]
    cov_confirmed: bool,
    cov_verify_s: Option<u64>,
    outstanding: Option<usize>,
    probe_interval_ms: Option<u64>,
    settle_ms: Option<u64>,
    #[serde(default)]
    trend_logs: bool,
    events_s: Option<u64>,
    #[serde(default)]
    point: Vec<toml::Table>,
}

pub(super) fn build(at: &str, table: &toml::Table) -> Result<(Key, DeviceConfig), ConfigError> {
    let raw: DeviceTable = parse(at, table)?;
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    if raw.instance.is_some_and(|i| i >= ANY_INSTANCE) {
        let problem = "a device instance is between 0 and 4194302".to_owned();
        return Err(wrong("instance", problem));
    }
    let place = raw.address.as_deref().map(Place::parse).transpose();
    let place = place.map_err(|why| wrong("address", why))?;
    if raw.instance.is_none() && place.is_none() {
        let problem = "say which device it is: instance, address, or both".to_owned();
        return Err(wrong("instance", problem));
    }
    let outstanding = raw.outstanding.unwrap_or(1);
    if !(1..=16).contains(&outstanding) {
        return Err(wrong(
            "outstanding",
            format!("{outstanding} is not between 1 and 16"),
        ));
    }
    let mut device = DeviceConfig {
        name: raw.name.unwrap_or_else(|| raw.key.to_string()),
        key: raw.key,
        instance: raw.instance,
        place,
        interval: millis(at, "interval_ms", raw.interval_ms, 10_000, (20, 86_400_000))?,
        learn: raw.learn,
        writable: raw.writable,
        cov: raw.cov,
        terms: terms(at, raw.cov_lifetime_s, raw.cov_verify_s, raw.cov_confirmed)?,
        outstanding,
        probe_interval: millis(
            at,
            "probe_interval_ms",
            raw.probe_interval_ms,
            15_000,
            (50, 3_600_000),
        )?,
        settle: millis(at, "settle_ms", raw.settle_ms, 1000, (0, 60_000))?,
        trend_logs: raw.trend_logs,
        events: events(at, raw.events_s)?,
        points: Vec::new(),
    };
    let shown = crate::operate::event_points(&device).into_iter();
    let mut keys: HashSet<_> = shown.map(|p| p.path.clone()).collect();
    for (i, table) in raw.point.iter().enumerate() {
        let at = format!("{at}.point[{i}]");
        let point = point::build(&at, table, &device)?;
        if !keys.insert(point.point.path.clone()) {
            let problem = format!(
                "there are two points '{}'; give one another key",
                point.point.path.point
            );
            return Err(ConfigError::new(format!("{at}.key"), problem));
        }
        device.points.push(point);
    }
    Ok((raw.lane, device))
}

fn terms(
    at: &str,
    lifetime_s: Option<u64>,
    verify_s: Option<u64>,
    confirmed: bool,
) -> Result<CovTerms, ConfigError> {
    let lifetime_s = lifetime_s.unwrap_or(600);
    // For ever is not offered: what no one renews would stay in the device's table for good.
    if !(10..=86_400).contains(&lifetime_s) {
        let problem = format!("{lifetime_s} is not between 10 and 86400");
        return Err(ConfigError::new(format!("{at}.cov_lifetime_s"), problem));
    }
    let verify_s = verify_s.unwrap_or(lifetime_s / 2);
    if !(1..=86_400).contains(&verify_s) {
        let problem = format!("{verify_s} is not between 1 and 86400");
        return Err(ConfigError::new(format!("{at}.cov_verify_s"), problem));
    }
    Ok(CovTerms {
        lifetime: Duration::from_secs(lifetime_s),
        confirmed,
        verify: Duration::from_secs(verify_s),
    })
}

/// How often it is asked which alarms stand.
fn events(at: &str, seconds: Option<u64>) -> Result<Option<Duration>, ConfigError> {
    if let Some(seconds) = seconds.filter(|s| !(1..=86_400).contains(s)) {
        let problem = format!("{seconds} is not between 1 and 86400");
        return Err(ConfigError::new(format!("{at}.events_s"), problem));
    }
    Ok(seconds.map(Duration::from_secs))
}
