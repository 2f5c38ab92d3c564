//! The gateways behind a third-party broker. Owns what is known of each (its epoch, what it was
//! told, when it was last heard) and the order of acknowledgements to the broker: after the
//! commit, in order of arrival.

use super::acks::Acks;
use super::broker::Signal;
use super::parts;
use super::pipeline::Answer;
use super::reason::Reason;
use super::sessions::Way;
use super::{Ingest, SESSION_QUEUE};
use crate::db::Origin;
use futures_util::stream::{FuturesOrdered, StreamExt};
use futures_util::{FutureExt, future::BoxFuture};
use riser_wire::part::Joiner;
use riser_wire::topic::{self, Direction};
use riser_wire::{Down, Epoch};
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

/// A gateway not heard of for this long counts as gone: three heartbeats of 30 s.
const SILENCE: Duration = Duration::from_secs(90);
/// How often that is looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// How often durable ranges that wait for company are looked at, while there are any.
const TICK: Duration = Duration::from_millis(50);

struct Peer {
    epoch: Option<Epoch>,
    acks: Acks,
    joiner: Joiner,
    heard: Instant,
    way: u64,
}

/// A message down and for whom.
type Addressed = (Arc<Origin>, Down);
type Settled = (Option<Publish>, Arc<Origin>, Answer);

pub(super) struct Peers {
    ingest: Ingest,
    known: FxHashMap<Arc<Origin>, Peer>,
    /// Those with durable ranges still to be told.
    fresh: FxHashSet<Arc<Origin>>,
    down: (mpsc::Sender<Addressed>, mpsc::Receiver<Addressed>),
}

impl Peers {
    pub(super) fn new(ingest: Ingest) -> Self {
        Self {
            ingest,
            known: FxHashMap::default(),
            fresh: FxHashSet::default(),
            down: mpsc::channel(4 * SESSION_QUEUE),
        }
    }

    /// Works on one connection; answers why it cannot go on. What was still being committed when
    /// a connection broke is not acknowledged on the next one: the broker sends it again.
    pub(super) async fn work(
        &mut self,
        client: &AsyncClient,
        inbox: &mut mpsc::Receiver<Signal>,
    ) -> String {
        let mut settling: FuturesOrdered<BoxFuture<'static, Settled>> = FuturesOrdered::new();
        let (mut sweep, mut tick) = (interval(SWEEP), interval(TICK));
        loop {
            let waiting = !self.fresh.is_empty();
            tokio::select! {
                Some((message, origin, answer)) = settling.next(), if !settling.is_empty() => {
                    if let Some(why) = self.answer(client, message, &origin, answer).await {
                        return why;
                    }
                }
                signal = inbox.recv() => match signal {
                    None => return "its reader ended".to_owned(),
                    Some(Signal::Connected) => {
                        tracing::info!("connected to the MQTT broker");
                        if let Err(error) = client.try_subscribe(topic::ALL_UP, QoS::AtLeastOnce) {
                            return format!("cannot subscribe ({error})");
                        }
                    }
                    Some(Signal::Message(message)) => {
                        if let Some(settle) = self.message(*message).await {
                            settling.push_back(settle);
                        }
                    }
                },
                Some((origin, down)) = self.down.1.recv() => self.send(client, &origin, down),
                _ = tick.tick(), if waiting => self.tell(client),
                _ = sweep.tick() => self.sweep(client).await,
            }
        }
    }

