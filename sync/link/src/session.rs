//! One connection from CONNECT to its end. Owns every decision of it: what is sent when, what an
//! answer means, when to give up. It waits for events only and never on the network, so nothing
//! can hold up an alarm.

use crate::counters::count;
use crate::driver::{self, Driver, Heard};
use crate::errands::Done;
use crate::lanes::Lanes;
use crate::rollups::Rollups;
use crate::speech::{Label, Speech};
use crate::split::Parts;
use crate::uplink::Link;
use crate::vitals::Vitals;
use crate::window::{Key, Window};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use riser_model::{ScanBatch, chain};
use riser_store::{Outbox, OutboxBatch, Position};
use riser_wire::limits::MAX_FRAME;
use riser_wire::topic::UpLane;
use riser_wire::{Epoch, Heartbeat, Hello, Stream, StreamHead, Up};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often watchdogs and figures are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Watch scans put into one message at most.
const WATCH_SCANS: usize = 64;
/// Samples after which a watch message takes no further scan.
const WATCH_SAMPLES: usize = 1_024;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Why; `None` when asked to stop.
    pub(crate) reason: Option<String>,
    /// A heartbeat had come back and nobody took our place: the way to the cloud is sound, so the
    /// next attempt may come soon.
    pub(crate) proven: bool,
    /// The cloud was reached and does not want this gateway as it is.
    pub(crate) turned_away: bool,
    /// When the cloud has asked this gateway to come back.
    pub(crate) retry_after: Option<Duration>,
}

enum Step {
    Heard(Option<Heard>),
    Done(Done),
    Committed(Stream, bool),
    Watch(Option<ScanBatch>),
    Tick,
    /// The budget has room again.
    Room,
    Stop,
}

/// The state of one connection.
pub(crate) struct Session<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) outbox: Outbox,
    pub(crate) speech: Speech,
    pub(crate) window: Window,
    pub(crate) lanes: Lanes,
    pub(crate) vitals: Vitals,
    driver: Driver,
    pub(crate) work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// On their way into quarantine: not to be claimed again meanwhile.
    pub(crate) aside: HashSet<Key>,
    data: watch::Receiver<Position>,
    events: watch::Receiver<Position>,
    tick: Interval,
    epoch: Epoch,
    pub(crate) connected: bool,
    pub(crate) subscribed: bool,
    pub(crate) packet_maximum: usize,
    /// The bandwidth budget holds data back until then.
    pub(crate) held_until: Option<Instant>,
    pub(crate) rollups: Rollups,
    /// The batch that is being sent in parts.
    pub(crate) parts: Option<Parts>,
    pub(crate) turned_away: bool,
    pub(crate) retry_after: Option<Duration>,
}

/// Runs one connection to its end.
pub(crate) async fn run(link: &mut Link, stop: &CancellationToken) -> Ended {
    let tls = match link.identity.tls(&link.config).await {
        Ok(tls) => tls,
        Err(error) => {
            return Ended {
                reason: Some(chain(&error)),
                proven: false,
                turned_away: false,
                retry_after: None,
            };
        }
    };
    let (client, driver) = driver::start(&link.config, tls);
    let speech = Speech::new(client, &link.config);
    let mut session = Session::new(link, speech, driver);
    let reason = session.live(stop).await;
    Ended {
        reason,
        proven: session.vitals.proven() && !session.turned_away,
        turned_away: session.turned_away,
        retry_after: session.retry_after,
    }
}

