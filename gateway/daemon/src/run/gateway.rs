//! Everything that runs, from the port to the pages. Owns the order its parts start and stop in.

use super::chores::Chores;
use super::cloud::{CloudLink, CloudSlot};
use super::part::{self, Part};
use super::start::{forget_code_when_claimed, serve, start_runtime, unclaimed};
use super::{FIELD_GRACE, GRACE, RunError, close_store, store_error};
use crate::clock::GatewayClock;
use crate::secrets;
use crate::versions::{self, Choice, Desk, DeskParts, Whereabouts, tell};
use riser_api::{AuthSettings, ConfigurationDesk, ConfigurationJob, Face, FaceParts, Identity};
use riser_runtime::Runtime;
use riser_store::{ConfigurationDocument, Now, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a life begins with beside its configuration.
pub(super) struct Outset {
    pub(super) place: Whereabouts,
    pub(super) running: Option<ConfigurationDocument>,
    pub(super) again: Arc<Notify>,
}

/// Everything that runs.
pub(super) struct Gateway {
    pub(super) runtime: Runtime,
    pub(super) link: CloudSlot,
    /// The desk of the configuration and its socket.
    desk: Vec<Part>,
    chores: Chores,
    pages: Part,
    stop_pages: CancellationToken,
    pub(super) url: String,
}

impl Outset {
    /// Opens the desk of the configuration, where it is known which one runs.
    fn desk(
        self,
        (choice, jobs, asks): (Choice, mpsc::Receiver<ConfigurationJob>, ConfigurationDesk),
        store: &Store,
        (runtime, link, clock): (&Runtime, &CloudSlot, &Arc<GatewayClock>),
    ) -> Vec<Part> {
        let Some(running) = self.running else {
            return Vec::new();
        };
        let (told, shown) = watch::channel(DeskParts::told(&running));
        let console = versions::listen(&choice.config.gateway.data_dir, asks, shown);
        let parts = DeskParts {
            place: self.place,
            config: choice.config,
            document: choice.document,
            running,
            store: store.clone(),
            runtime: runtime.clone(),
            link: link.clone(),
            clock: clock.clone(),
            again: self.again,
            told,
        };
        let desk = Part::new("the keeping of the configuration", Desk::start(parts, jobs));
        let console = console.map(|task| Part::new("the console", task));
        console.into_iter().chain([desk]).collect()
    }
}

impl Gateway {
    pub(super) async fn start(
        choice: Choice,
        outset: Outset,
        store: &Store,
        (clock, now): (&Arc<GatewayClock>, &Now),
    ) -> Result<Self, RunError> {
        let config = &choice.config;
        let listening = riser_api::bind(config.http.listen, config.tls.clone()).await?;
        let metrics_token = secrets::metrics_token(&config.gateway.data_dir)?;
        let claim_code = unclaimed(store, &config.gateway.data_dir).await?;
        let runtime = start_runtime(config, store, clock).await?;
        for warning in &choice.warnings {
            tell(&runtime, warning);
        }
        let (asks, jobs) = ConfigurationDesk::open();
        let (link, counters) = CloudLink::start(config, (store, &runtime), &asks, now);
        let chores = Chores::start(config, (store, &runtime), clock);
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
            counters,
            configuration: asks.clone(),
            protocols: crate::assemble::kinds(),
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
        let desk = outset.desk((choice, jobs, asks), store, (&runtime, &link, clock));
        Ok(Self {
            desk,
            runtime,
            link,
            chores,
            pages: Part::new("the local pages", serve(listening, face, &stop_pages)),
            stop_pages,
            url,
        })
    }

    /// A part that has ended though nobody told it to.
    pub(super) fn broken(&self, store: &Store) -> Option<String> {
        if !store.is_writing() {
            return Some("the writing of the store".to_owned());
        }
        let own = self
            .desk
            .iter()
            .chain([&self.pages])
            .chain(self.chores.parts());
        part::broken(own)
            .or_else(|| self.link.broken())
            .map(str::to_owned)
            .or_else(|| self.runtime.broken())
    }

    /// Ends everything, in the order of the flow, and names who was cut off.
    pub(super) async fn stop(self, store: &Store) -> Vec<String> {
        let deadline = Instant::now() + GRACE;
        self.stop_pages.cancel();
        self.chores.stop();
        self.desk.iter().for_each(Part::abort);
        let mut late = self.runtime.shutdown(FIELD_GRACE).await.late;
        self.link
            .stop(
                deadline.min(Instant::now() + Duration::from_millis(500)),
                &mut late,
            )
            .await;
        let soon = deadline.min(Instant::now() + Duration::from_millis(500));
        self.pages.end(soon, &mut late).await;
        let least = Instant::now() + Duration::from_millis(500);
        close_store(store, deadline.max(least), &mut late).await;
        late
    }
}
