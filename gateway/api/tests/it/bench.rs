//! A gateway in a temporary folder: store, runtime, one adapter that does what it is told, a clock
//! that stands still until moved, and the face.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures_util::future::BoxFuture;
use riser_adapter::{Adapter, AdapterContext, AdapterError, Built, ErrorClass, WriteResult};
use riser_api::{AuthSettings, ClaimCode, Counter, Face, FaceParts, Identity, Passwords};
use riser_model::{
    Access, ClockState, Key, Limits, LinkStatus, Point, Quality, Reading, Role, ScanBatch,
    Timestamp, Value, ValueKind,
};
use riser_runtime::{AdapterSpec, Clock, Rule, Runtime, RuntimeConfig};
use riser_store::{NewUser, Session, Store, StoreConfig, Trace};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const START: i64 = 1_760_000_000_000;

/// A clock that is moved by hand, and set.
#[derive(Debug)]
pub(crate) struct TestClock {
    steady: AtomicI64,
    set: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.steady().0 + self.set.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Timestamp {
        Timestamp(self.steady.load(Ordering::SeqCst))
    }

    fn state(&self) -> ClockState {
        ClockState::Synchronised
    }
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.steady.fetch_add(by, Ordering::SeqCst);
    }

    /// Somebody sets it, by so many milliseconds.
    pub(crate) fn set(&self, by: i64) {
        self.set.fetch_add(by, Ordering::SeqCst);
    }
}

type Scans = Arc<Mutex<Option<mpsc::Receiver<Vec<(&'static str, Value)>>>>>;

/// Declares three points, passes on what the test feeds it, takes every write.
struct Scripted {
    scans: Scans,
    broken: bool,
}

pub(crate) fn points() -> Vec<Arc<Point>> {
    let point = |path: &str, kind, access, limits| {
        Arc::new(Point {
            path: path.parse().unwrap(),
            name: path.replace('/', " "),
            device_name: "Air handling unit".into(),
            kind,
            unit: None,
            access,
            limits,
            labels: vec![],
            deadband: None,
            stale_after_ms: u32::MAX,
        })
    };
    let limits = Limits {
        min: Some(16.0),
        max: Some(28.0),
        step: None,
    };
    let none = Limits::default();
    vec![
        point("ahu-1/temperature", ValueKind::Float, Access::Read, none),
        point(
            "ahu-1/setpoint",
            ValueKind::Float,
            Access::ReadWrite,
            limits,
        ),
        point("ahu-1/text", ValueKind::Text, Access::Read, none),
    ]
}

impl Adapter for Scripted {
    fn kind(&self) -> &'static str {
        "scripted"
    }

    fn run(
        self: Box<Self>,
        mut context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            if self.broken {
                let class = ErrorClass::Misconfigured;
                return Err(AdapterError::new(class, "open", "nothing"));
            }
            let points = points();
            let paths: Vec<String> = points.iter().map(|p| p.path.to_string()).collect();
            let declared = context.registry.declare(&context.name, points).await;
            let slots = declared.unwrap();
            let mut scans = self.scans.lock().unwrap().take().unwrap();
            loop {
                let (readings, reply) = tokio::select! {
                    () = context.cancel.cancelled() => return Ok(()),
                    Some(values) = scans.recv() => (values.into_iter().map(|(path, value)| {
                        let index = paths.iter().position(|p| p == path).unwrap();
                        (slots[index], value)
                    }).collect::<Vec<_>>(), None),
                    Some(command) = context.commands.recv() => {
                        let value = command.value.clone().unwrap_or(Value::Float(20.0));
                        (vec![(command.slot, value)], Some(command.reply))
                    }
                };
                let at = context.clock.now();
                let written = readings[0].1.clone();
                let readings = readings.into_iter().map(|(slot, value)| Reading {
                    slot,
                    value: Some(value),
                    quality: Quality::GOOD,
                });
                let readings = readings.collect();
                context.samples.send(ScanBatch { at, readings }).await;
                if let Some(reply) = reply {
                    reply.send(WriteResult::Applied(Some(written))).unwrap();
                }
            }
        })
    }
}

