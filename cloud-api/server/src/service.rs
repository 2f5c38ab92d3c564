//! Puts the service together and takes it apart again. Owns the order: everything is checked and
//! read before a port opens, both ports are open before one is served, and at the end gateways go
//! first, people second, the database last.

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Retention};
use crate::http::{FaceParts, router, serve};
use crate::ingest::tls::{ServerCertificate, server_config};
use crate::ingest::{BrokerClient, Downlink, Endpoint, Ingest, IngestLimits};
use crate::live::{Hub, Pump};
use crate::pki::Revoked;
use crate::tenancy::{Authority, SigningKey};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections the system may hold before they are accepted: a whole fleet may reconnect at once.
const BACKLOG: u32 = 4096;
/// How often the revocation list is looked at, and commands that are too old are ended.
const ROUND: Duration = Duration::from_secs(1);
/// Pause between two countings of what gateways have told in their loss ledgers.
const ACCOUNT: Duration = Duration::from_secs(60);
/// Rounds of it between two forgettings of what is too old.
const FORGET_EVERY: u32 = 60;
/// How long everything may take to end.
const GRACE: Duration = Duration::from_secs(8);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or a file it names, is wrong. Nothing was opened.
    #[error("{0}")]
    Config(String),
    /// Something else, such as a port that is taken.
    #[error("{0}")]
    Start(String),
}

/// What outside may ask of a running service.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// End.
    pub stop: CancellationToken,
    /// Read certificates and the revocation list again.
    pub reload: Arc<Notify>,
}

/// The endpoint's certificates, read and checked.
struct Identity {
    certificate: ServerCertificate,
    tls: Arc<ServerConfig>,
    revoked: Revoked,
}

/// Checks everything the configuration names, without opening a port or the database.
///
/// # Errors
/// What is wrong.
pub fn check(config: &Config) -> Result<(), StartError> {
    identity(config, [])?;
    if let Some(address) = config.broker_address().map_err(StartError::Config)? {
        BrokerClient::check(&address).map_err(|e| StartError::Config(e.to_string()))?;
    }
    Ok(())
}

fn identity(
    config: &Config,
    known: impl IntoIterator<Item = String>,
) -> Result<Option<Identity>, StartError> {
    if config.mqtt.is_none() {
        return Ok(None);
    }
    let wrong = |e: &dyn std::fmt::Display| StartError::Config(e.to_string());
    let files = config.files().map_err(StartError::Config)?;
    let certificate = ServerCertificate::open(&files.cert, &files.key).map_err(|e| wrong(&e))?;
    let revoked = Revoked::new(known, files.revoked);
    revoked.reload().map_err(|e| wrong(&e))?;
    let tls = server_config(&files.ca, &certificate, revoked.clone()).map_err(|e| wrong(&e))?;
    Ok(Some(Identity {
        certificate,
        tls: Arc::new(tls),
        revoked,
    }))
}

/// A service that is put together, its ports open, not yet serving.
pub struct Service {
    db: Db,
    ingest: Ingest,
    app: Arc<App>,
    face: axum::Router,
    hub: Hub,
    http: TcpListener,
    endpoint: Option<(Endpoint, Identity, SocketAddr)>,
    broker: Option<BrokerClient>,
    retention: Retention,
    control: Control,
}

impl Service {
    /// Reads what there is and opens the ports.
    ///
    /// # Errors
    /// [`StartError::Config`] before anything is opened, [`StartError::Start`] afterwards.
    pub async fn start(config: &Config, control: Control) -> Result<Self, StartError> {
        check(config)?;
        let failed = |e: &dyn std::fmt::Display| StartError::Start(e.to_string());
        let clock = Clock::system();
        let db = Db::open(&config.data_dir).map_err(|e| failed(&e))?;
        let key = SigningKey::open(&config.data_dir.join("token.key")).map_err(|e| failed(&e))?;
        let authority = Arc::new(Authority::new(&key));
        let known = db.revoked().await.map_err(|e| failed(&e))?;
        let identity = identity(config, known)?;
        let limits = config
            .mqtt
            .as_ref()
            .map_or_else(IngestLimits::default, |m| m.limits());
        let ingest = Ingest::new(db.clone(), Arc::new(db.clone()), clock.clone(), limits);
        let app = App::start(&db, ingest.downlink(), &authority, &clock).map_err(|e| failed(&e))?;
        let (app, hub) = (Arc::new(app), Hub::default());
        let face = router(FaceParts {
            app: Arc::clone(&app),
            live: hub.clone(),
            authority,
            clock,
            metrics_token: config.http.metrics_token.clone(),
            secure_cookies: config.http.https,
            proxies: config.http.proxies.clone(),
            stop: control.stop.clone(),
        });
        let broker = config.broker_address().map_err(StartError::Config)?;
        let broker = broker
            .map(|address| BrokerClient::new(address, ingest.clone()))
            .transpose()
            .map_err(|e| StartError::Config(e.to_string()))?;
        let http = listen(config.http.listen)?;
        let endpoint = match (identity, &config.mqtt) {
            (Some(identity), Some(mqtt)) => Some(open(identity, mqtt.listen, &ingest)?),
            _ => None,
        };
        Ok(Self {
            db,
            ingest,
            app,
            face,
            hub,
            http,
            endpoint,
            broker,
            retention: Retention {
                audit_days: config.retention.audit_days,
                ledger_days: config.retention.ledger_days,
            },
            control,
        })
    }