    async fn message(&mut self, message: Publish) -> Option<BoxFuture<'static, Settled>> {
        let text = String::from_utf8_lossy(&message.topic).into_owned();
        let (origin, lane) = match topic::parse(&text) {
            Ok(address) => match address.direction {
                Direction::Up(lane) => (
                    Arc::new(Origin {
                        tenant: address.tenant,
                        gateway: address.gateway,
                    }),
                    lane,
                ),
                Direction::Down(_) => return None,
            },
            Err(error) => {
                tracing::warn!(topic = text, %error, "a message on no topic of Riser was passed over");
                return None;
            }
        };
        let epoch = self.hear(&origin).await;
        let peer = self.known.get_mut(&origin)?;
        let pipeline = &self.ingest.pipeline;
        let settle = match parts::whole(&mut peer.joiner, message.payload.clone()) {
            Ok(whole) => pipeline.take(&origin, epoch, lane, whole).await,
            Err(answer) => std::future::ready(*answer).boxed(),
        };
        let acknowledged = (message.qos == QoS::AtLeastOnce).then_some(message);
        acknowledged.map(|message| {
            settle
                .map(move |answer| (Some(message), origin, answer))
                .boxed()
        })
    }

    /// Notes that a gateway was heard; answers the epoch it introduced itself with.
    async fn hear(&mut self, origin: &Arc<Origin>) -> Option<Epoch> {
        let now = Instant::now();
        if let Some(peer) = self.known.get_mut(origin) {
            peer.heard = now;
            return peer.epoch;
        }
        let way = self
            .ingest
            .enter(origin, Way::Broker(self.down.0.clone()))
            .await;
        let peer = Peer {
            epoch: None,
            acks: Acks::new(now),
            joiner: Joiner::default(),
            heard: now,
            way,
        };
        self.known.insert(Arc::clone(origin), peer);
        None
    }

    async fn answer(
        &mut self,
        client: &AsyncClient,
        message: Option<Publish>,
        origin: &Arc<Origin>,
        answer: Answer,
    ) -> Option<String> {
        if let Some(reason) = answer.refused {
            self.ingest
                .pipeline
                .figures
                .refused
                .fetch_add(1, Ordering::Relaxed);
            if reason.code == Reason::UNSPECIFIED {
                // Not acknowledged: a new connection makes the broker send it again.
                return Some(format!("{origin}: {reason}"));
            }
            // It lies with this one message, which would fail again and keep every other gateway
            // out. The broker need not keep it: what is not durable its gateway sends again.
            tracing::warn!(%origin, why = %reason, "refused");
        }
        if let Some(message) = message
            && let Err(error) = client.ack(&message).await
        {
            return Some(format!("cannot acknowledge ({error})"));
        }
        for down in answer.first {
            self.send(client, origin, down);
        }
        let now = Instant::now();
        let greeted = answer.epoch.is_some();
        if let Some(peer) = self.known.get_mut(origin) {
            peer.epoch = answer.epoch.or(peer.epoch);
            for durable in answer.durable {
                peer.acks.note(durable, answer.urgent, now);
                self.fresh.insert(Arc::clone(origin));
            }
        }
        if answer.urgent {
            self.tell(client);
        }
        if greeted {
            self.welcome(client, origin).await;
        }
        None
    }

    async fn welcome(&mut self, client: &AsyncClient, origin: &Arc<Origin>) {
        match self.ingest.downlink.waiting(origin).await {
            Ok(waiting) => {
                for down in waiting {
                    self.send(client, origin, down);
                }
            }
            Err(error) => tracing::warn!(
                %origin, %error,
                "what waits for this gateway could not be read; it is tried again at its next hello"
            ),
        }
    }

    /// Tells durable ranges whose time has come.
    fn tell(&mut self, client: &AsyncClient) {
        let now = Instant::now();
        for origin in self.fresh.drain().collect::<Vec<_>>() {
            let Some(peer) = self.known.get_mut(&origin) else {
                continue;
            };
            let told = peer.acks.take(now);
            if told.is_empty() {
                self.fresh.insert(origin);
                continue;
            }
            for durable in told {
                self.send(client, &origin, Down::Durable(durable));
            }
        }
    }

    async fn sweep(&mut self, client: &AsyncClient) {
        let now = Instant::now();
        let gone: Vec<_> = self
            .known
            .extract_if(|_, peer| now.duration_since(peer.heard) > SILENCE)
            .collect();
        for (origin, peer) in gone {
            tracing::info!(%origin, "not heard of any more");
            self.fresh.remove(&origin);
            self.ingest.leave(&origin, peer.way).await;
        }
        // What is told once a minute even when nothing is new.
        for (origin, peer) in &mut self.known {
            if peer.acks.deadline().is_some_and(|due| due <= now) {
                self.fresh.insert(Arc::clone(origin));
            }
        }
        self.tell(client);
    }

    /// Never waits: what matters is a row, or is told again.
    fn send(&self, client: &AsyncClient, origin: &Arc<Origin>, down: Down) {
        let topic = topic::down(&origin.tenant, &origin.gateway, down.topic());
        let sent = client.try_publish(topic, QoS::AtLeastOnce, false, down.encode());
        if sent.is_err() {
            self.ingest
                .pipeline
                .figures
                .down_dropped
                .fetch_add(1, Ordering::Relaxed);
        }
    }
}
