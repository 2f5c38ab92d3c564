//! What a runtime needs to be told: its intervals and bounds, and the adapters to run. Owns the
//! defaults and the reason for each.

use riser_adapter::{Built, ConfigError};
use riser_model::PointPath;
use riser_rules::Schedule;
use riser_store::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// Builds an adapter. Called once at start for its points, and again before every (re)start: an
/// adapter is used up by running. Opens nothing.
pub type BuildFn = Box<dyn Fn() -> Result<Built, ConfigError> + Send + Sync>;

/// One adapter instance to run.
pub struct AdapterSpec {
    /// Name of the instance, unique in the configuration.
    pub name: String,
    /// Makes it.
    pub build: BuildFn,
}

impl AdapterSpec {
    /// An adapter under a name.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        build: impl Fn() -> Result<Built, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            build: Box::new(build),
        }
    }
}

impl std::fmt::Debug for AdapterSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdapterSpec")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Intervals and bounds of a runtime.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Longest time a sample waits before it is handed to the store; what a power cut may cost,
    /// against wear of the flash.
    pub commit_interval: Duration,
    /// Samples that are handed over at once, however young.
    pub batch_samples: usize,
    /// How long an adapter may take to answer a write before it counts as failed.
    pub reply_timeout: Duration,
    /// Shortest wait before an adapter is started again.
    pub restart_first: Duration,
    /// Longest wait before an adapter is started again.
    pub restart_cap: Duration,
    /// Panics and fatal errors after which an adapter is quarantined. One that has run for ten
    /// minutes starts with a clean slate.
    pub quarantine_after: u32,
    /// How long a quarantined adapter is left alone before it gets another chance. A defect that
    /// stops a building's field bus until somebody drives there costs more than a few restarts.
    pub quarantine_retry: Duration,
    /// Values written at times of the week.
    pub schedules: Arc<[Schedule]>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(500),
            batch_samples: 4096,
            reply_timeout: Duration::from_secs(30),
            restart_first: Duration::from_millis(500),
            restart_cap: Duration::from_secs(60),
            quarantine_after: 3,
            quarantine_retry: Duration::from_secs(3600),
            schedules: Arc::default(),
        }
    }
}

/// Why the runtime could not start. Nothing is running then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An adapter could not be built from its configuration.
    #[error("could not build adapter '{name}'")]
    Build {
        /// The adapter.
        name: String,
        /// What is wrong with its configuration.
        #[source]
        source: ConfigError,
    },
    /// Two adapters have the same name.
    #[error("two adapters are named '{name}'; give one of the two another name")]
    Name {
        /// The name.
        name: String,
    },
    /// Two adapters, or two entries of one, claim the same point.
    #[error(
        "point {path} of adapter '{name}' is already declared by '{owner}'; give one of the two another key"
    )]
    Duplicate {
        /// The point.
        path: PointPath,
        /// Who came second.
        name: String,
        /// Who came first.
        owner: String,
    },
    /// The store could not say what was before, or could not record the points.
    #[error("could not {doing} at start")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: StoreError,
    },
}
