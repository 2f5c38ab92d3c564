//! Configuration: what a technician writes, checked whole before anything opens. Owns the tables of
//! `sample.toml` and the validated types the rest of the adapter works with.
//!
//! Devices need no entry: they are found. An entry gives one a shorter key, leaves features out, or
//! names points ahead of time so that rules can refer to them.

mod device;
mod tls;

pub use device::{DeviceConfig, Ieee, key_of};

use riser_adapter::{BuildContext, ConfigError, config::parse};
use riser_model::Point;
use rustls::ClientConfig;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest accepted base topic, in octets.
const BASE_MAX: usize = 128;
/// A write has to have its result before the gateway stops waiting for one.
const SETTLE_MAX_MS: u32 = 28_000;

/// A whole, valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the broker is and how to log in.
    pub broker: BrokerConfig,
    /// Base topic of zigbee2mqtt, without a slash at either end.
    pub base: String,
    /// How long things may take.
    pub timing: Timing,
    /// The bridge may be asked to restart when the broker has forgotten what it said.
    pub may_restart_bridge: bool,
    /// Commands on their way at once.
    pub outstanding: usize,
    /// Features left out on every device, by their property.
    pub skip: BTreeSet<String>,
    /// Devices with an entry of their own.
    pub devices: BTreeMap<Ieee, DeviceConfig>,
}

/// The broker.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Client id; made of the instance's name where it is not given.
    pub client_id: Option<String>,
    /// User and password.
    pub login: Option<(String, String)>,
    /// TLS, where the broker wants it.
    pub tls: Option<Arc<ClientConfig>>,
    /// Longest wait between two attempts to connect.
    pub reconnect_max: Duration,
    /// How long TCP, TLS and MQTT may take to be up, in whole seconds.
    pub connect_seconds: u64,
}

/// Times of the whole instance.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often zigbee2mqtt is asked whether it is there.
    pub check: Duration,
    /// How long it may take to answer a request.
    pub answer: Duration,
    /// How long broker or bridge may be away before devices count as unknown.
    pub grace: Duration,
    /// How long "offline" has to stand before it is believed.
    pub offline_delay: Duration,
    /// How long after its start the bridge's "offline" is not believed of devices it has not heard yet.
    pub startup: Duration,
    /// How long a state may take to show what was written.
    pub settle: Duration,
    /// The same for devices on a battery.
    pub battery_settle: Duration,
    /// Age after which the values of a mains-powered device are stale.
    pub stale_ms: u32,
    /// The same for devices on a battery.
    pub battery_stale_ms: u32,
    /// How often a mains-powered device is read that nobody supervises.
    pub refresh: Duration,
    /// Pause between two reads the adapter asks for by itself.
    pub read_pause: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootTable {
    host: String,
    port: Option<u16>,
    #[serde(default = "base_topic")]
    base_topic: String,
    client_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
    ca: Option<String>,
    cert: Option<String>,
    private_key: Option<String>,
    reconnect_max_ms: Option<u32>,
    check_interval_ms: Option<u32>,
    answer_timeout_ms: Option<u32>,
    grace_ms: Option<u32>,
    offline_delay_ms: Option<u32>,
    startup_ms: Option<u32>,
    settle_ms: Option<u32>,
    battery_settle_ms: Option<u32>,
    stale_after_ms: Option<u32>,
    battery_stale_after_ms: Option<u32>,
    refresh_interval_ms: Option<u32>,
    read_pause_ms: Option<u32>,
    outstanding: Option<usize>,
    may_restart_bridge: Option<bool>,
    #[serde(default)]
    skip: BTreeSet<String>,
    #[serde(default)]
    device: Vec<toml::Table>,
}

fn base_topic() -> String {
    "zigbee2mqtt".to_owned()
}

impl Config {
    /// Checks the adapter's table. Certificates are read, nothing else is opened.
    pub fn new(table: &toml::Table, context: &BuildContext) -> Result<Self, ConfigError> {
        let root: RootTable = parse("zigbee", table)?;
        let timing = timing(&root)?;
        let outstanding = within("outstanding", root.outstanding.unwrap_or(4), 1, 32)?;
        let broker = broker(&root, &context.base_dir)?;
        let base = check_base(&root.base_topic)?;
        Ok(Self {
            broker,
            base,
            timing,
            outstanding,
            may_restart_bridge: root.may_restart_bridge.unwrap_or(true),
            devices: device::build_all(&root.device, &timing)?,
            skip: root.skip,
        })
    }

    /// The points named ahead of time.
    #[must_use]
    pub fn points(&self) -> Vec<Arc<Point>> {
        let devices = self.devices.values();
        devices.flat_map(|d| d.points.values().cloned()).collect()
    }
}