pub(crate) struct Bench {
    pub(crate) router: Router,
    pub(crate) face: Face,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) feed: mpsc::Sender<Vec<(&'static str, Value)>>,
    pub(crate) stop: CancellationToken,
    pub(crate) code: ClaimCode,
    pub(crate) link: watch::Sender<LinkStatus>,
    sessions: AtomicU64,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn cookie(&self) -> String {
        let cookie = self.headers[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

impl Bench {
    /// A gateway that was claimed by the owner `ada`.
    pub(crate) async fn new() -> Self {
        let bench = Self::unclaimed().await;
        let hash = Passwords::start().hash(PASSWORD.to_owned()).await.unwrap();
        let user = NewUser {
            name: "ada".into(),
            role: Role::TenantAdmin,
            password_hash: hash,
        };
        bench
            .store
            .add_user(user, Trace::new("test", "console"))
            .await
            .unwrap();
        bench.reopened().await
    }

    pub(crate) async fn unclaimed() -> Self {
        Self::with(false).await
    }

    /// A gateway whose adapter cannot work as configured.
    pub(crate) async fn broken() -> Self {
        Self::with(true).await
    }

    async fn with(broken: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock {
            steady: AtomicI64::new(START),
            set: AtomicI64::new(0),
        });
        let now = Arc::clone(&clock);
        let now = Arc::new(move || now.now());
        let (store, _) = Store::open(StoreConfig::new(dir.path()), now).unwrap();
        let (feed, scans) = mpsc::channel(16);
        let scans: Scans = Arc::new(Mutex::new(Some(scans)));
        let build = move || {
            let adapter = Scripted {
                scans: Arc::clone(&scans),
                broken,
            };
            Ok(crate::commissioning::helpful(Built::new(
                Box::new(adapter),
                points(),
            )))
        };
        let rule: Rule = serde_json::from_str(
            r#"{"key":"hot","point":"ahu-1/temperature","condition":{"test":"above","limit":30.0},
                "action":{"raise_alarm":{"priority":"high","message":"too hot"}}}"#,
        )
        .unwrap();
        let runtime = Runtime::start(
            RuntimeConfig::default(),
            store.clone(),
            vec![AdapterSpec::new("field", build)],
            vec![rule],
            clock.clone(),
        )
        .await
        .unwrap();
        let (link, link_status) = watch::channel(LinkStatus::default());
        let stop = CancellationToken::new();
        let code = ClaimCode::generate();
        let parts = parts(&runtime, &store, &clock, (&code, link_status, &stop));
        let face = Face::open(parts).await.unwrap();
        Self {
            router: riser_api::router(face.clone()),
            face,
            store,
            runtime,
            clock,
            feed,
            stop,
            code,
            link,
            sessions: AtomicU64::new(0),
            _dir: dir,
        }
    }

    async fn reopened(mut self) -> Self {
        let link = self.link.subscribe();
        let parts = parts(
            &self.runtime,
            &self.store,
            &self.clock,
            (&self.code, link, &self.stop),
        );
        self.face = Face::open(parts).await.unwrap();
        self.router = riser_api::router(self.face.clone());
        self
    }

    /// A session cookie of somebody with a role.
    pub(crate) async fn session(&self, role: Role) -> String {
        let name = format!("{role:?}").to_lowercase();
        if self.store.user(&name).await.unwrap().is_none() {
            let password_hash = "$none".to_owned();
            let user = NewUser {
                name: name.clone(),
                role,
                password_hash,
            };
            self.store
                .add_user(user, Trace::new("test", "console"))
                .await
                .unwrap();
        }
        let token = format!("token-{}", self.sessions.fetch_add(1, Ordering::SeqCst));
        let session = Session {
            token_hash: Sha256::digest(token.as_bytes()).into(),
            user: name,
            created_at: self.clock.now(),
            expires_at: Timestamp(START + 1_000_000_000),
        };
        self.store.login(session, "192.0.2.7").await.unwrap();
        format!("riser_session={token}")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = axum::body::to_bytes(answer.into_body(), 64 << 20)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer {
            status,
            headers,
            text,
        }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(request(Method::GET, path, cookie, None)).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str, body: Json) -> Answer {
        self.send(request(Method::POST, path, cookie, Some(body)))
            .await
    }

    pub(crate) async fn login(&self, user: &str, password: &str) -> Answer {
        let body = serde_json::json!({"user": user, "password": password});
        self.post("/api/v1/session", "", body).await
    }

    /// Feeds values and waits until they are the present ones.
    pub(crate) async fn read(&self, path: &'static str, value: Value) {
        self.feed.send(vec![(path, value.clone())]).await.unwrap();
        let path = path.parse().unwrap();
        eventually("the value is present", || {
            self.runtime.point(&path).and_then(|p| p.value) == Some(value.clone())
        })
        .await;
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    cookie: &str,
    body: Option<Json>,
) -> Request<Body> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header("x-riser", "1");
    if !cookie.is_empty() {
        builder = builder.header(header::COOKIE, cookie);
    }
    let body = body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
    let builder = builder.header(header::CONTENT_TYPE, "application/json");
    let mut request = builder.body(body).unwrap();
    let peer: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    request.extensions_mut().insert(peer);
    request
}

/// Waits for a condition, up to ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        sleep(Duration::from_millis(5)).await;
    }
}

fn parts(
    runtime: &Runtime,
    store: &Store,
    clock: &Arc<TestClock>,
    (code, link, stop): (&ClaimCode, watch::Receiver<LinkStatus>, &CancellationToken),
) -> FaceParts {
    FaceParts {
        identity: Identity {
            id: Key::new("gw-1").unwrap(),
            tenant: Key::new("acme").unwrap(),
            name: "Plant room".into(),
            version: "1.2.3".into(),
        },
        runtime: runtime.clone(),
        store: store.clone(),
        clock: clock.clone(),
        link,
        backup: watch::channel(None).1,
        backup_now: Arc::default(),
        configuration: {
            let (desk, jobs) = riser_api::ConfigurationDesk::open();
            tokio::spawn(crate::commissioning::keep_configuration(jobs));
            desk
        },
        protocols: vec![crate::commissioning::KIND],
        auth: AuthSettings {
            recheck: Duration::from_millis(50),
            ..AuthSettings::default()
        },
        claim_code: Some(code.clone()),
        metrics_token: Some("figures".into()),
        counters: Arc::new(|| {
            vec![Counter {
                name: "more",
                help: "More.",
                value: 7,
            }]
        }),
        stop: stop.clone(),
    }
}
