//! A small cloud for tests: two tenants, their gateways and people, a clock that stands still
//! until told otherwise.

use riser_cloud::app::App;
use riser_cloud::app::accounts::{NewPerson, put_person};
use riser_cloud::clock::Clock;
use riser_cloud::db::{Batch, CommitLog, Content, Db, Origin};
use riser_cloud::http::{FaceParts, router, serve};
use riser_cloud::ingest::{Ingest, IngestLimits};
use riser_cloud::live::{Hub, Pump};
use riser_cloud::tenancy::{Authority, Console, SigningKey, Subject};
use riser_model::{
    Access, ClockState, Event, Key, Limits, Point, PointDirectory, Role, ScanBatch, Slot, TenantId,
    Timestamp, ValueKind,
};
use riser_wire::{BatchHeader, Epoch, Stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// When every test begins.
pub(crate) const T0: i64 = 1_780_000_000_000;
pub(crate) const PASSWORD: &str = "a long enough password";
pub(crate) const METRICS: &str = "metrics-token-of-the-test";

pub(crate) struct Site {
    pub(crate) base: String,
    pub(crate) db: Db,
    pub(crate) hub: Hub,
    pub(crate) authority: Arc<Authority>,
    now: Arc<AtomicI64>,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<()>,
    seq: AtomicU64,
    _dir: tempfile::TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn origin(tenant: &str, gateway: &str) -> Arc<Origin> {
    Arc::new(Origin {
        tenant: key(tenant),
        gateway: key(gateway),
    })
}

/// A point with sensible defaults; slots follow the order of [`points`].
fn point(path: &str, kind: ValueKind, access: Access) -> Point {
    Point {
        path: path.parse().unwrap(),
        name: path.replace('/', " "),
        device_name: "Air handling unit 1".into(),
        kind,
        unit: None,
        access,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 10_000,
    }
}

/// What every gateway of the tests has, slots 0 to 4.
pub(crate) fn points() -> Vec<Point> {
    let mut setpoint = point("ahu-1/setpoint", ValueKind::Float, Access::ReadWrite);
    setpoint.unit = Some(riser_model::Unit::parse("°C").unwrap());
    setpoint.limits = Limits {
        min: Some(5.0),
        max: Some(35.0),
        step: Some(0.5),
    };
    vec![
        point("ahu-1/supply_temp", ValueKind::Float, Access::Read),
        setpoint,
        point("ahu-1/fan", ValueKind::Bool, Access::ReadWrite),
        point("ahu-1/mode", ValueKind::Text, Access::ReadWrite),
        point("meter-1/energy", ValueKind::Integer, Access::Read),
    ]
}

impl Site {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let now = Arc::new(AtomicI64::new(T0));
        let ticking = Arc::clone(&now);
        let clock = Clock::new(move || Timestamp(ticking.load(Ordering::SeqCst)));
        let log = Arc::new(db.clone());
        let ingest = Ingest::new(db.clone(), log, clock.clone(), IngestLimits::default());
        let downlink = ingest.downlink().clone();
        let authority = Arc::new(Authority::new(&SigningKey::new(&[7; 32]).unwrap()));
        let app = Arc::new(App::start(&db, &downlink, &authority, &clock).unwrap());
        let (hub, stop) = (Hub::default(), CancellationToken::new());
        let pump = Pump {
            hub: hub.clone(),
            app: Arc::clone(&app),
            downlink,
        };
        tokio::spawn(pump.run(db.events(), stop.clone()));
        let router = router(FaceParts {
            app,
            live: hub.clone(),
            authority: Arc::clone(&authority),
            clock,
            metrics_token: Some(METRICS.into()),
            secure_cookies: false,
            proxies: vec!["127.0.0.1".parse().unwrap()],
            stop: stop.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, router, stop.clone()));
        Self {
            base,
            db,
            hub,
            authority,
            now,
            stop,
            server,
            seq: AtomicU64::new(1),
            _dir: dir,
        }
    }

    /// With the gateways of two tenants: both have one called `gw-001`, and each has one more.
    pub(crate) async fn with_gateways() -> Self {
        let site = Self::start().await;
        for (tenant, gateway) in [
            ("acme", "gw-001"),
            ("acme", "gw-acme"),
            ("beta", "gw-001"),
            ("beta", "gw-beta"),
        ] {
            site.gateway(&origin(tenant, gateway)).await;
        }
        site
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// A gateway that is connected and has sent its points.
    pub(crate) async fn gateway(&self, origin: &Arc<Origin>) {
        self.db.gateway_connected(origin, self.now()).await.unwrap();
        self.directory(origin, epoch(origin, 1)).await;
    }

    pub(crate) async fn directory(&self, origin: &Arc<Origin>, epoch: Epoch) {
        let slots = points().into_iter().zip(0..).map(|(p, i)| (Slot(i), p));
        self.event_in(
            origin,
            epoch,
            Event::Directory(PointDirectory {
                version: 1,
                points: slots.collect(),
            }),
        )
        .await;
    }

    pub(crate) async fn event(&self, origin: &Arc<Origin>, event: Event) {
        self.event_in(origin, epoch(origin, 1), event).await;
    }

    pub(crate) async fn event_in(&self, origin: &Arc<Origin>, epoch: Epoch, event: Event) {
        let header = self.header(epoch, Stream::Event, (self.now(), self.now()));
        let frame = riser_wire::encode_event(&header, &event);
        self.append(origin, header, (frame, Content::Event(event)))
            .await;
    }

    /// Scans as one batch of the data stream.
    pub(crate) async fn data(&self, origin: &Arc<Origin>, scans: Vec<ScanBatch>) {
        self.data_in(origin, epoch(origin, 1), scans).await;
    }

    pub(crate) async fn data_in(&self, origin: &Arc<Origin>, epoch: Epoch, scans: Vec<ScanBatch>) {
        let first = scans.iter().map(|s| s.at).min().unwrap();
        let last = scans.iter().map(|s| s.at).max().unwrap();
        let header = self.header(epoch, Stream::Data, (first, last));
        let frame = riser_wire::encode_data(&header, &scans);
        let (header, samples) = riser_wire::decode_data(&frame).unwrap();
        self.append(origin, header, (frame, Content::Data(samples)))
            .await;
    }

    fn header(
        &self,
        epoch: Epoch,
        stream: Stream,
        (first_at, last_at): (Timestamp, Timestamp),
    ) -> BatchHeader {
        BatchHeader {
            epoch,
            stream,
            seq: self.seq.fetch_add(1, Ordering::SeqCst),
            first_at,
            last_at,
            dictionary: 1,
            clock: ClockState::Synchronised,
            samples: 0,
        }
    }

    async fn append(
        &self,
        origin: &Arc<Origin>,
        header: BatchHeader,
        (frame, content): (Vec<u8>, Content),
    ) {
        let batch = Batch {
            origin: Arc::clone(origin),
            header,
            frame: frame.into(),
            content,
            received_at: self.now(),
        };
        let commit = self.db.append(batch).await.unwrap();
        assert!(commit.await.unwrap().fresh);
    }

    /// Somebody who can log in with [`PASSWORD`].
    pub(crate) async fn person(&self, email: &str, role: Role, tenant: Option<&str>) -> Uuid {
        let person = NewPerson {
            email: email.into(),
            name: email.into(),
            role,
            tenant: tenant.map(key),
            password: PASSWORD.into(),
        };
        put_person(&self.db, Console::on_this_machine(), person, self.now())
            .await
            .unwrap()
    }

    /// A token as a log-in gives, without the log-in.
    pub(crate) fn token(&self, role: Role, tenant: Option<&str>) -> String {
        self.token_at(role, tenant, self.now())
    }

    pub(crate) fn token_at(&self, role: Role, tenant: Option<&str>, now: Timestamp) -> String {
        let subject = Subject {
            user: Uuid::from_u128(role as u128 + 1),
            email: format!("{role:?}@{}", tenant.unwrap_or("platform")).to_lowercase(),
            name: format!("{role:?}"),
            role,
            tenant: tenant.map(|t| TenantId::new(t).unwrap()),
        };
        self.authority.issue(&subject, now).unwrap()
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> (u16, serde_json::Value) {
        answer(self.request("GET", path).bearer_auth(token)).await
    }

    pub(crate) async fn post(
        &self,
        token: &str,
        path: &str,
        body: serde_json::Value,
    ) -> (u16, serde_json::Value) {
        answer(self.request("POST", path).bearer_auth(token).json(&body)).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", self.base))
    }
}

/// Status and JSON body; null when there is none.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, serde_json::Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// The n-th numbering of a gateway.
pub(crate) fn epoch(origin: &Origin, n: u128) -> Epoch {
    let name = origin.to_string();
    let octets = name
        .bytes()
        .fold(0_u128, |h, b| h.wrapping_mul(131) + u128::from(b));
    Epoch(Uuid::from_u128(octets.wrapping_mul(1000) + n))
}
