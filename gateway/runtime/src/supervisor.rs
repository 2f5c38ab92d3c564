//! Runs the adapters and keeps them running. Owns their states: what ends with an error that may
//! pass is started again after a growing wait, what is misconfigured is parked, what fails again
//! and again in a way it should not is quarantined. A panic ends that adapter only.

use crate::backoff::Backoff;
use crate::commands::Inbox;
use crate::commands::dispatcher::GOING_DOWN;
use crate::config::{AdapterSpec, RuntimeConfig};
use crate::field::Field;
use crate::past::{StoredMemory, StoredPast};
use crate::powers::Powers;
use crate::stats::{Counters, count};
use crate::views::{AdapterState, AdapterView};
use riser_adapter::{
    Adapter, AdapterContext, AdapterError, Building, Clock, ErrorClass, HealthBoard, PointRegistry,
    SampleSink,
};
use riser_model::{DeviceState, LaneState, chain};
use riser_store::Store;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Writes an adapter's inbox holds.
const INBOX: usize = 64;
/// An adapter that has run this long starts with a clean slate.
const STEADY: Duration = Duration::from_secs(600);

/// What everybody may know of an adapter.
#[derive(Debug)]
pub(crate) struct Seat {
    view: Mutex<AdapterView>,
    leaving: Mutex<Leaving>,
    powers: Mutex<Powers>,
    pub(crate) samples: SampleSink,
}

/// Why an adapter is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The gateway is going down.
    GoingDown,
    /// Another one takes its place; its commands wait.
    Replaced,
    /// It is no longer in the configuration.
    Removed,
}

impl Seat {
    pub(crate) fn new(name: &str, kind: &str, samples: SampleSink, clock: &dyn Clock) -> Self {
        Self {
            view: Mutex::new(AdapterView {
                name: name.to_owned(),
                kind: kind.to_owned(),
                state: AdapterState::Starting,
                since: clock.now(),
                restarts: 0,
                points: 0,
                last_error: None,
            }),
            leaving: Mutex::new(Leaving::GoingDown),
            powers: Mutex::default(),
            samples,
        }
    }

