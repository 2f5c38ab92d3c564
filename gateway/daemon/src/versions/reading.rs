//! What the desk reads: the documents that are kept, one that is given, and who was answered before. Owns what makes a given
//! document unfit, beside what its sections say themselves; changes nothing.

use super::desk::{Answer, Asker, Desk, refusal, store_refusal};
use super::document::Document;
use super::secret::revealed;
use crate::config::Config;
use riser_model::configuration::DOCUMENT_MAX;
use riser_model::{
    ConfigurationAnswer, ConfigurationRefusal, ConfigurationRefusalKind as Kind,
    ConfigurationReply, ConfigurationState,
};
use riser_store::{AuditFilter, ConfigurationDocument};

impl Desk {
    /// Whether a request from afar was answered before: the cloud sends one again until it has heard,
    /// and what was taken back since then must not come again. One that cannot be looked up is new.
    pub(super) async fn answered(&self, asker: &Asker) -> bool {
        let Some(request) = asker.request else {
            return false;
        };
        let filter = AuditFilter {
            search: Some(request.to_string()),
            limit: 1,
            ..AuditFilter::default()
        };
        let known = self.parts.store.audit(filter).await;
        known.is_ok_and(|entries| !entries.is_empty())
    }

    pub(super) async fn find(
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

    pub(super) async fn compare(&self, from: Option<u32>, to: Option<u32>) -> Answer {
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
    pub(super) async fn before(
        &self,
        version: u32,
    ) -> Result<ConfigurationDocument, ConfigurationRefusal> {
        let all = self.parts.store.configurations().await;
        let mut all = all.map_err(store_refusal)?.into_iter();
        all.find(|d| d.version.version < version && d.version.state != ConfigurationState::Reverted)
            .ok_or_else(|| {
                let text = format!("there is no version before {version} to go back to");
                refusal(Kind::Unknown, text)
            })
    }

    /// Reads a given document and everything it means.
    pub(super) fn read(&self, given: &str) -> Result<(Config, Document), ConfigurationRefusal> {
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

    pub(super) fn done(&self, document: &Document, changed: bool) -> ConfigurationAnswer {
        ConfigurationAnswer {
            version: self.parts.running.version.clone(),
            changed,
            sha256: document.sha256,
            differences: self.parts.document.differences(document),
            effects: self.parts.document.effects(document),
        }
    }

    pub(super) fn check(&self, given: &str) -> Answer {
        let (_, document) = self.read(given)?;
        let changed = document.sha256 != self.parts.document.sha256;
        Ok(ConfigurationReply::Done(self.done(&document, changed)))
    }
}
