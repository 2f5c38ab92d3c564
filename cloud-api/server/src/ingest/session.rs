//! One connected gateway: packets in, commits under way, answers out in order of arrival. Owns
//! the loop and its timers. Back-pressure is not reading: while the commit queue is full or the
//! gateway does not take its answers, its octets stay in its own TCP buffers.

use super::Ingest;
use super::acks::Acks;
use super::mqtt::Mqtt;
use super::packet::{Connect, Packet, Publish};
use super::pipeline::{Answer, Settle};
use super::reason::Reason;
use super::sessions::Ending;
use super::socket::{Socket, Turn};
use super::{parts, rights};
use crate::db::Origin;
use futures_util::stream::{FuturesOrdered, StreamExt};
use futures_util::{FutureExt, future::BoxFuture};
use riser_wire::part::Joiner;
use riser_wire::topic::{self, DownTopic};
use riser_wire::{Down, Epoch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Octets waiting to be written from which nothing more is taken in.
const OUT_HIGH: usize = 128 * 1024;
/// A peer that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// Grace to answer what is being committed when the service ends, and to be back after it.
const GRACE: Duration = Duration::from_secs(3);
/// Refused publishes after which a session is ended: such a gateway is misconfigured.
const REFUSALS_MAX: u32 = 100;
/// Packet id of a message, and what became of it.
type Settled = (Option<u16>, Answer);

/// What a session is told from outside.
pub(super) struct Outside {
    pub(super) down: mpsc::Receiver<Box<Down>>,
    pub(super) end: oneshot::Receiver<Ending>,
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The gateway said goodbye.
    Goodbye,
    /// It went without a word, or the connection broke.
    Lost(String),
    /// It was sent away, and told why where its version can be.
    Sent(Reason),
}

pub(super) struct Session<S> {
    origin: Arc<Origin>,
    ingest: Ingest,
    socket: Socket<S>,
    mqtt: Mqtt,
    packets: VecDeque<Packet>,
    settling: FuturesOrdered<BoxFuture<'static, Settled>>,
    outside: Outside,
    acks: Acks,
    epoch: Option<Epoch>,
    lanes: Vec<DownTopic>,
    joiner: Joiner,
    silence: Option<Duration>,
    heard: Instant,
    refusals: u32,
    broken: Option<String>,
}

/// What a session starts from: the stream, its protocol state, what came with the CONNECT.
pub(super) struct Opening<S> {
    pub(super) socket: Socket<S>,
    pub(super) mqtt: Mqtt,
    pub(super) packets: VecDeque<Packet>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Accepts the CONNECT; the way down is open already.
    #[expect(
        clippy::boxed_local,
        reason = "it came boxed, and is taken out where it stays"
    )]
    pub(super) fn new(
        origin: Arc<Origin>,
        ingest: Ingest,
        opening: Box<Opening<S>>,
        connect: &Connect,
        outside: Outside,
    ) -> Box<Self> {
        let Opening {
            mut socket,
            mut mqtt,
            packets,
        } = *opening;
        let longest = ingest.limits.keep_alive_max_s;
        let wanted = connect.keep_alive_s;
        let shorter = (wanted == 0 || wanted > longest) && mqtt.is_v5();
        let keep_alive = if shorter { longest } else { wanted };
        mqtt.accept(shorter.then_some(longest), connect.lasting, socket.out());
        let now = Instant::now();
        Box::new(Self {
            origin,
            ingest,
            socket,
            mqtt,
            packets,
            settling: FuturesOrdered::new(),
            outside,
            acks: Acks::new(now),
            epoch: None,
            lanes: Vec::new(),
            joiner: Joiner::default(),
            // Version 3.1.1 without a keep-alive cannot be told to send one: TCP's own remains.
            silence: (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500)),
            heard: now,
            refusals: 0,
            broken: None,
        })
    }

    /// Runs until the session ends; answers why.
    pub(super) async fn run(mut self: Box<Self>) -> End {
        let end = loop {
            if let Some(end) = self.step().await {
                break end;
            }
        };
        if let End::Sent(reason) = &end {
            if reason.code == Reason::SHUTTING_DOWN {
                Box::pin(self.settle_rest()).await;
            }
            self.mqtt.disconnect(reason, self.socket.out());
        }
        // The peer may be gone; then there is nobody to tell.
        let _ = tokio::time::timeout(GRACE, self.socket.finish()).await;
        end
    }

    async fn step(&mut self) -> Option<End> {
        while let Some(packet) = self.packets.pop_front() {
            if let Some(end) = self.packet(packet).await {
                return Some(end);
            }
        }
        if let Some(why) = self.broken.take() {
            return Some(End::Sent(Reason::new(Reason::PROTOCOL, why)));
        }
        let deadline = self.deadline();
        let (room, reads) = (self.socket.waiting() < OUT_HIGH, self.reads());
        let Self {
            socket,
            mqtt,
            packets,
            settling,
            outside,
            broken,
            ..
        } = self;
        let turn = socket.turn(reads, |octets, out| {
            if let Err(why) = mqtt.receive(octets, out, packets) {
                *broken = Some(why);
            }
        });
        tokio::select! {
            biased;
            ending = &mut outside.end => Some(End::Sent(ending.unwrap_or(Ending::ShuttingDown(GRACE)).into())),
            Some((id, answer)) = settling.next(), if !settling.is_empty() => self.answer(id, answer).await,
            Some(down) = outside.down.recv(), if room => { self.down(*down); None }
            turn = turn => match turn {
                Ok(Turn::Read) => { self.heard = Instant::now(); None }
                Ok(Turn::Wrote) => None,
                Ok(Turn::Ended) => Some(End::Lost("closed the connection".to_owned())),
                Err(error) => Some(End::Lost(format!("connection broke ({error})"))),
            },
            () = sleep_until(deadline) => self.timer(),
        }
    }

    /// Whether more is taken in. The receive maximum alone holds no bad client back: it counts
    /// packet ids, and one id can be used for any number of messages.
    fn reads(&self) -> bool {
        let under_way = 2 * usize::from(self.ingest.limits.receive_max);
        self.socket.waiting() < OUT_HIGH && self.settling.len() < under_way
    }

    async fn packet(&mut self, packet: Packet) -> Option<End> {
        match packet {
            Packet::Publish(publish) => self.publish(publish).await,
            Packet::Subscribe { id, filters } => {
                self.subscribe(id, &filters).await;
                None
            }
            Packet::Unsubscribe { id, filters } => {
                for filter in &filters {
                    let gone = rights::subscribe(&self.origin, filter).unwrap_or_default();
                    self.lanes.retain(|lane| !gone.contains(lane));
                }
                self.mqtt.unsuback(id, filters.len(), self.socket.out());
                None
            }
            Packet::Ping => {
                self.mqtt.pong(self.socket.out());
                None
            }
            Packet::Disconnect => Some(End::Goodbye),
            Packet::Connect(_) => Some(End::Sent(Reason::new(
                Reason::PROTOCOL,
                "sent a second CONNECT",
            ))),
        }
    }

    async fn publish(&mut self, publish: Publish) -> Option<End> {
        let id = publish.id;
        match rights::publish(&self.origin, &publish) {
            Ok(lane) => {
                let pipeline = &self.ingest.pipeline;
                let settle: Settle = match parts::whole(&mut self.joiner, publish.payload) {
                    // Boxed, as what is rare below: an idle session should not carry their size.
                    Ok(whole) => {
                        Box::pin(pipeline.take(&self.origin, self.epoch, lane, whole)).await
                    }
                    Err(answer) => Box::pin(std::future::ready(*answer)),
                };
                if id.is_some() {
                    self.settling
                        .push_back(settle.map(move |answer| (id, answer)).boxed());
                }
                None
            }
            Err((reason, ends)) => {
                self.count_refusal(&reason);
                if ends || self.refusals >= REFUSALS_MAX {
                    return Some(End::Sent(reason));
                }
                // In its turn: answers keep the order of the messages.
                let answer = Answer {
                    refused: Some(reason),
                    ..Answer::default()
                };
                self.settling
                    .push_back(std::future::ready((id, answer)).boxed());
                None
            }
        }
    }

    async fn subscribe(&mut self, id: u16, filters: &[String]) {
        let mut results = Vec::with_capacity(filters.len());
        for filter in filters {
            match rights::subscribe(&self.origin, filter) {
                Ok(lanes) => {
                    self.lanes.extend(lanes);
                    results.push(Ok(()));
                }
                Err(reason) => {
                    self.count_refusal(&reason);
                    results.push(Err(reason));
                }
            }
        }
        self.lanes.sort_unstable_by_key(|lane| lane.level());
        self.lanes.dedup();
        self.mqtt.suback(id, &results, self.socket.out());
        if self.epoch.is_some() {
            Box::pin(self.welcome()).await;
        }
    }

    /// Answers a message whose fate is known.
    async fn answer(&mut self, id: Option<u16>, answer: Answer) -> Option<End> {
        if let Some(reason) = &answer.refused {
            if reason.code != Reason::NOT_AUTHORIZED {
                self.count_refusal(reason);
            }
            if !self.mqtt.is_v5() {
                return answer.refused.map(End::Sent);
            }
        }
        if let Some(id) = id {
            self.mqtt
                .puback(id, answer.refused.as_ref(), self.socket.out());
        }
        for down in answer.first {
            self.down(down);
        }
        let now = Instant::now();
        for durable in answer.durable {
            self.acks.note(durable, answer.urgent, now);
        }
        if let Some(epoch) = answer.epoch {
            self.epoch = Some(epoch);
            Box::pin(self.welcome()).await;
        }
        self.tell_durable();
        None
    }

    /// The gateway has said who it is, and listens: send what waits for it.
    async fn welcome(&mut self) {
        if !self.lanes.contains(&DownTopic::Command) {
            return;
        }
        match self.ingest.downlink.waiting(&self.origin).await {
            Ok(waiting) => {
                for down in waiting {
                    self.down(down);
                }
            }
            Err(error) => tracing::warn!(
                origin = %self.origin, %error,
                "what waits for this gateway could not be read; it is tried again at its next connect"
            ),
        }
    }

    fn down(&mut self, down: Down) {
        let lane = down.topic();
        if !self.lanes.contains(&lane) {
            // It does not listen yet; what matters is sent again once it does.
            return;
        }
        let topic = topic::down(&self.origin.tenant, &self.origin.gateway, lane);
        self.mqtt.publish(&topic, down.encode(), self.socket.out());
    }

    fn tell_durable(&mut self) {
        if !self.lanes.contains(&DownTopic::Ack) {
            return;
        }
        for durable in self.acks.take(Instant::now()) {
            self.down(Down::Durable(durable));
        }
    }

    fn deadline(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(86_400);
        let stuck = self.socket.stuck_since().map(|since| since + STUCK);
        let listens = self.lanes.contains(&DownTopic::Ack);
        let acks = if listens { self.acks.deadline() } else { None };
        [self.silent_at(), stuck, acks]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(far)
    }

    /// When silence is too long. While nothing is read here, it is not the gateway's.
    fn silent_at(&self) -> Option<Instant> {
        let silence = self.silence.filter(|_| self.reads())?;
        Some(self.heard + silence)
    }

    fn timer(&mut self) -> Option<End> {
        let now = Instant::now();
        self.tell_durable();
        let waiting = self.socket.stuck_since();
        if waiting.is_some_and(|since| now >= since + STUCK) {
            return Some(End::Lost("takes no answers".to_owned()));
        }
        let silent = self.silent_at().is_some_and(|at| now >= at);
        silent.then(|| {
            let text = "nothing came for one and a half times the keep-alive";
            End::Sent(Reason::new(Reason::KEEP_ALIVE, text))
        })
    }

    /// Answers what was still being committed, within the grace.
    async fn settle_rest(&mut self) {
        let until = Instant::now() + GRACE;
        while let Ok(Some((id, answer))) =
            tokio::time::timeout_at(until, self.settling.next()).await
        {
            if self.answer(id, answer).await.is_some() {
                return;
            }
        }
    }

    fn count_refusal(&mut self, reason: &Reason) {
        self.refusals += 1;
        let refused = &self.ingest.pipeline.figures.refused;
        refused.fetch_add(1, Ordering::Relaxed);
        // A gateway that repeats itself must not fill the log.
        if self.refusals <= 5 {
            tracing::warn!(origin = %self.origin, code = reason.code, why = %reason, "refused");
        }
    }
}