    /// Says why the adapter will be told to end.
    pub(crate) fn leaves(&self, why: Leaving) {
        *self.leaving.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn leaving(&self) -> Leaving {
        *self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the adapter that runs can do beyond reading and writing.
    pub(crate) fn powers(&self) -> Powers {
        let powers = self.powers.lock();
        powers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what the adapter that is about to run can do.
    pub(crate) fn empower(&self, powers: Powers) {
        *self.powers.lock().unwrap_or_else(PoisonError::into_inner) = powers;
    }

    /// Another adapter takes its place under the same name.
    pub(crate) fn replaced(&self, kind: &str) {
        self.leaves(Leaving::GoingDown);
        self.change(|view| {
            view.kind = kind.to_owned();
            view.restarts += 1;
            view.last_error = None;
        });
    }

    pub(crate) fn view(&self) -> AdapterView {
        self.change(|view| view.clone())
    }

    fn change<R>(&self, f: impl FnOnce(&mut AdapterView) -> R) -> R {
        f(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What every supervisor shares.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) registry: Arc<dyn PointRegistry>,
    pub(crate) field: Arc<Field>,
    pub(crate) health: HealthBoard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) config: RuntimeConfig,
    pub(crate) store: Store,
    /// Held by the adapter that fills in history.
    pub(crate) past_turn: Arc<tokio::sync::Mutex<()>>,
    pub(crate) building: Building,
    pub(crate) cancel: CancellationToken,
}

/// Keeps one adapter running.
pub(crate) struct Supervisor {
    spec: AdapterSpec,
    seat: Arc<Seat>,
    inbox: Arc<watch::Sender<Inbox>>,
    around: Surroundings,
    backoff: Backoff,
    /// Panics and fatal errors since it last ran steadily.
    strikes: u32,
}

/// How a run ended.
struct End {
    class: ErrorClass,
    text: String,
}

/// What to do next.
enum Next {
    Again,
    Stop,
}

impl Supervisor {
    pub(crate) fn new(
        spec: AdapterSpec,
        seat: Arc<Seat>,
        inbox: Arc<watch::Sender<Inbox>>,
        around: Surroundings,
    ) -> Self {
        let (first, cap) = (around.config.restart_first, around.config.restart_cap);
        Self {
            spec,
            seat,
            inbox,
            around,
            backoff: Backoff::new(first, cap),
            strikes: 0,
        }
    }

    /// Works until cancelled and the adapter has ended. `first` is the adapter as built at start.
    pub(crate) async fn run(mut self, first: Box<dyn Adapter>) {
        let mut adapter = first;
        loop {
            let began = Instant::now();
            let Some(end) = self.one_run(adapter).await else {
                break;
            };
            if began.elapsed() >= STEADY {
                self.strikes = 0;
                self.backoff.reset();
            }
            self.devices_unknown(&end.text);
            if matches!(self.after(end).await, Next::Stop) {
                break;
            }
            adapter = match self.rebuild().await {
                Some(built) => built,
                None => break,
            };
        }
        match self.seat.leaving() {
            Leaving::GoingDown => self.close(GOING_DOWN.to_owned()),
            Leaving::Replaced => drop(self.inbox.send_replace(Inbox::Down)),
            Leaving::Removed => self.close(format!(
                "adapter '{}' is no longer in the configuration",
                self.spec.name
            )),
        }
        self.state(AdapterState::Stopped, None);
    }

    /// One run from start to end; `None` when the gateway is going down.
    async fn one_run(&mut self, adapter: Box<dyn Adapter>) -> Option<End> {
        let (commands, inbox) = mpsc::channel(INBOX);
        let context = AdapterContext {
            name: self.spec.name.clone(),
            registry: Arc::clone(&self.around.registry),
            samples: self.seat.samples.clone(),
            commands: inbox,
            past: Arc::new(self.past()),
            memory: Arc::new(StoredMemory {
                adapter: self.spec.name.as_str().into(),
                store: self.around.store.clone(),
            }),
            building: self.around.building.clone(),
            health: self.around.health.clone(),
            clock: Arc::clone(&self.around.clock),
            cancel: self.around.cancel.child_token(),
        };
        let mut task = Running(tokio::spawn(async move { adapter.run(context).await }));
        self.inbox.send_replace(Inbox::Open(commands));
        self.state(AdapterState::Running, None);
        let result = tokio::select! {
            result = &mut task.0 => result,
            () = self.around.cancel.cancelled() => {
                // Whoever stops the runtime bounds this wait and names who was late.
                let result = (&mut task.0).await;
                self.log_last_words(result);
                return None;
            }
        };
        self.inbox.send_replace(Inbox::Down);
        Some(self.classify(result))
    }

    fn past(&self) -> StoredPast {
        StoredPast {
            adapter: self.spec.name.as_str().into(),
            store: self.around.store.clone(),
            field: Arc::clone(&self.around.field),
            clock: Arc::clone(&self.around.clock),
            counters: Arc::clone(&self.around.counters),
            turn: Arc::clone(&self.around.past_turn),
        }
    }

    fn classify(&self, result: Result<Result<(), AdapterError>, JoinError>) -> End {
        match result {
            Ok(Err(error)) => End {
                class: error.class,
                text: chain(&error),
            },
            Ok(Ok(())) => End {
                class: ErrorClass::Retryable,
                text: "it ended by itself though nobody told it to".to_owned(),
            },
            Err(error) => {
                count(&self.around.counters.adapter_panics);
                End {
                    class: ErrorClass::Fatal,
                    text: format!("it panicked: {}", panic_text(error)),
                }
            }
        }
    }

    fn log_last_words(&self, result: Result<Result<(), AdapterError>, JoinError>) {
        let adapter = &self.spec.name;
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(
                    adapter,
                    error = chain(&error),
                    "adapter ended with an error"
                );
            }
            Err(error) => {
                count(&self.around.counters.adapter_panics);
                let error = panic_text(error);
                tracing::error!(adapter, error, "adapter panicked while ending");
            }
        }
    }

    /// Waits as the class of the error says.
    async fn after(&mut self, end: End) -> Next {
        let adapter = &self.spec.name;
        tracing::warn!(adapter, error = end.text, class = ?end.class, "adapter ended");
        let wait = match end.class {
            ErrorClass::Misconfigured => {
                self.close(format!("adapter '{adapter}' is parked: {}", end.text));
                self.state(AdapterState::Parked, Some(end.text));
                self.around.cancel.cancelled().await;
                return Next::Stop;
            }
            ErrorClass::Fatal => {
                self.strikes += 1;
                if self.strikes >= self.around.config.quarantine_after {
                    self.close(format!("adapter '{adapter}' is quarantined: {}", end.text));
                    self.state(AdapterState::Quarantined, Some(end.text));
                    self.around.config.quarantine_retry
                } else {
                    self.state(AdapterState::BackingOff, Some(end.text));
                    self.backoff.next()
                }
            }
            ErrorClass::Retryable => {
                self.state(AdapterState::BackingOff, Some(end.text));
                self.backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => Next::Again,
            () = self.around.cancel.cancelled() => Next::Stop,
        }
    }

    /// Builds the adapter again; `None` when that is not possible and the gateway goes down.
    async fn rebuild(&mut self) -> Option<Box<dyn Adapter>> {
        self.state(AdapterState::Starting, None);
        let built = std::panic::catch_unwind(AssertUnwindSafe(|| (self.spec.build)()));
        let text = match built {
            Ok(Ok(built)) => {
                count(&self.around.counters.adapter_restarts);
                self.seat.change(|view| view.restarts += 1);
                self.seat.empower(Powers::of(&built));
                return Some(built.adapter);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked while being built".to_owned(),
        };
        let class = ErrorClass::Misconfigured;
        self.after(End { class, text }).await;
        None
    }

    fn close(&self, why: String) {
        self.inbox.send_replace(Inbox::Closed(why));
    }

    /// Shows a state; the last error stays until there is another one.
    fn state(&self, state: AdapterState, error: Option<String>) {
        let now = self.around.clock.now();
        self.seat.change(|view| {
            view.state = state;
            view.since = now;
            view.last_error = error.or(view.last_error.take());
        });
    }

    /// While its adapter is not running nothing is known of a device, whatever was pinned last.
    fn devices_unknown(&self, why: &str) {
        let ours: BTreeSet<_> = {
            let directory = self.around.field.directory();
            let entries = directory.iter().map(|(_, entry)| entry);
            entries
                .filter(|entry| *entry.adapter == *self.spec.name)
                .map(|entry| entry.point.path.device.clone())
                .collect()
        };
        let mut lanes = BTreeSet::new();
        let health = &self.around.health;
        let devices = health.devices().into_iter();
        for mut report in devices.filter(|report| ours.contains(&report.device)) {
            lanes.insert(report.lane.clone());
            report.state = DeviceState::Unknown;
            report.last_error = Some(format!("its adapter is not running: {why}"));
            health.device(report);
        }
        let reports = health.lanes().into_iter();
        for mut report in reports.filter(|report| lanes.contains(&report.lane)) {
            report.state = LaneState::Down;
            report.last_error = Some(format!("its adapter is not running: {why}"));
            health.lane(report);
        }
    }
}

/// An adapter's task; cut off when its supervisor is.
struct Running(JoinHandle<Result<(), AdapterError>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn panic_text(error: JoinError) -> String {
    if !error.is_panic() {
        return "it was cut off".to_owned();
    }
    let payload = error.into_panic();
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}
