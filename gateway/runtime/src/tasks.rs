//! The tasks of a runtime. Owns the order they are started and ended in: what feeds others starts
//! last and ends first.

use crate::alarms::AlarmDesk;
use crate::batch::Batcher;
use crate::commands::dispatcher::JOBS;
use crate::commands::{Commander, Dispatcher, Inbox, Port, keeper};
use crate::config::{AdapterSpec, RuntimeConfig};
use crate::intake::{Intake, Loss, SCANS_WAITING};
use crate::powers::Powers;
use crate::registry::Registry;
use crate::runtime::{Inner, Runtime};
use crate::schedules::Schedules;
use crate::supervisor::{Seat, Supervisor, Surroundings};
use crate::views::ShutdownReport;
use riser_adapter::{Adapter, Built, HealthBoard, SampleSink};
use riser_model::ScanBatch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Changes a slow listener of a feed may lag behind before it loses the oldest.
pub(crate) const FEED: usize = 256;
/// Scans the link may lag behind on the watch feed.
const WATCH: usize = 256;
/// What the parts behind the adapters get to end, however little of the grace is left.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// The part that records the priority arrays.
const RECORD: &str = "record of the priority arrays";

/// The tasks of a runtime.
pub(crate) struct Tasks {
    cancel: CancellationToken,
    /// Cancelled once the adapters have ended.
    stop: CancellationToken,
    pub(crate) adapters: Vec<Post>,
    parts: Vec<(&'static str, JoinHandle<()>)>,
    recorder: JoinHandle<()>,
    record_stop: CancellationToken,
}

/// One adapter with the tasks around it.
pub(crate) struct Post {
    pub(crate) name: String,
    pub(crate) seat: Arc<Seat>,
    pub(crate) inbox: Arc<watch::Sender<Inbox>>,
    /// Ends the adapter and its supervisor.
    pub(crate) cancel: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    /// Ends the waiting line of its commands.
    pub(crate) line: CancellationToken,
    pub(crate) dispatching: JoinHandle<()>,
}

/// What it takes to put an adapter on its post, also while the others run.
pub(crate) struct Hiring {
    samples: mpsc::Sender<ScanBatch>,
    commander: Arc<Commander>,
    around: Surroundings,
}

impl Hiring {
    /// A new adapter.
    pub(crate) fn start(&self, spec: AdapterSpec, built: Built) -> Post {
        let powers = Powers::of(&built);
        let adapter = built.adapter;
        let sink = SampleSink::new(self.samples.clone());
        let kind = adapter.kind();
        let clock = &*self.commander.tools.clock;
        let seat = Arc::new(Seat::new(&spec.name, kind, sink, clock));
        seat.empower(powers);
        let (inbox, dispatcher) = self.connect(&spec.name);
        let inbox = Arc::new(inbox);
        let line = self.around.cancel.child_token();
        let (name, cancel) = (spec.name.clone(), self.around.cancel.child_token());
        Post {
            running: self.run((spec, adapter), &seat, &inbox, &cancel),
            dispatching: tokio::spawn(dispatcher.run(line.clone())),
            name,
            seat,
            inbox,
            cancel,
            line,
        }
    }

    /// Another adapter on the post of one that has ended; its commands have waited.
    pub(crate) fn replace(&self, post: &mut Post, spec: AdapterSpec, built: Built) {
        post.seat.empower(Powers::of(&built));
        let adapter = built.adapter;
        post.seat.replaced(adapter.kind());
        post.cancel = self.around.cancel.child_token();
        post.running = self.run((spec, adapter), &post.seat, &post.inbox, &post.cancel);
    }

    fn run(
        &self,
        (spec, adapter): (AdapterSpec, Box<dyn Adapter>),
        seat: &Arc<Seat>,
        inbox: &Arc<watch::Sender<Inbox>>,
        cancel: &CancellationToken,
    ) -> JoinHandle<()> {
        let around = Surroundings {
            cancel: cancel.clone(),
            ..self.around.clone()
        };
        let supervisor = Supervisor::new(spec, Arc::clone(seat), Arc::clone(inbox), around);
        tokio::spawn(supervisor.run(adapter))
    }

