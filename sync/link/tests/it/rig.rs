//! Certificates, mosquitto, a store and a link, put together for one test.

use crate::cloud::Cloud;
use crate::proxy::Proxy;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use riser_model::{
    ClockState, Key, LinkState, LinkStatus, Quality, Reading, ScanBatch, Slot, Timestamp, Value,
};
use riser_store::{Store, StoreConfig};
use riser_sync::{LinkConfig, LinkHandle, Timings, Uplink};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A fixed hour, so that tests do not straddle one.
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const NOON: i64 = 1_760_011_200_000;

/// Waits for a condition, at most ten seconds.
pub(crate) async fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(soon(condition).await, "in vain: {what}");
}

async fn soon(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

/// Mosquitto, if there is one; without it tests are skipped, but not under CI.
pub(crate) fn mosquitto() -> Option<PathBuf> {
    let found = [
        "/usr/sbin/mosquitto",
        "/usr/local/sbin/mosquitto",
        "/opt/homebrew/sbin/mosquitto",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|p| p.exists());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "mosquitto is not installed"
        );
        eprintln!("SKIPPED: mosquitto is not installed (apt install mosquitto)");
    }
    found
}

/// A CA, and what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes `<name>.crt` and `<name>.key`; `year` is when it ends.
    pub(crate) fn sign(&self, dir: &Path, name: &str, year: i32) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(dir.join(format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn write_acl(dir: &Path, rules: &str) {
    fs::write(dir.join("acl"), format!("user gw-001\n{rules}\n")).unwrap();
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// A running mosquitto with a TLS listener for gateways and a plain one for the scripted cloud.
pub(crate) struct Broker {
    child: Child,
    pub(crate) tls: u16,
    pub(crate) plain: u16,
}

impl Broker {
    async fn start(program: &Path, dir: &Path, extra: &str) -> Self {
        let (tls, plain) = (free_port(), free_port());
        let d = dir.display();
        write_acl(
            dir,
            "topic readwrite riser/v1/acme/gw-001/up/hello\n\
             topic readwrite riser/v1/acme/gw-001/up/heartbeat\n\
             topic read riser/v1/acme/gw-001/down/#",
        );
        let extra = extra.replace("ACL", &dir.join("acl").display().to_string());
        let config = format!(
            "per_listener_settings true\nuser root\nmax_inflight_messages 20\n\
             listener {plain} 127.0.0.1\nallow_anonymous true\n\
             listener {tls} 127.0.0.1\ncafile {d}/ca.crt\ncertfile {d}/server.crt\n\
             keyfile {d}/server.key\nrequire_certificate true\nuse_identity_as_username true\n\
             tls_version tlsv1.3\nallow_anonymous false\n{extra}\n"
        );
        let file = dir.join("mosquitto.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new(program)
            .args(["-c".as_ref(), file.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Self { child, tls, plain };
        for port in [tls, plain] {
            until("mosquitto listens", || {
                std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            })
            .await;
        }
        broker
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Certificates and a store: a gateway without anybody to talk to.
pub(crate) struct Yard {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    clock: Arc<AtomicI64>,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new("Test CA");
        fs::write(dir.path().join("ca.crt"), &authority.pem).unwrap();
        authority.sign(dir.path(), "server", 2090);
        authority.sign(dir.path(), "gw-001", 2090);
        let mut config = StoreConfig::new(dir.path().join("store"));
        config.min_free_bytes = 0;
        let clock = Arc::new(AtomicI64::new(NOON));
        let own = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp(own.load(Ordering::Relaxed)));
        let (store, _) = Store::open(config, now).unwrap();
        Self {
            dir,
            store,
            authority,
            clock,
        }
    }

    /// Settings for the field, except that tests do not wait that long.
    pub(crate) fn config(&self, port: u16) -> LinkConfig {
        let file = |name: &str| self.dir.path().join(name);
        LinkConfig {
            host: "localhost".into(),
            port,
            ca: file("ca.crt"),
            cert: file("gw-001.crt"),
            key: file("gw-001.key"),
            tenant: Key::new("acme").unwrap(),
            gateway: Key::new("gw-001").unwrap(),
            name: "Boiler room".into(),
            version: "0.0.0".into(),
            boot: Uuid::from_u128(5),
            now: Arc::new(|| Timestamp(NOON)),
            max_kbit_s: None,
            timings: Timings {
                retry_cap: Duration::from_millis(500),
                ..Timings::default()
            },
        }
    }

    /// Starts the link.
    pub(crate) fn link(&self, config: LinkConfig) -> (LinkHandle, CancellationToken) {
        let cancel = CancellationToken::new();
        (
            Uplink::start(config, self.store.clone(), cancel.clone()),
            cancel,
        )
    }

    /// Stores one batch read at `at`, when it is then, and waits until it is committed.
    pub(crate) async fn store_batch(&self, at: i64) {
        let reading = Reading {
            slot: Slot(1),
            value: Some(Value::Float(21.5)),
            quality: Quality::GOOD,
        };
        self.store_scan(at, vec![reading]).await;
    }

    /// The same with any readings.
    pub(crate) async fn store_scan(&self, at: i64, readings: Vec<Reading>) {
        self.clock.store(at, Ordering::Relaxed);
        let scan = ScanBatch {
            at: Timestamp(at),
            readings,
        };
        self.store
            .append(vec![scan], ClockState::Synchronised, 1)
            .unwrap();
        self.store.settle().await.unwrap();
    }
}

/// Everything a test with a real broker needs.
pub(crate) struct Rig {
    yard: Yard,
    broker: Broker,
    pub(crate) proxy: Proxy,
    pub(crate) cloud: Cloud,
}

impl std::ops::Deref for Rig {
    type Target = Yard;

    fn deref(&self) -> &Yard {
        &self.yard
    }
}

impl Rig {
    /// Starts everything but the link; `None` where mosquitto is missing.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// The same with further lines for the gateways' listener.
    pub(crate) async fn start_with(extra: &str) -> Option<Self> {
        let program = mosquitto()?;
        let yard = Yard::new();
        let broker = Broker::start(&program, yard.dir.path(), extra).await;
        let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], broker.tls))).await;
        let cloud = Cloud::start(broker.plain).await;
        Some(Self {
            yard,
            broker,
            proxy,
            cloud,
        })
    }

    /// Settings of a link through the broker.
    pub(crate) fn config(&self) -> LinkConfig {
        self.yard.config(self.proxy.port)
    }

    /// Lets the gateway publish data, on a broker that was started with `acl_file ACL`.
    pub(crate) fn allow_data(&self) {
        write_acl(self.dir.path(), "topic readwrite riser/v1/acme/gw-001/#");
        let pid = self.broker.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Batches and events that wait for the cloud.
    pub(crate) fn backlog(&self) -> u64 {
        self.store.outbox().occupancy().batches
    }
}

/// Waits for a state of the link.
pub(crate) async fn reached(link: &LinkHandle, state: LinkState) {
    says(link, |s| s.state == state).await;
}

/// Waits until the status says something.
pub(crate) async fn says(link: &LinkHandle, what: impl Fn(&LinkStatus) -> bool) -> LinkStatus {
    let status = link.status.clone();
    let said = soon(|| what(&status.borrow())).await;
    let status = status.borrow().clone();
    assert!(said, "in vain: {status:#?} {:?}", link.meter.counts());
    status
}
