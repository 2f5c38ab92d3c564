//! Keeps the configuration of a running gateway. Owns the order of a change: everything is checked,
//! then recorded, then carried out; what could not be carried out, did harm, or was not confirmed in
//! time is taken back.

use super::document::Document;
use super::gate::{self, Before};
use super::secret::redact;
use super::socket::Running;
use super::{SUBJECT, Whereabouts};
use crate::config::Config;
use crate::run::CloudSlot;
use riser_adapter::Clock;
use riser_api::ConfigurationJob;
use riser_model::configuration::{CONFIRM_MAX, NOTE_MAX};
use riser_model::{
    ConfigurationAnswer, ConfigurationAsk, ConfigurationEffects, ConfigurationRefusal,
    ConfigurationRefusalKind as Kind, ConfigurationReply, ConfigurationState,
};
use riser_runtime::{AdapterSpec, Change, Runtime};
use riser_store::{ConfigurationDocument, Deed, NewConfiguration, Store, StoreError, Trace};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

/// How often a change that waits is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What the desk works with.
pub(crate) struct DeskParts {
    pub(crate) place: Whereabouts,
    pub(crate) config: Config,
    pub(crate) document: Document,
    pub(crate) running: ConfigurationDocument,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) link: CloudSlot,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told when everything has to be started again to take a change up.
    pub(crate) again: Arc<Notify>,
    /// What is said to run, to whoever asks at the console.
    pub(crate) told: watch::Sender<Running>,
}

impl DeskParts {
    /// The version that runs, whole.
    pub(crate) fn told(document: &ConfigurationDocument) -> Running {
        Running {
            version: document.version.clone(),
            document: document.body.clone(),
        }
    }
}

/// The desk.
pub(crate) struct Desk {
    pub(super) parts: DeskParts,
    /// Since when this version runs here.
    pub(super) since: Instant,
    pub(super) waiting: Option<Waiting>,
    /// Everything has to be started again, once whoever asked has been answered.
    pub(super) wants_again: bool,
}

/// A version that waits to be confirmed.
pub(super) struct Waiting {
    pub(super) ends: Instant,
    pub(super) before: Before,
    /// Since when there is harm.
    pub(super) harm: Option<Instant>,
}

pub(super) type Answer = Result<ConfigurationReply, ConfigurationRefusal>;

/// Who asks, and under which name from afar.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) by: Trace,
    pub(super) request: Option<Uuid>,
}

impl Asker {
    pub(super) fn deed(&self, reason: &str) -> Deed {
        Deed {
            by: self.by.clone(),
            request: self.request,
            reason: reason.to_owned(),
        }
    }
}