impl<'a> Session<'a> {
    fn new(link: &'a mut Link, speech: Speech, driver: Driver) -> Self {
        let outbox = link.store.outbox();
        let (data, events) = (
            link.store.committed(Stream::Data),
            link.store.committed(Stream::Event),
        );
        let timings = link.config.timings;
        let head = outbox.head(Stream::Data);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            link,
            outbox,
            speech,
            window: Window::new(timings.resend),
            lanes: Lanes::new(head),
            vitals: Vitals::new(timings, Instant::now()),
            driver,
            work: FuturesUnordered::new(),
            aside: HashSet::new(),
            data,
            events,
            tick,
            epoch: head.epoch,
            connected: false,
            subscribed: false,
            packet_maximum: usize::MAX,
            held_until: None,
            rollups: Rollups::new(Instant::now()),
            parts: None,
            turned_away: false,
            retry_after: None,
        }
    }

    /// Goes on until something ends it; `None` when asked to stop.
    async fn live(&mut self, stop: &CancellationToken) -> Option<String> {
        loop {
            let now = Instant::now();
            if self.connected {
                self.pump(now);
                self.show(now);
            }
            let step = self.step(stop).await;
            let now = Instant::now();
            let went = match step {
                Step::Heard(Some(heard)) => self.hear(heard, now),
                Step::Heard(None) => Err("the MQTT client has ended: connecting anew".to_owned()),
                Step::Done(done) => {
                    self.done(done, now);
                    Ok(())
                }
                Step::Committed(_, false) => Err("the store is closed".to_owned()),
                Step::Committed(stream, true) => {
                    self.lanes.committed(stream, self.outbox.head(stream));
                    Ok(())
                }
                Step::Watch(scan) => {
                    self.watch(scan);
                    Ok(())
                }
                Step::Tick => self.tick(now),
                Step::Room => Ok(()),
                Step::Stop => {
                    self.goodbye().await;
                    return None;
                }
            };
            if let Err(reason) = went {
                return Some(reason);
            }
        }
    }

    async fn step(&mut self, stop: &CancellationToken) -> Step {
        let room = self.held_until.unwrap_or_else(Instant::now);
        tokio::select! {
            () = stop.cancelled() => Step::Stop,
            heard = self.driver.heard.recv() => Step::Heard(heard),
            Some(done) = self.work.next() => Step::Done(done),
            open = self.events.changed() => Step::Committed(Stream::Event, open.is_ok()),
            open = self.data.changed() => Step::Committed(Stream::Data, open.is_ok()),
            scan = self.link.watch.recv(), if self.link.watching => Step::Watch(scan),
            _ = self.tick.tick() => Step::Tick,
            () = tokio::time::sleep_until(room.into()), if self.held_until.is_some() => Step::Room,
        }
    }

    /// CONNACK: subscribes, says hello and begins to send.
    pub(crate) fn begin(&mut self, now: Instant) -> Result<(), String> {
        self.connected = true;
        self.link.reporter.connected();
        self.vitals = Vitals::new(self.link.config.timings, now);
        self.data.mark_unchanged();
        let head = self.outbox.head(Stream::Data);
        self.epoch = head.epoch;
        self.lanes = Lanes::new(head);
        let heads = Stream::ALL.map(|stream| StreamHead {
            stream,
            head: self.outbox.head(stream).seq,
        });
        let config = &self.link.config;
        let hello = Up::Hello(Hello {
            version: config.version.clone(),
            epoch: self.epoch,
            boot: config.boot,
            name: config.name.clone(),
            streams: heads.to_vec(),
            rollups: config.max_kbit_s.is_some(),
        });
        let said = self.speech.subscribe()
            && self
                .speech
                .say(UpLane::Hello, Label::Hello, hello.encode().into());
        // What was read while there was no connection is no longer of interest to a viewer.
        let mut late = 0;
        while self.link.watch.try_recv().is_ok() {
            late += 1;
        }
        count(&self.link.counters.watch_dropped, late);
        said.then_some(())
            .ok_or_else(|| "the MQTT client takes no message".to_owned())
    }

    /// Asks the outbox and hands over what the window admits.
    fn pump(&mut self, now: Instant) {
        self.feed();
        self.roll(now);
        while let Some((batch, lane)) = self.window.again(now) {
            count(&self.link.counters.resent, 1);
            if !self.publish(lane, &batch) {
                break;
            }
        }
        while let Some((lane, batch)) = self.next(now) {
            if !self.sendable(lane, &batch) {
                let most = self.packet_maximum;
                self.put_aside(
                    (batch.stream, batch.position),
                    format!("the broker takes packets of at most {most} octets"),
                );
            } else if self.publish(lane, &batch) {
                self.window.sent(batch, lane, now);
            } else {
                self.lanes.put_back(lane, batch);
                break;
            }
        }
        while let Some(claim) = self.lanes.claim(&self.window, now) {
            self.ask(claim);
        }
    }

    fn publish(&mut self, lane: UpLane, batch: &OutboxBatch) -> bool {
        let label = Label::Batch((batch.stream, batch.position));
        let size = batch.frame.len() + self.speech.overhead(lane);
        let said = if batch.frame.len() > self.room(lane) {
            self.split(lane, batch)
        } else {
            let payload = Bytes::from_owner(batch.frame.clone());
            self.speech.say(lane, label, payload)
        };
        if said {
            self.link.budget.pay(size, Instant::now());
            self.link.reporter.sent(batch.frame.len(), batch.samples);
            if batch.stream == Stream::Data {
                self.outbox.sent(batch.position);
            }
        }
        said
    }

    /// Sends watched values at once, together with what else is waiting.
    fn watch(&mut self, first: Option<ScanBatch>) {
        let Some(first) = first else {
            self.link.watching = false;
            return;
        };
        let mut samples = first.readings.len();
        let mut scans = vec![first];
        while scans.len() < WATCH_SCANS
            && samples < WATCH_SAMPLES
            && let Ok(scan) = self.link.watch.try_recv()
        {
            samples += scan.readings.len();
            scans.push(scan);
        }
        let sent = self.subscribed && self.say_watch(scans);
        let counters = &self.link.counters;
        let counter = if sent {
            &counters.watch_sent
        } else {
            &counters.watch_dropped
        };
        count(counter, samples as u64);
    }

    /// Publishes watched values; false when the client or the budget has no room or nobody would
    /// take that much.
    fn say_watch(&mut self, scans: Vec<ScanBatch>) -> bool {
        let payload = Up::Watch(scans).encode();
        let size = payload.len() + self.speech.overhead(UpLane::Watch);
        let now = Instant::now();
        let said = payload.len() <= MAX_FRAME
            && size <= self.packet_maximum
            && self.link.budget.admits(UpLane::Watch, now)
            && self.speech.say(UpLane::Watch, Label::Watch, payload.into());
        if said {
            self.link.budget.pay(size, now);
        }
        said
    }

    fn tick(&mut self, now: Instant) -> Result<(), String> {
        let occupancy = self.outbox.occupancy();
        self.link.reporter.backlog(&occupancy);
        self.link.reporter.publish();
        if !self.connected {
            return Ok(());
        }
        if self.outbox.head(Stream::Data).epoch != self.epoch {
            return Err("the store has begun a new numbering: introducing it".to_owned());
        }
        if self.window.is_empty() {
            self.vitals.progress(now);
        }
        if self.held_until.is_some() {
            count(&self.link.counters.held_seconds, 1);
        }
        if self.subscribed && self.vitals.beat_due(now) {
            self.beat(now);
        }
        self.vitals.verdict(now).map_or(Ok(()), Err)
    }

    /// Sends a heartbeat.
    pub(crate) fn beat(&mut self, now: Instant) {
        let nonce = rand::random();
        let status = self.link.reporter.current();
        let heartbeat = Heartbeat {
            nonce,
            sent_at: (self.link.config.now)(),
            backlog_batches: status.backlog_batches,
            backlog_bytes: status.backlog_bytes,
            backlog_age_ms: status.backlog_age_ms,
        };
        let payload = Up::Heartbeat(heartbeat).encode();
        if self
            .speech
            .say(UpLane::Heartbeat, Label::Heartbeat, payload.into())
        {
            self.vitals.beat(nonce, now);
        }
    }

    /// Takes over the state people see.
    fn show(&mut self, now: Instant) {
        let state = self.vitals.state(self.lanes.caught_up(&self.window), now);
        if state != self.link.reporter.current().state {
            self.link.reporter.state(state);
            self.link.reporter.publish();
        }
    }

    async fn goodbye(&mut self) {
        if !self.connected {
            return;
        }
        self.speech.goodbye();
        let over = async {
            while let Some(heard) = self.driver.heard.recv().await {
                if matches!(heard, Heard::Ended { .. }) {
                    break;
                }
            }
        };
        if tokio::time::timeout(GOODBYE, over).await.is_err() {
            tracing::debug!("the cloud did not close the connection in time");
        }
    }
}
