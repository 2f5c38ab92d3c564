//! Configuration of the face: where the broker is, what is offered, what may be written. Owns the keys
//! of `homeassistant-mqtt.sample.toml`.

use crate::config::Choice;
use crate::tls::Trust;
use riser_adapter::{BuildContext, ConfigError, config::parse};
use riser_model::Priority;
use rustls::ClientConfig;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A whole, valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the broker is and how to log in.
    pub broker: Broker,
    /// How topics and identities are named.
    pub names: Names,
    /// Which points are offered.
    pub choice: Choice,
    /// Which of them may be written; none where nothing is named.
    pub writable: Option<Choice>,
    /// The level writes hold.
    pub priority: Priority,
    /// How long things may take.
    pub timing: Timing,
}

/// The broker.
#[derive(Clone)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Client id; made of the node's name where it is not given.
    pub client_id: Option<String>,
    /// User and password.
    pub login: Option<(String, String)>,
    /// TLS, where the broker wants it.
    pub tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({}:{})", self.host, self.port)
    }
}

/// How topics and identities are named.
#[derive(Debug, Clone)]
pub struct Names {
    /// This gateway.
    pub node: String,
    /// What people read.
    pub name: String,
    /// Below which Home Assistant looks.
    pub prefix: String,
    /// Below which values are told.
    pub base: String,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Changes of a point are gathered for so long.
    pub interval: Duration,
    /// A value that stays is told again after so long.
    pub repeat: Duration,
    /// Between two looks which points there are.
    pub look: Duration,
    /// How long a point may be gone until it is forgotten.
    pub forget: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    host: String,
    port: Option<u16>,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    client_id: Option<String>,
    #[serde(default)]
    tls: bool,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    private_key_file: Option<PathBuf>,
    node: String,
    name: Option<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    writable: Vec<String>,
    #[serde(default = "lowest")]
    priority: u8,
    #[serde(default = "second")]
    interval_ms: u32,
    #[serde(default = "five_minutes")]
    repeat_seconds: u32,
    #[serde(default = "ten")]
    look_seconds: u32,
    #[serde(default = "ten_minutes")]
    forget_seconds: u32,
    #[serde(default = "prefix")]
    discovery_prefix: String,
    #[serde(default = "base")]
    base_topic: String,
}

fn lowest() -> u8 {
    Priority::LOWEST.level()
}

fn second() -> u32 {
    1000
}

fn ten() -> u32 {
    10
}

fn five_minutes() -> u32 {
    300
}

fn ten_minutes() -> u32 {
    600
}

fn prefix() -> String {
    "homeassistant".to_owned()
}

fn base() -> String {
    "riser".to_owned()
}

impl Config {
    /// Checks the adapter's table. Password and certificates are read, nothing else is opened.
    ///
    /// # Errors
    /// Where what is wrong, and what to write instead.
    pub fn new(table: &toml::Table, context: &BuildContext) -> Result<Self, ConfigError> {
        let raw: Raw = parse("", table)?;
        let patterns = [
            ("include", &raw.include),
            ("exclude", &raw.exclude),
            ("writable", &raw.writable),
        ];
        for (key, patterns) in patterns {
            if let Some(index) = patterns.iter().position(String::is_empty) {
                let at = format!("{key}[{index}]");
                return Err(ConfigError::new(at, "is empty; '*' takes everything"));
            }
        }
        let priority = Priority::try_from(raw.priority);
        Ok(Self {
            broker: broker(&raw, &context.base_dir)?,
            names: names(&raw)?,
            priority: priority.map_err(|why| ConfigError::new("priority", why))?,
            timing: timing(&raw)?,
            writable: (!raw.writable.is_empty()).then(|| Choice::new(raw.writable, Vec::new())),
            choice: Choice::new(raw.include, raw.exclude),
        })
    }
}

fn broker(raw: &Raw, base: &Path) -> Result<Broker, ConfigError> {
    if raw.host.trim().is_empty() || raw.host.contains(['/', ' ']) {
        let given = &raw.host;
        let text = format!("'{given}' is no host; write the broker's name or address alone");
        return Err(ConfigError::new("host", text));
    }
    let tls = tls(raw, base)?;
    Ok(Broker {
        host: raw.host.clone(),
        port: raw.port.unwrap_or(if tls.is_some() { 8883 } else { 1883 }),
        client_id: raw.client_id.clone(),
        login: login(raw, base)?,
        tls,
    })
}

