//! The configuration file: type, defaults, checks, and the words when it is wrong. Owns reading
//! it; `sample.toml` beside the crate is its only documentation. Nothing is opened here.

use crate::ingest::{BrokerAddress, IngestLimits};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use strsim::jaro_winkler;

/// The commented example of every key.
pub const SAMPLE: &str = include_str!("../sample.toml");

/// What is wrong with a configuration. Nothing was opened or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{at}: {problem}")]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// `:line`, or empty where no line is to blame.
    pub at: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the database and the token key live.
    pub data_dir: PathBuf,
    /// Log filter.
    #[serde(default = "default_log")]
    pub log: String,
    /// The HTTP face.
    #[serde(default)]
    pub http: Http,
    /// The MQTT endpoint.
    pub mqtt: Option<Mqtt>,
    /// Certificates of the endpoint.
    pub pki: Option<Pki>,
    /// A third-party broker.
    pub broker: Option<Broker>,
    /// How long records are kept.
    #[serde(default)]
    pub retention: RetentionDays,
}

/// How long records of gateways are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionDays {
    /// Days of audit entries; 0 keeps them for ever.
    pub audit_days: u32,
    /// Days of the loss ledgers; 0 keeps them for ever.
    pub ledger_days: u32,
}

impl Default for RetentionDays {
    fn default() -> Self {
        Self {
            audit_days: 730,
            ledger_days: 400,
        }
    }
}

/// The HTTP face.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where to listen.
    #[serde(default = "default_http")]
    pub listen: SocketAddr,
    /// Whether browsers come in by HTTPS.
    #[serde(default)]
    pub https: bool,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<IpAddr>,
    /// Bearer token for `/metrics`.
    pub metrics_token: Option<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: default_http(),
            https: false,
            proxies: Vec::new(),
            metrics_token: None,
        }
    }
}

/// The MQTT endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Where to listen.
    #[serde(default = "default_mqtt")]
    pub listen: SocketAddr,
    connections_max: Option<usize>,
    pending_max: Option<usize>,
    handshakes_per_s: Option<u32>,
    sessions_per_s: Option<u32>,
    receive_max: Option<u16>,
    keep_alive_max_s: Option<u16>,
}

impl Mqtt {
    /// The bounds of the ingest.
    #[must_use]
    pub fn limits(&self) -> IngestLimits {
        let usual = IngestLimits::default();
        IngestLimits {
            connections_max: self.connections_max.unwrap_or(usual.connections_max),
            pending_max: self.pending_max.unwrap_or(usual.pending_max),
            handshakes_per_s: self.handshakes_per_s.unwrap_or(usual.handshakes_per_s),
            sessions_per_s: self.sessions_per_s.unwrap_or(usual.sessions_per_s),
            receive_max: self.receive_max.unwrap_or(usual.receive_max),
            keep_alive_max_s: self.keep_alive_max_s.unwrap_or(usual.keep_alive_max_s),
        }
    }
}

/// Certificates of the endpoint: a folder, or single files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pki {
    dir: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    revoked: Option<PathBuf>,
}

/// The files of the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkiFiles {
    /// The authority gateways' certificates must be of.
    pub ca: PathBuf,
    /// The service's own certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The revocation list.
    pub revoked: Option<PathBuf>,
}

/// A third-party broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    url: String,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    #[serde(default = "default_client_id")]
    client_id: String,
}

fn default_log() -> String {
    "info".to_owned()
}

fn default_client_id() -> String {
    "riser-cloud".to_owned()
}

fn default_http() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8080).into()
}

