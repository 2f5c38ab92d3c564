//! A gateway in miniature around one adapter: sample sink, command inbox, health board.
//! Owns waiting: every wait is for a condition, has a deadline, and says what was there instead.

use crate::building::BuildingInMemory;
use crate::past::{Notes, PastInMemory};
use crate::registry::Registry;
use crate::start::Kept;
pub use crate::start::build;
pub use crate::waiting::{eventually, run_to_end};
use riser_adapter::{
    AdapterCommand, AdapterContext, AdapterError, Browse, BuildContext, Clock, HealthBoard, Kind,
    Operate, SampleSink, SystemClock, WriteResult,
};
use riser_model::{
    Author, AuthorKind, Command, CommandId, PointPath, Priority, Quality, ScanBatch, Slot,
    Timestamp, Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a wait may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long an adapter may take to end.
pub const GRACE: Duration = Duration::from_secs(2);

/// One reading as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// `device/point`.
    pub path: String,
    /// Value, if any.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time.
    pub at: Timestamp,
}

/// An adapter at work.
pub struct Running {
    /// Its points.
    pub registry: Arc<Registry>,
    /// What it pinned.
    pub health: HealthBoard,
    /// What it filled in late.
    pub past: PastInMemory,
    /// What it noted.
    pub notes: Notes,
    /// The gateway's other points, for adapters that show them.
    pub building: BuildingInMemory,
    /// Its operations, if it has any.
    pub operate: Option<Arc<dyn Operate>>,
    /// Its way to be browsed, if it has one.
    pub browse: Option<Arc<dyn Browse>>,
    /// Latest reading of every point.
    pub latest: BTreeMap<String, Observed>,
    /// Every reading since start, in order of arrival.
    pub log: Vec<Observed>,
    /// Scan batches as they come, for tests that look at each themselves.
    pub batches: mpsc::Receiver<ScanBatch>,
    commands: mpsc::Sender<AdapterCommand>,
    cancel: CancellationToken,
    task: Option<JoinHandle<Result<(), AdapterError>>>,
}

impl Running {
    /// Starts an adapter from a configuration that must be valid.
    #[must_use]
    pub fn start(kind: &Kind, config: &str) -> Self {
        Self::start_with(kind, config, &BuildContext::default())
    }

    /// The same with a folder for certificates or profiles.
    #[must_use]
    pub fn start_with(kind: &Kind, config: &str, context: &BuildContext) -> Self {
        Self::start_narrow(kind, config, context, 65_536)
    }

    /// The same after a run before: with the points, history and notes of that one.
    #[must_use]
    pub fn start_after(kind: &Kind, config: &str, before: &Self) -> Self {
        let kept = (
            Arc::clone(&before.registry),
            before.past.clone(),
            before.notes.clone(),
            before.building.clone(),
        );
        Self::start_on(kind, config, (&BuildContext::default(), 65_536), kept)
    }

    /// The same over a gateway that has other points.
    #[must_use]
    pub fn start_showing(kind: &Kind, config: &str, building: &BuildingInMemory) -> Self {
        let kept = (
            <_>::default(),
            <_>::default(),
            <_>::default(),
            building.clone(),
        );
        Self::start_on(kind, config, (&BuildContext::default(), 65_536), kept)
    }

    /// The same with a sink that takes only so many scan batches before it makes the adapter wait.
    #[must_use]
    pub fn start_narrow(kind: &Kind, config: &str, context: &BuildContext, sink: usize) -> Self {
        Self::start_on(kind, config, (context, sink), <_>::default())
    }

    /// The same by a clock of one's own.
    #[must_use]
    pub fn start_timed(kind: &Kind, config: &str, clock: Arc<dyn Clock>) -> Self {
        let whole = (&BuildContext::default(), 65_536);
        Self::start_by(kind, config, whole, <_>::default(), clock)
    }

    fn start_on(kind: &Kind, config: &str, whole: (&BuildContext, usize), kept: Kept) -> Self {
        Self::start_by(kind, config, whole, kept, Arc::new(SystemClock))
    }

    fn start_by(
        kind: &Kind,
        config: &str,
        (context, sink): (&BuildContext, usize),
        (registry, past, notes, building): Kept,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let table: toml::Table = match config.parse() {
            Ok(table) => table,
            Err(error) => panic!("the configuration is not TOML: {error}\n{config}"),
        };
        let built = match (kind.build)(&table, context) {
            Ok(built) => built,
            Err(error) => panic!("the configuration was refused: {error}\n{config}"),
        };
        let health = HealthBoard::default();
        let (samples, batches) = mpsc::channel(sink);
        let (commands, inbox) = mpsc::channel(256);
        let cancel = CancellationToken::new();
        let context = AdapterContext {
            name: "test".to_owned(),
            registry: registry.clone(),
            samples: SampleSink::new(samples),
            commands: inbox,
            past: Arc::new(past.clone()),
            memory: Arc::new(notes.clone()),
            building: building.building(),
            health: health.clone(),
            clock,
            cancel: cancel.clone(),
        };
        Self {
            registry,
            health,
            past,
            notes,
            building,
            operate: built.operate,
            browse: built.browse,
            latest: BTreeMap::new(),
            log: Vec::new(),
            batches,
            commands,
            cancel,
            task: Some(tokio::spawn(built.adapter.run(context))),
        }
    }

    fn absorb(&mut self, batch: ScanBatch) {
        for reading in batch.readings {
            let observed = Observed {
                path: self.registry.path(reading.slot),
                value: reading.value,
                quality: reading.quality,
                at: batch.at,
            };
            self.latest.insert(observed.path.clone(), observed.clone());
            self.log.push(observed);
        }
    }