fn login(raw: &Raw, base: &Path) -> Result<Option<(String, String)>, ConfigError> {
    let password = match (&raw.password, &raw.password_file) {
        (Some(_), Some(_)) => {
            let problem = "give either 'password' or 'password_file'";
            return Err(ConfigError::new("password", problem));
        }
        (Some(password), None) => Some(password.clone()),
        (None, Some(file)) => {
            let path = base.join(file);
            let read = std::fs::read_to_string(&path).map_err(|e| {
                let problem = format!("cannot read {}: {e}", path.display());
                ConfigError::new("password_file", problem)
            })?;
            Some(read.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None) => None,
    };
    match (&raw.username, password) {
        (Some(user), password) => Ok(Some((user.clone(), password.unwrap_or_default()))),
        (None, Some(_)) => Err(ConfigError::new(
            "username",
            "a password needs a username beside it",
        )),
        (None, None) => Ok(None),
    }
}

fn tls(raw: &Raw, base: &Path) -> Result<Option<Arc<ClientConfig>>, ConfigError> {
    let given = [
        ("ca", raw.ca.is_some()),
        ("cert", raw.cert.is_some()),
        ("private_key_file", raw.private_key_file.is_some()),
    ];
    if let (false, Some((key, _))) = (raw.tls, given.iter().find(|(_, given)| *given)) {
        let problem = "is of no use without TLS; write 'tls = true' beside it";
        return Err(ConfigError::new(*key, problem));
    }
    let identity = match (&raw.cert, &raw.private_key_file) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => {
            let problem = "a client certificate needs both 'cert' and 'private_key_file'";
            return Err(ConfigError::new("cert", problem));
        }
    };
    let trust = Trust {
        ca: raw.ca.as_deref(),
        verify: true,
        identity,
    };
    raw.tls.then(|| trust.client(base)).transpose()
}

fn names(raw: &Raw) -> Result<Names, ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if raw.node.is_empty() || raw.node.len() > 64 || !raw.node.chars().all(plain) {
        let problem = "must be 1 to 64 of a-z, A-Z, 0-9, '_' and '-', such as 'gw-001'";
        return Err(ConfigError::new("node", problem));
    }
    Ok(Names {
        name: raw.name.clone().unwrap_or_else(|| raw.node.clone()),
        node: raw.node.clone(),
        prefix: topic("discovery_prefix", &raw.discovery_prefix)?,
        base: topic("base_topic", &raw.base_topic)?,
    })
}

fn topic(key: &str, text: &str) -> Result<String, ConfigError> {
    let bad = |c: char| c.is_control() || matches!(c, '+' | '#');
    let trimmed = text.trim_matches('/');
    if trimmed.is_empty() || trimmed.len() > 128 || trimmed.chars().any(bad) {
        let problem = format!("'{text}' is no topic; write one without + and #, such as 'riser'");
        return Err(ConfigError::new(key, problem));
    }
    Ok(trimmed.to_owned())
}

fn timing(raw: &Raw) -> Result<Timing, ConfigError> {
    let within = |key: &str, value: u32, (least, most): (u32, u32)| {
        let problem = format!("must be between {least} and {most}");
        match (least..=most).contains(&value) {
            true => Ok(value),
            false => Err(ConfigError::new(key, problem)),
        }
    };
    let seconds = |key: &str, value: u32, bounds| {
        within(key, value, bounds).map(|s| Duration::from_secs(u64::from(s)))
    };
    let interval = within("interval_ms", raw.interval_ms, (50, 600_000))?;
    Ok(Timing {
        interval: Duration::from_millis(u64::from(interval)),
        repeat: seconds("repeat_seconds", raw.repeat_seconds, (1, 86_400))?,
        look: seconds("look_seconds", raw.look_seconds, (1, 3600))?,
        forget: seconds("forget_seconds", raw.forget_seconds, (1, 2_592_000))?,
    })
}
