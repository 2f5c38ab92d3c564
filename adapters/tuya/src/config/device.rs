//! `[[device]]`: a device with its own connection, or one behind a gateway. Owns defaults, and how a
//! profile and a device's own points come together.

use super::keys::KnownDevice;
use super::millis;
use super::point::{self, PointConfig, Within};
use super::profile::{Profile, Profiles};
use crate::codec::beacon::is_id;
use crate::codec::{LocalKey, Version};
use riser_adapter::ConfigError;
use riser_adapter::config::nearest;
use riser_model::Key;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Sleeping devices report when something happens, and at least once a day.
const SLEEPY_STALE_MS: u32 = 26 * 3600 * 1000;

/// One connection: the device it leads to, and those behind it.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Key of the device it leads to.
    pub key: Key,
    /// Name people read of the lane.
    pub lane: String,
    /// Identity.
    pub id: String,
    /// Its key.
    pub local_key: LocalKey,
    /// Where it is; left out, it is where it announces itself.
    pub host: Option<String>,
    /// TCP port.
    pub port: u16,
    /// Version, where somebody has written it.
    pub version: Option<Version>,
    /// Times.
    pub timing: Timing,
    /// It sleeps, and can be reached for some seconds after it has announced itself.
    pub sleepy: bool,
    /// The device itself, then its sub-devices.
    pub members: Vec<Member>,
}

/// Times of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two questions for all data points.
    pub interval: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// For a connection.
    pub connect: Duration,
    /// Between signs of life.
    pub heartbeat: Duration,
    /// Before the second try; doubles to `retry_max`.
    pub retry: Duration,
    /// Longest pause between two tries.
    pub retry_max: Duration,
    /// How long to wait for an announcement before guessing.
    pub beacon_wait: Duration,
    /// Between two requests to measure anew; zero asks for nothing.
    pub refresh: Duration,
}

/// One device of a connection.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its key.
    pub key: Key,
    /// The name people read.
    pub name: String,
    /// Node behind the gateway; none is the device that is connected.
    pub node: Option<String>,
    /// Its points.
    pub points: Vec<PointConfig>,
    /// Data points to be measured anew now and then.
    pub refresh: Vec<u16>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceTable {
    pub(super) key: Key,
    name: Option<String>,
    pub(super) id: Option<String>,
    local_key: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    version: Option<Version>,
    pub(super) via: Option<Key>,
    node: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    skip: Vec<Key>,
    sleepy: Option<bool>,
    interval_ms: Option<u32>,
    timeout_ms: Option<u32>,
    connect_timeout_ms: Option<u32>,
    heartbeat_ms: Option<u32>,
    retry_ms: Option<u32>,
    retry_max_ms: Option<u32>,
    beacon_wait_ms: Option<u32>,
    refresh: Option<Vec<u16>>,
    refresh_ms: Option<u32>,
    #[serde(default)]
    point: Vec<toml::Table>,
}

/// A connection and the device it leads to.
pub(super) struct Built {
    pub(super) link: LinkConfig,
    pub(super) member: Member,
}

/// Checks a device with its own connection.
pub(super) fn build_link(
    at: &str,
    raw: DeviceTable,
    known: &[KnownDevice],
    profiles: &Profiles,
) -> Result<Built, ConfigError> {
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    if raw.node.is_some() {
        return Err(wrong(
            "node",
            "only a sub-device has a node; say its gateway with 'via'".to_owned(),
        ));
    }
    let id = raw.id.clone().ok_or_else(|| {
        wrong(
            "id",
            "a device needs the id its announcement and every key tool show".to_owned(),
        )
    })?;
    if !is_id(&id) {
        return Err(wrong(
            "id",
            format!("'{id}' is no device id: letters and digits, up to 64"),
        ));
    }
    let listed = known.iter().find(|d| d.id == id);
    let local_key = match (&raw.local_key, listed.and_then(|d| d.key.clone())) {
        (Some(text), _) => LocalKey::parse(text).map_err(|problem| wrong("local_key", problem))?,
        (None, Some(key)) => key,
        (None, None) => {
            let problem =
                "the device needs its local key: write it here, or name a keys_file that lists it";
            return Err(wrong("local_key", problem.to_owned()));
        }
    };
    let profile = profile(at, &raw, profiles)?;
    let timing = timing(at, &raw, profile)?;
    let sleepy = raw.sleepy.or(profile.map(|p| p.sleepy)).unwrap_or(false);
    let stale = stale_after(&timing, sleepy);
    let link = LinkConfig {
        key: raw.key.clone(),
        lane: format!("tuya {}", raw.key),
        id,
        local_key,
        host: raw.host.clone(),
        port: raw.port.unwrap_or(6668),
        version: raw.version.or(listed
            .and_then(|d| d.version)
            .filter(|_| raw.host.is_some())),
        timing,
        sleepy,
        members: Vec::new(),
    };
    let member = member(at, raw, profile, stale)?;
    Ok(Built { link, member })
}

