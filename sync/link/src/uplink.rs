//! Keeps one connection going after the other. Owns the task, its channels and the waits between
//! attempts; what happens within a connection is `session`'s.

use crate::backoff::{Parting, Patience};
use crate::budget::Budget;
use crate::config::LinkConfig;
use crate::counters::{Counters, LinkCounts, count};
use crate::downlink::Downlink;
use crate::identity::Identity;
use crate::report::Reporter;
use crate::session::{self, Ended};
use futures_util::FutureExt;
use riser_model::{LinkState, LinkStatus, ScanBatch};
use riser_store::Store;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Watch scans that may wait for the link; beyond, the sender drops and counts.
const WATCH: usize = 256;
/// Commands, acknowledgements and leases that may wait for the runtime.
const INBOX: usize = 64;
/// How often the figures of the backlog are renewed while there is no connection.
const LOOK: Duration = Duration::from_secs(5);

/// The link to the cloud.
#[derive(Debug)]
pub struct Uplink;

/// What the daemon holds of a running link.
#[derive(Debug)]
pub struct LinkHandle {
    /// What people see.
    pub status: watch::Receiver<LinkStatus>,
    /// Commands, acknowledgements and leases from the cloud.
    pub down: mpsc::Receiver<Downlink>,
    /// Watched values; use `try_send` and count what does not fit.
    pub watch: mpsc::Sender<ScanBatch>,
    /// Figures beyond the status.
    pub meter: LinkMeter,
    /// Ends after the cancellation it was started with.
    pub task: JoinHandle<()>,
}

/// Reads the figures of a link; cheap to clone.
#[derive(Debug, Clone)]
pub struct LinkMeter(Arc<Counters>);

impl LinkMeter {
    /// Figures since start.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.0.snapshot()
    }
}

/// What outlives a connection.
pub(crate) struct Link {
    pub(crate) config: LinkConfig,
    pub(crate) store: Store,
    pub(crate) reporter: Reporter,
    pub(crate) inbox: mpsc::Sender<Downlink>,
    pub(crate) watch: mpsc::Receiver<ScanBatch>,
    /// Somebody still holds the sending end of `watch`.
    pub(crate) watching: bool,
    pub(crate) counters: Arc<Counters>,
    pub(crate) identity: Identity,
    pub(crate) budget: Budget,
    /// The budget has held data back, and counts as short until then.
    pub(crate) short_until: Option<Instant>,
    /// Length of the stretches that are rolled up.
    pub(crate) rollup_minutes: u32,
    /// Longest packet the broker takes, where it had to be found out.
    pub(crate) packet_most: Option<usize>,
}

impl Uplink {
    /// Starts the link; it runs until cancelled, whatever happens to the network or to the
    /// certificates, and says in its status how it is.
    #[must_use]
    pub fn start(config: LinkConfig, store: Store, cancel: CancellationToken) -> LinkHandle {
        let (reporter, status) = Reporter::new(&config);
        let (inbox, down) = mpsc::channel(INBOX);
        let (watch, watched) = mpsc::channel(WATCH);
        let counters = Arc::new(Counters::default());
        let link = Link {
            budget: Budget::new(config.max_kbit_s, Instant::now()),
            config,
            store,
            reporter,
            inbox,
            watch: watched,
            watching: true,
            counters: Arc::clone(&counters),
            identity: Identity::default(),
            short_until: None,
            rollup_minutes: crate::budget::MINUTE,
            packet_most: None,
        };
        let task = tokio::spawn(keep(link, cancel));
        LinkHandle {
            status,
            down,
            watch,
            meter: LinkMeter(counters),
            task,
        }
    }
}

async fn keep(mut link: Link, cancel: CancellationToken) {
    let mut patience = Patience::new(link.config.timings);
    loop {
        link.reporter.state(LinkState::Connecting);
        link.reporter.publish();
        let began = Instant::now();
        let Ended {
            reason,
            proven,
            turned_away,
            retry_after,
        } = guarded(&mut link, &cancel).await;
        link.reporter.state(LinkState::Offline);
        if let Some(reason) = &reason {
            link.reporter.error(reason);
        }
        link.reporter.publish();
        if reason.is_none() {
            return;
        }
        let parting = Parting {
            // Only an answered heartbeat shows that the cloud is well; a broker in between may
            // accept connections while nobody is behind it.
            worked: proven.then(|| began.elapsed()),
            tried: if proven {
                Duration::ZERO
            } else {
                began.elapsed()
            },
            turned_away,
            retry_after,
        };
        if retry_after.is_some() {
            count(&link.counters.postponed, 1);
        }
        let wait = patience.wait(parting, &mut rand::rng());
        if !rest(&mut link, wait, &cancel).await {
            link.reporter.publish();
            return;
        }
    }
}

/// Runs one connection; a defect in it ends the connection, not the link.
async fn guarded(link: &mut Link, cancel: &CancellationToken) -> Ended {
    let run = AssertUnwindSafe(session::run(link, cancel));
    run.catch_unwind().await.unwrap_or_else(|_| Ended {
        reason: Some("the link failed by a defect of its own: connecting anew".to_owned()),
        proven: false,
        turned_away: false,
        retry_after: None,
    })
}

/// Waits, renews the figures and throws away what viewers would have seen; false when cancelled.
async fn rest(link: &mut Link, wait: Duration, cancel: &CancellationToken) -> bool {
    let over = tokio::time::sleep(wait);
    tokio::pin!(over);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return false,
            () = &mut over => return true,
            scan = link.watch.recv(), if link.watching => match scan {
                Some(scan) => count(&link.counters.watch_dropped, scan.readings.len() as u64),
                None => link.watching = false,
            },
            _ = look.tick() => {
                link.reporter.backlog(&link.store.outbox().occupancy());
                link.reporter.publish();
            }
        }
    }
}
