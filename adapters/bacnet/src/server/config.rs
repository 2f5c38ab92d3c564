//! Configuration of the server face: what device it is, on which port, and which points it shows.
//! Owns every default and every check; nothing opens before all of it has passed.

use super::pattern::Pattern;
use crate::codec::ANY_INSTANCE;
use crate::config::{LaneConfig, lane_of};
use jiff::tz::TimeZone;
use riser_adapter::{ConfigError, config::parse};
use riser_model::PointPath;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Vendor id ASHRAE keeps for those who have none.
const NO_VENDOR: u16 = 999;
/// Octets of a name or description, at most.
const TEXT: usize = 255;

/// A checked configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) device: Device,
    pub(crate) lane: LaneConfig,
    shown: Vec<Show>,
    named: FxHashMap<PointPath, Named>,
}

/// What device it is.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) instance: u32,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) location: String,
    pub(crate) vendor: u16,
    pub(crate) vendor_name: String,
    pub(crate) model: String,
    pub(crate) zone: TimeZone,
    pub(crate) subscriptions: usize,
    pub(crate) refresh: Duration,
    writers: Vec<Network>,
}

impl Device {
    /// Whether somebody at this address may write at all.
    pub(crate) fn may_write(&self, from: Ipv4Addr) -> bool {
        let from = u32::from(from);
        self.writers.is_empty() || self.writers.iter().any(|n| from & n.mask == n.base)
    }
}

#[derive(Debug, Clone, Copy)]
struct Network {
    base: u32,
    mask: u32,
}

#[derive(Debug, Clone)]
struct Show {
    points: Vec<Pattern>,
    except: Vec<Pattern>,
    writable: bool,
    increment: Option<f32>,
}

/// One point with an entry of its own.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) instance: Option<u32>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    writable: Option<bool>,
    increment: Option<f32>,
}

/// How a point is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) writable: bool,
    pub(crate) increment: Option<f32>,
    pub(crate) named: Option<&'a Named>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    device: toml::Table,
    #[serde(default)]
    lane: toml::Table,
    #[serde(default)]
    show: Vec<toml::Table>,
    #[serde(default)]
    object: Vec<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceTable {
    instance: u32,
    name: Option<String>,
    description: Option<String>,
    location: Option<String>,
    vendor_id: Option<u16>,
    vendor_name: Option<String>,
    model_name: Option<String>,
    zone: Option<String>,
    write_from: Option<Vec<String>>,
    subscriptions: Option<usize>,
    refresh_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowTable {
    points: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    writable: bool,
    cov_increment: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectTable {
    point: PointPath,
    instance: Option<u32>,
    name: Option<String>,
    description: Option<String>,
    writable: Option<bool>,
    cov_increment: Option<f32>,
}

impl Config {
    /// Checks a table.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it stands and what to write instead.
    pub(crate) fn new(table: &toml::Table) -> Result<Self, ConfigError> {
        let document: Document = parse("", table)?;
        let mut lane = document.lane;
        lane.entry("key").or_insert_with(|| "server".into());
        let mut lane = lane_of("lane", &lane)?;
        // The client's lane on the same port has this name already.
        lane.name = lane.name.replacen("bacnet", "bacnet-server", 1);
        let mut shown = Vec::new();
        for (i, table) in document.show.iter().enumerate() {
            shown.push(show(&format!("show[{i}]"), table)?);
        }
        let mut named: FxHashMap<PointPath, Named> = FxHashMap::default();
        for (i, table) in document.object.iter().enumerate() {
            let at = format!("object[{i}]");
            let (path, object) = object(&at, table)?;
            let given = |n: &&Named| n.instance.is_some() && n.instance == object.instance;
            if let Some(instance) = named.values().find(given).and_then(|n| n.instance) {
                let problem = format!("another object has instance {instance} already");
                return Err(ConfigError::new(format!("{at}.instance"), problem));
            }
            if named.insert(path.clone(), object).is_some() {
                let problem = format!("there are two entries for {path}; leave one out");
                return Err(ConfigError::new(format!("{at}.point"), problem));
            }
        }
        Ok(Self {
            device: device(&document.device)?,
            lane,
            shown,
            named,
        })
    }

    /// How a point is shown; `None` when it is not.
    pub(crate) fn terms(&self, path: &PointPath) -> Option<Terms<'_>> {
        let any = |patterns: &[Pattern]| patterns.iter().any(|p| p.matches(path));
        let show = self
            .shown
            .iter()
            .find(|s| any(&s.points) && !any(&s.except));
        let named = self.named.get(path);
        if show.is_none() && named.is_none() {
            return None;
        }
        let writable = named.and_then(|n| n.writable);
        let increment = named.and_then(|n| n.increment);
        Some(Terms {
            writable: writable.unwrap_or_else(|| show.is_some_and(|s| s.writable)),
            increment: increment.or_else(|| show.and_then(|s| s.increment)),
            named,
        })
    }

    /// Instances that are given out by name, with the points they are for.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = (u32, &PointPath)> {
        let named = self.named.iter();
        named.filter_map(|(path, n)| n.instance.map(|i| (i, path)))
    }

    /// What works and is hardly meant.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.shown.is_empty() && self.named.is_empty() {
            let text = "no point is shown; add [[show]] with points = [\"*/*\"], or [[object]]";
            doubts.push(text.to_owned());
        }
        let writable = self.shown.iter().any(|s| s.writable)
            || self.named.values().any(|n| n.writable == Some(true));
        if writable && self.device.writers.is_empty() {
            let text = "points are writable and everybody on the network may write them, as BACnet/IP knows no password; name who may in device.write_from";
            doubts.push(text.to_owned());
        }
        doubts
    }
}

