//! Configuration: what a technician writes, checked whole before anything opens. Owns the keys of
//! `sample.toml`.

use crate::tls::Trust;
use riser_adapter::{BuildContext, ConfigError, config::parse};
use rustls::ClientConfig;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Days that can be filled in; Home Assistant keeps hourly statistics for ever.
const MOST_DAYS: u16 = 3660;

/// A whole, valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What opens it.
    pub token: Token,
    /// How the connection is secured; `None` for plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
    /// Which entities become points.
    pub choice: Choice,
    /// Whether points a gateway of Riser offers there become points too.
    pub include_riser: bool,
    /// Days of statistics to fill in.
    pub backfill_days: u16,
    /// How long a written value may take to show.
    pub confirm: Duration,
    /// Time between two pings.
    pub ping: Duration,
}

/// Where a Home Assistant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is asked over TLS.
    pub secure: bool,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// A secret; nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Which entities become points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Choice {
    /// What fits one of `include`, or anything where that is empty, and none of `exclude`.
    pub(crate) fn new(include: Vec<String>, exclude: Vec<String>) -> Self {
        Self { include, exclude }
    }

    /// Whether an entity becomes points.
    #[must_use]
    pub fn takes(&self, entity: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| fits(p, entity));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// Whether a pattern, with `*` for anything, fits a text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: String,
    token: Option<String>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    #[serde(default = "yes")]
    verify: bool,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    include_riser: bool,
    #[serde(default = "month")]
    backfill_days: u16,
    #[serde(default = "five")]
    confirm_seconds: u16,
    #[serde(default = "twenty")]
    ping_seconds: u16,
}

fn yes() -> bool {
    true
}

fn month() -> u16 {
    30
}

fn five() -> u16 {
    5
}

fn twenty() -> u16 {
    20
}

impl Config {
    /// Checks the adapter's table. Token and certificates are read, nothing else is opened.
    ///
    /// # Errors
    /// Where what is wrong, and what to write instead.
    pub fn new(table: &toml::Table, context: &BuildContext) -> Result<Self, ConfigError> {
        let raw: Raw = parse("", table)?;
        let endpoint = endpoint(&raw.url)?;
        let bounded = |at: &str, value: u16, most: u16| match value {
            1.. if value <= most => Ok(Duration::from_secs(u64::from(value))),
            _ => Err(ConfigError::new(
                at,
                format!("must be between 1 and {most}"),
            )),
        };
        let (confirm, ping) = (
            bounded("confirm_seconds", raw.confirm_seconds, 60)?,
            bounded("ping_seconds", raw.ping_seconds, 300)?,
        );
        if raw.backfill_days > MOST_DAYS {
            let problem = format!("must be between 0 and {MOST_DAYS}");
            return Err(ConfigError::new("backfill_days", problem));
        }
        for (key, patterns) in [("include", &raw.include), ("exclude", &raw.exclude)] {
            if let Some(index) = patterns.iter().position(String::is_empty) {
                let at = format!("{key}[{index}]");
                return Err(ConfigError::new(at, "is empty; '*' takes everything"));
            }
        }
        Ok(Self {
            token: token(&raw, &context.base_dir)?,
            tls: match endpoint.secure {
                true => Some(tls(&raw, &context.base_dir)?),
                false => plain(&raw)?,
            },
            endpoint,
            choice: Choice::new(raw.include, raw.exclude),
            include_riser: raw.include_riser,
            backfill_days: raw.backfill_days,
            confirm,
            ping,
        })
    }
}

fn endpoint(url: &str) -> Result<Endpoint, ConfigError> {
    let bad = |problem: &str| {
        let problem = format!("{problem}; write it like 'http://homeassistant.local:8123'");
        ConfigError::new("url", problem)
    };
    let (secure, rest) = match url.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        _ => return Err(bad("begins with neither http:// nor https://")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#', '@']) || rest.chars().any(char::is_whitespace) {
        return Err(bad("has more than a host and a port in it"));
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| bad("has no usable port"))?,
        None if secure => 443,
        None => 8123,
    };
    if host.is_empty() || port == 0 {
        return Err(bad("has no host or no port"));
    }
    Ok(Endpoint {
        host: host.to_owned(),
        port,
        secure,
    })
}

fn token(raw: &Raw, base: &Path) -> Result<Token, ConfigError> {
    let (at, text) = match (&raw.token, &raw.token_file) {
        (Some(token), None) => ("token", token.clone()),
        (None, Some(file)) => {
            let path = base.join(file);
            let read = std::fs::read_to_string(&path);
            let text = read.map_err(|e| {
                ConfigError::new("token_file", format!("cannot read {}: {e}", path.display()))
            })?;
            ("token_file", text)
        }
        _ => {
            let problem = "give a long-lived access token: either 'token_file' or 'token'";
            return Err(ConfigError::new("token_file", problem));
        }
    };
    let text = text.trim();
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let problem = "is no access token: it must be one word, as Home Assistant shows it once";
        return Err(ConfigError::new(at, problem));
    }
    Ok(Token(text.to_owned()))
}

fn plain(raw: &Raw) -> Result<Option<Arc<ClientConfig>>, ConfigError> {
    match raw.ca {
        Some(_) => Err(ConfigError::new(
            "ca",
            "is of no use with http://; write https:// in 'url'",
        )),
        None => Ok(None),
    }
}

fn tls(raw: &Raw, base: &Path) -> Result<Arc<ClientConfig>, ConfigError> {
    let trust = Trust {
        ca: raw.ca.as_deref(),
        verify: raw.verify,
        identity: None,
    };
    trust.client(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_stars_anywhere() {
        for (pattern, text, want) in [
            ("sensor.*", "sensor.a", true),
            ("sensor.*", "binary_sensor.a", false),
            ("*_power", "sensor.plug_power", true),
            ("*_power", "sensor.plug_power_2", false),
            ("sensor.*_power*", "sensor.plug_power_2", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxcxxb", false),
            ("light.x", "light.x", true),
            ("light.x", "light.xy", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        let at = |url: &str| endpoint(url).map(|e| (e.host.clone(), e.port, e.to_string()));
        let text = |url: &str| at(url).unwrap().2;
        assert_eq!(text("http://ha.local"), "http://ha.local:8123");
        assert_eq!(text("https://ha.local/"), "https://ha.local:443");
        assert_eq!(text("http://192.0.2.7:80"), "http://192.0.2.7:80");
        assert_eq!(
            text("http://[2001:db8::1]:8123"),
            "http://[2001:db8::1]:8123"
        );
        for bad in [
            "ha.local",
            "ws://x",
            "http://",
            "http://a:b",
            "http://a/b",
            "http://u@h",
        ] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }
}
