//! A service in this process with a throw-away authority, on ports of its own.

use riser_cloud::clock::Clock;
use riser_cloud::config::Config;
use riser_cloud::db::{CommitLog, Db, Origin};
use riser_cloud::ingest::tls::{ServerCertificate, server_config};
use riser_cloud::ingest::{Downlink, Endpoint, Ingest, IngestLimits};
use riser_cloud::pki::{Authority, GatewayRequest, Issued, Revoked, Validity};
use riser_cloud::service::{Control, Service};
use riser_model::Key;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing here takes this long; a test that waits longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn origin(gateway: &str) -> Arc<Origin> {
    Arc::new(Origin {
        tenant: Key::new("acme").unwrap(),
        gateway: Key::new(gateway).unwrap(),
    })
}

/// Waits for a condition.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// An authority in a temporary folder.
pub(crate) struct Pki {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let validity = Validity::days(Clock::system().now(), 30);
        let authority = Authority::init(dir.path(), &hosts, validity).unwrap();
        Self { dir, authority }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn gateway(&self, gateway: &str) -> Issued {
        self.gateway_for(gateway, Validity::days(Clock::system().now(), 30))
    }

    pub(crate) fn gateway_for(&self, gateway: &str, validity: Validity) -> Issued {
        let request = GatewayRequest {
            origin: origin(gateway).as_ref().clone(),
            validity,
        };
        self.authority.issue_gateway(&request).unwrap()
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.path().join("ca.pem")
    }
}

/// The whole service, as `riser-cloud run` starts it.
pub(crate) struct Lab {
    pub(crate) pki: Pki,
    pub(crate) db: Db,
    pub(crate) downlink: Downlink,
    pub(crate) port: u16,
    pub(crate) control: Control,
    pub(crate) data: TempDir,
    running: JoinHandle<()>,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::start_with(Pki::new(), tempfile::tempdir().unwrap(), "").await
    }

    pub(crate) async fn start_with(pki: Pki, data: TempDir, more: &str) -> Self {
        let text = format!(
            "data_dir = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n\
             [pki]\ndir = \"{}\"\n{more}",
            data.path().display(),
            pki.path().display()
        );
        let config = Config::parse(&text, Path::new(".")).unwrap();
        let control = Control::default();
        let service = Service::start(&config, control.clone()).await.unwrap();
        let (db, downlink) = (service.db().clone(), service.downlink().clone());
        let port = service.mqtt_address().unwrap().port();
        let running = tokio::spawn(service.run());
        Self {
            pki,
            db,
            downlink,
            port,
            control,
            data,
            running,
        }
    }

    /// Ends the service in order.
    pub(crate) async fn stop(self) -> (Pki, TempDir) {
        self.control.stop.cancel();
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .unwrap()
            .unwrap();
        (self.pki, self.data)
    }
}

/// Only the endpoint, over a commit log of the test's choice.
pub(crate) struct Bench {
    pub(crate) pki: Pki,
    pub(crate) port: u16,
    stop: CancellationToken,
}

impl Bench {
    pub(crate) async fn start(db: Db, log: Arc<dyn CommitLog>) -> Self {
        Self::start_with(db, log, IngestLimits::default()).await
    }

    pub(crate) async fn start_with(db: Db, log: Arc<dyn CommitLog>, limits: IngestLimits) -> Self {
        let pki = Pki::new();
        let ingest = Ingest::new(db, log, Clock::system(), limits);
        let (cert, key) = (pki.path().join("server.pem"), pki.path().join("server.key"));
        let certificate = ServerCertificate::open(&cert, &key).unwrap();
        let revoked = Revoked::new([], None);
        let tls = server_config(&pki.ca(), &certificate, revoked.clone()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let endpoint = Endpoint::new(listener, ingest, Arc::new(tls), revoked);
        tokio::spawn(endpoint.serve(stop.clone()));
        Self { pki, port, stop }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