/// Checks a sub-device.
pub(super) fn build_sub(
    at: &str,
    raw: DeviceTable,
    link: &LinkConfig,
    profiles: &Profiles,
) -> Result<Member, ConfigError> {
    let wrong = |key: &str, problem: &str| Err(ConfigError::new(format!("{at}.{key}"), problem));
    for (key, given) in [
        ("local_key", raw.local_key.is_some()),
        ("host", raw.host.is_some()),
        ("port", raw.port.is_some()),
        ("version", raw.version.is_some()),
    ] {
        if given {
            return wrong(
                key,
                "a sub-device is reached through its gateway and has none of its own",
            );
        }
    }
    match &raw.node {
        Some(node) if is_id(node) => {}
        _ => {
            return wrong(
                "node",
                "a sub-device needs its node (node_id or cid in the key tool's list)",
            );
        }
    }
    let profile = profile(at, &raw, profiles)?;
    let sleepy = raw.sleepy.or(profile.map(|p| p.sleepy)).unwrap_or(false);
    let stale = stale_after(&link.timing, sleepy);
    member(at, raw, profile, stale)
}

fn stale_after(timing: &Timing, sleepy: bool) -> u32 {
    let three = u32::try_from(timing.interval.as_millis())
        .unwrap_or(u32::MAX)
        .saturating_mul(3);
    if sleepy {
        SLEEPY_STALE_MS
    } else {
        three.max(30_000)
    }
}

fn profile<'a>(
    at: &str,
    raw: &DeviceTable,
    profiles: &'a Profiles,
) -> Result<Option<&'a Profile>, ConfigError> {
    let found = raw
        .profile
        .as_deref()
        .map(|name| profiles.get(name))
        .transpose();
    found.map_err(|problem| ConfigError::new(format!("{at}.profile"), problem))
}

fn timing(at: &str, raw: &DeviceTable, profile: Option<&Profile>) -> Result<Timing, ConfigError> {
    let interval = raw
        .interval_ms
        .or(profile.and_then(|p| p.interval_ms))
        .unwrap_or(30_000);
    let timeout = raw.timeout_ms.unwrap_or(3000);
    let retry = raw.retry_ms.unwrap_or(5000);
    for (key, value) in [
        ("interval_ms", interval),
        ("timeout_ms", timeout),
        ("retry_ms", retry),
    ] {
        if value < 10 {
            return Err(ConfigError::new(
                format!("{at}.{key}"),
                format!("{value} is below 10"),
            ));
        }
    }
    let refresh = raw
        .refresh_ms
        .or(profile.and_then(|p| p.refresh_ms))
        .unwrap_or(0);
    Ok(Timing {
        interval: millis(interval),
        timeout: millis(timeout),
        connect: millis(raw.connect_timeout_ms.unwrap_or(3000)),
        heartbeat: millis(raw.heartbeat_ms.unwrap_or(10_000).max(100)),
        retry: millis(retry),
        retry_max: millis(raw.retry_max_ms.unwrap_or(60_000).max(retry)),
        beacon_wait: millis(raw.beacon_wait_ms.unwrap_or(8000)),
        refresh: millis(refresh),
    })
}

fn member(
    at: &str,
    raw: DeviceTable,
    profile: Option<&Profile>,
    stale: u32,
) -> Result<Member, ConfigError> {
    let name = raw.name.clone().unwrap_or_else(|| raw.key.to_string());
    let within = Within {
        device: &raw.key,
        device_name: &name,
        stale_after_ms: stale,
    };
    let mut points = Vec::new();
    let mut keys = BTreeSet::new();
    for (place, table) in tables(at, &raw, profile)? {
        let point = point::build(&place, &table, &within)?;
        if !keys.insert(point.point.path.clone()) {
            let problem = format!("another point is already called '{}'", point.point.path);
            return Err(ConfigError::new(format!("{place}.key"), problem));
        }
        points.push(point);
    }
    let refresh = raw
        .refresh
        .or_else(|| profile.map(|p| p.refresh.clone()))
        .unwrap_or_default();
    Ok(Member {
        key: raw.key,
        name,
        node: raw.node,
        points,
        refresh,
    })
}

/// The profile's points without those skipped, each with what the device writes over it, then the
/// device's own; with the place each is written at.
fn tables(
    at: &str,
    raw: &DeviceTable,
    profile: Option<&Profile>,
) -> Result<Vec<(String, toml::Table)>, ConfigError> {
    let key_of = |table: &toml::Table| {
        table
            .get("key")
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    let mut own: Vec<_> = raw
        .point
        .iter()
        .enumerate()
        .map(|(i, t)| (format!("{at}.point[{i}]"), t.clone()))
        .collect();
    let mut all = Vec::new();
    let base = profile.map(|p| p.points.as_slice()).unwrap_or_default();
    for (i, skip) in raw.skip.iter().enumerate() {
        if !base
            .iter()
            .any(|t| key_of(t).as_deref() == Some(skip.as_str()))
        {
            let keys: Vec<String> = base.iter().filter_map(key_of).collect();
            let near = nearest(skip.as_str(), keys.iter().map(String::as_str)).unwrap_or("none");
            let problem = format!("the profile has no point '{skip}'; the nearest is '{near}'");
            return Err(ConfigError::new(format!("{at}.skip[{i}]"), problem));
        }
    }
    for table in base {
        let key = key_of(table);
        if raw.skip.iter().any(|s| Some(s.as_str()) == key.as_deref()) {
            continue;
        }
        let over = own.iter().position(|(_, t)| key_of(t) == key);
        let mut table = table.clone();
        let place = match over.map(|i| own.remove(i)) {
            Some((place, over)) => {
                table.extend(over);
                place
            }
            None => format!("{at}.profile.{}", key.unwrap_or_default()),
        };
        all.push((place, table));
    }
    all.extend(own);
    Ok(all)
}
