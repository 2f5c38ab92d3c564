//! The loop: connect, learn what there is, pass states on, carry out writes, connect again. Owns the
//! order of these and what points show while there is no connection.

mod beat;
mod commands;
mod states;

use self::beat::Beat;
use crate::book::Book;
use crate::client::Session;
use crate::client::socket::{Lost, Socket};
use crate::config::Config;
use crate::poll::{Filled, Filling, Question, with_past};
use crate::report::Report;
use crate::writes::Writes;
use futures_util::future::BoxFuture;
use riser_adapter::{Adapter, AdapterContext, AdapterError, ErrorClass, WriteResult};
use riser_model::{Reason, Slot, Value};
use serde_json::{Map, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Shortest and longest wait before it is connected to again.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How long changes of the registries are gathered.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(250);
const EVENTS: [&str; 4] = [
    "state_changed",
    "entity_registry_updated",
    "device_registry_updated",
    "area_registry_updated",
];

/// One configured Home Assistant.
pub(crate) struct HomeAssistant {
    pub(crate) config: Config,
}

impl Adapter for HomeAssistant {
    fn kind(&self) -> &'static str {
        crate::KIND.name
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let cancel = context.cancel.clone();
            let mut work = Work::new(self.config, context);
            tokio::select! {
                () = cancel.cancelled() => Ok(()),
                Err(error) = work.run() => Err(error),
            }
        })
    }
}

/// Nobody takes readings any more.
struct GoingDown;

/// Why serving ended.
enum End {
    Lost(Lost),
    Down(GoingDown),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<GoingDown> for End {
    fn from(down: GoingDown) -> Self {
        Self::Down(down)
    }
}

struct Work {
    config: Config,
    context: AdapterContext,
    book: Book,
    /// The last value of every point, for what a write is read back by.
    present: HashMap<Slot, Value>,
    report: Report,
    writes: Writes,
    /// Questions of the history on their way.
    asked: HashMap<u64, oneshot::Sender<Result<serde_json::Value, String>>>,
    filling: Option<JoinHandle<Filled>>,
    /// The points are marked as out of reach.
    marked: bool,
}

impl Work {
    fn new(config: Config, context: AdapterContext) -> Self {
        let lane = format!("homeassistant {}", config.endpoint);
        Self {
            report: Report::new(context.health.clone(), &context.name, lane),
            writes: Writes::new(config.confirm),
            config,
            context,
            book: Book::default(),
            present: HashMap::new(),
            asked: HashMap::new(),
            filling: None,
            marked: false,
        }
    }

    /// Works for ever; ends only with what a person must change.
    async fn run(&mut self) -> Result<std::convert::Infallible, AdapterError> {
        let mut wait = WAITS.0;
        loop {
            let began = Instant::now();
            let lost = match self.connection().await {
                End::Lost(lost) => lost,
                End::Down(GoingDown) => std::future::pending().await,
            };
            let why = lost.to_string();
            self.fail(&why).await;
            if let Lost::Token { .. } = lost {
                let object = self.config.endpoint.to_string();
                let error = AdapterError::new(ErrorClass::Misconfigured, "log in", object);
                return Err(error.because(lost));
            }
            if began.elapsed() > WAITS.1 {
                wait = WAITS.0;
            }
            self.pause(wait.mul_f64(rand::random_range(0.5..1.0)), &why)
                .await;
            wait = (wait * 2).min(WAITS.1);
        }
    }

    async fn connection(&mut self) -> End {
        let connected = Socket::connect(&self.config).await;
        let (socket, version) = match connected {
            Ok(connected) => connected,
            Err(lost) => return lost.into(),
        };
        tracing::info!(
            adapter = self.context.name,
            version,
            "connected to Home Assistant"
        );
        self.report.connects += 1;
        let mut session = Session::new(socket);
        match self.serve(&mut session).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn serve(&mut self, session: &mut Session) -> Result<std::convert::Infallible, End> {
        for event in EVENTS {
            let mut body = Map::new();
            body.insert("event_type".to_owned(), json!(event));
            let answer = session.call("subscribe_events", body).await?;
            if let Err(why) = answer {
                // Only administrators hear of the registries; states are everybody's.
                if event == "state_changed" {
                    return Err(Lost::Ended(format!("changes are not told: {why}")).into());
                }
            }
        }
        self.learn(session).await?;
        let (desk, mut questions) = mpsc::channel(1);
        self.fill_in(desk);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = Beat::new(self.config.ping);
        let mut learn_at: Option<Instant> = None;
        loop {
            tokio::select! {
                message = session.next() => {
                    beat.heard();
                    if self.hear(message?).await? {
                        learn_at.get_or_insert(Instant::now() + SETTLE);
                    }
                }
                Some(command) = self.context.commands.recv() => self.write(session, command).await?,
                Some(question) = questions.recv() => {
                    let id = session.ask(question.kind, question.body).await?;
                    self.asked.insert(id, question.answer);
                }
                _ = look.tick() => {
                    let present = &self.present;
                    self.writes.look(|slot| present.get(&slot).cloned());
                    self.report.requests = session.requests;
                    self.filled().await;
                    if beat.due()? {
                        session.ask("ping", Map::new()).await?;
                        self.report.show();
                    }
                    if learn_at.is_some_and(|at| at <= Instant::now()) {
                        learn_at = None;
                        self.learn(session).await?;
                    }
                }
            }
        }
    }

    fn fill_in(&mut self, desk: mpsc::Sender<Question>) {
        if self.config.backfill_days == 0 {
            return;
        }
        let filling = Filling {
            past: Arc::clone(&self.context.past),
            desk,
            days: self.config.backfill_days,
            now: self.context.clock.now(),
            points: with_past(&self.book),
        };
        if let Some(before) = self.filling.replace(tokio::spawn(filling.run())) {
            before.abort();
        }
    }

    /// Tells what came of filling in, once it is done.
    async fn filled(&mut self) {
        let Some(task) = self.filling.take_if(|task| task.is_finished()) else {
            return;
        };
        let Ok(filled) = task.await else { return };
        let Filled {
            samples,
            unread,
            problem,
        } = filled;
        let adapter = &self.context.name;
        tracing::info!(adapter, samples, unread, "filled in history");
        if let Some(problem) = problem {
            self.report
                .remark(format!("history was not filled in to the end: {problem}"));
        }
    }

    /// Everything is unknown until there is a connection again.
    async fn fail(&mut self, why: &str) {
        if let Some(filling) = self.filling.take() {
            filling.abort();
        }
        self.asked.clear();
        self.writes.fail(why);
        self.report.down(why);
        if std::mem::replace(&mut self.marked, true) {
            return;
        }
        let slots = self.book.points.iter().map(|e| e.slot).collect();
        // Whoever goes down needs no marks.
        let _ = self.mark(slots, Reason::DeviceDown).await;
    }

    /// Waits, and says to writes that come meanwhile that there is no connection.
    async fn pause(&mut self, wait: Duration, why: &str) {
        let over = sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                Some(command) = self.context.commands.recv() => {
                    let _ = command.reply.send(WriteResult::Failed(why.to_owned()));
                }
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(filling) = self.filling.take() {
            filling.abort();
        }
    }
}
