//! What the link needs to be told. Owns the defaults of its times and the reason for each.

use riser_model::{GatewayId, TenantId};
use riser_store::Now;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// Settings of the link.
#[derive(Clone)]
pub struct LinkConfig {
    /// Name or IPv4 address (the MQTT client takes no IPv6 literal, but names may resolve to one) of the cloud or broker; also what its certificate must be for.
    pub host: String,
    /// TCP port, 8883 by custom.
    pub port: u16,
    /// PEM file with the CA certificates the cloud's certificate must come from.
    pub ca: PathBuf,
    /// PEM file with the gateway's certificate and the chain behind it.
    pub cert: PathBuf,
    /// PEM file with the gateway's private key.
    pub key: PathBuf,
    /// Whose gateway this is.
    pub tenant: TenantId,
    /// Its name; also the MQTT client id.
    pub gateway: GatewayId,
    /// The name people read.
    pub name: String,
    /// Version of the gateway software.
    pub version: String,
    /// New with every start of the process.
    pub boot: Uuid,
    /// Wall clock.
    pub now: Now,
    /// Kilobits (1,000 bits) a second the link may take on average; `None`: no bound. Events pass
    /// whatever it is.
    pub max_kbit_s: Option<u32>,
    /// Times and limits.
    pub timings: Timings,
}

impl LinkConfig {
    /// Where to, as people read it.
    pub(crate) fn url(&self) -> String {
        format!("mqtts://{}:{}", self.host, self.port)
    }
}

impl std::fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkConfig")
            .field("url", &self.url())
            .field("tenant", &self.tenant)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// Times of the link. The defaults are for the field; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// For TCP, TLS and CONNACK together.
    pub connect: Duration,
    /// MQTT keep-alive; whole seconds, at least 5.
    pub keep_alive: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// Without an answer to a heartbeat, or without durable progress while something is on its way,
    /// for this long, the link is degraded.
    pub heartbeat_limit: Duration,
    /// Nothing heard at all for this long means that the connection is dead. Longer than the
    /// keep-alive, whose answers count; much shorter than TCP would take to notice (the MQTT client
    /// gives no access to TCP_USER_TIMEOUT).
    pub silence_limit: Duration,
    /// No durable progress for this long, with a backlog: a new client is built.
    pub progress_limit: Duration,
    /// A batch that is not durable after this long is sent again, alone; doubles each time.
    pub resend: Duration,
    /// Longest wait before the first retry after a lost connection.
    pub retry_first: Duration,
    /// Longest wait before a retry when the cloud was not reached. With `connect` it bounds how
    /// long after healing a broken network goes unused.
    pub retry_cap: Duration,
    /// Longest wait before a retry when the cloud was reached and turned the gateway away: asking
    /// again at once would only cost both sides a handshake.
    pub turned_away_cap: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(8),
            keep_alive: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            heartbeat_limit: Duration::from_secs(30),
            silence_limit: Duration::from_secs(40),
            progress_limit: Duration::from_secs(60),
            resend: Duration::from_secs(20),
            retry_first: Duration::from_millis(500),
            retry_cap: Duration::from_secs(5),
            turned_away_cap: Duration::from_secs(60),
        }
    }
}