    /// Where the HTTP face listens.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.local_addr().ok()
    }

    /// Where the MQTT endpoint listens.
    #[must_use]
    pub fn mqtt_address(&self) -> Option<SocketAddr> {
        self.endpoint.as_ref().map(|(_, _, address)| *address)
    }

    /// The database, for tests that look behind the scenes.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The way down to gateways.
    #[must_use]
    pub fn downlink(&self) -> &Downlink {
        self.ingest.downlink()
    }

    /// Serves until the control says stop, then ends in order.
    pub async fn run(self) {
        let stop = self.control.stop.clone();
        let (gateways, people) = (TaskTracker::new(), TaskTracker::new());
        // Gateways go first: what they have sent is still answered while the rest runs.
        let people_stop = CancellationToken::new();
        let revocation = self
            .endpoint
            .as_ref()
            .map(|(_, identity, _)| (identity.certificate.clone(), identity.revoked.clone()));
        if let Some((endpoint, _, address)) = self.endpoint {
            tracing::info!(%address, "MQTT endpoint listens");
            gateways.spawn(endpoint.serve(stop.clone()));
        }
        if let Some(broker) = self.broker {
            gateways.spawn(broker.serve(stop.clone()));
        }
        if let Ok(address) = self.http.local_addr() {
            tracing::info!(%address, "HTTP face listens");
        }
        let pump = Pump {
            hub: self.hub,
            app: self.app,
            downlink: self.ingest.downlink().clone(),
        };
        people.spawn(pump.run(self.db.events(), people_stop.clone()));
        people.spawn(rounds(
            self.ingest.clone(),
            self.db.clone(),
            revocation,
            self.control,
        ));
        people.spawn(account(
            self.db.clone(),
            self.retention,
            people_stop.clone(),
        ));
        let (listener, face, http_stop) = (self.http, self.face, stop.clone());
        people.spawn(serve(listener, face, http_stop));
        stop.cancelled().await;
        tracing::info!("ending");
        finish(&gateways, "gateways").await;
        people_stop.cancel();
        finish(&people, "HTTP face").await;
        self.db.close().await;
        tracing::info!("ended");
    }
}

async fn finish(tasks: &TaskTracker, what: &str) {
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(what, late = tasks.len(), "did not end in time");
    }
}

fn open(
    identity: Identity,
    address: SocketAddr,
    ingest: &Ingest,
) -> Result<(Endpoint, Identity, SocketAddr), StartError> {
    let listener = listen(address)?;
    let bound = listener
        .local_addr()
        .map_err(|e| StartError::Start(e.to_string()))?;
    let tls = Arc::clone(&identity.tls);
    let endpoint = Endpoint::new(listener, ingest.clone(), tls, identity.revoked.clone());
    Ok((endpoint, identity, bound))
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let opened = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // A service started again right after a crash must not wait for old connections.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    opened().map_err(|e| {
        StartError::Start(format!(
            "cannot listen on {address}: {e}; is another service there?"
        ))
    })
}

/// What happens about once a second: the revocation list, commands that are too old, and
/// whatever is asked to be read again.
async fn rounds(
    ingest: Ingest,
    db: Db,
    revocation: Option<(ServerCertificate, Revoked)>,
    control: Control,
) {
    let mut stamp = revocation.as_ref().and_then(|(_, revoked)| revoked.stamp());
    let mut round = tokio::time::interval(ROUND);
    loop {
        let asked = tokio::select! {
            () = control.stop.cancelled() => return,
            () = control.reload.notified() => true,
            _ = round.tick() => false,
        };
        if let Some((certificate, revoked)) = &revocation {
            if asked {
                stamp = None;
                reload(certificate);
            }
            let added = revoked.reload_if_changed(&mut stamp);
            note_revoked(&db, added).await;
        }
        ingest.downlink().expire().await;
    }
}

/// Counts what gateways have told in their loss ledgers, time and again, and drops what is too old.
async fn account(db: Db, retention: Retention, stop: CancellationToken) {
    let mut round = tokio::time::interval(ACCOUNT);
    for n in 0_u32.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = round.tick() => {}
        }
        // What is found missing here is in the alarm of the same round.
        if let Err(error) = db.recount(Clock::system().now()).await {
            tracing::warn!(%error, "hours are counted again in the next round");
        }
        if let Err(error) = db.reckon(Clock::system().now()).await {
            tracing::warn!(%error, "the loss ledgers are counted in the next round");
        }
        if n % FORGET_EVERY == 0 {
            forget(&db, retention).await;
        }
    }
}

/// Drops audit entries and ledgers that are too old.
async fn forget(db: &Db, retention: Retention) {
    match db.forget(retention, Clock::system().now()).await {
        Ok((0, 0)) => {}
        Ok((entries, hours)) => tracing::info!(entries, hours, "old records were dropped"),
        Err(error) => tracing::warn!(%error, "old records are dropped in the next round"),
    }
}

fn reload(certificate: &ServerCertificate) {
    match certificate.reload() {
        Ok(()) => tracing::info!("the server certificate was read again"),
        Err(error) => tracing::error!(%error, "the server certificate stays the one before"),
    }
}

async fn note_revoked(db: &Db, added: Result<Vec<String>, crate::pki::PkiError>) {
    match added {
        Ok(added) if added.is_empty() => {}
        Ok(added) => {
            tracing::info!(count = added.len(), "certificates were revoked");
            if let Err(error) = db.note_revoked(added, Clock::system().now()).await {
                tracing::error!(%error, "revocations could not be noted; the list file has them");
            }
        }
        Err(error) => tracing::error!(%error, "the revocation list could not be read"),
    }
}
