//! The server at work: everything it knows, its loop, and the clock of everything that ends by itself.
//! Owns the order of things at the start and at the end. What comes in is for `asked`.

use super::answer::Said;
use super::config::Config;
use super::cov::{Subscriber, Subscriptions};
use super::device;
use super::numbers::Numbers;
use super::objects::Objects;
use super::parts::Parts;
use super::read::Look;
use super::tell::Turns;
use crate::client::{Address, Client, Registration};
use crate::codec::{ObjectId, service};
use crate::lane;
use riser_adapter::{
    AdapterCommand, AdapterContext, AdapterError, Building, Clock, ErrorClass, HealthBoard, Memory,
    WriteResult,
};
use riser_model::{LaneHealth, LaneState, ScanBatch, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Requests that may wait to be looked at.
const INBOUND: usize = 1024;
/// How often the clock of everything that ends by itself is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Note that holds the database revision and what it was counted for.
const REVISION: &str = "revision";
/// Points come one device after another at the start: looked at often for so many ticks.
const BEGINNING: u32 = 10;

/// What a task was for.
pub(crate) enum Ended {
    /// A request that took longer is answered.
    Answered(Address, u8),
    /// Somebody has subscribed to this object.
    Subscribed(ObjectId),
    /// A notification was answered, or it was not.
    Told(Subscriber, bool),
}

/// The server.
pub(crate) struct Face {
    pub(crate) config: Config,
    pub(crate) client: Client,
    pub(crate) building: Building,
    pub(crate) objects: Objects,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) resting: FxHashMap<ObjectId, Value>,
    pub(crate) turns: Turns,
    pub(crate) tasks: JoinSet<Ended>,
    name: String,
    clock: Arc<dyn Clock>,
    memory: Arc<dyn Memory>,
    health: HealthBoard,
    numbers: Numbers,
    pub(crate) parts: Parts,
    pub(crate) working: FxHashMap<(Address, u8), mpsc::Sender<Said>>,
    /// The database revision, and the objects it was counted for.
    revision: (u32, Option<u64>),
    /// The objects when they were last looked at.
    seen: Option<u64>,
    refreshed: Instant,
    ticks: u32,
    pub(crate) answered: u64,
    registration: Option<watch::Receiver<Registration>>,
}

/// Runs the server until cancelled.
pub(crate) async fn run(config: Config, context: AdapterContext) -> Result<(), AdapterError> {
    let client = lane::open(&config.lane)?;
    let (handed, mut requests) = mpsc::channel(INBOUND);
    if !client.serve(handed) {
        let lane = config.lane.name.clone();
        let error = AdapterError::new(ErrorClass::Misconfigured, "be a device", lane);
        return Err(error.advise(
            "another bacnet-server has this address and port; give this one another, or take it out",
        ));
    }
    let ending = context.cancel.child_token();
    let _ended_with_this = ending.clone().drop_guard();
    let registration = config.lane.bbmd.as_ref();
    let registration = registration.map(|b| client.register_with(b.at, b.lifetime, ending));
    let cancel = context.cancel.clone();
    let (mut face, mut commands) = Face::new(config, client, registration, context);
    face.begin().await;
    let mut tick = tokio::time::interval(TICK);
    let mut feed: Option<broadcast::Receiver<Arc<ScanBatch>>> = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            Some(ended) = face.tasks.join_next() => face.ended(ended).await?,
            Some(inbound) = requests.recv() => face.inbound(inbound).await,
            scan = next(&mut feed) => match scan {
                Ok(batch) => face.scanned(&batch).await,
                Err(broadcast::error::RecvError::Lagged(_)) => face.look_again().await,
                Err(broadcast::error::RecvError::Closed) => feed = None,
            },
            _ = tick.tick() => face.tick().await,
            Some(command) = commands.recv() => {
                let text = "the server face has no points of its own".to_owned();
                let _gone = command.reply.send(WriteResult::Refused(text));
            }
        }
        // Scans are only listened to while somebody is told of changes.
        match (face.subscriptions.is_empty(), feed.is_some()) {
            (true, true) => feed = None,
            (false, false) => {
                feed = Some(face.building.points.changes());
                face.look_again().await;
            }
            _ => {}
        }
    }
}

async fn next(
    feed: &mut Option<broadcast::Receiver<Arc<ScanBatch>>>,
) -> Result<Arc<ScanBatch>, broadcast::error::RecvError> {
    match feed {
        Some(feed) => feed.recv().await,
        None => std::future::pending().await,
    }
}

