//! Keeps the configuration of a running gateway. Owns the order of a change: everything is checked,
//! then recorded, then carried out; what could not be carried out, did harm, or was not confirmed in
//! time is taken back.

use super::document::Document;
use super::gate::{self, Before, Patience};
use super::secret::{redact, revealed};
use super::{SUBJECT, Whereabouts};
use crate::config::Config;
use crate::print;
use crate::run::CloudSlot;
use riser_adapter::Clock;
use riser_api::ConfigurationJob;
use riser_model::configuration::{CONFIRM_MAX, DOCUMENT_MAX, NOTE_MAX};
use riser_model::{
    AlarmPriority, ConfigurationAnswer, ConfigurationAsk, ConfigurationEffects,
    ConfigurationRefusal, ConfigurationRefusalKind as Kind, ConfigurationReply, ConfigurationState,
    Timestamp,
};
use riser_rules::Present;
use riser_runtime::{AdapterSpec, Change, Runtime};
use riser_store::{ConfigurationDocument, Deed, NewConfiguration, Store, StoreError, Trace};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

/// How often a change that waits is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A version the gateway has run on for so long is proven.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

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
}

/// The desk.
pub(crate) struct Desk {
    parts: DeskParts,
    /// Since when this version runs here.
    since: Instant,
    waiting: Option<Waiting>,
}

/// A version that waits to be confirmed.
struct Waiting {
    ends: Instant,
    before: Before,
    /// Since when there is harm.
    harm: Option<Instant>,
}

type Answer = Result<ConfigurationReply, ConfigurationRefusal>;

/// Who asks, and under which name from afar.
#[derive(Clone)]
struct Asker {
    by: Trace,
    request: Option<Uuid>,
}

impl Asker {
    fn deed(&self, reason: &str) -> Deed {
        Deed {
            by: self.by.clone(),
            request: self.request,
            reason: reason.to_owned(),
        }
    }
}

fn refusal(kind: Kind, message: impl Into<String>) -> ConfigurationRefusal {
    ConfigurationRefusal {
        kind,
        message: message.into(),
    }
}