fn broker(root: &RootTable, folder: &Path) -> Result<BrokerConfig, ConfigError> {
    if root.host.trim().is_empty() || root.host.contains("://") {
        let text = format!(
            "'{}' is no host; write the broker's name or address, and its port as port",
            root.host
        );
        return Err(ConfigError::new("host", text));
    }
    let login = match (&root.username, &root.password) {
        (Some(user), password) => Some((user.clone(), password.clone().unwrap_or_default())),
        (None, Some(_)) => {
            let text = "a password needs a username beside it";
            return Err(ConfigError::new("username", text));
        }
        (None, None) => None,
    };
    let files = tls::Files {
        ca: root.ca.as_deref(),
        cert: root.cert.as_deref(),
        key: root.private_key.as_deref(),
    };
    let tls = tls::load(&files, folder)?;
    let wait = within(
        "reconnect_max_ms",
        root.reconnect_max_ms.unwrap_or(15_000),
        100,
        600_000,
    )?;
    Ok(BrokerConfig {
        host: root.host.clone(),
        port: root.port.unwrap_or(if tls.is_some() { 8883 } else { 1883 }),
        client_id: root.client_id.clone(),
        login,
        tls,
        reconnect_max: Duration::from_millis(wait.into()),
        connect_seconds: u64::from(root.answer_timeout_ms.unwrap_or(10_000).div_ceil(1000)).max(1),
    })
}

fn check_base(text: &str) -> Result<String, ConfigError> {
    let base = text.trim_matches('/');
    let bad = base.is_empty()
        || base.len() > BASE_MAX
        || base
            .chars()
            .any(|c| c.is_control() || matches!(c, '+' | '#'));
    if bad {
        let text = format!(
            "'{text}' is no base topic; write it as in zigbee2mqtt's mqtt.base_topic, without + and #"
        );
        return Err(ConfigError::new("base_topic", text));
    }
    Ok(base.to_owned())
}

const MINUTE: u32 = 60_000;
const DAY: u32 = 1_440 * MINUTE;

fn timing(root: &RootTable) -> Result<Timing, ConfigError> {
    let (least, most) = (50, SETTLE_MAX_MS);
    let battery = (
        "battery_stale_after_ms",
        root.battery_stale_after_ms,
        1_500 * MINUTE,
    );
    let mains = ("stale_after_ms", root.stale_after_ms, 65 * MINUTE);
    let [grace, offline_delay, startup, refresh] = waits(root)?;
    Ok(Timing {
        check: time(
            ("check_interval_ms", root.check_interval_ms, 30_000),
            50,
            10 * MINUTE,
        )?,
        answer: time(
            ("answer_timeout_ms", root.answer_timeout_ms, 10_000),
            50,
            MINUTE,
        )?,
        settle: time(("settle_ms", root.settle_ms, 12_000), least, most)?,
        battery_settle: time(
            ("battery_settle_ms", root.battery_settle_ms, 25_000),
            least,
            most,
        )?,
        read_pause: time(("read_pause_ms", root.read_pause_ms, 500), 0, MINUTE)?,
        stale_ms: millis(mains, 1000, 30 * DAY)?,
        battery_stale_ms: millis(battery, 1000, 40 * DAY)?,
        grace,
        offline_delay,
        startup,
        refresh,
    })
}

fn waits(root: &RootTable) -> Result<[Duration; 4], ConfigError> {
    let hour = 60 * MINUTE;
    Ok([
        time(("grace_ms", root.grace_ms, 30_000), 0, hour)?,
        time(("offline_delay_ms", root.offline_delay_ms, 20_000), 0, hour)?,
        time(("startup_ms", root.startup_ms, 60_000), 0, hour)?,
        time(
            ("refresh_interval_ms", root.refresh_interval_ms, 30 * MINUTE),
            1000,
            DAY,
        )?,
    ])
}

/// A time: its key, what is given, what it is else.
type Time<'a> = (&'a str, Option<u32>, u32);

fn millis((key, given, default): Time<'_>, least: u32, most: u32) -> Result<u32, ConfigError> {
    within(key, given.unwrap_or(default), least, most)
}

fn time(of: Time<'_>, least: u32, most: u32) -> Result<Duration, ConfigError> {
    millis(of, least, most).map(|ms| Duration::from_millis(ms.into()))
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<T, ConfigError> {
    if value < least || value > most {
        let text = format!("{value} is not between {least} and {most}");
        return Err(ConfigError::new(key, text));
    }
    Ok(value)
}