    /// Makes the waiting line of one adapter.
    fn connect(&self, adapter: &str) -> (watch::Sender<Inbox>, Dispatcher) {
        let (jobs, waiting) = mpsc::channel(JOBS);
        let (inbox, outlet) = watch::channel(Inbox::Down);
        let port = Port {
            jobs,
            inbox: outlet.clone(),
        };
        self.commander.connect(adapter.into(), port);
        let commander = Arc::clone(&self.commander);
        let within = self.around.config.reply_timeout;
        (inbox, Dispatcher::new(commander, waiting, outlet, within))
    }
}

/// Everything needed to spawn the tasks.
pub(crate) struct Assembly {
    config: RuntimeConfig,
    commander: Arc<Commander>,
    alarms: AlarmDesk,
    cancel: CancellationToken,
    stop: CancellationToken,
}

impl Assembly {
    pub(crate) fn new(config: RuntimeConfig, commander: Arc<Commander>, alarms: AlarmDesk) -> Self {
        Self {
            config,
            commander,
            alarms,
            cancel: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Starts every task; the adapters last, as they feed the others.
    pub(crate) fn spawn(self, adapters: Vec<(AdapterSpec, Built)>) -> Runtime {
        let tools = &self.commander.tools;
        let (samples, scans) = mpsc::channel(SCANS_WAITING);
        let (watch, watch_feed) = mpsc::channel(WATCH);
        let live = broadcast::channel(FEED).0;
        let intake = self.intake(live.clone(), watch.clone());
        let keeper = keeper::run(Arc::clone(&self.commander), self.stop.clone());
        let record_stop = CancellationToken::new();
        let recorder = keeper::record(Arc::clone(&self.commander), record_stop.clone());
        let mut tasks = Tasks {
            cancel: self.cancel.clone(),
            stop: self.stop.clone(),
            adapters: Vec::new(),
            parts: vec![
                ("intake", tokio::spawn(intake.run(scans, self.stop.clone()))),
                ("holds", tokio::spawn(keeper)),
            ],
            recorder: tokio::spawn(recorder),
            record_stop,
        };
        let hiring = Hiring {
            samples,
            commander: Arc::clone(&self.commander),
            around: self.surroundings(&live),
        };
        for (spec, built) in adapters {
            tasks.adapters.push(hiring.start(spec, built));
        }
        let seats = tasks.adapters.iter().map(|p| Arc::clone(&p.seat));
        let inner = Inner {
            field: Arc::clone(&tools.field),
            store: tools.store.clone(),
            counters: Arc::clone(&tools.counters),
            alarms: self.alarms,
            health: hiring.around.health.clone(),
            seats: Mutex::new(seats.collect()),
            hiring,
            live,
            watch,
            watch_feed: Mutex::new(Some(watch_feed)),
            tasks: tokio::sync::Mutex::new(Some(tasks)),
            commander: self.commander,
        };
        Runtime {
            inner: Arc::new(inner),
        }
    }

    fn intake(
        &self,
        live: broadcast::Sender<Arc<ScanBatch>>,
        watch: mpsc::Sender<ScanBatch>,
    ) -> Intake {
        let tools = &self.commander.tools;
        let config = &self.config;
        Intake {
            field: Arc::clone(&tools.field),
            alarms: self.alarms.clone(),
            commander: Arc::clone(&self.commander),
            store: tools.store.clone(),
            events: tools.events.clone(),
            clock: Arc::clone(&tools.clock),
            counters: Arc::clone(&tools.counters),
            live,
            watch,
            batcher: Batcher::new(config.commit_interval, config.batch_samples),
            schedules: Schedules::new(tools.schedules.subscribe()),
            effects: Vec::new(),
            loss: Loss::default(),
        }
    }

    fn surroundings(&self, live: &broadcast::Sender<Arc<ScanBatch>>) -> Surroundings {
        let tools = &self.commander.tools;
        Surroundings {
            registry: Arc::new(Registry {
                store: tools.store.clone(),
                field: Arc::clone(&tools.field),
            }),
            field: Arc::clone(&tools.field),
            health: HealthBoard::default(),
            clock: Arc::clone(&tools.clock),
            counters: Arc::clone(&tools.counters),
            config: self.config.clone(),
            store: tools.store.clone(),
            past_turn: Arc::default(),
            building: crate::building::building(&self.commander, live),
            cancel: self.cancel.clone(),
        }
    }
}

impl Tasks {
    /// A part that has ended though nobody told it to.
    pub(crate) fn broken(&self) -> Option<String> {
        let mut parts = self.parts.iter();
        if let Some((name, _)) = parts.find(|(_, task)| task.is_finished()) {
            return Some((*name).to_owned());
        }
        if self.recorder.is_finished() {
            return Some(RECORD.to_owned());
        }
        let mut posts = self.adapters.iter();
        posts.find_map(|post| {
            let name = &post.name;
            if post.running.is_finished() {
                return Some(format!("the supervisor of adapter '{name}'"));
            }
            let dispatching = post.dispatching.is_finished();
            dispatching.then(|| format!("commands of adapter '{name}'"))
        })
    }

    /// Ends everything, in the order of the flow, and names who was late.
    pub(crate) async fn end(self, grace: Duration) -> ShutdownReport {
        let deadline = Instant::now() + grace;
        let mut late = Vec::new();
        self.cancel.cancel();
        let mut parts = self.parts;
        for post in self.adapters {
            parts.push(("commands", post.dispatching));
            if !ended(post.running, deadline).await {
                late.push(post.name);
            }
        }
        self.stop.cancel();
        let deadline = deadline.max(Instant::now() + LAST_GRACE);
        let mut slow: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, task) in parts {
            if !ended(task, deadline).await {
                *slow.entry(name).or_default() += 1;
            }
        }
        self.record_stop.cancel();
        if !ended(self.recorder, deadline).await {
            slow.insert(RECORD, 1);
        }
        late.extend(slow.into_keys().map(str::to_owned));
        for name in &late {
            tracing::error!(name, "did not end in time and was cut off");
        }
        ShutdownReport { late }
    }
}

/// Waits for a task; cuts it off at the deadline. A task that panicked has ended.
pub(crate) async fn ended(mut task: JoinHandle<()>, deadline: Instant) -> bool {
    if tokio::time::timeout_at(deadline, &mut task).await.is_ok() {
        return true;
    }
    task.abort();
    false
}
