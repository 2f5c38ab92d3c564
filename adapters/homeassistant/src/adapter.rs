//! The loop: connect, learn what there is, pass states on, carry out writes, connect again. Owns the
//! order of these and what points show while there is no connection.

use crate::book::{Book, Entry};
use crate::client::Session;
use crate::client::socket::{Lost, Socket};
use crate::codec::{Event, Message, State};
use crate::config::Config;
use crate::mapping::{self, Seen};
use crate::poll::{Filled, Filling, Question, with_past};
use crate::registry::Registry;
use crate::report::Report;
use crate::writes::Writes;
use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, ErrorClass, WriteResult,
};
use riser_model::{Quality, Reading, Reason, ScanBatch, Slot, Value};
use serde_json::{Map, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Shortest and longest wait before it is connected to again.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How long changes of the registries are gathered.
const SETTLE: Duration = Duration::from_secs(2);
/// Readings handed over at once.
const AT_ONCE: usize = 4096;
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

    /// Learns what there is, declares it, and passes every present state on.
    async fn learn(&mut self, session: &mut Session) -> Result<(), End> {
        let mut lists = Vec::new();
        let mut refused = None;
        for kind in [
            "config/area_registry/list",
            "config/device_registry/list",
            "config/entity_registry/list",
        ] {
            let list = session.call(kind, Map::new()).await?;
            lists.push(list.unwrap_or_else(|why| {
                refused = Some(format!("'{kind}' was refused: {why}"));
                serde_json::Value::Null
            }));
        }
        let states = session.call("get_states", Map::new()).await?;
        let states = states.map_err(|why| Lost::Ended(format!("no states are told: {why}")))?;
        let list = states.as_array().map(Vec::as_slice).unwrap_or_default();
        let states: Vec<State> = list.iter().filter_map(|s| State::read(s).ok()).collect();
        let registry = Registry::new(&lists[0], &lists[1], &lists[2]);
        let memory = Arc::clone(&self.context.memory);
        let mut book = Book::new(&states, &registry, &self.config.choice, &*memory).await;
        let points = book.points.iter().map(|e| Arc::clone(&e.point)).collect();
        let declared = self
            .context
            .registry
            .declare(&self.context.name, points)
            .await;
        match declared {
            Ok(slots) => book.number(&slots),
            Err(error) => return Err(Lost::Ended(format!("points were refused: {error}")).into()),
        }
        if book.left_out > 0 {
            let text = format!(
                "{} entities are beyond the bound and left out; choose with 'include'",
                book.left_out
            );
            refused = Some(text);
        }
        self.gone(&book).await?;
        self.book = book;
        let away = |s: &&State| s.state == "unavailable";
        let away: BTreeSet<String> = states
            .iter()
            .filter(away)
            .map(|s| s.entity.clone())
            .collect();
        self.report
            .devices(&self.book, away, self.context.clock.now());
        self.report.up(refused);
        self.marked = false;
        self.pass_on(&states).await?;
        Ok(())
    }

    /// Points of entities Home Assistant no longer has.
    async fn gone(&mut self, book: &Book) -> Result<(), GoingDown> {
        let there: BTreeSet<Slot> = book.points.iter().map(|e| e.slot).collect();
        let gone = self.book.points.iter().map(|e| e.slot);
        let gone: Vec<Slot> = gone.filter(|slot| !there.contains(slot)).collect();
        self.mark(gone, Reason::NotConfigured).await
    }

    async fn pass_on(&mut self, states: &[State]) -> Result<(), GoingDown> {
        let mut readings = Vec::new();
        for state in states {
            readings.extend(
                self.book
                    .of_entity(&state.entity)
                    .map(|e| reading(e, state)),
            );
        }
        self.remember(&readings);
        self.send(readings).await
    }

    /// Takes a message in; true when what there is has to be learned anew.
    async fn hear(&mut self, message: Message) -> Result<bool, End> {
        match message {
            Message::Event(Event::State { entity, state }) => self.changed(&entity, state).await,
            Message::Event(Event::Registry) => Ok(true),
            Message::Result { id, outcome } => {
                if let Some(asked) = self.asked.remove(&id) {
                    // The history may have been given up.
                    let _ = asked.send(outcome);
                } else {
                    let present = &self.present;
                    self.writes
                        .answered(id, outcome, |slot| present.get(&slot).cloned());
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn changed(&mut self, entity: &str, state: Option<State>) -> Result<bool, End> {
        if !self.book.has(entity) {
            let new = state.is_some_and(|s| !mapping::plans(&s, &[]).is_empty());
            return Ok(new && self.config.choice.takes(entity));
        }
        let Some(state) = state else {
            return Ok(true);
        };
        let now = self.context.clock.now();
        self.report
            .heard(&self.book, entity, state.state == "unavailable", now);
        let of_entity: Vec<&Entry> = self.book.of_entity(entity).collect();
        let new_option = of_entity.iter().any(|e| {
            !e.plan.options.is_empty()
                && reading(e, &state).quality == Quality::bad(Reason::OutOfRange)
        });
        let readings: Vec<Reading> = of_entity.iter().map(|e| reading(e, &state)).collect();
        self.remember(&readings);
        for reading in &readings {
            if let Some(value) = &reading.value {
                self.writes.shown(reading.slot, value);
            }
        }
        self.send(readings).await?;
        Ok(new_option)
    }

    fn remember(&mut self, readings: &[Reading]) {
        for reading in readings {
            match &reading.value {
                Some(value) => self.present.insert(reading.slot, value.clone()),
                None => self.present.remove(&reading.slot),
            };
        }
    }

    async fn send(&self, mut readings: Vec<Reading>) -> Result<(), GoingDown> {
        while !readings.is_empty() {
            let rest = readings.split_off(readings.len().min(AT_ONCE));
            let at = self.context.clock.now();
            if !self.context.samples.send(ScanBatch { at, readings }).await {
                return Err(GoingDown);
            }
            readings = rest;
        }
        Ok(())
    }

    async fn mark(&mut self, slots: Vec<Slot>, reason: Reason) -> Result<(), GoingDown> {
        let mark = |slot: Slot| Reading {
            slot,
            value: None,
            quality: Quality::bad(reason),
        };
        let readings: Vec<Reading> = slots.into_iter().map(mark).collect();
        self.remember(&readings);
        self.send(readings).await
    }

    async fn write(&mut self, session: &mut Session, command: AdapterCommand) -> Result<(), Lost> {
        let refuse = |command: AdapterCommand, why: String| {
            let _ = command.reply.send(WriteResult::Refused(why));
        };
        let Some(entry) = self.book.at(command.slot) else {
            let why = "there is no such point; the entity is gone from Home Assistant";
            refuse(command, why.to_owned());
            return Ok(());
        };
        let Some(value) = command.value.clone() else {
            let why = "Home Assistant has no levels to release; write the value it is to have";
            refuse(command, why.to_owned());
            return Ok(());
        };
        if self.writes.is_full() {
            let why = "too many writes are under way; try again when they are done";
            let _ = command.reply.send(WriteResult::Failed(why.to_owned()));
            return Ok(());
        }
        let call = match mapping::call(&entry.plan, &entry.entity, &value) {
            Ok(call) => call,
            Err(why) => {
                refuse(command, why);
                return Ok(());
            }
        };
        let body = json!({"domain": call.domain, "service": call.service,
            "service_data": call.data, "target": {"entity_id": entry.entity}});
        let body = body.as_object().cloned().unwrap_or_default();
        let id = session.ask("call_service", body).await?;
        self.writes.begun(id, (entry, value), command.reply);
        Ok(())
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

fn reading(entry: &Entry, state: &State) -> Reading {
    let Seen { value, quality } = mapping::read(&entry.plan, state);
    Reading {
        slot: entry.slot,
        value,
        quality,
    }
}

/// Whether the connection lives: something is heard between two pings.
struct Beat {
    every: Duration,
    heard: Instant,
    asked: Option<Instant>,
}

impl Beat {
    fn new(every: Duration) -> Self {
        Self {
            every,
            heard: Instant::now(),
            asked: None,
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    /// Whether to ask now.
    fn due(&mut self) -> Result<bool, Lost> {
        match self.asked {
            Some(asked) if asked.elapsed() >= self.every => {
                Err(Lost::Ended("nothing is heard any more".to_owned()))
            }
            None if self.heard.elapsed() >= self.every => {
                self.asked = Some(Instant::now());
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
