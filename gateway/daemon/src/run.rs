//! The daemon itself. Owns the order of starting (store, port, field, cloud, pages) and of stopping,
//! and how long stopping may take.

mod chores;
mod cloud;
mod notify;
mod time;

use crate::clock::GatewayClock;
use crate::config::Config;
use crate::secrets::{self, SecretError};
use chores::Chores;
use cloud::CloudLink;
use riser_adapter::Clock;
use riser_api::{AuthSettings, ClaimCode, Face, FaceParts, Identity, Listening, ServeError};
use riser_runtime::{AdapterSpec, Runtime, RuntimeConfig, StartError};
use riser_store::{Now, Recovery, Store, StoreConfig, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::Waiting;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

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
/// How often the clock's trust is looked up.
const LOOK: Duration = Duration::from_secs(10);

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
    /// A secret could not be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The port could not be opened.
    #[error("could not serve the local pages")]
    Serve(#[from] ServeError),
    /// The field side could not be started.
    #[error("could not start collecting")]
    Start(#[from] StartError),
    /// Somebody was cut off.
    #[error("stopped, but cut off: {}", late.join(", "))]
    Late {
        /// Who.
        late: Vec<String>,
    },
}

/// Runs the daemon until it is told to stop.
pub(crate) fn daemon(config: Config) -> Result<(), RunError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(WORKERS))
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK)
        .thread_name("riserd")
        .enable_all()
        .build()
        .map_err(system("start the executor"))?
        .block_on(Box::pin(run(config)))
}

