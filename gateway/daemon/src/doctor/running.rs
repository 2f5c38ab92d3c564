//! Whether the daemon runs, and what its figures say: the doctor must not disturb its buses.

use super::finding::Finding;
use crate::config::Config;
use crate::secrets;
use std::fs::{File, TryLockError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For one question.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer read, in octets.
const ANSWER_MAX: u64 = 16 << 20;

/// The daemon, if it runs.
pub(super) struct Daemon {
    /// Whether it holds the data folder.
    pub(super) runs: bool,
    /// Its health as it says itself: status and body.
    health: Result<(u16, String), String>,
    /// Its figures, if it gives them.
    pub(super) metrics: Option<String>,
}

/// Looks for a daemon with this configuration.
pub(super) async fn look(config: &Config) -> Daemon {
    let runs = File::open(config.gateway.data_dir.join("lock"))
        .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    let mut daemon = Daemon {
        runs,
        health: Err("not asked".to_owned()),
        metrics: None,
    };
    if runs && config.tls.is_none() {
        let address = reachable(config.http.listen);
        daemon.health = get(address, "/healthz", "").await;
        if let Ok(token) = secrets::metrics_token(&config.gateway.data_dir) {
            let figures = get(address, "/metrics", &token).await;
            daemon.metrics = figures
                .ok()
                .filter(|(status, _)| *status == 200)
                .map(|(_, text)| text);
        }
    }
    daemon
}

impl Daemon {
    /// How it is.
    pub(super) fn finding(&self, config: &Config) -> Finding {
        let place = config.http.listen.to_string();
        if !self.runs {
            let text = "not running with this data folder";
            let advice = "start it: systemctl start riserd";
            return Finding::doubtful("daemon", &place, text, advice);
        }
        if config.tls.is_some() {
            return Finding::good("daemon", &place, "running; its pages are served by HTTPS");
        }
        match &self.health {
            Ok((200, _)) => Finding::good("daemon", &place, "running and collecting"),
            Ok((_, body)) => {
                let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                let reasons = body["reasons"].as_array().map_or(String::new(), |reasons| {
                    let reasons = reasons.iter().filter_map(|reason| reason.as_str());
                    reasons.collect::<Vec<_>>().join("; ")
                });
                let advice = "see its log: journalctl -u riserd";
                Finding::broken("daemon", &place, &format!("running, but {reasons}"), advice)
            }
            Err(error) => {
                let text = format!("running, but its pages do not answer: {error}");
                let advice = "see its log: journalctl -u riserd";
                Finding::broken("daemon", &place, &text, advice)
            }
        }
    }
}

/// Where this machine reaches what listens on "every address".
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, listen.port())
}

/// Status and body of one GET.
async fn get(address: SocketAddr, path: &str, token: &str) -> Result<(u16, String), String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, asked)
        .await
        .map_err(|_| "no answer in 5 s".to_owned())?
        .map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| "the answer is no HTTP".to_owned())?;
    Ok((status, body.to_owned()))
}
