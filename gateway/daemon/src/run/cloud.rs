//! The wires between the link and the runtime: commands, acknowledgements and leases come down,
//! watched values go up. Owns the tasks that carry them; the two sides do not know each other.

use crate::config::Config;
use riser_api::Counter;
use riser_model::{AuthorKind, LinkStatus, ScanBatch};
use riser_runtime::Runtime;
use riser_store::{Now, Store};
use riser_sync::{Downlink, LinkConfig, LinkMeter, Timings, Uplink};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest lease the cloud may take on watched points.
const LEASE_MAX: Duration = Duration::from_secs(300);

/// The link to the cloud, or its absence.
pub(super) struct CloudLink {
    /// What people see.
    pub(super) status: watch::Receiver<LinkStatus>,
    running: Option<Running>,
    /// Keeps the status of an absent link readable.
    _absent: Option<watch::Sender<LinkStatus>>,
}

struct Running {
    meter: LinkMeter,
    watch_dropped: Arc<AtomicU64>,
    cancel: CancellationToken,
    link: JoinHandle<()>,
    wires: [JoinHandle<()>; 2],
}

impl CloudLink {
    /// Starts the link and its wires, where a cloud is configured.
    pub(super) fn start(config: &Config, store: &Store, runtime: &Runtime, now: &Now) -> Self {
        let Some(cloud) = &config.cloud else {
            let (absent, status) = watch::channel(LinkStatus::default());
            return Self {
                status,
                running: None,
                _absent: Some(absent),
            };
        };
        let settings = LinkConfig {
            host: cloud.host.clone(),
            port: cloud.port,
            ca: cloud.ca.clone(),
            cert: cloud.cert.clone(),
            key: cloud.key.clone(),
            tenant: config.gateway.tenant.clone(),
            gateway: config.gateway.id.clone(),
            name: config.gateway.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: Uuid::new_v4(),
            now: Arc::clone(now),
            timings: Timings::default(),
        };
        let cancel = CancellationToken::new();
        let handle = Uplink::start(settings, store.clone(), cancel.clone());
        let watch_dropped = Arc::new(AtomicU64::new(0));
        let down = tokio::spawn(carry_down(handle.down, runtime.clone()));
        let up = carry_up(
            runtime.take_watch_feed(),
            handle.watch,
            Arc::clone(&watch_dropped),
        );
        Self {
            status: handle.status,
            running: Some(Running {
                meter: handle.meter,
                watch_dropped,
                cancel,
                link: handle.task,
                wires: [down, tokio::spawn(up)],
            }),
            _absent: None,
        }
    }

    /// The figures of the link that are not in its status.
    pub(super) fn counters(&self) -> Arc<dyn Fn() -> Vec<Counter> + Send + Sync> {
        let Some(running) = &self.running else {
            return Arc::new(Vec::new);
        };
        let (meter, wire) = (running.meter.clone(), Arc::clone(&running.watch_dropped));
        Arc::new(move || {
            let counts = meter.counts();
            let counter = |name, help, value| Counter { name, help, value };
            vec![
                counter(
                    "link_inbox_dropped",
                    "Messages dropped: the inbox was full.",
                    counts.inbox_dropped,
                ),
                counter(
                    "link_unreadable",
                    "Messages that could not be read.",
                    counts.unreadable,
                ),
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
        })
    }

    /// Ends the link, after it had until `deadline` to say goodbye.
    pub(super) async fn stop(self, deadline: Instant, late: &mut Vec<String>) {
        let Some(mut running) = self.running else {
            return;
        };
        running.cancel.cancel();
        if timeout_at(deadline, &mut running.link).await.is_err() {
            running.link.abort();
            late.push("cloud link".to_owned());
        }
        for wire in running.wires {
            wire.abort();
        }
    }
}

async fn carry_down(mut from_cloud: mpsc::Receiver<Downlink>, runtime: Runtime) {
    while let Some(downlink) = from_cloud.recv().await {
        match downlink {
            Downlink::Command(mut command) => {
                // Whatever the message says: it came by this way.
                command.author.kind = AuthorKind::Cloud;
                let (path, id) = (command.path.clone(), command.id);
                if let Err(refused) = runtime.write(command).await {
                    tracing::warn!(%path, id = %id.0, error = %refused, "a command from the cloud");
                }
            }
            Downlink::Acknowledge {
                alarm,
                mut acknowledgement,
            } => {
                acknowledgement.by.kind = AuthorKind::Cloud;
                if let Err(error) = runtime.acknowledge(alarm, acknowledgement) {
                    tracing::info!(%error, "an acknowledgement from the cloud");
                }
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
    feed: Option<mpsc::Receiver<ScanBatch>>,
    link: mpsc::Sender<ScanBatch>,
    dropped: Arc<AtomicU64>,
) {
    let Some(mut feed) = feed else {
        return;
    };
    while let Some(scan) = feed.recv().await {
        if link.try_send(scan).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
