//! The wires between the link and the runtime: commands, acknowledgements and leases come down,
//! watched values go up. Owns the tasks that carry them; the two sides do not know each other.

use super::part::{self, Part};
use crate::config::{Cloud, Config};
use riser_api::{ConfigurationDesk, Counter};
use riser_model::{AuthorKind, GatewayId, LinkState, LinkStatus, ScanBatch, TenantId};
use riser_runtime::Runtime;
use riser_store::{Now, Store, Trace};
use riser_sync::{Downlink, LinkConfig, LinkMeter, Timings, Uplink};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest lease the cloud may take on watched points.
const LEASE_MAX: Duration = Duration::from_secs(300);
/// The way something came that was asked for at the cloud.
const CLOUD: &str = "cloud";
/// What a link that is exchanged gets to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The link to the cloud, or its absence.
pub(super) struct CloudLink {
    recipe: Recipe,
    publish: Arc<watch::Sender<LinkStatus>>,
    /// What the counters are read from, whichever link runs.
    meter: Meter,
    /// What is watched; whoever carries it up holds it.
    feed: Arc<Mutex<Option<mpsc::Receiver<ScanBatch>>>>,
    running: Option<Running>,
}

type Meter = Arc<std::sync::Mutex<Option<(LinkMeter, Arc<AtomicU64>)>>>;

/// What every link of this gateway is made of.
struct Recipe {
    tenant: TenantId,
    gateway: GatewayId,
    name: String,
    boot: Uuid,
    now: Now,
    store: Store,
    runtime: Runtime,
    desk: ConfigurationDesk,
}

struct Running {
    cancel: CancellationToken,
    link: Part,
    wires: [Part; 3],
}

/// The link where it can be exchanged. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CloudSlot {
    /// What people see, whichever link runs.
    pub(super) status: watch::Receiver<LinkStatus>,
    link: Arc<Mutex<CloudLink>>,
}

impl CloudSlot {
    /// How the link is.
    pub(crate) fn state(&self) -> LinkState {
        self.status.borrow().state
    }

    /// Ends the link and begins one to another place, or with another identity.
    pub(crate) async fn restart(&self, cloud: &Cloud) {
        let mut link = self.link.lock().await;
        link.end(Instant::now() + GOODBYE, &mut Vec::new()).await;
        link.begin(cloud);
    }

    /// A task of the link that has ended though nobody told it to.
    pub(super) fn broken(&self) -> Option<&'static str> {
        // Somebody exchanges the link just now.
        let link = self.link.try_lock().ok()?;
        let running = link.running.as_ref()?;
        // When the link ends its wires do; it is to be named.
        part::broken([&running.link].into_iter().chain(&running.wires))
    }

    /// Ends the link, after it had until `deadline` to say goodbye.
    pub(super) async fn stop(&self, deadline: Instant, late: &mut Vec<String>) {
        self.link.lock().await.end(deadline, late).await;
    }
}

impl CloudLink {
    /// Starts the link and its wires, where a cloud is configured.
    pub(super) fn start(
        config: &Config,
        (store, runtime): (&Store, &Runtime),
        desk: &ConfigurationDesk,
        now: &Now,
    ) -> (CloudSlot, Arc<dyn Fn() -> Vec<Counter> + Send + Sync>) {
        let (publish, status) = watch::channel(LinkStatus::default());
        let mut link = Self {
            recipe: Recipe {
                tenant: config.gateway.tenant.clone(),
                gateway: config.gateway.id.clone(),
                name: config.gateway.name.clone(),
                boot: Uuid::new_v4(),
                now: Arc::clone(now),
                store: store.clone(),
                runtime: runtime.clone(),
                desk: desk.clone(),
            },
            publish: Arc::new(publish),
            meter: Arc::default(),
            feed: Arc::new(Mutex::new(runtime.take_watch_feed())),
            running: None,
        };
        if let Some(cloud) = &config.cloud {
            link.begin(cloud);
        }
        let counters = link.counters();
        let link = Arc::new(Mutex::new(link));
        (CloudSlot { status, link }, counters)
    }

    fn begin(&mut self, cloud: &Cloud) {
        let recipe = &self.recipe;
        let settings = LinkConfig {
            host: cloud.host.clone(),
            port: cloud.port,
            ca: cloud.ca.clone(),
            cert: cloud.cert.clone(),
            key: cloud.key.clone(),
            tenant: recipe.tenant.clone(),
            gateway: recipe.gateway.clone(),
            name: recipe.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: recipe.boot,
            now: Arc::clone(&recipe.now),
            max_kbit_s: cloud.max_kbit_s,
            timings: Timings::default(),
        };
        let cancel = CancellationToken::new();
        let handle = Uplink::start(settings, recipe.store.clone(), cancel.clone());
        let watch_dropped = Arc::new(AtomicU64::new(0));
        let down = tokio::spawn(carry_down(
            handle.down,
            recipe.runtime.clone(),
            (recipe.desk.clone(), Arc::clone(&recipe.now)),
        ));
        let up = carry_up(
            Arc::clone(&self.feed),
            handle.watch,
            Arc::clone(&watch_dropped),
        );
        let shown = carry_status(handle.status, Arc::clone(&self.publish));
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((handle.meter, watch_dropped));
        self.running = Some(Running {
            cancel,
            link: Part::new("the cloud link", handle.task),
            wires: [
                Part::new("what comes down from the cloud", down),
                Part::new("what is watched from the cloud", tokio::spawn(up)),
                Part::new("the state of the cloud link", tokio::spawn(shown)),
            ],
        });
    }