    /// Takes in what has arrived, without waiting.
    pub fn pump(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            self.absorb(batch);
        }
    }

    /// Takes in readings for a while.
    pub async fn pump_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(Some(batch)) = tokio::time::timeout_at(until, self.batches.recv()).await {
            self.absorb(batch);
        }
    }

    /// Waits until a condition holds, looking after every batch and every 5 ms.
    ///
    /// # Panics
    /// When it does not hold in time: the message has `what`, the latest readings and the health.
    pub async fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            self.pump();
            if holds(self) {
                return;
            }
            let ended = self.task.as_ref().is_none_or(JoinHandle::is_finished);
            if ended || Instant::now() > until {
                panic!("waited for {what}, but {}", self.situation(ended));
            }
            let next = tokio::time::timeout(Duration::from_millis(5), self.batches.recv()).await;
            if let Ok(Some(batch)) = next {
                self.absorb(batch);
            }
        }
    }

    fn situation(&self, ended: bool) -> String {
        let mut text = if ended {
            "the adapter ended; ".to_owned()
        } else {
            format!("{} s passed; ", PATIENCE.as_secs())
        };
        text += &format!("{} readings came; latest:\n", self.log.len());
        for o in self.latest.values().take(20) {
            text += &format!("  {} = {:?} {:?}\n", o.path, o.value, o.quality);
        }
        for lane in self.health.lanes() {
            text += &format!("  {lane:?}\n");
        }
        for device in self.health.devices() {
            text += &format!("  {device:?}\n");
        }
        text
    }

    /// Waits until a point has this value in good quality.
    pub async fn wait_value(&mut self, path: &str, value: &Value) {
        let what = format!("{path} = {value:?}");
        self.wait_until(&what, |r| {
            r.latest
                .get(path)
                .is_some_and(|o| o.quality.is_good() && o.value.as_ref() == Some(value))
        })
        .await;
    }

    /// Waits until a point has this quality.
    pub async fn wait_quality(&mut self, path: &str, quality: Quality) {
        let what = format!("{path} to be {quality:?}");
        self.wait_until(&what, |r| {
            r.latest.get(path).is_some_and(|o| o.quality == quality)
        })
        .await;
    }

    /// The latest value of a point, whatever its quality.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<&Value> {
        self.latest.get(path).and_then(|o| o.value.as_ref())
    }

    /// How many good readings of a point have come.
    #[must_use]
    pub fn good_count(&self, path: &str) -> usize {
        let good = |o: &&Observed| o.path == path && o.quality.is_good();
        self.log.iter().filter(good).count()
    }

    /// Sends a write; the result comes through the receiver.
    pub async fn send_write(
        &self,
        path: &str,
        value: Option<Value>,
    ) -> oneshot::Receiver<WriteResult> {
        let expires_at = SystemClock.now().plus(Duration::from_secs(60));
        self.send_write_until(path, value, expires_at).await
    }

    /// Sends a write that may not be begun after `expires_at`.
    pub async fn send_write_until(
        &self,
        path: &str,
        value: Option<Value>,
        expires_at: Timestamp,
    ) -> oneshot::Receiver<WriteResult> {
        let level = Priority::MANUAL_OPERATOR;
        let levels = match &value {
            Some(_) => (Some(level), vec![]),
            None => (None, vec![level]),
        };
        self.send_levels(path, value, expires_at, levels).await
    }

    /// Sends a write as the runtime does: the winner's level, and those that are to go.
    pub async fn send_levels(
        &self,
        path: &str,
        value: Option<Value>,
        expires_at: Timestamp,
        (winner, released): (Option<Priority>, Vec<Priority>),
    ) -> oneshot::Receiver<WriteResult> {
        let (reply, result) = oneshot::channel();
        let Ok(target) = path.parse::<PointPath>() else {
            panic!("'{path}' is no point path");
        };
        let priority = winner.or(released.first().copied());
        let priority = priority.unwrap_or(Priority::MANUAL_OPERATOR);
        let command = AdapterCommand {
            slot: self.registry.slot(path).unwrap_or(Slot(u32::MAX)),
            value: value.clone(),
            winner,
            released,
            command: Command {
                id: CommandId(Uuid::new_v4()),
                path: target,
                value,
                priority,
                issued_at: SystemClock.now(),
                expires_at,
                hold_until: None,
                author: Author {
                    kind: AuthorKind::Local,
                    name: "test".to_owned(),
                },
            },
            reply,
        };
        if self.commands.send(command).await.is_err() {
            panic!("the adapter does not take commands any more");
        }
        result
    }

    /// Writes a point and waits for what came of it.
    pub async fn write(&mut self, path: &str, value: Value) -> WriteResult {
        let mut result = self.send_write(path, Some(value)).await;
        let until = Instant::now() + PATIENCE;
        loop {
            self.pump();
            match tokio::time::timeout(Duration::from_millis(5), &mut result).await {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) => panic!("the adapter dropped the write of {path} without a result"),
                Err(_) if Instant::now() > until => {
                    panic!(
                        "no result for the write of {path}: {}",
                        self.situation(false)
                    )
                }
                Err(_) => {}
            }
        }
    }

    /// Cuts the adapter off, as a kill of the process would.
    pub fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.pump();
    }

    /// True while the adapter runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.task.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Cancels the adapter and waits; returns how long it took.
    ///
    /// # Panics
    /// When it does not end within its grace, or ends with an error or a panic.
    pub async fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.cancel.cancel();
        let Some(task) = self.task.take() else {
            panic!("the adapter was stopped before");
        };
        match tokio::time::timeout(GRACE, task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => panic!("the adapter ended with an error: {error}"),
            Ok(Err(panic)) => panic!("the adapter panicked: {panic}"),
            Err(_) => panic!("the adapter did not end within {GRACE:?}"),
        }
        self.pump();
        began.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