fn device(table: &toml::Table) -> Result<Device, ConfigError> {
    let raw: DeviceTable = parse("device", table)?;
    let wrong = |key: &str, problem: String| ConfigError::new(format!("device.{key}"), problem);
    instance("device", raw.instance)?;
    for (key, text) in [
        ("name", &raw.name),
        ("description", &raw.description),
        ("location", &raw.location),
        ("vendor_name", &raw.vendor_name),
        ("model_name", &raw.model_name),
    ] {
        short("device", key, text.as_deref())?;
    }
    let zone = match raw.zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|_| {
            let problem =
                format!("there is no time zone '{name}'; write one such as Europe/Berlin");
            wrong("zone", problem)
        })?,
    };
    let writers = raw.write_from.unwrap_or_default();
    let writers: Result<Vec<_>, _> = writers.iter().map(|text| network(text)).collect();
    let subscriptions = raw.subscriptions.unwrap_or(1000);
    if !(1..=10_000).contains(&subscriptions) {
        let problem = format!("{subscriptions} is not between 1 and 10000");
        return Err(wrong("subscriptions", problem));
    }
    let refresh = raw.refresh_ms.unwrap_or(30_000);
    if !(100..=3_600_000).contains(&refresh) {
        let problem = format!("{refresh} is not between 100 and 3600000");
        return Err(wrong("refresh_ms", problem));
    }
    let or = |text: Option<String>, default: &str| text.unwrap_or_else(|| default.to_owned());
    Ok(Device {
        instance: raw.instance,
        name: or(raw.name, &format!("Riser {}", raw.instance)),
        description: or(raw.description, "Points of the gateway"),
        location: or(raw.location, ""),
        vendor: raw.vendor_id.unwrap_or(NO_VENDOR),
        vendor_name: or(raw.vendor_name, "Riser"),
        model: or(raw.model_name, "Riser gateway"),
        zone,
        subscriptions,
        refresh: Duration::from_millis(refresh),
        writers: writers.map_err(|problem| wrong("write_from", problem))?,
    })
}

fn show(at: &str, table: &toml::Table) -> Result<Show, ConfigError> {
    let raw: ShowTable = parse(at, table)?;
    let patterns = |key: &str, list: &[String]| {
        let list: Result<Vec<_>, _> = list.iter().map(|text| Pattern::parse(text)).collect();
        list.map_err(|problem| ConfigError::new(format!("{at}.{key}"), problem))
    };
    Ok(Show {
        points: patterns("points", &raw.points)?,
        except: patterns("except", &raw.except)?,
        writable: raw.writable,
        increment: increment(at, raw.cov_increment)?,
    })
}

fn object(at: &str, table: &toml::Table) -> Result<(PointPath, Named), ConfigError> {
    let raw: ObjectTable = parse(at, table)?;
    if let Some(given) = raw.instance {
        instance(at, given)?;
    }
    short(at, "name", raw.name.as_deref())?;
    short(at, "description", raw.description.as_deref())?;
    let named = Named {
        instance: raw.instance,
        name: raw.name,
        description: raw.description,
        writable: raw.writable,
        increment: increment(at, raw.cov_increment)?,
    };
    Ok((raw.point, named))
}

fn instance(at: &str, given: u32) -> Result<(), ConfigError> {
    if given < ANY_INSTANCE {
        return Ok(());
    }
    let problem = format!("{given} is not between 0 and {}", ANY_INSTANCE - 1);
    Err(ConfigError::new(format!("{at}.instance"), problem))
}

fn increment(at: &str, given: Option<f32>) -> Result<Option<f32>, ConfigError> {
    match given {
        Some(x) if !x.is_finite() || x < 0.0 => {
            let problem = format!("{x} is no change; write 0 or more");
            Err(ConfigError::new(format!("{at}.cov_increment"), problem))
        }
        given => Ok(given),
    }
}

fn short(at: &str, key: &str, text: Option<&str>) -> Result<(), ConfigError> {
    match text {
        Some("") if key == "name" => {
            let problem = "a name has one letter at least; leave it out for the default";
            Err(ConfigError::new(format!("{at}.{key}"), problem))
        }
        Some(text) if text.len() > TEXT => {
            let problem = format!("{} octets are more than {TEXT}", text.len());
            Err(ConfigError::new(format!("{at}.{key}"), problem))
        }
        _ => Ok(()),
    }
}

fn network(text: &str) -> Result<Network, String> {
    let wrong = || format!("'{text}' is no address; write 192.0.2.9, or 192.0.2.0/24 for many");
    let (ip, bits) = text.split_once('/').unwrap_or((text, "32"));
    let ip: Ipv4Addr = ip.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    if bits > 32 {
        return Err(wrong());
    }
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Ok(Network {
        base: u32::from(ip) & mask,
        mask,
    })
}