fn default_mqtt() -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, 8883).into()
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Where and what is wrong, with the nearest known key for an unknown one.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError {
            file: file.clone(),
            at: String::new(),
            problem: format!("{e}; 'riser-cloud sample-config' prints one to begin with"),
        })?;
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&text, base).map_err(|error| ConfigError { file, ..error })
    }

    /// Checks the text of a configuration; relative paths are meant from `base`.
    ///
    /// # Errors
    /// As [`Config::load`], with an empty file name.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|e| explain(text, &e))?;
        config.data_dir = base.join(&config.data_dir);
        config.check().map_err(|problem| ConfigError {
            file: String::new(),
            at: String::new(),
            problem,
        })?;
        if let Some(pki) = &mut config.pki {
            for path in [
                &mut pki.dir,
                &mut pki.ca,
                &mut pki.cert,
                &mut pki.key,
                &mut pki.revoked,
            ] {
                *path = path.take().map(|p| base.join(p));
            }
        }
        if let Some(broker) = &mut config.broker {
            for path in [&mut broker.ca, &mut broker.cert, &mut broker.key] {
                *path = base.join(&path);
            }
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.mqtt.is_none() && self.broker.is_none() {
            return Err("gateways have no way in: add [mqtt], or [broker]".to_owned());
        }
        if self.mqtt.is_some() {
            self.files()?;
        }
        let short = self
            .http
            .metrics_token
            .as_ref()
            .is_some_and(|t| t.len() < 16);
        if short {
            return Err("http.metrics_token must have at least 16 characters".to_owned());
        }
        if let Some(mqtt) = &self.mqtt {
            let limits = mqtt.limits();
            let zero = [
                ("connections_max", limits.connections_max),
                ("pending_max", limits.pending_max),
                ("handshakes_per_s", limits.handshakes_per_s as usize),
                ("sessions_per_s", limits.sessions_per_s as usize),
                ("receive_max", limits.receive_max.into()),
                ("keep_alive_max_s", limits.keep_alive_max_s.into()),
            ]
            .into_iter()
            .find(|(_, n)| *n == 0);
            if let Some((key, _)) = zero {
                return Err(format!("mqtt.{key} must be at least 1"));
            }
        }
        self.broker_address().map(|_| ())
    }

    /// The certificate files of the endpoint.
    ///
    /// # Errors
    /// When neither a folder nor all single files are given.
    pub fn files(&self) -> Result<PkiFiles, String> {
        let none = || "[mqtt] needs certificates: add [pki] with dir = \"…\"".to_owned();
        let pki = self.pki.as_ref().ok_or_else(none)?;
        let pick = |own: &Option<PathBuf>, name: &str| {
            own.clone()
                .or_else(|| pki.dir.as_ref().map(|dir| dir.join(name)))
                .ok_or_else(|| format!("[pki] needs dir, or the file itself instead of {name}"))
        };
        Ok(PkiFiles {
            ca: pick(&pki.ca, "ca.pem")?,
            cert: pick(&pki.cert, "server.pem")?,
            key: pick(&pki.key, "server.key")?,
            revoked: pick(&pki.revoked, "revoked.txt").ok(),
        })
    }

    /// The broker, if there is one.
    ///
    /// # Errors
    /// When its URL is not of the form `mqtts://host:port`.
    pub fn broker_address(&self) -> Result<Option<BrokerAddress>, String> {
        let Some(broker) = &self.broker else {
            return Ok(None);
        };
        let wrong = || {
            format!(
                "broker.url '{}' is not of the form mqtts://host:port",
                broker.url
            )
        };
        let rest = broker.url.strip_prefix("mqtts://").ok_or_else(wrong)?;
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (rest, 8883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains('/') {
            return Err(wrong());
        }
        Ok(Some(BrokerAddress {
            host: host.to_owned(),
            port,
            ca: broker.ca.clone(),
            cert: broker.cert.clone(),
            key: broker.key.clone(),
            client_id: broker.client_id.clone(),
        }))
    }
}

/// The parser's complaint with its line, and for an unknown key the nearest known one.
fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field");
    let mut problem = message.to_owned();
    if unknown && let Some(given) = quoted.next() {
        let near = quoted.max_by(|a, b| jaro_winkler(a, given).total_cmp(&jaro_winkler(b, given)));
        if let Some(near) = near {
            problem = format!("{message}; did you mean '{near}'?");
        }
    }
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    ConfigError {
        file: String::new(),
        at: line.map(|line| format!(":{line}")).unwrap_or_default(),
        problem: problem.replace('`', "'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "/srv/riser";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new(BASE))
    }

    #[test]
    fn the_sample_is_valid_also_with_everything_switched_on() {
        let sample = parse(SAMPLE).unwrap();
        assert_eq!(sample.mqtt.unwrap().limits(), IngestLimits::default());
        let kept = |r: &RetentionDays| (r.audit_days, r.ledger_days);
        assert_eq!(kept(&sample.retention), kept(&RetentionDays::default()));
        let all: String = SAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => rest,
                _ => line,
            })
            .map(|line| {
                line.replace(
                    "metrics_token = \"\"",
                    "metrics_token = \"0123456789abcdef\"",
                )
            })
            .collect::<Vec<_>>()
            .join("\n");
        let all = parse(&all).unwrap();
        assert_eq!(all.mqtt.as_ref().unwrap().limits(), IngestLimits::default());
        assert_eq!(kept(&all.retention), kept(&RetentionDays::default()));
        let broker = all.broker_address().unwrap().unwrap();
        assert_eq!(
            (broker.host.as_str(), broker.port),
            ("broker.example", 8883)
        );
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_its_line() {
        let error = parse("data_dir = \"d\"\n[mqtt]\nlisen = \"0.0.0.0:1\"\n").unwrap_err();
        assert!(error.problem.contains("did you mean 'listen'"), "{error}");
        assert_eq!(error.at, ":3");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (text, says) in [
            ("data_dir = \"d\"", "no way in"),
            ("data_dir = \"d\"\n[mqtt]\n", "needs certificates"),
            (
                "data_dir = \"d\"\n[mqtt]\n[pki]\nca = \"x\"\n",
                "server.pem",
            ),
            (
                "data_dir = \"d\"\n[mqtt]\nreceive_max = 0\n[pki]\ndir = \"p\"",
                "receive_max",
            ),
            (
                "data_dir = \"d\"\n[http]\nmetrics_token = \"short\"\n[mqtt]\n[pki]\ndir = \"p\"",
                "16 characters",
            ),
            (
                "data_dir = \"d\"\n[broker]\nurl = \"mqtt://x\"\nca = \"a\"\ncert = \"b\"\nkey = \"c\"",
                "mqtts://host:port",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.problem.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn relative_paths_are_meant_from_the_file() {
        let config = parse("data_dir = \"d\"\n[mqtt]\n[pki]\ndir = \"p\"\n").unwrap();
        assert_eq!(config.data_dir, Path::new(BASE).join("d"));
        assert_eq!(config.files().unwrap().ca, Path::new(BASE).join("p/ca.pem"));
    }
}