impl Face {
    fn new(
        config: Config,
        client: Client,
        registration: Option<watch::Receiver<Registration>>,
        context: AdapterContext,
    ) -> (Self, mpsc::Receiver<AdapterCommand>) {
        let face = Self {
            subscriptions: Subscriptions::new(config.device.subscriptions),
            numbers: Numbers::new(config.reserved()),
            config,
            client,
            building: context.building,
            objects: Objects::default(),
            resting: FxHashMap::default(),
            turns: Turns::default(),
            tasks: JoinSet::new(),
            name: context.name,
            clock: context.clock,
            memory: context.memory,
            health: context.health,
            parts: Parts::default(),
            working: FxHashMap::default(),
            revision: (0, None),
            seen: None,
            refreshed: Instant::now(),
            ticks: 0,
            answered: 0,
            registration,
        };
        (face, context.commands)
    }

    async fn begin(&mut self) {
        self.numbers.load(&*self.memory).await;
        if let Some(note) = self.memory.get(REVISION).await {
            let mut words = note.split(' ');
            let count = words.next().and_then(|w| w.parse().ok());
            let counted = words.next().and_then(|w| w.parse().ok());
            self.revision = (count.unwrap_or(0), counted);
        }
        self.refresh().await;
        self.announce().await;
    }

    async fn announce(&mut self) {
        let device = &self.config.device;
        let body = device::i_am(device.instance, device.vendor).encoded();
        if let Err(error) = self.client.tell_all(service::I_AM, &body).await {
            tracing::debug!(%error, "presenting the gateway to everybody");
        }
    }

    /// Looks which points there are.
    async fn refresh(&mut self) {
        self.refreshed = Instant::now();
        let views = self.building.points.points();
        self.objects = Objects::new(&views, &self.config, &mut self.numbers);
        self.numbers.save(&*self.memory).await;
        let print = self.objects.fingerprint();
        let now = Some(print);
        // Counted once nothing comes and goes any more, not at every step of a start.
        if self.seen == now && self.revision.1 != now {
            self.revision = (self.revision.0.wrapping_add(1), now);
            let note = format!("{} {}", self.revision.0, print);
            self.memory.put(REVISION, Some(note)).await;
        }
        self.seen = now;
    }

    async fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        let due = self.refreshed.elapsed() >= self.config.device.refresh;
        if due || self.ticks <= BEGINNING {
            self.refresh().await;
        }
        let now = Instant::now();
        self.parts.expire(now);
        let objects = &self.objects;
        self.subscriptions
            .expire(now, |id| objects.find(id).is_some());
        for id in self.subscriptions.late(now) {
            self.look_at(id).await;
        }
        if let Some(registration) = &mut self.registration
            && registration.has_changed().unwrap_or(false)
            && *registration.borrow_and_update() == Registration::Registered
        {
            self.announce().await;
        }
        self.report();
    }

    fn report(&self) {
        let counters = self.client.counters();
        let registration = self.registration.as_ref().map(|r| r.borrow().clone());
        let trouble = match registration {
            Some(Registration::Failed(why)) => Some(why),
            _ if self.objects.left_out > 0 => Some(format!(
                "{} points are left out, as a device has {} objects at most; narrow the patterns",
                self.objects.left_out,
                super::objects::OBJECTS
            )),
            _ if self.objects.all().is_empty() => {
                Some("no point of the gateway fits the patterns; nothing is shown".to_owned())
            }
            _ => None,
        };
        self.health.lane(LaneHealth {
            lane: self.config.lane.name.clone(),
            adapter: self.name.clone(),
            state: match trouble {
                Some(_) => LaneState::Degraded,
                None => LaneState::Up,
            },
            requests: self.answered,
            timeouts: counters.timeouts.load(Ordering::Relaxed),
            desyncs: counters.garbage.load(Ordering::Relaxed),
            overruns: counters.dropped.load(Ordering::Relaxed),
            connects: 1,
            utilisation: 0.0,
            last_error: trouble,
        });
    }

    async fn ended(
        &mut self,
        ended: Result<Ended, tokio::task::JoinError>,
    ) -> Result<(), AdapterError> {
        match ended {
            Ok(Ended::Answered(from, invoke)) => {
                self.working.remove(&(from, invoke));
            }
            Ok(Ended::Subscribed(id)) => self.look_at(id).await,
            Ok(Ended::Told(who, answered)) => self.told(&who, answered).await,
            Err(panic) => {
                let error = AdapterError::new(ErrorClass::Fatal, "answer", self.name.clone());
                return Err(error.because(panic));
            }
        }
        Ok(())
    }

    /// What a request is looked up in.
    pub(crate) fn look(&self) -> Look<'_> {
        Look {
            config: &self.config,
            objects: &self.objects,
            building: &self.building,
            clock: &*self.clock,
            subscriptions: &self.subscriptions,
            resting: &self.resting,
            revision: self.revision.0,
            last: None,
        }
    }
}
