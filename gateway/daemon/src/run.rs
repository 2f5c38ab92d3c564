//! The daemon itself. Owns the order of starting (store, port, field, cloud, pages) and of stopping,
//! and how long stopping may take.

mod chores;
mod cloud;
mod disk;
mod gateway;
mod notify;
mod part;
mod start;
mod time;

use crate::clock::GatewayClock;
use crate::config::{Config, Problems};
use crate::secrets::SecretError;
use crate::versions::{self, Choice, Whereabouts};
pub(crate) use cloud::CloudSlot;
use gateway::{Gateway, Outset};
use riser_adapter::Clock;
use riser_api::ServeError;
use riser_runtime::StartError;
use riser_store::{ConfigurationDocument, Now, Recovery, Store, StoreConfig, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::Waiting;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Worker threads at most; more only cost memory.
const WORKERS: usize = 4;
/// Stack of a worker thread.
const STACK: usize = 1 << 20;
/// Threads for name resolution and the few other things that block.
const BLOCKING: usize = 4;
/// How long stopping may take in all.
const GRACE: Duration = Duration::from_millis(4_500);
/// What the field gets of it: writes under way are finished, buses are left in order.
const FIELD_GRACE: Duration = Duration::from_millis(2_000);
/// How often the clock's trust and the disk's room are looked up.
const LOOK: Duration = Duration::from_secs(10);
/// How often it is looked for parts that have ended.
const WATCH: Duration = Duration::from_secs(2);

/// The daemon could not start, or could not stop in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The executor or the signals could not be set up.
    #[error("could not {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store could not be opened or read.
    #[error("could not open the store in {}", dir.display())]
    Store {
        /// Its folder.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// What was to be started next cannot be used.
    #[error("the configuration cannot be used\n{0}")]
    Configuration(Problems),
    /// A secret could not be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The port could not be opened.
    #[error("could not serve the local pages")]
    Serve(#[from] ServeError),
    /// The field side could not be started.
    #[error("could not start collecting")]
    Start(#[from] StartError),
    /// A part is gone that nothing but a new start brings back.
    #[error("stopped, because a part of it had ended by a defect: {part}")]
    Broken {
        /// Which.
        part: String,
    },
    /// Somebody was cut off.
    #[error("stopped, but cut off: {}", late.join(", "))]
    Late {
        /// Who.
        late: Vec<String>,
    },
}

impl From<Problems> for RunError {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

/// Runs the daemon until it is told to stop.
pub(crate) fn daemon(choice: Choice, place: Whereabouts) -> Result<(), RunError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(WORKERS))
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK)
        .thread_name("riserd")
        .enable_all()
        .build()
        .map_err(system("start the executor"))?
        .block_on(Box::pin(run(choice, place)))
}

/// Runs until told to stop; a change only a start takes up begins everything again.
async fn run(mut choice: Choice, place: Whereabouts) -> Result<(), RunError> {
    let mut told = Told::listen()?;
    loop {
        match Box::pin(one_life(choice, &place, &mut told)).await? {
            Next::Stop => return Ok(()),
            Next::Again => {
                tracing::info!("starting again with another configuration");
                choice = versions::boot(&place)?;
            }
        }
    }
}

/// What comes after a life.
enum Next {
    Stop,
    Again,
}

async fn one_life(
    mut choice: Choice,
    place: &Whereabouts,
    told: &mut Told,
) -> Result<Next, RunError> {
    let config = &mut choice.config;
    let clock = Arc::new(GatewayClock::open(config.clock()));
    let hold_hours = config.gateway.clock_hold_hours;
    introduce(config);
    let now_clock = Arc::clone(&clock);
    let now: Now = Arc::new(move || now_clock.now());
    let store = open_store(config, &clock, &now)?;
    let running = settled(&store, &choice).await;
    let again = Arc::new(Notify::new());
    let outset = Outset {
        place: place.clone(),
        running: running.clone(),
        again: Arc::clone(&again),
    };
    let gateway = match Gateway::start(choice, outset, &store, (&clock, &now)).await {
        Ok(gateway) => gateway,
        Err(error) => return not_started(&store, running.as_ref(), error).await,
    };
    notify::ready(&gateway.url);
    let watchdog = notify::watchdog(gateway.runtime.clone());
    let link = gateway.link.status.clone();
    let waiting = Waiting::new((&clock, &store), link, hold_hours);
    let over = until_over(told, &again, (&gateway, &store), waiting).await;
    if let Over::Told(signal) = over {
        tracing::info!(signal, "stopping");
        notify::stopping();
    }
    if !matches!(over, Over::Broken(_)) {
        ended_in_order(&store).await;
    }
    let late = tokio::select! {
        late = gateway.stop(&store) => late,
        again = told.stop() => vec![format!("everything, by a second {again}")],
    };
    drop(watchdog);
    clock.keep();
    outcome(over, late)
}

/// Why a life is over.
enum Over {
    /// Somebody said so.
    Told(&'static str),
    /// Everything is to be started again, with another configuration.
    Again,
    /// A part is gone that nothing but a new start of the process brings back.
    Broken(String),
}

async fn until_over(
    told: &mut Told,
    again: &Notify,
    (gateway, store): (&Gateway, &Store),
    mut waiting: Waiting,
) -> Over {
    let (mut look, mut watch) = (interval(LOOK), interval(WATCH));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            signal = told.stop() => return Over::Told(signal),
            () = again.notified() => return Over::Again,
            _ = look.tick() => {
                waiting.look();
                disk::look(&gateway.runtime, store);
            }
            _ = watch.tick() => if let Some(part) = gateway.broken(store) {
                tracing::error!(part, "ended by a defect; everything has to be started anew");
                return Over::Broken(part);
            }
        }
    }
}