    /// The figures of the link that are not in its status.
    fn counters(&self) -> Arc<dyn Fn() -> Vec<Counter> + Send + Sync> {
        let meter = Arc::clone(&self.meter);
        Arc::new(move || {
            let meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((meter, wire)) = &*meter else {
                return Vec::new();
            };
            figures(meter, wire)
        })
    }

    async fn end(&mut self, deadline: Instant, late: &mut Vec<String>) {
        let Some(running) = self.running.take() else {
            return;
        };
        running.cancel.cancel();
        running.link.end(deadline, late).await;
        for wire in running.wires {
            wire.abort();
        }
    }
}

fn figures(meter: &LinkMeter, wire: &AtomicU64) -> Vec<Counter> {
    let counts = meter.counts();
    let counter = |name, help, value| Counter { name, help, value };
    vec![
        counter(
            "link_inbox_dropped",
            "Messages dropped: the inbox was full.",
            counts.inbox_dropped,
        ),
        counter("link_unreadable", "Unreadable messages.", counts.unreadable),
        counter(
            "link_watch_dropped",
            "Watched samples dropped by the link.",
            counts.watch_dropped,
        ),
        counter(
            "link_watch_sent",
            "Watched samples sent.",
            counts.watch_sent,
        ),
        counter("link_resent", "Batches sent again.", counts.resent),
        counter(
            "link_refused",
            "Messages the other side did not take.",
            counts.refused,
        ),
        counter(
            "link_split",
            "Batches sent in parts: the broker takes no packet that long.",
            counts.split,
        ),
        counter(
            "link_held_seconds",
            "Seconds in which the bandwidth budget held data back.",
            counts.held_seconds,
        ),
        counter(
            "link_deferred",
            "Live batches left to the backfill: the budget could not carry them.",
            counts.deferred,
        ),
        counter(
            "link_rollups",
            "Stretches of time sent rolled up: the budget could not carry their batches yet.",
            counts.rollups,
        ),
        counter(
            "link_postponed",
            "Times the cloud was busy and asked to come back later.",
            counts.postponed,
        ),
        counter(
            "link_watch_wire_dropped",
            "Watched scans dropped before the link: it was busy.",
            wire.load(Ordering::Relaxed),
        ),
    ]
}

/// Shows how the link that runs is doing.
async fn carry_status(
    mut status: watch::Receiver<LinkStatus>,
    publish: Arc<watch::Sender<LinkStatus>>,
) {
    loop {
        publish.send_replace(status.borrow_and_update().clone());
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// Where somebody came from who asked for something at the cloud, as the audit log says it; none where
/// the cloud did not tell: then it is the cloud alone.
fn through(from: Option<IpAddr>) -> Option<String> {
    from.map(|address| format!("{CLOUD} {address}"))
}

async fn carry_down(
    mut from_cloud: mpsc::Receiver<Downlink>,
    runtime: Runtime,
    (desk, now): (ConfigurationDesk, Now),
) {
    while let Some(downlink) = from_cloud.recv().await {
        match downlink {
            Downlink::Command { mut command, from } => {
                // Whatever the message says: it came by this way.
                command.author.kind = AuthorKind::Cloud;
                let (path, id) = (command.path.clone(), command.id);
                if let Err(refused) = runtime.write_from(command, through(from)).await {
                    tracing::warn!(%path, id = %id.0, error = %refused, "a command from the cloud");
                }
            }
            Downlink::Acknowledge {
                alarm,
                mut acknowledgement,
                from,
            } => {
                acknowledgement.by.kind = AuthorKind::Cloud;
                if let Err(error) = runtime.acknowledge_from(alarm, acknowledgement, through(from))
                {
                    tracing::info!(%error, "an acknowledgement from the cloud");
                }
            }
            Downlink::Configuration(request) if request.expires_at > now() => {
                let desk = desk.clone();
                // The audit log says what became of it. Commands must not wait for it meanwhile, and it
                // may end this very link.
                tokio::spawn(async move {
                    let source = through(request.from).unwrap_or_else(|| CLOUD.to_owned());
                    let by = Trace::new(request.author.name, source);
                    let id = Some(request.request);
                    if let Err(refused) = desk.ask(request.ask, by, id).await {
                        tracing::warn!("a configuration from the cloud: {}", refused.message);
                    }
                });
            }
            Downlink::Configuration(request) => {
                tracing::warn!(request = %request.request, "a configuration from the cloud came too late");
            }
            Downlink::Watch { paths, seconds } => {
                let lease = Duration::from_secs(u64::from(seconds)).min(LEASE_MAX);
                runtime.watch(&paths, lease);
            }
        }
    }
}

/// Passes watched values on; what the link has no room for is dropped, the next one is newer.
async fn carry_up(
    feed: Arc<Mutex<Option<mpsc::Receiver<ScanBatch>>>>,
    link: mpsc::Sender<ScanBatch>,
    dropped: Arc<AtomicU64>,
) {
    // Given back when this wire is cut, for the next link.
    let mut feed = feed.lock().await;
    let Some(feed) = &mut *feed else {
        return;
    };
    while let Some(scan) = feed.recv().await {
        if link.try_send(scan).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
