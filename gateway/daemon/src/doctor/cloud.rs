//! Whether the cloud can be reached: name, port, TLS, and whether it takes this gateway's
//! certificate. Speaks no MQTT: that is the link's, and a second client would push it aside.

use super::finding::Finding;
use crate::certificate;
use crate::config::{Cloud, Config};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// For each step.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon a server that does not like a client's certificate says so: in TLS 1.3 that comes
/// after the handshake (RFC 8446, clause 4.4.2.4).
const VERDICT: Duration = Duration::from_secs(1);

/// Looks, where a cloud is configured and the identity can be used.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let Some(cloud) = &config.cloud else {
        return vec![Finding::good(
            "cloud",
            "config",
            "none configured: the gateway works alone",
        )];
    };
    if !config.identity_problems.is_empty() {
        return Vec::new();
    }
    let place = cloud.url();
    vec![match reach(cloud).await {
        Ok(()) => Finding::good(
            "cloud",
            &place,
            "reached; it takes this gateway's certificate",
        ),
        Err((text, advice)) => Finding::broken("cloud", &place, &text, advice),
    }]
}

async fn reach(cloud: &Cloud) -> Result<(), (String, &'static str)> {
    let late = "no answer in 5 s".to_owned();
    let name = "look at the network and at DNS of this gateway";
    let address = (cloud.host.as_str(), cloud.port);
    let found = timeout(PATIENCE, tokio::net::lookup_host(address))
        .await
        .map_err(|_| (format!("the name could not be resolved: {late}"), name))?
        .map_err(|e| (format!("the name could not be resolved: {e}"), name))?;
    let found: Vec<SocketAddr> = found.collect();

    let route = "look at routes and firewalls between here and there, and whether it runs there";
    let at = || match found.first() {
        Some(first) => first.to_string(),
        None => "a name without address".to_owned(),
    };
    let stream = timeout(PATIENCE, TcpStream::connect(found.as_slice()))
        .await
        .map_err(|_| (format!("no connection to {}: {late}", at()), route))?
        .map_err(|e| (format!("no connection to {}: {e}", at()), route))?;

    let trust = "compare 'ca' in [cloud] with the CA of the cloud, and look at both clocks";
    let tls = certificate::client_tls(cloud).map_err(|e| (riser_model::chain(&e), trust))?;
    let server = ServerName::try_from(cloud.host.clone()).map_err(|e| {
        (
            format!("'{}' is no name of a server: {e}", cloud.host),
            trust,
        )
    })?;
    let mut stream = timeout(PATIENCE, TlsConnector::from(tls).connect(server, stream))
        .await
        .map_err(|_| (format!("no TLS: {late}"), trust))?
        .map_err(|e| (format!("no TLS: {e}"), trust))?;

    let identity =
        "ask whoever runs the cloud whether this certificate is of its CA and not revoked";
    match timeout(VERDICT, stream.read_u8()).await {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err((
            format!("it does not take this gateway's certificate: {error}"),
            identity,
        )),
        _ => Ok(()),
    }
}