fn introduce(config: &mut Config) {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), gateway = %config.gateway.id,
        "{}", config.summary());
    // They were for checking; the adapters bring their own.
    config.points = Vec::new();
    for doubt in &config.doubts {
        tracing::warn!("{doubt}");
    }
    for problem in &config.identity_problems.0 {
        tracing::error!("the cloud cannot be reached until this is put right: {problem}");
    }
}

/// A configuration nothing could be started with gives way to the one before, if there is one.
async fn not_started(
    store: &Store,
    running: Option<&ConfigurationDocument>,
    error: RunError,
) -> Result<Next, RunError> {
    let why = format!(
        "riserd could not start with it: {}",
        riser_model::chain(&error)
    );
    let gone = match running {
        Some(running) => versions::give_up(store, running, &why).await,
        None => false,
    };
    close_store(store, Instant::now() + GRACE, &mut Vec::new()).await;
    if gone { Ok(Next::Again) } else { Err(error) }
}

fn outcome(over: Over, late: Vec<String>) -> Result<Next, RunError> {
    match over {
        Over::Broken(part) => Err(RunError::Broken { part }),
        _ if !late.is_empty() => Err(RunError::Late { late }),
        Over::Again => Ok(Next::Again),
        Over::Told(_) => {
            tracing::info!("stopped");
            Ok(Next::Stop)
        }
    }
}

/// Records which configuration runs. A disk that refuses does not keep the gateway from running it.
async fn settled(store: &Store, choice: &Choice) -> Option<ConfigurationDocument> {
    for warning in &choice.warnings {
        tracing::error!("{warning}");
    }
    match versions::settle(store, choice).await {
        Ok(running) => running,
        Err(error) => {
            tracing::error!(
                error = error.chain(),
                "the configuration could not be recorded; it cannot be changed while running"
            );
            None
        }
    }
}

/// A start that ends like this says nothing against its configuration.
async fn ended_in_order(store: &Store) {
    if let Ok(Some(running)) = store.configuration().await {
        let ended = store.configuration_started(running.version.version, false);
        if let Err(error) = ended.await {
            tracing::warn!(error = error.chain(), "the end could not be recorded");
        }
    }
}

fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    move |source| RunError::System { doing, source }
}

fn open_store(config: &Config, clock: &GatewayClock, now: &Now) -> Result<Store, RunError> {
    let dir = &config.gateway.data_dir;
    let mut settings = StoreConfig::new(dir);
    settings.retention_days = config.storage.retention_days;
    let most = config.storage.history_max_mb;
    settings.history_max_bytes = most.map(|mb| u64::from(mb) << 20);
    settings.min_free_bytes = u64::from(config.storage.min_free_mb) << 20;
    settings.queue_samples = config.storage.queue_samples as usize;
    settings.keep_unsent = config.cloud.is_some();
    let waits = config.gateway.clock_hold_hours > 0;
    settings.hold_back = clock.line().filter(|_| waits);
    let (store, recovery) = Store::open(settings, Arc::clone(now)).map_err(store_error(dir))?;
    report(&recovery);
    Ok(store)
}

fn store_error(dir: &Path) -> impl FnOnce(StoreError) -> RunError {
    let dir = dir.to_owned();
    move |source| RunError::Store { dir, source }
}

/// Says what the store found damaged and what it did about it.
fn report(recovery: &Recovery) {
    for aside in &recovery.set_aside {
        tracing::error!(file = %aside.file.display(), moved_to = %aside.moved_to.display(),
            "a damaged file was set aside: {}", aside.reason);
    }
    for file in &recovery.missing {
        tracing::error!(file, "a history file is missing");
    }
    if let Some(reason) = &recovery.new_epoch {
        tracing::warn!("a new numbering of batches was begun: {reason}");
    }
    if recovery.restored_points > 0 {
        tracing::warn!(
            points = recovery.restored_points,
            "points were put back from the history"
        );
    }
}

async fn close_store(store: &Store, deadline: Instant, late: &mut Vec<String>) {
    let left = deadline.saturating_duration_since(Instant::now());
    if let Err(error) = store.close(left).await {
        late.push(error.to_string());
    }
}

/// The signals that end the daemon.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen() -> Result<Self, RunError> {
        let on = |kind| signal(kind).map_err(system("listen to signals"));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
