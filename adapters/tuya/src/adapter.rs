//! The adapter: one task per connection, one that listens for announcements, and commands routed to
//! the connection that owns their point. Nothing else.

use crate::config::{Config, LinkConfig};
use crate::device::{Link, LinkWrite, Order, QUEUE, Shared};
use crate::lan::Lan;
use crate::operate::Links;
use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, ErrorClass, RegistryError, WriteResult,
};
use riser_model::{Key, Slot};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A checked configuration, ready to run.
pub(crate) struct Tuya {
    pub(crate) config: Config,
    pub(crate) links: Arc<Links>,
}

/// Where a point is: connection, device behind it, point in it.
type Route = (usize, usize, usize);

impl Adapter for Tuya {
    fn kind(&self) -> &'static str {
        "tuya"
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(run(*self, context))
    }

    fn lanes(&self) -> Vec<(Key, String)> {
        let links = self.config.links.iter();
        let members = links.flat_map(|l| l.members.iter().map(|m| (m.key.clone(), l.lane.clone())));
        members.collect()
    }

    fn doubts(&self) -> Vec<String> {
        self.config.doubts()
    }
}

async fn run(tuya: Tuya, mut context: AdapterContext) -> Result<(), AdapterError> {
    let Tuya { config, links } = tuya;
    let name = context.name.clone();
    let declared = context.registry.declare(&name, config.points()).await;
    let slots = declared.map_err(|e| not_declared(&name, e))?;
    let routes = routes(&config, &slots);
    let cancel = context.cancel.child_token();
    let _cancel_links_when_dropped = cancel.clone().drop_guard();
    let lan = Lan::new();
    let shared = Shared {
        adapter: name.clone(),
        samples: context.samples.clone(),
        health: context.health.clone(),
        clock: context.clock.clone(),
        memory: context.memory.clone(),
        lan: lan.clone(),
        keys: config.keys.clone(),
        cancel: cancel.clone(),
    };
    let mut tasks = JoinSet::new();
    let listening = lan.listen(config.listen.clone());
    let ears = tokio::spawn(cancel.clone().run_until_cancelled_owned(listening));
    let orders = start_links(config.links, &slots, &shared, &mut tasks);
    links.running(&orders);
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                outcome = Err(link_ended(&name, ended));
                break;
            }
            Some(command) = context.commands.recv() => route(command, &routes, &orders),
        }
    }
    links.stopped();
    cancel.cancel();
    while tasks.join_next().await.is_some() {}
    let _ended = ears.await;
    context.commands.close();
    while let Ok(command) = context.commands.try_recv() {
        reply(
            command,
            WriteResult::Failed("the gateway is stopping".into()),
        );
    }
    outcome
}

/// Starts every connection; each gets the slots of its own points.
fn start_links(
    links: Vec<LinkConfig>,
    slots: &[Slot],
    shared: &Shared,
    tasks: &mut JoinSet<()>,
) -> Vec<mpsc::Sender<Order>> {
    let mut rest = slots;
    let start = |link: LinkConfig| {
        let count = link.members.iter().map(|m| m.points.len()).sum::<usize>();
        let (own, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        let (orders, inbox) = mpsc::channel(QUEUE);
        tasks.spawn(Link::new(link, own, shared.clone(), inbox).run());
        orders
    };
    links.into_iter().map(start).collect()
}

fn routes(config: &Config, slots: &[Slot]) -> FxHashMap<Slot, Route> {
    let places = config.links.iter().enumerate().flat_map(|(link, l)| {
        let members = l.members.iter().enumerate();
        members.flat_map(move |(member, m)| {
            (0..m.points.len()).map(move |point| (link, member, point))
        })
    });
    slots.iter().copied().zip(places).collect()
}

fn route(command: AdapterCommand, routes: &FxHashMap<Slot, Route>, links: &[mpsc::Sender<Order>]) {
    let target = routes.get(&command.slot);
    let target =
        target.and_then(|(link, member, point)| Some((links.get(*link)?, *member, *point)));
    let Some((link, member, point)) = target else {
        let text = format!("{} is no point of this adapter", command.command.path);
        return reply(command, WriteResult::Refused(text));
    };
    let order = Order::Write(LinkWrite {
        member,
        point,
        value: command.value,
        expires_at: command.command.expires_at,
        reply: command.reply,
    });
    let (text, order) = match link.try_send(order) {
        Ok(()) => return,
        Err(mpsc::error::TrySendError::Full(order)) => (
            format!("{QUEUE} writes already wait for this device"),
            order,
        ),
        Err(mpsc::error::TrySendError::Closed(order)) => {
            ("the connection has ended".to_owned(), order)
        }
    };
    if let Order::Write(write) = order {
        write.answer(WriteResult::Failed(text));
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

fn link_ended(name: &str, ended: Result<(), tokio::task::JoinError>) -> AdapterError {
    let error = AdapterError::new(ErrorClass::Fatal, "keep every connection running", name);
    match ended {
        Ok(()) => error.advise("a connection's task ended by itself"),
        Err(panic) => error.because(panic),
    }
}
