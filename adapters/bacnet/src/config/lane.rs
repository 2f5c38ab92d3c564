//! `[[lane]]`: one own UDP port, and how those behind it are asked.

use super::{DeviceConfig, millis};
use crate::client::{Binding, PORT, Patience, parse_ip};
use jiff::tz::TimeZone;
use riser_adapter::{ConfigError, config::parse};
use riser_model::Key;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// A BBMD to register with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bbmd {
    /// Where it is.
    pub at: SocketAddrV4,
    /// How long a registration lasts.
    pub lifetime: Duration,
}

/// How devices are told the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClockTerms {
    /// The zone of their local time.
    pub zone: Option<TimeZone>,
    /// Whether they are told UTC.
    pub utc: bool,
    /// How often; `None` only when somebody asks for it.
    pub every: Option<Duration>,
}

/// One lane, checked.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// Its key.
    pub key: Key,
    /// Name people read, as in the health of the lane.
    pub name: String,
    /// What to open.
    pub binding: Binding,
    /// How to ask.
    pub patience: Patience,
    /// Where to register as a foreign device.
    pub bbmd: Option<Bbmd>,
    /// How its devices are told the time.
    pub clock: ClockTerms,
    /// Devices behind it.
    pub devices: Vec<DeviceConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaneTable {
    key: Key,
    interface: Option<String>,
    address: Option<Ipv4Addr>,
    port: Option<u16>,
    broadcast: Option<Vec<Ipv4Addr>>,
    timeout_ms: Option<u64>,
    retries: Option<u32>,
    part_timeout_ms: Option<u64>,
    per_router: Option<usize>,
    bbmd: Option<String>,
    bbmd_lifetime_s: Option<u16>,
    time_zone: Option<String>,
    time_sync_hours: Option<u64>,
}

impl LaneConfig {
    /// Whether both would open the same port.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.binding, &other.binding);
        let apart = a.interface.is_some() && b.interface.is_some() && a.interface != b.interface;
        let any = a.ip.is_unspecified() || b.ip.is_unspecified();
        !apart && a.port == b.port && a.port != 0 && (any || a.ip == b.ip)
    }
}

pub(crate) fn build(at: &str, table: &toml::Table) -> Result<LaneConfig, ConfigError> {
    let raw: LaneTable = parse(at, table)?;
    let ip = raw.address.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let port = raw.port.unwrap_or(PORT);
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    if raw
        .interface
        .as_ref()
        .is_some_and(|i| i.is_empty() || i.len() > 15)
    {
        let problem = "write the name of a network interface, such as eth0".to_owned();
        return Err(wrong("interface", problem));
    }
    let retries = raw.retries.unwrap_or(2);
    if retries > 10 {
        return Err(wrong("retries", format!("{retries} is more than 10")));
    }
    let per_router = raw.per_router.unwrap_or(2);
    if !(1..=64).contains(&per_router) {
        return Err(wrong(
            "per_router",
            format!("{per_router} is not between 1 and 64"),
        ));
    }
    let bbmd = bbmd(raw.bbmd.as_deref(), raw.bbmd_lifetime_s);
    let bbmd = bbmd.map_err(|why| wrong("bbmd", why))?;
    let place = match (&raw.interface, ip.is_unspecified()) {
        (Some(interface), true) => interface.clone(),
        (_, true) => "any".to_owned(),
        (_, false) => ip.to_string(),
    };
    let broadcasts = raw.broadcast.unwrap_or_default();
    Ok(LaneConfig {
        name: format!("bacnet {place}:{port}"),
        key: raw.key,
        clock: clock(at, raw.time_zone.as_deref(), raw.time_sync_hours)?,
        binding: Binding {
            interface: raw.interface,
            ip,
            port,
            broadcasts: broadcasts
                .into_iter()
                .map(|b| SocketAddrV4::new(b, port))
                .collect(),
        },
        patience: Patience {
            timeout: millis(at, "timeout_ms", raw.timeout_ms, 3000, (20, 60_000))?,
            retries,
            part_timeout: millis(
                at,
                "part_timeout_ms",
                raw.part_timeout_ms,
                2000,
                (20, 60_000),
            )?,
            per_router,
        },
        bbmd,
        devices: Vec::new(),
    })
}

fn bbmd(at: Option<&str>, lifetime_s: Option<u16>) -> Result<Option<Bbmd>, String> {
    let Some(at) = at else {
        return Ok(None);
    };
    Ok(Some(Bbmd {
        at: parse_ip(at)?,
        lifetime: Duration::from_secs(lifetime_s.unwrap_or(300).max(5).into()),
    }))
}

fn clock(at: &str, zone: Option<&str>, hours: Option<u64>) -> Result<ClockTerms, ConfigError> {
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    let zone = zone.map(|name| {
        TimeZone::get(name).map_err(|_| {
            let problem = format!(
                "'{name}' is no time zone; write it as in the IANA database, such as Europe/Berlin"
            );
            wrong("time_zone", problem)
        })
    });
    let zone = zone.transpose()?;
    if let Some(hours) = hours.filter(|h| !(1..=720).contains(h)) {
        let problem = format!("{hours} is not between 1 and 720");
        return Err(wrong("time_sync_hours", problem));
    }
    Ok(ClockTerms {
        utc: zone.is_none(),
        zone,
        every: hours.map(|hours| Duration::from_secs(hours * 3600)),
    })
}
