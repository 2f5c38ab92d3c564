//! The adapter: lanes with their ports, a task for each device, and commands routed to the device that
//! owns their point. Nothing else.

use crate::config::{Config, LaneConfig};
use crate::device::{Device, Making, Peers, Shared, Standing};
use crate::directory::Directory;
use crate::lane;
use crate::operate::{self, Desk};
use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, ErrorClass, RegistryError, WriteResult,
};
use riser_model::{Key, Slot};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Writes that may wait for one device.
const QUEUE: usize = 256;

/// A checked configuration, ready to run.
pub(crate) struct Bacnet {
    pub(crate) config: Config,
    pub(crate) peers: Peers,
    pub(crate) desk: Desk,
}

/// Which device owns which point. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Routes(Arc<Mutex<FxHashMap<Slot, Key>>>);

impl Routes {
    /// This point is that device's.
    pub(crate) fn add(&self, slot: Slot, device: &Key) {
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        routes.insert(slot, device.clone());
    }

    fn find(&self, slot: Slot) -> Option<Key> {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        routes.get(&slot).cloned()
    }
}

impl Adapter for Bacnet {
    fn kind(&self) -> &'static str {
        "bacnet"
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(run(*self, context))
    }

    fn lanes(&self) -> Vec<(Key, String)> {
        let lanes = self.config.lanes.iter();
        let devices = lanes.flat_map(|l| l.devices.iter().map(|d| (d.key.clone(), l.name.clone())));
        devices.collect()
    }

    fn doubts(&self) -> Vec<String> {
        self.config.doubts()
    }
}

type Inboxes = FxHashMap<Key, mpsc::Sender<AdapterCommand>>;

async fn run(adapter: Bacnet, context: AdapterContext) -> Result<(), AdapterError> {
    let Bacnet {
        config,
        peers,
        desk,
    } = adapter;
    let _ports_close_at_the_end = desk.begin(context.clock.clone());
    let mut commands = context.commands;
    let slots = context
        .registry
        .declare(&context.name, config.points())
        .await
        .map_err(|e| not_declared(&context.name, e))?;
    let tasks_cancel = context.cancel.child_token();
    let _cancel_tasks_when_dropped = tasks_cancel.clone().drop_guard();
    let shared = Shared {
        adapter: context.name.clone(),
        registry: context.registry,
        samples: context.samples,
        memory: context.memory,
        past: context.past,
        health: context.health,
        clock: context.clock,
        cancel: tasks_cancel.clone(),
        routes: Routes::default(),
        peers,
    };
    let mut tasks = JoinSet::new();
    let mut inboxes = Inboxes::default();
    let mut rest = &slots[..];
    for lane in config.lanes {
        let count = lane.devices.iter().map(|d| d.points.len()).sum::<usize>();
        let (own, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        start(lane, own, &shared, (&mut tasks, &mut inboxes, &desk))?;
    }
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                outcome = Err(task_ended(&context.name, ended));
                break;
            }
            Some(command) = commands.recv() => route(command, &shared.routes, &inboxes),
        }
    }
    tasks_cancel.cancel();
    while tasks.join_next().await.is_some() {}
    commands.close();
    while let Ok(command) = commands.try_recv() {
        reply(
            command,
            WriteResult::Failed("the gateway is stopping".into()),
        );
    }
    outcome
}

/// Opens a lane's port and starts its devices; each gets the slots of its own points.
fn start(
    lane: LaneConfig,
    slots: &[Slot],
    shared: &Shared,
    (tasks, inboxes, desk): (&mut JoinSet<()>, &mut Inboxes, &Desk),
) -> Result<(), AdapterError> {
    if lane.devices.is_empty() {
        return Ok(());
    }
    let client = lane::open(&lane)?;
    let directory = Directory::default();
    let cancel: CancellationToken = shared.cancel.clone();
    directory.listen(&client, cancel.clone());
    for work in operate::begin(&lane, &client, shared, desk) {
        tasks.spawn(work);
    }
    let mut rest = slots;
    let mut standings = Vec::new();
    for config in lane.devices {
        let (own, others) = rest.split_at(config.points.len().min(rest.len()));
        rest = others;
        let (inbox, writes) = mpsc::channel(QUEUE);
        inboxes.insert(config.key.clone(), inbox);
        own.iter()
            .for_each(|slot| shared.routes.add(*slot, &config.key));
        let standing = Arc::new(Standing::default());
        standings.push(standing.clone());
        let making = Making {
            config,
            lane: lane.name.clone(),
            zone: lane.clock.zone.clone(),
            client: client.clone(),
            directory: directory.clone(),
            slots: own.to_vec(),
            standing,
            writes,
        };
        let (device, writes) = Device::new(making, shared.clone());
        tasks.spawn(device.run(writes));
    }
    let registration = lane
        .bbmd
        .map(|bbmd| client.register_with(bbmd.at, bbmd.lifetime, cancel.clone()));
    let report = lane::Reporting {
        name: lane.name,
        adapter: shared.adapter.clone(),
        client,
        standings,
        registration,
        health: shared.health.clone(),
    };
    tasks.spawn(report.run(cancel));
    Ok(())
}

fn route(command: AdapterCommand, routes: &Routes, inboxes: &Inboxes) {
    let inbox = routes.find(command.slot).and_then(|key| inboxes.get(&key));
    let Some(inbox) = inbox else {
        let text = format!("{} is no point of this adapter", command.command.path);
        return reply(command, WriteResult::Refused(text));
    };
    if let Err(error) = inbox.try_send(command) {
        let text = match &error {
            mpsc::error::TrySendError::Full(_) => {
                format!("{QUEUE} writes already wait for this device")
            }
            mpsc::error::TrySendError::Closed(_) => "the device's task has ended".to_owned(),
        };
        reply(error.into_inner(), WriteResult::Failed(text));
    }
}

fn reply(command: AdapterCommand, result: WriteResult) {
    let _gone = command.reply.send(result);
}

fn not_declared(name: &str, error: RegistryError) -> AdapterError {
    let class = match error {
        RegistryError::Duplicate { .. } => ErrorClass::Misconfigured,
        RegistryError::Unavailable { .. } => ErrorClass::Retryable,
    };
    AdapterError::new(class, "declare points", name).because(error)
}

fn task_ended(name: &str, ended: Result<(), tokio::task::JoinError>) -> AdapterError {
    let error = AdapterError::new(ErrorClass::Fatal, "keep every device's task running", name);
    match ended {
        Ok(()) => error.advise("a task ended by itself"),
        Err(panic) => error.because(panic),
    }
}
