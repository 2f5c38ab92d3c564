//! The configuration: its sections with their defaults, read and checked whole before anything
//! opens. Owns what may stand in `riser.toml`; what may stand in an adapter's part is the adapter's.

mod check;
mod endpoint;
mod load;
mod place;
mod problem;

pub(crate) use problem::{Problem, Problems};

use crate::certificate;
use crate::clock::{ClockSettings, SYNCHRONISED, Wait};
use riser_adapter::{BuildContext, Kind};
use riser_api::TlsFiles;
use riser_model::{GatewayId, Point, TenantId};
use riser_rules::{Rule, Schedule};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The commented sample.
pub(crate) const SAMPLE: &str = include_str!("../../../config/riser.toml");

/// A whole configuration that can be used.
pub(crate) struct Config {
    /// Where it was read from.
    pub(crate) file: PathBuf,
    pub(crate) gateway: Gateway,
    pub(crate) http: Http,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) storage: Storage,
    pub(crate) audit: Audit,
    pub(crate) backup: Option<Backup>,
    pub(crate) configuration: Settling,
    /// Every file it was read from.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) cloud: Option<Cloud>,
    pub(crate) adapters: Vec<AdapterEntry>,
    pub(crate) rules: Vec<Rule>,
    /// Values written at times of the week.
    pub(crate) schedules: Vec<Schedule>,
    /// The points of all adapters.
    pub(crate) points: Vec<Point>,
    /// What is wrong with the identity towards the cloud. The gateway collects all the same: a
    /// building must not stop because a certificate is late.
    pub(crate) identity_problems: Problems,
    /// What works and is hardly meant, in words.
    pub(crate) doubts: Vec<String>,
}

impl Config {
    /// How the clock is looked at; it remembers the time in the data folder. What the gateway's own
    /// certificates say to be over is over.
    pub(crate) fn clock(&self) -> ClockSettings {
        ClockSettings {
            marker: self.gateway.clock_synchronised_file.clone(),
            wait: self.gateway.clock_wait,
            dir: Some(self.gateway.data_dir.clone()),
            past: self.cloud.as_ref().and_then(certificate::newest_start),
        }
    }

    /// What it says, in numbers.
    pub(crate) fn summary(&self) -> String {
        let devices: std::collections::BTreeSet<_> =
            self.points.iter().map(|p| &p.path.device).collect();
        format!(
            "sound: {} adapters, {} devices, {} points, {} rules, {}",
            self.adapters.len(),
            devices.len(),
            self.points.len(),
            self.rules.len(),
            match &self.cloud {
                Some(cloud) => format!("cloud at {}", cloud.url()),
                None => "no cloud".to_owned(),
            }
        )
    }
}

/// One `[[adapter]]`.
pub(crate) struct AdapterEntry {
    /// Unique in the configuration.
    pub(crate) name: String,
    pub(crate) kind: &'static Kind,
    /// Its own part, with nothing of the daemon's in it.
    pub(crate) table: toml::Table,
    pub(crate) context: BuildContext,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Name within the tenant.
    pub(crate) id: GatewayId,
    /// Whose it is.
    #[serde(default = "local_tenant")]
    pub(crate) tenant: TenantId,
    /// The name people read; the id if absent.
    #[serde(default)]
    pub(crate) name: String,
    /// Folder for everything the gateway keeps.
    #[serde(default = "data_dir")]
    pub(crate) data_dir: PathBuf,
    /// Extra folder with device profiles.
    #[serde(default)]
    pub(crate) profile_dir: Option<PathBuf>,
    /// The file whose existence says that the clock has been set.
    #[serde(default = "clock_marker")]
    pub(crate) clock_synchronised_file: PathBuf,
    /// Whether values are held back until the time is known.
    #[serde(default)]
    pub(crate) clock_wait: Wait,
    /// Longest time they are held back.
    #[serde(default = "hold_hours")]
    pub(crate) clock_hold_hours: u32,
}

fn hold_hours() -> u32 {
    24
}

fn local_tenant() -> TenantId {
    TenantId::slug("local")
}

fn data_dir() -> PathBuf {
    "/var/lib/riser".into()
}

fn clock_marker() -> PathBuf {
    SYNCHRONISED.into()
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where the local pages and the API are served.
    pub(crate) listen: SocketAddr,
    /// Certificate and key; plain HTTP if absent.
    pub(crate) tls: Option<Tls>,
    /// A session nobody uses ends after so many minutes.
    pub(crate) session_idle_minutes: u32,
    /// A session ends after so many days.
    pub(crate) session_days: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            tls: None,
            session_idle_minutes: 480,
            session_days: 7,
        }
    }
}

/// `tls` of `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.cert.clone(),
            key: self.key.clone(),
        }
    }
}

/// `[storage]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storage {
    /// Longest time a sample waits for the disk.
    pub(crate) commit_interval_ms: u32,
    /// Days of history.
    pub(crate) retention_days: u32,
    /// Megabytes the history may take; unbounded without.
    pub(crate) history_max_mb: Option<u32>,
    /// Megabytes to leave free on the disk.
    pub(crate) min_free_mb: u32,
    /// Samples kept in memory while the disk does not take them.
    pub(crate) queue_samples: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            commit_interval_ms: 500,
            retention_days: 90,
            history_max_mb: None,
            min_free_mb: 256,
            queue_samples: 500_000,
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Audit {
    /// Days an entry is kept.
    pub(crate) keep_days: u32,
    /// Entries kept at most.
    pub(crate) max_entries: u32,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            keep_days: 730,
            max_entries: 100_000,
        }
    }
}

/// `[configuration]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settling {
    /// Seconds an adapter may take after a change until its devices answer again.
    pub(crate) settle_seconds: u32,
    /// Seconds the link to the cloud may take after a change until it stands again.
    pub(crate) link_seconds: u32,
}

impl Default for Settling {
    fn default() -> Self {
        Self {
            settle_seconds: 60,
            link_seconds: 90,
        }
    }
}

/// `[backup]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    /// Folder the backups are written to.
    pub(crate) dir: PathBuf,
    /// Time between two backups with their restore drill.
    #[serde(default = "daily")]
    pub(crate) every_hours: u32,
    /// Backups kept.
    #[serde(default = "a_week")]
    pub(crate) keep: u32,
    /// File with the secret they are sealed with.
    pub(crate) key_file: PathBuf,
    /// Whether certificates and private keys are in them.
    #[serde(default)]
    pub(crate) with_identity: bool,
}

fn daily() -> u32 {
    24
}

fn a_week() -> u32 {
    7
}

/// `[cloud]`, checked.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Kilobits a second the link may take on average; none: no bound.
    pub(crate) max_kbit_s: Option<u32>,
}

impl Cloud {
    pub(crate) fn url(&self) -> String {
        format!("mqtts://{}:{}", self.host, self.port)
    }
}
