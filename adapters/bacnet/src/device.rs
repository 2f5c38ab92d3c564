//! One device, for as long as the adapter runs: found, learned, read, subscribed to, written, lost and
//! found again. Owns the order of these; each is a file of its own.

mod cov;
mod find;
mod history;
mod learning;
mod points;
pub(crate) mod report;
mod sending;
mod wall;
mod work;
mod writes;

pub(crate) use learning::point_of;
pub(crate) use points::LivePoint;

use crate::adapter::Routes;
use crate::client::Client;
use crate::config::DeviceConfig;
use crate::directory::Directory;
use crate::poll::peer::Figures;
use crate::poll::{Habits, Peer};
use find::Finder;
use history::Progress;
use jiff::tz::TimeZone;
use points::Points;
use report::{About, Report};
use riser_adapter::{
    AdapterCommand, Clock, HealthBoard, Memory, Past, PointRegistry, SampleSink, WriteResult,
};
use riser_model::{DeviceState, Slot};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Notifications that may wait for one device.
const NOTICES: usize = 8192;

/// What every device of an adapter works with.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) adapter: String,
    pub(crate) registry: Arc<dyn PointRegistry>,
    pub(crate) samples: SampleSink,
    pub(crate) memory: Arc<dyn Memory>,
    pub(crate) past: Arc<dyn Past>,
    pub(crate) health: HealthBoard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cancel: CancellationToken,
    pub(crate) routes: Routes,
    pub(crate) peers: Peers,
}

/// Devices that were found, for those who browse.
pub(crate) type Peers = Arc<Mutex<FxHashMap<riser_model::Key, Peer>>>;

/// What a lane knows of its devices.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// 0 unknown, 1 online, 2 degraded, 3 offline.
    pub(crate) state: AtomicU8,
    /// Rounds that began later than one whole interval.
    pub(crate) overruns: AtomicU64,
}

/// What makes a device.
pub(crate) struct Making {
    pub(crate) config: DeviceConfig,
    pub(crate) lane: String,
    /// Zone of the device's local time, where it is known.
    pub(crate) zone: Option<TimeZone>,
    pub(crate) client: Client,
    pub(crate) directory: Directory,
    pub(crate) slots: Vec<Slot>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) writes: mpsc::Receiver<AdapterCommand>,
}

pub(crate) struct Device {
    config: Arc<DeviceConfig>,
    shared: Shared,
    client: Client,
    directory: Directory,
    finder: Finder,
    standing: Arc<Standing>,
    points: Points,
    peer: Option<Peer>,
    habits: Habits,
    report: Report,
    learned: bool,
    process: u32,
    /// Changes the lane is known to have missed, as far as values were read again because of it.
    missed: u64,
    /// Of the trend logs; taken while they are read.
    history: Option<Progress>,
    history_due: Instant,
    zone: Option<TimeZone>,
}

/// The adapter is going down.
struct Cancelled;

impl Device {
    pub(crate) fn new(making: Making, shared: Shared) -> (Self, mpsc::Receiver<AdapterCommand>) {
        let figures: Arc<Mutex<Figures>> = Arc::default();
        let config = Arc::new(making.config);
        let about = About {
            device: config.key.clone(),
            name: config.name.clone(),
            adapter: shared.adapter.clone(),
            lane: making.lane,
        };
        let mut points = Points::new(config.terms.verify);
        for (point, slot) in config.points.iter().zip(&making.slots) {
            let terms = (point.interval, point.cov);
            points.add(LivePoint::new(
                point.point.clone(),
                *slot,
                point.reference,
                terms,
            ));
        }
        let device = Self {
            finder: Finder {
                client: making.client.clone(),
                directory: making.directory.clone(),
                config: config.clone(),
                figures: figures.clone(),
                tries: Arc::default(),
            },
            report: Report::new(about, shared.health.clone(), figures),
            client: making.client,
            directory: making.directory,
            standing: making.standing,
            points,
            peer: None,
            habits: Habits::default(),
            learned: false,
            history: Some(Progress::default()),
            history_due: Instant::now(),
            zone: making.zone,
            process: cov::process_of(&config.key),
            missed: 0,
            config,
            shared,
        };
        (device, making.writes)
    }