fn store_refusal(error: StoreError) -> ConfigurationRefusal {
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
        }
    }

    /// Notes what the running version waits for, after a start or a change.
    fn take_up(&mut self) {
        self.since = Instant::now();
        let running = &self.parts.running;
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
                | ConfigurationAsk::Show { .. }
                | ConfigurationAsk::Compare { .. }
        );
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
            if let Err(error) = self.parts.store.refused_configuration(None, deed).await {
                tracing::warn!(error = error.chain(), "a refusal could not be recorded");
            }
        }
        // Whoever asked may be gone.
        let _ = job.reply.send(answer);
    }

    async fn answer(&mut self, ask: ConfigurationAsk, asker: &Asker) -> Answer {
        match ask {
            ConfigurationAsk::Check { document } => self.check(&document),
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

    async fn find(
        &self,
        version: Option<u32>,
    ) -> Result<ConfigurationDocument, ConfigurationRefusal> {
        let number = version.unwrap_or(self.parts.running.version.version);
        let all = self.parts.store.configurations().await;
        let mut all = all.map_err(store_refusal)?.into_iter();
        all.find(|d| d.version.version == number).ok_or_else(|| {
            let text = format!("there is no version {number} of the configuration (any more)");
            refusal(Kind::Unknown, text)
        })
    }

    async fn compare(&self, from: Option<u32>, to: Option<u32>) -> Answer {
        let newer = self.find(to).await?;
        let older = match from {
            Some(from) => self.find(Some(from)).await?,
            None => self.before(newer.version.version).await?,
        };
        let parsed = |document: &ConfigurationDocument| {
            Document::of_text(&document.body).map_err(|e| refusal(Kind::Failed, e.to_string()))
        };
        Ok(ConfigurationReply::Compared {
            from: older.version.version,
            to: newer.version.version,
            differences: parsed(&older)?.differences(&parsed(&newer)?),
        })
    }

    /// The newest version before one that was not taken back.
    async fn before(&self, version: u32) -> Result<ConfigurationDocument, ConfigurationRefusal> {
        let all = self.parts.store.configurations().await;
        let mut all = all.map_err(store_refusal)?.into_iter();
        all.find(|d| d.version.version < version && d.version.state != ConfigurationState::Reverted)
            .ok_or_else(|| {
                let text = format!("there is no version before {version} to go back to");
                refusal(Kind::Unknown, text)
            })
    }

    /// Reads a given document and everything it means.
    fn read(&self, given: &str) -> Result<(Config, Document), ConfigurationRefusal> {
        let invalid = |text: String| refusal(Kind::Invalid, text);
        if given.len() > DOCUMENT_MAX {
            return Err(invalid(format!(
                "the document is longer than {DOCUMENT_MAX} octets"
            )));
        }
        let text = revealed(given, &self.parts.document.text).map_err(invalid)?;
        let parsed = self.parts.place.parse("document", &text);
        let (config, document) = parsed.map_err(|problems| invalid(problems.to_string()))?;
        if let Some(adapter) = document.with_files() {
            return Err(invalid(format!(
                "adapter '{adapter}': a document stands by itself; put what is in its 'file' here"
            )));
        }
        if document.identity() != self.parts.document.identity() {
            return Err(invalid(
                "gateway: 'id', 'tenant' and 'data_dir' say who this gateway is; they are changed \
                 in its file, with riserd stopped"
                    .to_owned(),
            ));
        }
        let effects = self.parts.document.effects(&document);
        let touches_link = effects.link || effects.whole.iter().any(|s| s == "cloud");
        if touches_link && !config.identity_problems.is_empty() {
            return Err(invalid(config.identity_problems.to_string()));
        }
        Ok((config, document))
    }

    fn done(&self, document: &Document, changed: bool) -> ConfigurationAnswer {
        ConfigurationAnswer {
            version: self.parts.running.version.clone(),
            changed,
            sha256: document.sha256,
            differences: self.parts.document.differences(document),
            effects: self.parts.document.effects(document),
        }
    }

    fn check(&self, given: &str) -> Answer {
        let (_, document) = self.read(given)?;
        let changed = document.sha256 != self.parts.document.sha256;
        Ok(ConfigurationReply::Done(self.done(&document, changed)))
    }

    async fn apply(
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
    async fn carry_out(&mut self, config: Config, document: Document) -> Result<(), String> {
        let effects = self.parts.document.effects(&document);
        if !effects.whole.is_empty() {
            self.parts.again.notify_one();
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
        };
        let changed = self.parts.runtime.change(change).await;
        changed.map_err(|error| print::chain(&error))?;
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
    async fn renew(&mut self) -> Result<(), ConfigurationRefusal> {
        let running = self.parts.store.configuration().await;
        if let Some(running) = running.map_err(store_refusal)? {
            self.parts.running = running;
        }
        self.take_up();
        Ok(())
    }

    async fn confirm(&mut self, version: Option<u32>, asker: &Asker) -> Answer {
        let number = self.parts.running.version.version;
        if self.waiting.is_none() || version.is_some_and(|v| v != number) {
            let text = match version {
                Some(version) => format!("version {version} does not wait to be confirmed"),
                None => "no change waits to be confirmed".to_owned(),
            };
            return Err(refusal(Kind::Conflict, text));
        }
        let confirmed = self
            .parts
            .store
            .confirm_configuration(number, asker.deed(""))
            .await;
        confirmed.map_err(store_refusal)?;
        tracing::info!(
            version = number,
            actor = asker.by.actor,
            "the configuration is confirmed"
        );
        self.waiting = None;
        self.renew().await?;
        let document = self.parts.document.clone();
        Ok(ConfigurationReply::Done(self.done(&document, true)))
    }

    async fn revert(
        &mut self,
        (version, confirm_seconds): (Option<u32>, Option<u32>),
        reason: String,
        asker: &Asker,
    ) -> Answer {
        let number = self.parts.running.version.version;
        let old = self.parts.document.clone();
        if self.waiting.is_some() {
            if version.is_some_and(|v| v != number) {
                let text = format!("version {number} waits to be confirmed; revert that one first");
                return Err(refusal(Kind::Conflict, text));
            }
            let reason = if reason.is_empty() {
                "as asked for".to_owned()
            } else {
                reason
            };
            self.back((number, reason), asker).await?;
            let document = self.parts.document.clone();
            return Ok(ConfigurationReply::Done(ConfigurationAnswer {
                differences: old.differences(&document),
                effects: old.effects(&document),
                ..self.done(&document, true)
            }));
        }
        let earlier = match version {
            Some(version) => self.find(Some(version)).await?,
            None => self.before(number).await?,
        };
        let mut note = format!("version {} again", earlier.version.version);
        if !reason.is_empty() {
            note = format!("{note}: {reason}");
        }
        self.apply(&earlier.body, (confirm_seconds, note), asker)
            .await
    }

    /// Takes the running version back: what ran before runs again.
    async fn back(
        &mut self,
        (version, why): (u32, String),
        asker: &Asker,
    ) -> Result<(), ConfigurationRefusal> {
        let earlier = self.before(version).await?;
        let parsed = self.parts.place.parse("configuration", &earlier.body);
        let (config, document) =
            parsed.map_err(|problems| refusal(Kind::Failed, problems.to_string()))?;
        let store = &self.parts.store;
        let reverted = store.revert_configuration(version, asker.deed(&why)).await;
        reverted.map_err(store_refusal)?;
        tracing::warn!(
            version,
            back_to = earlier.version.version,
            why,
            actor = asker.by.actor,
            "the configuration was taken back"
        );
        if let Err(problem) = self.carry_out(config, document).await {
            // Better to begin anew than to run a mixture.
            tracing::error!(
                problem,
                "what ran before could not be put back; starting again"
            );
            self.parts.again.notify_one();
        }
        self.renew().await
    }

    /// Looks at a version that waits, and proves one that has run long enough.
    async fn look(&mut self) {
        let number = self.parts.running.version.version;
        let Some(waiting) = &mut self.waiting else {
            if !self.parts.running.version.proven && self.since.elapsed() >= PROVEN_AFTER {
                self.parts.running.version.proven = true;
                if let Err(error) = self.parts.store.configuration_proven(number).await {
                    tracing::warn!(error = error.chain(), "a steady run could not be recorded");
                }
            }
            return;
        };
        let now = Instant::now();
        let settling = &self.parts.config.configuration;
        let patience = Patience {
            settle: Duration::from_secs(settling.settle_seconds.into()),
            link: Duration::from_secs(settling.link_seconds.into()),
        };
        let state = self.parts.link.state();
        let harm = gate::harm(&waiting.before, &self.parts.runtime, (state, patience));
        let why = match harm {
            Some(harm) => {
                let since = *waiting.harm.get_or_insert(now);
                (since.elapsed() >= harm.patience).then_some(harm.what)
            }
            None => {
                waiting.harm = None;
                None
            }
        };
        let why =
            why.or_else(|| (now >= waiting.ends).then(|| "nobody confirmed it in time".to_owned()));
        if let Some(why) = why {
            self.take_back(number, why).await;
        }
    }

    /// Takes the waiting version back by itself, and says so.
    async fn take_back(&mut self, number: u32, why: String) {
        let own = Asker {
            by: Trace::gateway(),
            request: None,
        };
        match self.back((number, why.clone()), &own).await {
            Ok(()) => tell(
                &self.parts.runtime,
                &format!("configuration {number} was taken back: {why}"),
            ),
            Err(refused) => {
                tracing::error!(
                    "the configuration could not be taken back: {}",
                    refused.message
                );
                // Tried again, but not in a whirl.
                if let Some(waiting) = &mut self.waiting {
                    waiting.ends = Instant::now() + Duration::from_secs(10);
                }
            }
        }
    }
}

/// Raises an alarm about something that is over: it waits for somebody to take note of it.
pub(crate) fn tell(runtime: &Runtime, message: &str) {
    let present = Present {
        priority: AlarmPriority::High,
        message: message.to_owned(),
    };
    runtime.condition(SUBJECT, Some(present));
    runtime.condition(SUBJECT, None);
}

/// How long is left of a window, for people.
pub(super) fn left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0))
}
