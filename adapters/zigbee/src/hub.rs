//! Everything between the connection and the gateway: messages, commands, operations and the passing
//! of time go in, messages and readings come out. Owns the order of things; what each means is the
//! business of the modules it calls.

mod commands;
mod news;
mod report;
mod scenes;

use crate::client::outbox::Outgoing;
use crate::client::{Outbox, Purpose};
use crate::config::Config;
use crate::mapping::read_request;
use crate::network::entity::EntityId;
use crate::network::{At, Network};
use crate::poll::Poll;
use crate::requests::{Requests, Waiting};
use crate::writes::{Begun, Ended, Writes};
use riser_adapter::WriteResult;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Where bridges under other names are looked for.
const SEARCH: [&str; 2] = ["+/bridge/state", "+/+/bridge/state"];

/// The adapter's memory and rules, without its sockets.
pub(crate) struct Hub {
    pub(crate) network: Network,
    pub(crate) outbox: Outbox,
    config: Arc<Config>,
    /// The broker, as people write it.
    place: String,
    poll: Poll,
    requests: Requests,
    writes: Writes,
    searching: bool,
    /// Something the broker keeps for the bridge was heard: settings, devices or groups.
    told: bool,
    /// The bridge was asked to tell everything anew.
    asked_anew: bool,
    /// When the bridge said that it is there; it says so before it listens.
    started: Option<i64>,
    sent: u64,
    missed: u64,
    /// Something about the lane is to be shown.
    touched: bool,
    /// The broker acknowledges nothing any more: a new connection is wanted.
    pub(crate) deaf: bool,
}

impl Hub {
    pub(crate) fn new(config: Arc<Config>, name: &str, at: At) -> Self {
        let timing = config.timing;
        Self {
            network: Network::new(Arc::clone(&config), name, at),
            outbox: Outbox::default(),
            place: format!("{}:{}", config.broker.host, config.broker.port),
            poll: Poll::new(timing.check, timing.read_pause, at.steady),
            requests: Requests::new(),
            writes: Writes::new(config.outstanding),
            searching: false,
            told: false,
            asked_anew: false,
            started: None,
            sent: 0,
            missed: 0,
            touched: true,
            deaf: false,
            config,
        }
    }

    /// What has become due.
    pub(crate) fn step(&mut self, at: At) {
        self.check(at);
        self.ask_anew(at);
        self.end_late(at);
        self.network.refresh(at);
        for (id, always) in std::mem::take(&mut self.network.effects.reads) {
            let since = if always { i64::MAX } else { at.steady };
            self.poll.read(id, since);
        }
        if self.network.bridge.is_up() {
            self.read_next(at);
            self.begin_writes(at);
        }
    }

    fn check(&mut self, at: At) {
        let up = self.network.bridge.is_up();
        let due = self.network.bridge.is_linked() && self.poll.check_due(at.steady, up);
        if due && !self.requests.checking() {
            let patience = millis(self.config.timing.answer);
            if let Ok(number) =
                self.request("health_check", json!({}), Waiting::Check, (at, patience))
            {
                tracing::trace!(number, "asked whether zigbee2mqtt is there");
            }
        }
        if self.network.bridge.is_lost() && !self.searching {
            self.searching = true;
            let search = SEARCH.map(str::to_owned);
            self.network.effects.subscribe.extend(search);
        }
    }

    /// A broker without persistence forgets the lists when it restarts, and zigbee2mqtt publishes them
    /// at its own start only: whoever connects in between would wait for ever.
    fn ask_anew(&mut self, at: At) {
        if !self.forgotten(at) || self.asked_anew {
            return;
        }
        self.asked_anew = true;
        self.touched = true;
        if self.config.may_restart_bridge {
            tracing::warn!(
                broker = self.place,
                "the broker has forgotten the bridge's lists; asking it to start anew"
            );
            let topic = format!("{}/bridge/request/restart", self.config.base);
            self.publish(topic, json!({}).to_string(), Purpose::Read);
        }
    }

    /// The bridge is there for longer than an answer takes, and nothing it has said was kept.
    fn forgotten(&self, at: At) -> bool {
        let patience = millis(self.config.timing.answer);
        let long = |since: i64| at.steady.saturating_sub(since) >= patience;
        !self.told && self.network.bridge.up_since().is_some_and(long)
    }