pub(super) fn refusal(kind: Kind, message: impl Into<String>) -> ConfigurationRefusal {
    ConfigurationRefusal {
        kind,
        message: message.into(),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
pub(super) fn store_refusal(error: StoreError) -> ConfigurationRefusal {
    refusal(
        Kind::Failed,
        format!("the store refused: {}", error.chain()),
    )
}

impl Desk {
    /// Takes its place.
    pub(crate) fn start(
        parts: DeskParts,
        jobs: mpsc::Receiver<ConfigurationJob>,
    ) -> JoinHandle<()> {
        let mut desk = Self {
            parts,
            since: Instant::now(),
            waiting: None,
            wants_again: false,
        };
        desk.take_up();
        tokio::spawn(desk.run(jobs))
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<ConfigurationJob>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => self.serve(job).await,
                    None => return,
                },
                _ = look.tick() => self.look().await,
            }
            if std::mem::take(&mut self.wants_again) {
                self.parts.again.notify_one();
            }
        }
    }

    /// Notes what the running version waits for, after a start or a change.
    fn take_up(&mut self) {
        self.since = Instant::now();
        let running = &self.parts.running;
        self.parts.told.send_replace(DeskParts::told(running));
        let until = running.version.until;
        self.waiting = until
            .filter(|_| running.version.state == ConfigurationState::Waiting)
            .map(|until| {
                // Counted from here on a clock that never steps.
                let left = until.0.saturating_sub(self.parts.clock.now().0);
                let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                Waiting {
                    ends: Instant::now() + left.min(Duration::from_secs(CONFIRM_MAX.into())),
                    before: serde_json::from_str(&running.before).unwrap_or_default(),
                    harm: None,
                }
            });
    }

    async fn serve(&mut self, job: ConfigurationJob) {
        let asker = Asker {
            by: job.by,
            request: job.request,
        };
        let changes = !matches!(
            job.ask,
            ConfigurationAsk::Check { .. }
                | ConfigurationAsk::Preview { .. }
                | ConfigurationAsk::Show { .. }
                | ConfigurationAsk::Compare { .. }
        );
        if changes && self.answered(&asker).await {
            let text = "this request was answered before; the audit log says how";
            // Whoever asked may be gone.
            let _ = job.reply.send(Err(refusal(Kind::Conflict, text)));
            return;
        }
        let answer = self.answer(job.ask, &asker).await;
        if let Err(refused) = &answer
            && changes
        {
            tracing::warn!(
                actor = asker.by.actor,
                source = asker.by.source,
                "a configuration was refused: {}",
                refused.message
            );
            let deed = asker.deed(&refused.message);
            if let Err(error) = self.parts.store.unapplied_configuration(None, deed).await {
                tracing::warn!(error = error.chain(), "a refusal could not be recorded");
            }
        }
        // Whoever asked may be gone.
        let _ = job.reply.send(answer);
    }

    async fn answer(&mut self, ask: ConfigurationAsk, asker: &Asker) -> Answer {
        match ask {
            ConfigurationAsk::Check { document } => self.check(&document),
            ConfigurationAsk::Preview { document } => self.preview(&document),
            ConfigurationAsk::Apply {
                document,
                confirm_seconds,
                note,
            } => self.apply(&document, (confirm_seconds, note), asker).await,
            ConfigurationAsk::Confirm { version } => self.confirm(version, asker).await,
            ConfigurationAsk::Revert {
                version,
                reason,
                confirm_seconds,
            } => self.revert((version, confirm_seconds), reason, asker).await,
            ConfigurationAsk::Show { version } => {
                let found = self.find(version).await?;
                Ok(ConfigurationReply::Shown {
                    document: redact(&found.body),
                    version: found.version,
                })
            }
            ConfigurationAsk::Compare { from, to } => self.compare(from, to).await,
        }
    }

    pub(super) async fn apply(
        &mut self,
        given: &str,
        (confirm_seconds, note): (Option<u32>, String),
        asker: &Asker,
    ) -> Answer {
        if note.chars().count() > NOTE_MAX {
            let text = format!("the note is longer than {NOTE_MAX} characters");
            return Err(refusal(Kind::Invalid, text));
        }
        if confirm_seconds.is_some_and(|s| !(1..=CONFIRM_MAX).contains(&s)) {
            let text = format!("the time to confirm is between 1 and {CONFIRM_MAX} s");
            return Err(refusal(Kind::Invalid, text));
        }
        let (config, document) = self.read(given)?;
        if document.sha256 == self.parts.document.sha256 {
            if asker.request.is_some() {
                let version = (self.parts.running.version.version, document.sha256);
                let deed = asker.deed("");
                let told = self
                    .parts
                    .store
                    .unapplied_configuration(Some(version), deed)
                    .await;
                told.map_err(store_refusal)?;
            }
            return Ok(ConfigurationReply::Done(self.done(&document, false)));
        }
        if self.waiting.is_some() {
            let number = self.parts.running.version.version;
            let text =
                format!("version {number} waits to be confirmed; confirm or revert it first");
            return Err(refusal(Kind::Conflict, text));
        }
        let answer = self.done(&document, true);
        let until = confirm_seconds.map(|seconds| {
            let wait = Duration::from_secs(seconds.into());
            self.parts.clock.now().plus(wait)
        });
        let before = self.before_change(&answer.effects);
        let new = NewConfiguration {
            sha256: document.sha256,
            body: document.text.clone(),
            note,
            until,
            before: serde_json::to_string(&before).unwrap_or_default(),
            differences: answer.differences.clone(),
        };
        self.put(new, (config, document), asker).await?;
        let version = self.parts.running.version.clone();
        Ok(ConfigurationReply::Done(ConfigurationAnswer {
            version,
            ..answer
        }))
    }

    fn before_change(&self, effects: &ConfigurationEffects) -> Before {
        let state = self.parts.link.state();
        let mut before = gate::look(&self.parts.runtime, state);
        let whole = !effects.whole.is_empty();
        before.touch(|name| whole || effects.restarted.iter().any(|n| n == name));
        before.touches_link = whole || effects.link;
        before
    }

    /// Records a checked document, then carries it out.
    async fn put(
        &mut self,
        new: NewConfiguration,
        (config, document): (Config, Document),
        asker: &Asker,
    ) -> Result<(), ConfigurationRefusal> {
        let store = self.parts.store.clone();
        let version = store.add_configuration(new, asker.deed("")).await;
        let version = version.map_err(store_refusal)?;
        tracing::info!(version, sha256 = %document.sha256, actor = asker.by.actor,
            source = asker.by.source, "another configuration is applied");
        self.parts.runtime.condition(SUBJECT, None);
        if let Err(why) = self.carry_out(config, document).await {
            let text = format!("it could not be carried out: {why}");
            self.back(
                (version, text.clone()),
                &Asker {
                    by: Trace::gateway(),
                    request: asker.request,
                },
            )
            .await?;
            return Err(refusal(Kind::Failed, text));
        }
        self.renew().await
    }

    /// Makes what runs what a document says.
    pub(super) async fn carry_out(
        &mut self,
        config: Config,
        document: Document,
    ) -> Result<(), String> {
        let effects = self.parts.document.effects(&document);
        if !effects.whole.is_empty() {
            self.wants_again = true;
            self.parts.config = config;
            self.parts.document = document;
            return Ok(());
        }
        let starts = |name: &String| {
            let entry = config.adapters.iter().find(|entry| entry.name == *name)?;
            let (kind, table, context) = (entry.kind, entry.table.clone(), entry.context.clone());
            Some(AdapterSpec::new(name, move || {
                (kind.build)(&table, &context)
            }))
        };
        let names = effects.restarted.iter().chain(&effects.started);
        let change = Change {
            stop: effects.stopped.clone(),
            start: names.filter_map(starts).collect(),
            rules: effects.rules.then(|| config.rules.clone()),
            schedules: effects.schedules.then(|| config.schedules.clone()),
        };
        let changed = self.parts.runtime.change(change).await;
        changed.map_err(|error| riser_model::chain(&error))?;
        if effects.link
            && let Some(cloud) = &config.cloud
        {
            self.parts.link.restart(cloud).await;
        }
        self.parts.config = config;
        self.parts.document = document;
        Ok(())
    }

    /// Looks up again what runs now.
    pub(super) async fn renew(&mut self) -> Result<(), ConfigurationRefusal> {
        let running = self.parts.store.configuration().await;
        if let Some(running) = running.map_err(store_refusal)? {
            self.parts.running = running;
        }
        self.take_up();
        Ok(())
    }
}