    /// Works until cancelled.
    pub(crate) async fn run(mut self, mut writes: mpsc::Receiver<AdapterCommand>) {
        let (told, mut notices) = mpsc::channel(NOTICES);
        let (restarted, mut restarts) = mpsc::channel(1);
        self.remember().await;
        self.report.pin(Instant::now());
        let cancel = self.shared.cancel.clone();
        loop {
            let Ok(peer) = self.connect(&mut writes).await else {
                break;
            };
            self.directory.restarts(peer.instance(), restarted.clone());
            let number = (self.process, peer.instance());
            self.client.notices(number, told.clone());
            if self.learn(&peer, &mut writes).await.is_err() {
                break;
            }
            if self.peer.is_some() {
                let inboxes = (&mut writes, &mut notices, &mut restarts);
                self.work(peer, inboxes).await;
            }
            if cancel.is_cancelled() {
                break;
            }
        }
        writes.close();
        while let Ok(write) = writes.try_recv() {
            answer(write, "the gateway is stopping");
        }
    }

    /// Does something long, and answers writes meanwhile.
    async fn beside<T>(
        &mut self,
        work: impl Future<Output = T>,
        writes: &mut mpsc::Receiver<AdapterCommand>,
        why: &str,
    ) -> Result<T, Cancelled> {
        tokio::pin!(work);
        let cancel = self.shared.cancel.clone();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(Cancelled),
                done = &mut work => return Ok(done),
                Some(write) = writes.recv() => self.not_now(write, why),
            }
        }
    }

    /// Answers a write that cannot be begun: no for what can never be, failed for what may later.
    fn not_now(&self, write: AdapterCommand, why: &str) {
        match self
            .points
            .slot(write.slot)
            .and_then(|at| self.points.get(at))
        {
            Some(point) if point.point.access.writable() => {
                answer(write, &format!("device {} {why}", self.config.key));
            }
            _ => {
                let text = format!("{} is read-only", write.command.path);
                let _gone = write.reply.send(WriteResult::Refused(text));
            }
        }
    }

    /// Finds the device, however long it takes.
    async fn connect(
        &mut self,
        writes: &mut mpsc::Receiver<AdapterCommand>,
    ) -> Result<Peer, Cancelled> {
        let mut pause = Duration::ZERO;
        loop {
            let (finder, habits) = (self.finder.clone(), self.habits.clone());
            let finding = async move {
                if !pause.is_zero() {
                    finder.wait(pause).await;
                }
                finder.find(habits).await
            };
            let why = "does not answer; it is looked for again and again";
            match self.beside(finding, writes, why).await? {
                Ok(peer) => {
                    self.report.address = format!("{} at {}", peer.instance(), peer.address());
                    self.report.well();
                    let mut peers = self
                        .shared
                        .peers
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    peers.insert(self.config.key.clone(), peer.clone());
                    drop(peers);
                    self.peer = Some(peer.clone());
                    return Ok(peer);
                }
                Err(why) => self.lost(why).await,
            }
            pause = self.config.probe_interval;
        }
    }

    /// The device does not answer: every point is bad from now on, said once.
    async fn lost(&mut self, why: String) {
        tracing::debug!(device = %self.config.key, why, "a device is silent");
        self.peer = None;
        if let Some(instance) = self.config.instance {
            self.directory.forget(instance);
        }
        self.report.silent(why);
        self.report.pin(Instant::now());
        self.stand();
        let readings = self.points.mark_down();
        self.emit(readings).await;
    }

    fn stand(&self) {
        let state = match self.report.state() {
            DeviceState::Unknown => 0,
            DeviceState::Online => 1,
            DeviceState::Degraded => 2,
            DeviceState::Offline => 3,
        };
        self.standing.state.store(state, Ordering::Relaxed);
    }
}

/// Fails a write.
fn answer(write: AdapterCommand, why: &str) {
    let _gone = write.reply.send(WriteResult::Failed(why.to_owned()));
}