    fn end_late(&mut self, at: At) {
        for waiting in self.requests.late(at.steady) {
            match waiting {
                Waiting::Check => {
                    self.missed += 1;
                    self.deaf = self.outbox.unconfirmed();
                    self.network.bridge.missed(at.steady);
                    self.touched = true;
                }
                Waiting::Operation(operation) => commands::no_answer(operation, &self.place),
                Waiting::Scene(scene, operation) => scenes::late(&scene, operation),
            }
        }
        for ended in self.writes.late(at.steady) {
            self.finish(ended);
        }
        for (id, _) in self.writes.half_over(at.steady) {
            self.send_read(id);
        }
    }

    fn read_next(&mut self, at: At) {
        while let Some((id, since)) = self.poll.next_read(at.steady) {
            let entity = self.network.entities.get(&id);
            let wanted = entity.is_some_and(|e| e.readable() && e.fresh.is_none_or(|f| f <= since));
            if wanted {
                self.send_read(id);
                return;
            }
            self.poll.not_needed(at.steady);
        }
    }

    fn send_read(&mut self, id: EntityId) {
        let Some(entity) = self.network.entities.get(&id) else {
            return;
        };
        let Some(payload) = read_request(entity.read_features()) else {
            return;
        };
        let topic = self.network.topic_of(entity, "get");
        self.publish(topic, payload.to_string(), Purpose::Read);
        if let Some(entity) = self.network.entities.get_mut(&id) {
            entity.requests += 1;
        }
    }

    fn begin_writes(&mut self, at: At) {
        while let Some(begun) = self.writes.begin(at.steady, at.wall.0) {
            match begun {
                Begun::Over(ended) => self.finish(ended),
                Begun::Send {
                    topic,
                    payload,
                    number,
                } => {
                    if !self.publish(topic, payload, Purpose::Write(number)) {
                        let why = crate::client::Refusal::Other;
                        let ended = self.writes.refused(number, why, at.steady);
                        ended.into_iter().for_each(|e| self.finish(e));
                    }
                }
            }
        }
    }

    fn publish(&mut self, topic: String, payload: String, purpose: Purpose) -> bool {
        self.sent += 1;
        self.touched = true;
        self.outbox.push(Outgoing {
            topic,
            payload,
            purpose,
        })
    }

    /// Sends a request to the bridge; gives back who waits when it cannot.
    fn request(
        &mut self,
        path: &str,
        mut payload: Json,
        waiting: Waiting,
        (at, patience): (At, i64),
    ) -> Result<u64, Waiting> {
        let (number, transaction) = self.requests.add(waiting, at.steady, patience)?;
        payload["transaction"] = json!(transaction);
        let topic = format!("{}/bridge/request/{path}", self.config.base);
        if self.publish(topic, payload.to_string(), Purpose::Request(number)) {
            return Ok(number);
        }
        match self.requests.take(number) {
            Some(waiting) => Err(waiting),
            None => Ok(number),
        }
    }

    /// A write is over: told to whoever waits, and remembered where it shows later.
    fn finish(&mut self, ended: Ended) {
        if let Some(entity) = self.network.entities.get_mut(&ended.entity) {
            entity.requests += 1;
            entity.touched = true;
            match &ended.result {
                WriteResult::Applied(read) => {
                    entity.trouble = None;
                    entity.differs = None;
                    if read.is_some() {
                        let took = f64::from(u32::try_from(ended.took_ms).unwrap_or(u32::MAX));
                        let before = entity.latency_ms.unwrap_or(took);
                        entity.latency_ms = Some(before * 0.8 + took * 0.2);
                    }
                    let point = entity
                        .points
                        .iter_mut()
                        .find(|p| p.slot == Some(ended.slot));
                    if let Some(point) = point {
                        point.desired = Some(ended.value.clone());
                    }
                }
                WriteResult::NotEffective { detail, .. } => entity.trouble = Some(detail.clone()),
                WriteResult::Refused(why) | WriteResult::Failed(why) => {
                    entity.errors += 1;
                    entity.trouble = Some(why.clone());
                }
            }
        }
        let _gone = ended.reply.send(ended.result);
    }

    /// Ends everything under way, because the connection or the gateway ends.
    pub(crate) fn end_all(&mut self, why: &str, at: At) {
        for ended in self.writes.end_all(why, at.steady) {
            self.finish(ended);
        }
        for waiting in self.requests.all() {
            if let Waiting::Operation(operation) | Waiting::Scene(_, operation) = waiting {
                commands::cut_off(operation, why);
            }
        }
        self.outbox.clear();
        self.poll.forget_reads();
    }

    /// How long nothing is due, in milliseconds.
    pub(crate) fn idle(&self, at: At) -> i64 {
        self.poll.idle(at.steady).min(self.writes.idle(at.steady))
    }
}

/// Milliseconds of a duration.
fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
