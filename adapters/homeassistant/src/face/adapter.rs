//! The loop of the face: tell the broker what there is, pass changes on, carry out what is asked for.
//! Owns the order of these, and the pace.

use super::commands::{Asked, Commands, about};
use super::config::Config;
use super::connection::Connection;
use super::driver::Heard;
use super::outbox::Outbox;
use super::report::Report;
use super::shown::{Shown, Telling};
use futures_util::future::BoxFuture;
use riser_adapter::{Adapter, AdapterContext, AdapterError, Building};
use riser_model::{ScanBatch, Slot};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// The points of a gateway, offered at one broker.
pub(super) struct Face {
    pub(super) config: Config,
}

impl Adapter for Face {
    fn kind(&self) -> &'static str {
        super::KIND.name
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let cancel = context.cancel.clone();
            let mut work = Work::new(self.config, &context);
            tokio::select! {
                () = cancel.cancelled() => {}
                never = work.run() => match never {},
            }
            work.connection.close().await;
            Ok(())
        })
    }
}

struct Work {
    config: Config,
    building: Building,
    connection: Connection,
    outbox: Outbox,
    shown: Shown,
    commands: Commands,
    report: Report,
    /// Points with news that were not told yet.
    news: BTreeSet<Slot>,
    looked: Instant,
    /// The broker refused something since the connection was made.
    not_allowed: Option<&'static str>,
}

impl Work {
    fn new(config: Config, context: &AdapterContext) -> Self {
        let broker = &config.broker;
        let lane = format!("homeassistant-mqtt {}:{}", broker.host, broker.port);
        Self {
            connection: Connection::new(broker.clone(), config.names.clone()),
            commands: Commands::new(Arc::clone(&context.building.writes), &config),
            report: Report::new(context.health.clone(), &context.name, lane),
            shown: Shown::new(config.names.clone()),
            building: context.building.clone(),
            outbox: Outbox::default(),
            news: BTreeSet::new(),
            looked: Instant::now(),
            not_allowed: None,
            config,
        }
    }

    /// Works for ever.
    async fn run(&mut self) -> Infallible {
        let mut scans = self.building.points.changes();
        let mut pace = self.pace();
        self.look();
        loop {
            tokio::select! {
                heard = self.connection.next() => self.hear(heard),
                scan = scans.recv() => match scan {
                    Ok(scan) => self.note(&scan),
                    Err(RecvError::Lagged(missed)) => {
                        self.report.figures.missed += missed;
                        // Everything is read anew; what was told already is not told again.
                        self.look();
                    }
                    // The gateway goes down.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                (object, outcome) = self.commands.done() => self.written(&object, outcome),
                _ = pace.tick() => self.step(),
            }
            self.report.figures.published += self.connection.flush(&mut self.outbox);
        }
    }

    fn pace(&self) -> Interval {
        let mut pace = interval(self.config.timing.interval);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }

    fn step(&mut self) {
        if self.looked.elapsed() >= self.config.timing.look {
            self.look();
            let forgotten = self.shown.forget_old(self.config.timing.forget);
            self.tell(forgotten);
            self.report.show();
        }
        for slot in std::mem::take(&mut self.news) {
            let Some(view) = self.building.points.point(slot) else {
                continue;
            };
            let telling = self.shown.changed(&view, self.config.timing.repeat);
            self.tell(telling);
        }
        self.remark();
    }

    fn note(&mut self, scan: &ScanBatch) {
        let offered = scan.readings.iter().map(|r| r.slot);
        let offered = offered.filter(|slot| self.shown.has(*slot));
        self.news.extend(offered);
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        let news = self.shown.look(self.building.points.points(), &self.config);
        self.tell(news);
    }

    fn tell(&mut self, tellings: impl IntoIterator<Item = Telling>) {
        for (topic, payload) in tellings {
            self.outbox.push(topic, payload);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Connected => self.connected(),
            Heard::Acked { refused } => {
                self.outbox.acknowledged();
                if refused {
                    self.report.figures.refused += 1;
                    self.not_allowed = Some("publish");
                }
            }
            Heard::NotSubscribed => self.not_allowed = Some("subscribe"),
            Heard::Message {
                topic,
                payload,
                retained,
            } => self.message(&topic, &payload, retained),
            Heard::Ended(trouble) => {
                self.outbox.clear();
                self.report.down(trouble.words);
            }
        }
    }

    /// The broker may know nothing, or what an earlier run told it: everything is told.
    fn connected(&mut self) {
        self.not_allowed = None;
        self.outbox.clear();
        self.report.up();
        let names = &self.config.names;
        let topics = [
            names.topic("+", "set"),
            names.topic("+", "release"),
            names.config("+", "+"),
        ];
        let status = (names.status(), "online".to_owned());
        if !self.connection.subscribe(&topics) {
            self.not_allowed = Some("subscribe");
        }
        self.tell([status]);
        let everything = self.shown.everything();
        self.tell(everything);
        self.look();
    }

    fn message(&mut self, topic: &str, payload: &[u8], retained: bool) {
        let asked = match about(&self.config.names, topic) {
            Some(Asked::Kept(component, object)) => {
                if !payload.is_empty() {
                    let telling = self.shown.kept(component, object);
                    self.tell(telling);
                }
                return;
            }
            Some(Asked::Set(object)) => (object, Some(payload)),
            Some(Asked::Release(object)) => (object, None),
            None => {
                self.report.figures.not_understood += 1;
                return;
            }
        };
        let begun = match retained {
            true => Err("a retained command is not carried out; publish it unretained".to_owned()),
            false => self.commands.begin(&self.shown, &self.config, asked),
        };
        match begun {
            Ok(()) => self.report.figures.writes += 1,
            Err(why) => {
                self.report.figures.not_understood += 1;
                self.written(asked.0, format!("refused: {why}"));
            }
        }
    }

    fn written(&mut self, object: &str, outcome: String) {
        if let Some(slot) = self.shown.written(object, outcome) {
            self.news.insert(slot);
        }
    }

    fn remark(&mut self) {
        let Config { names, broker, .. } = &self.config;
        let left_out = self.shown.left_out;
        let remark = if let Some(what) = self.not_allowed {
            let (prefix, base, node) = (&names.prefix, &names.base, &names.node);
            Some(format!(
                "the broker {} does not let this user {what}: allow {prefix}/+/{node}/# and {base}/{node}/#",
                broker.host
            ))
        } else if left_out > 0 {
            let shown = self.shown.len();
            Some(format!(
                "{left_out} points are not offered, {shown} are the most; choose with 'include' and 'exclude'"
            ))
        } else {
            None
        };
        self.report.remark(remark);
    }
}
