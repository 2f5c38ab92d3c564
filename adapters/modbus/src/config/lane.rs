//! `[[lane]]`: how to reach what must be serial on the field side, and its budget.

use super::{DeviceConfig, millis};
use riser_adapter::{BuildContext, ConfigError, config::parse};
use riser_model::Key;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One lane, checked.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// What devices refer to.
    pub key: Key,
    /// What people read: `tcp 192.0.2.7:502`, `serial /dev/ttyS1`.
    pub name: String,
    /// How to get there.
    pub transport: Transport,
    /// Requests on the wire at once, 1 to 16.
    pub outstanding: usize,
    /// For an answer, unless the device says otherwise.
    pub timeout: Duration,
    /// For making the connection.
    pub connect_timeout: Duration,
    /// After a timeout, unless the device says otherwise.
    pub retries: u8,
    /// Least silence between an answer and the next request.
    pub pause: Duration,
    /// Least time between two requests, from `requests_per_second`.
    pub spacing: Duration,
    /// Failures in a row after which a device is parked.
    pub failures_to_park: u32,
    /// How often a parked device is asked.
    pub probe_interval: Duration,
    /// Its devices.
    pub devices: Vec<DeviceConfig>,
}

/// How frames travel.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Modbus/TCP.
    Tcp {
        /// Address or name.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Modbus/TCP Security.
    Tls {
        /// Address or name.
        host: String,
        /// TCP port.
        port: u16,
        /// Keys and trust.
        tls: TlsConfig,
    },
    /// RTU on a serial port.
    Rtu {
        /// Device file, such as `/dev/ttyS1`.
        path: String,
        /// Line settings.
        serial: SerialConfig,
    },
    /// RTU frames over TCP, through a serial device server.
    RtuOverTcp {
        /// Address or name.
        host: String,
        /// TCP port.
        port: u16,
        /// Settings of the far line, for computing times.
        serial: SerialConfig,
    },
}

impl Transport {
    /// Line settings where frames go over a serial line.
    #[must_use]
    pub fn serial(&self) -> Option<&SerialConfig> {
        match self {
            Self::Rtu { serial, .. } | Self::RtuOverTcp { serial, .. } => Some(serial),
            Self::Tcp { .. } | Self::Tls { .. } => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Tcp { host, port } => format!("tcp {host}:{port}"),
            Self::Tls { host, port, .. } => format!("tls {host}:{port}"),
            Self::Rtu { path, .. } => format!("serial {path}"),
            Self::RtuOverTcp { host, port, .. } => format!("rtu over tcp {host}:{port}"),
        }
    }
}

/// Settings of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SerialConfig {
    /// Bits per second.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// 7 or 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// The standard's default.
    #[default]
    Even,
    /// Odd.
    Odd,
    /// None; the standard then asks for two stop bits.
    None,
}

