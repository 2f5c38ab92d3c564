//! How a change ends: kept, or taken back. Owns the way back to what ran before.

use super::desk::{Answer, Asker, Desk, refusal, store_refusal};
use riser_model::{
    ConfigurationAnswer, ConfigurationRefusal, ConfigurationRefusalKind as Kind, ConfigurationReply,
};

impl Desk {
    pub(super) async fn confirm(&mut self, version: Option<u32>, asker: &Asker) -> Answer {
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

    pub(super) async fn revert(
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
    pub(super) async fn back(
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
            self.wants_again = true;
        }
        self.renew().await
    }
}
