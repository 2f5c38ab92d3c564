//! The adapter: one task per lane, and commands routed to the lane that owns their point. Nothing
//! else; polling, answers and health are the lanes' own.

use crate::config::{Config, LaneConfig};
use crate::lane::{Lane, LaneWrite, Shared};
use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, ErrorClass, RegistryError, WriteResult,
};
use riser_model::{Key, Slot};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Writes that may wait for one lane.
const QUEUE: usize = 256;

/// A checked configuration, ready to run.
pub(crate) struct Modbus {
    pub(crate) config: Config,
}

/// Where a point is: lane, device on it, point in it.
type Route = (usize, usize, usize);

impl Adapter for Modbus {
    fn kind(&self) -> &'static str {
        "modbus"
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(run(self.config, context))
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

async fn run(config: Config, context: AdapterContext) -> Result<(), AdapterError> {
    let AdapterContext {
        name,
        registry,
        samples,
        mut commands,
        health,
        clock,
        cancel,
        ..
    } = context;
    let slots = registry
        .declare(&name, config.points())
        .await
        .map_err(|e| not_declared(&name, e))?;
    let routes = routes(&config, &slots);
    let lanes_cancel = cancel.child_token();
    let shared = Shared {
        adapter: name.clone(),
        samples,
        health,
        clock,
        cancel: lanes_cancel.clone(),
    };
    let _cancel_lanes_when_dropped = lanes_cancel.clone().drop_guard();
    let (mut tasks, inboxes) = start_lanes(config.lanes, &slots, &shared);
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                outcome = Err(lane_ended(&name, ended));
                break;
            }
            Some(command) = commands.recv() => route(command, &routes, &inboxes),
        }
    }
    lanes_cancel.cancel();
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

/// Starts every lane that has a device; each gets the slots of its own points.
fn start_lanes(
    lanes: Vec<LaneConfig>,
    slots: &[Slot],
    shared: &Shared,
) -> (JoinSet<()>, Vec<mpsc::Sender<LaneWrite>>) {
    let mut tasks = JoinSet::new();
    let mut inboxes = Vec::new();
    let mut rest = slots;
    for lane in lanes {
        let count = lane.devices.iter().map(|d| d.points.len()).sum::<usize>();
        let (own, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        let (inbox, writes) = mpsc::channel(QUEUE);
        inboxes.push(inbox);
        if !lane.devices.is_empty() {
            tasks.spawn(Lane::new(lane, own, shared.clone(), writes).run());
        }
    }
    (tasks, inboxes)
}

fn routes(config: &Config, slots: &[Slot]) -> FxHashMap<Slot, Route> {
    let places = config.lanes.iter().enumerate().flat_map(|(lane, l)| {
        l.devices.iter().enumerate().flat_map(move |(device, d)| {
            (0..d.points.len()).map(move |point| (lane, device, point))
        })
    });
    slots.iter().copied().zip(places).collect()
}

fn route(
    command: AdapterCommand,
    routes: &FxHashMap<Slot, Route>,
    lanes: &[mpsc::Sender<LaneWrite>],
) {
    let target = routes
        .get(&command.slot)
        .and_then(|(lane, device, point)| Some((lanes.get(*lane)?, *device, *point)));
    let Some((inbox, device, point)) = target else {
        let text = format!("{} is no point of this adapter", command.command.path);
        return reply(command, WriteResult::Refused(text));
    };
    let write = LaneWrite {
        device,
        point,
        value: command.value,
        expires_at: command.command.expires_at,
        reply: command.reply,
    };
    if let Err(error) = inbox.try_send(write) {
        let text = match error {
            mpsc::error::TrySendError::Full(_) => {
                format!("{QUEUE} writes already wait for this lane")
            }
            mpsc::error::TrySendError::Closed(_) => "the lane has ended".to_owned(),
        };
        let (mpsc::error::TrySendError::Full(write) | mpsc::error::TrySendError::Closed(write)) =
            error;
        let _gone = write.reply.send(WriteResult::Failed(text));
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

fn lane_ended(name: &str, ended: Result<(), tokio::task::JoinError>) -> AdapterError {
    let error = AdapterError::new(ErrorClass::Fatal, "keep every lane running", name);
    match ended {
        Ok(()) => error.advise("a lane ended by itself"),
        Err(panic) => error.because(panic),
    }
}