/// Keys and trust of a TLS lane, ready to use.
#[derive(Clone)]
pub struct TlsConfig {
    /// Roots, protocol versions, client certificate.
    pub client: Arc<rustls::ClientConfig>,
    /// Name the server's certificate must carry.
    pub server_name: ServerName<'static>,
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsConfig({:?})", self.server_name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Tcp,
    Rtu,
    RtuOverTcp,
    Tls,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaneTable {
    key: Key,
    transport: Kind,
    host: Option<String>,
    port: Option<u16>,
    serial: Option<String>,
    baud: Option<u32>,
    parity: Option<Parity>,
    data_bits: Option<u8>,
    stop_bits: Option<u8>,
    ca: Option<String>,
    cert: Option<String>,
    private_key: Option<String>,
    server_name: Option<String>,
    outstanding: Option<usize>,
    timeout_ms: Option<u32>,
    connect_timeout_ms: Option<u32>,
    retries: Option<u8>,
    pause_ms: Option<u32>,
    requests_per_second: Option<f64>,
    failures_to_park: Option<u32>,
    probe_interval_ms: Option<u32>,
}

/// Checks one `[[lane]]`.
pub(crate) fn build(
    at: &str,
    table: &toml::Table,
    context: &BuildContext,
) -> Result<LaneConfig, ConfigError> {
    let raw: LaneTable = parse(at, table)?;
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    refuse_foreign_keys(at, &raw)?;
    let transport = transport(at, &raw, context)?;
    let serial = transport.serial().copied();
    let outstanding = raw.outstanding.unwrap_or(1);
    let most = if serial.is_some() { 1 } else { 16 };
    if !(1..=most).contains(&outstanding) {
        return Err(wrong(
            "outstanding",
            format!(
                "{outstanding} is not between 1 and {most} (a serial line takes one request at a time)"
            ),
        ));
    }
    let spacing = match raw.requests_per_second {
        None => Duration::ZERO,
        Some(rate) if rate.is_finite() && (0.01..=100_000.0).contains(&rate) => {
            Duration::from_secs_f64(1.0 / rate)
        }
        Some(rate) => {
            return Err(wrong(
                "requests_per_second",
                format!("{rate} is not between 0.01 and 100000"),
            ));
        }
    };
    let silent = serial.map_or(Duration::ZERO, |s| crate::timing::frame_gap(&s));
    let timeout = raw.timeout_ms.unwrap_or(1000);
    if timeout == 0 {
        return Err(wrong(
            "timeout_ms",
            "a timeout of 0 never sees an answer".into(),
        ));
    }
    Ok(LaneConfig {
        key: raw.key,
        name: transport.name(),
        transport,
        outstanding,
        timeout: millis(timeout),
        connect_timeout: millis(raw.connect_timeout_ms.unwrap_or(3000).max(1)),
        retries: raw.retries.unwrap_or(1),
        pause: raw.pause_ms.map_or(silent, millis).max(silent),
        spacing,
        failures_to_park: raw.failures_to_park.unwrap_or(3).max(1),
        probe_interval: millis(raw.probe_interval_ms.unwrap_or(10_000).max(10)),
        devices: Vec::new(),
    })
}

/// A key that belongs to another transport is a mistake somebody should hear of.
fn refuse_foreign_keys(at: &str, raw: &LaneTable) -> Result<(), ConfigError> {
    use Kind::{Rtu, RtuOverTcp, Tcp, Tls};
    let given: [(&str, bool, &[Kind]); 11] = [
        ("host", raw.host.is_some(), &[Tcp, RtuOverTcp, Tls]),
        ("port", raw.port.is_some(), &[Tcp, RtuOverTcp, Tls]),
        ("serial", raw.serial.is_some(), &[Rtu]),
        ("baud", raw.baud.is_some(), &[Rtu, RtuOverTcp]),
        ("parity", raw.parity.is_some(), &[Rtu, RtuOverTcp]),
        ("data_bits", raw.data_bits.is_some(), &[Rtu, RtuOverTcp]),
        ("stop_bits", raw.stop_bits.is_some(), &[Rtu, RtuOverTcp]),
        ("ca", raw.ca.is_some(), &[Tls]),
        ("cert", raw.cert.is_some(), &[Tls]),
        ("private_key", raw.private_key.is_some(), &[Tls]),
        ("server_name", raw.server_name.is_some(), &[Tls]),
    ];
    for (key, there, kinds) in given {
        if there && !kinds.contains(&raw.transport) {
            let name = |k: &Kind| match k {
                Tcp => "tcp",
                Rtu => "rtu",
                RtuOverTcp => "rtu_over_tcp",
                Tls => "tls",
            };
            let kinds: Vec<_> = kinds.iter().map(name).collect();
            return Err(ConfigError::new(
                format!("{at}.{key}"),
                format!(
                    "'{key}' belongs to transport {}, and this lane is {}",
                    kinds.join(" or "),
                    name(&raw.transport)
                ),
            ));
        }
    }
    Ok(())
}

fn transport(at: &str, raw: &LaneTable, context: &BuildContext) -> Result<Transport, ConfigError> {
    let need = |key: &str, value: &Option<String>| match value {
        Some(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => Err(ConfigError::new(
            at,
            format!("a lane of this transport needs '{key}'"),
        )),
    };
    Ok(match raw.transport {
        Kind::Tcp => Transport::Tcp {
            host: need("host", &raw.host)?,
            port: raw.port.unwrap_or(502),
        },
        Kind::RtuOverTcp => Transport::RtuOverTcp {
            host: need("host", &raw.host)?,
            port: raw.port.unwrap_or(502),
            serial: serial(at, raw)?,
        },
        Kind::Rtu => Transport::Rtu {
            path: need("serial", &raw.serial)?,
            serial: serial(at, raw)?,
        },
        Kind::Tls => {
            let host = need("host", &raw.host)?;
            need("ca", &raw.ca)?;
            let tls = tls(at, raw, &host, &context.base_dir)?;
            Transport::Tls {
                host,
                port: raw.port.unwrap_or(802),
                tls,
            }
        }
    })
}

fn serial(at: &str, raw: &LaneTable) -> Result<SerialConfig, ConfigError> {
    let one_of = |key: &str, value: u8, allowed: [u8; 2]| {
        if allowed.contains(&value) {
            Ok(value)
        } else {
            Err(ConfigError::new(
                format!("{at}.{key}"),
                format!("{value} is neither {} nor {}", allowed[0], allowed[1]),
            ))
        }
    };
    let baud = raw.baud.unwrap_or(19_200);
    if !(300..=4_000_000).contains(&baud) {
        return Err(ConfigError::new(
            format!("{at}.baud"),
            format!("{baud} is not between 300 and 4000000"),
        ));
    }
    Ok(SerialConfig {
        baud,
        parity: raw.parity.unwrap_or_default(),
        data_bits: one_of("data_bits", raw.data_bits.unwrap_or(8), [7, 8])?,
        stop_bits: one_of("stop_bits", raw.stop_bits.unwrap_or(1), [1, 2])?,
    })
}

fn tls(at: &str, raw: &LaneTable, host: &str, base: &Path) -> Result<TlsConfig, ConfigError> {
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    let certificates = |key: &str, file: &str| {
        CertificateDer::pem_file_iter(base.join(file))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| wrong(key, format!("could not read certificates from {file}: {e}")))
            .and_then(|found| match found.is_empty() {
                true => Err(wrong(key, format!("{file} holds no certificate"))),
                false => Ok(found),
            })
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates("ca", raw.ca.as_deref().unwrap_or_default())? {
        roots
            .add(certificate)
            .map_err(|e| wrong("ca", format!("a certificate in it cannot be used: {e}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Modbus/TCP Security protocol, clause 8: TLS 1.2 or later.
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("transport", format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(roots);
    let client = match (&raw.cert, &raw.private_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates("cert", cert)?;
            let key = PrivateKeyDer::from_pem_file(base.join(key)).map_err(|e| {
                wrong(
                    "private_key",
                    format!("could not read a key from {key}: {e}"),
                )
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| wrong("cert", format!("certificate and key do not fit: {e}")))?
        }
        _ => {
            return Err(wrong(
                "cert",
                "'cert' and 'private_key' come together; one of them is missing".into(),
            ));
        }
    };
    let name = raw.server_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned()).map_err(|e| {
        wrong(
            "server_name",
            format!("'{name}' is not a host name or address: {e}"),
        )
    })?;
    Ok(TlsConfig {
        client: Arc::new(client),
        server_name,
    })
}
