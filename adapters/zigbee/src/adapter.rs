//! The adapter: one task around connection and hub. Nothing else; it waits for what comes next, hands
//! it over, and carries out what comes of it.

use crate::client::Connection;
use crate::config::Config;
use crate::hub::Hub;
use crate::network::At;
use crate::operate::{Remote, Wanted};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, ErrorClass, NOTE_LIMIT, PointRegistry,
    RegistryError,
};
use riser_model::{Key, Point};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Time between two looks at what is due, at most.
const TICK: i64 = 500;
/// Notes looked up or made at once.
const NOTES: usize = 32;

/// A checked configuration, ready to run.
pub(crate) struct Zigbee {
    pub(crate) config: Arc<Config>,
    pub(crate) remote: Remote,
    pub(crate) wanted: mpsc::Receiver<Wanted>,
}

impl Adapter for Zigbee {
    fn kind(&self) -> &'static str {
        "zigbee"
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move { Running::new(*self, context).run().await })
    }

    fn doubts(&self) -> Vec<String> {
        let broker = &self.config.broker;
        let open = broker.login.is_some() && broker.tls.is_none();
        let own = matches!(broker.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let text = "the broker's password goes over the network in the clear; give the broker a certificate and name its ca";
        (open && !own)
            .then(|| text.to_owned())
            .into_iter()
            .collect()
    }
}

struct Running {
    hub: Hub,
    connection: Connection,
    context: AdapterContext,
    wanted: mpsc::Receiver<Wanted>,
    remote: Remote,
}

impl Running {
    fn new(adapter: Zigbee, context: AdapterContext) -> Self {
        let at = At {
            wall: context.clock.now(),
            steady: context.clock.steady().0,
        };
        let name = Key::slug(&context.name);
        let broker = adapter.config.broker.clone();
        Self {
            hub: Hub::new(adapter.config, &context.name, at),
            connection: Connection::new(broker, name.as_str()),
            context,
            wanted: adapter.wanted,
            remote: adapter.remote,
        }
    }

    fn at(&self) -> At {
        At {
            wall: self.context.clock.now(),
            steady: self.context.clock.steady().0,
        }
    }

    async fn run(mut self) -> Result<(), AdapterError> {
        let cancel = self.context.cancel.clone();
        let outcome = loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => break Ok(()),
                next = self.next() => next,
            };
            let at = self.at();
            match next {
                Next::Heard(heard) => self.hub.heard(heard, at),
                Next::Command(command) => self.hub.command(command, at),
                Next::Wanted(wanted) => self.hub.wanted(wanted, at),
                Next::Time => {}
            }
            self.hub.step(at);
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Ok(()),
                done = self.carry_out(at) => match done {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                },
            }
        };
        self.close().await;
        outcome
    }

    async fn next(&mut self) -> Next {
        let idle = self.hub.idle(self.at()).clamp(5, TICK);
        let idle = Duration::from_millis(idle.unsigned_abs());
        tokio::select! {
            heard = self.connection.next() => Next::Heard(heard),
            Some(command) = self.context.commands.recv() => Next::Command(command),
            Some(wanted) = self.wanted.recv() => Next::Wanted(wanted),
            () = tokio::time::sleep(idle) => Next::Time,
        }
    }

    /// Carries out what came of it; `false` when the gateway is going down.
    async fn carry_out(&mut self, at: At) -> Result<bool, AdapterError> {
        if std::mem::take(&mut self.hub.deaf) {
            let words = "the broker acknowledges nothing any more: connecting anew";
            self.connection.renew(words);
            self.hub.lost(words, at);
        }
        if self.hub.network.effects.declare {
            self.recall_numbers().await;
            self.hub.network.effects.declare = false;
            self.declare(at).await?;
            self.hub.lay_out(&self.remote.shelves());
        }
        let effects = &mut self.hub.network.effects;
        for topic in std::mem::take(&mut effects.unsubscribe) {
            self.connection.unsubscribe(&topic);
        }
        let subscribe = std::mem::take(&mut effects.subscribe);
        if !subscribe.is_empty() && !self.connection.subscribe(&subscribe) {
            self.connection
                .renew("the MQTT client takes no subscriptions: connecting anew");
        }
        self.connection.flush(&mut self.hub.outbox);
        self.hub
            .report(&self.context.health, self.connection.connects, at);
        for batch in std::mem::take(&mut self.hub.network.effects.batches) {
            if !self.context.samples.send(batch).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks up which numbers states had before, and notes those of new ones.
    async fn recall_numbers(&mut self) {
        let memory = &self.context.memory;
        let unknown = stream::iter(self.hub.network.numbers.unknown());
        let notes = unknown.map(|key| async move {
            let note = memory.get(&key).await;
            (key, note)
        });
        let notes: Vec<_> = notes.buffer_unordered(NOTES).collect().await;
        if !notes.is_empty() {
            self.hub.network.recall_numbers(&notes);
        }
        let changed = stream::iter(self.hub.network.numbers.changed());
        let noted = changed.for_each_concurrent(NOTES, |(key, note)| async move {
            if note.as_ref().is_none_or(|note| note.len() <= NOTE_LIMIT) {
                memory.put(&key, note).await;
            }
        });
        noted.await;
    }

    /// Declares what is new: everything at once, and one by one when another adapter has a part of it.
    async fn declare(&mut self, at: At) -> Result<(), AdapterError> {
        let points = self.hub.network.undeclared();
        let declared = self.ask_registry(points.iter().map(|(_, _, p)| p)).await;
        let name = &self.context.name;
        match declared {
            Ok(slots) => self.hub.network.declared(&points, &slots, at),
            Err(RegistryError::Duplicate { .. }) => {
                for part in points.chunk_by(|a, b| a.0 == b.0) {
                    let Some((id, ..)) = part.first() else {
                        continue;
                    };
                    match self.ask_registry(part.iter().map(|(_, _, p)| p)).await {
                        Ok(slots) => self.hub.network.declared(part, &slots, at),
                        Err(error @ RegistryError::Duplicate { .. }) => {
                            self.hub.network.not_declared(*id, &error.to_string());
                        }
                        Err(error) => return Err(not_declared(name, error)),
                    }
                }
            }
            Err(error) => return Err(not_declared(name, error)),
        }
        Ok(())
    }

    async fn ask_registry(
        &self,
        points: impl Iterator<Item = &Arc<Point>>,
    ) -> Result<Vec<riser_model::Slot>, RegistryError> {
        let points: Vec<Arc<Point>> = points.cloned().collect();
        let registry: &dyn PointRegistry = &*self.context.registry;
        registry.declare(&self.context.name, points).await
    }

    async fn close(mut self) {
        let at = self.at();
        self.context.commands.close();
        while let Ok(command) = self.context.commands.try_recv() {
            let stopping = riser_adapter::WriteResult::Failed("the gateway is stopping".into());
            let _gone = command.reply.send(stopping);
        }
        self.hub.end_all("the gateway is stopping", at);
        self.connection.close().await;
    }
}

enum Next {
    Heard(crate::client::Heard),
    Command(AdapterCommand),
    Wanted(Wanted),
    Time,
}

fn not_declared(name: &str, error: RegistryError) -> AdapterError {
    AdapterError::new(ErrorClass::Retryable, "declare points", name).because(error)
}