async fn run(mut config: Config) -> Result<(), RunError> {
    let mut told = Told::listen()?;
    let clock = Arc::new(GatewayClock::open(config.gateway.clock()));
    let (hold_hours, alone) = (config.gateway.clock_hold_hours, config.adapters.is_empty());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), gateway = %config.gateway.id,
        "{}", config.summary());
    // They were for checking; the adapters bring their own.
    config.points = Vec::new();
    for problem in &config.identity_problems.0 {
        tracing::error!("the cloud cannot be reached until this is put right: {problem}");
    }
    let now_clock = Arc::clone(&clock);
    let now: Now = Arc::new(move || now_clock.now());
    let store = open_store(&config, &clock, &now)?;
    let started = Gateway::start(config, &store, &clock, &now).await;
    let gateway = match started {
        Ok(gateway) => gateway,
        Err(error) => {
            close_store(&store, Instant::now() + GRACE, &mut Vec::new()).await;
            return Err(error);
        }
    };
    notify::ready(&gateway.url);
    let watchdog = notify::watchdog(gateway.runtime.clone());
    let link = gateway.link.status.clone();
    let mut waiting = Waiting::new((&clock, &store), link, hold_hours, alone);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let signal = loop {
        tokio::select! {
            signal = told.stop() => break signal,
            _ = look.tick() => waiting.look(),
        }
    };
    tracing::info!(signal, "stopping");
    notify::stopping();
    let late = tokio::select! {
        late = gateway.stop(&store) => late,
        again = told.stop() => vec![format!("everything, by a second {again}")],
    };
    drop(watchdog);
    clock.keep();
    if late.is_empty() {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(RunError::Late { late })
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
    let waits = config.gateway.clock_hold_hours > 0 && !config.adapters.is_empty();
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

/// Everything that runs.
struct Gateway {
    runtime: Runtime,
    link: CloudLink,
    chores: Chores,
    pages: JoinHandle<()>,
    stop_pages: CancellationToken,
    url: String,
}

impl Gateway {
    async fn start(
        config: Config,
        store: &Store,
        clock: &Arc<GatewayClock>,
        now: &Now,
    ) -> Result<Self, RunError> {
        let listening = riser_api::bind(config.http.listen, config.tls.clone()).await?;
        let metrics_token = secrets::metrics_token(&config.gateway.data_dir)?;
        let claim_code = unclaimed(store, &config.gateway.data_dir).await?;
        let runtime = start_runtime(&config, store, clock).await?;
        let link = CloudLink::start(&config, store, &runtime, now);
        let chores = Chores::start(&config, (store, &runtime), clock);
        let stop_pages = CancellationToken::new();
        let parts = FaceParts {
            identity: Identity {
                id: config.gateway.id.clone(),
                tenant: config.gateway.tenant.clone(),
                name: config.gateway.name.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            runtime: runtime.clone(),
            store: store.clone(),
            clock: clock.clone(),
            link: link.status.clone(),
            backup: chores.backup.clone(),
            backup_now: Arc::clone(&chores.backup_now),
            auth: AuthSettings {
                idle: Duration::from_secs(60 * u64::from(config.http.session_idle_minutes)),
                absolute: Duration::from_secs(86_400 * u64::from(config.http.session_days)),
                ..AuthSettings::default()
            },
            claim_code,
            metrics_token: Some(metrics_token),
            counters: link.counters(),
            stop: stop_pages.clone(),
        };
        let dir = config.gateway.data_dir.clone();
        let face = Face::open(parts).await.map_err(store_error(&dir))?;
        if config.tls.is_some() {
            face.served_by_tls();
        }
        forget_code_when_claimed(&face, dir);
        let url = listening.url();
        tracing::info!(url, "serving the local pages");
        Ok(Self {
            runtime,
            link,
            chores,
            pages: serve(listening, face, &stop_pages),
            stop_pages,
            url,
        })
    }

    /// Ends everything, in the order of the flow, and names who was cut off.
    async fn stop(self, store: &Store) -> Vec<String> {
        let deadline = Instant::now() + GRACE;
        self.stop_pages.cancel();
        self.chores.stop();
        let mut late = self.runtime.shutdown(FIELD_GRACE).await.late;
        self.link
            .stop(
                deadline.min(Instant::now() + Duration::from_millis(500)),
                &mut late,
            )
            .await;
        let pages = self.pages.abort_handle();
        let soon = deadline.min(Instant::now() + Duration::from_millis(500));
        if timeout_at(soon, self.pages).await.is_err() {
            pages.abort();
            late.push("local pages".to_owned());
        }
        let least = Instant::now() + Duration::from_millis(500);
        close_store(store, deadline.max(least), &mut late).await;
        late
    }
}

async fn start_runtime(
    config: &Config,
    store: &Store,
    clock: &Arc<GatewayClock>,
) -> Result<Runtime, StartError> {
    let settings = RuntimeConfig {
        commit_interval: Duration::from_millis(u64::from(config.storage.commit_interval_ms)),
        ..RuntimeConfig::default()
    };
    let adapters = config.adapters.iter().map(|entry| {
        let (kind, table, context) = (entry.kind, entry.table.clone(), entry.context.clone());
        AdapterSpec::new(&entry.name, move || (kind.build)(&table, &context))
    });
    let (adapters, rules) = (adapters.collect(), config.rules.clone());
    Runtime::start(settings, store.clone(), adapters, rules, clock.clone()).await
}

/// The claim code, as long as nobody owns this gateway. Told once, when it is made.
async fn unclaimed(store: &Store, data_dir: &Path) -> Result<Option<ClaimCode>, RunError> {
    if !store
        .users()
        .await
        .map_err(store_error(data_dir))?
        .is_empty()
    {
        return Ok(None);
    }
    let (code, fresh) = secrets::claim_code(data_dir)?;
    if fresh {
        tracing::warn!(code = %code, "nobody owns this gateway yet; claim it on its page with this \
            code ('riserd claim-code' prints it again)");
    } else {
        tracing::warn!("nobody owns this gateway yet; 'riserd claim-code' prints its code");
    }
    Ok(Some(code))
}

fn forget_code_when_claimed(face: &Face, data_dir: PathBuf) {
    let mut claimed = face.claimed();
    tokio::spawn(async move {
        // An error means that the gateway goes down unclaimed.
        if claimed.wait_for(|claimed| *claimed).await.is_ok()
            && let Err(error) = secrets::forget_claim_code(&data_dir)
        {
            tracing::warn!(error = %crate::print::chain(&error), "the claim code is of no use any more");
        }
    });
}

fn serve(listening: Listening, face: Face, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(listening.serve(riser_api::router(face), stop.clone()))
}
