//! The configuration as numbered documents. Owns which one runs (`choose`), how another takes its
//! place and when it is taken back (`desk`, `gate`), and the ways in: the console (`socket`,
//! `command`), the local pages and the cloud. `current` says which one commands at the console speak of.

mod choose;
pub(crate) mod command;
mod current;
mod desk;
mod document;
mod ending;
mod gate;
mod preview;
mod reading;
mod secret;
mod socket;
mod walk;
mod watching;

pub(crate) use choose::Choice;
pub(crate) use current::{Current, current};
pub(crate) use desk::{Desk, DeskParts};
pub(crate) use document::Document;
pub(crate) use socket::listen;
pub(crate) use watching::tell;

use crate::clock::GatewayClock;
use crate::config::{Config, Problems};
use choose::choose;
use riser_adapter::{Clock, SystemClock};
use riser_store::{
    ConfigurationDocument, Deed, NewConfiguration, Store, StoreConfig, StoreError, Trace,
};
use std::path::{Path, PathBuf};

/// Subject of the alarms about the configuration.
pub(crate) const SUBJECT: &str = "configuration";

/// Where things are, as the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Whereabouts {
    /// The configuration file.
    pub(crate) file: PathBuf,
    /// The data folder, if it is not the one in the configuration.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Whereabouts {
    /// A document as a configuration.
    pub(crate) fn parse(&self, name: &str, text: &str) -> Result<(Config, Document), Problems> {
        let whole = (name, text.to_owned());
        let config = Config::of_text(whole, &self.file, self.data_dir.clone())?;
        let document = Document::of_text(text)
            .map_err(|error| Problems::one(&self.file, error.to_string()))?;
        Ok((config, document))
    }

    fn read_file(&self) -> Result<(Config, Document), Problems> {
        let config = Config::load(&self.file, self.data_dir.clone())?;
        let document = Document::of_file(&self.file)
            .map_err(|error| Problems::one(&self.file, error.to_string()))?;
        Ok((config, document))
    }

    /// The data folder, as far as it can be told.
    pub(crate) fn data_dir_now(&self) -> PathBuf {
        let config = Config::load(&self.file, self.data_dir.clone());
        config.map_or_else(|_| self.likely_data_dir(), |c| c.gateway.data_dir)
    }

    /// The data folder of a file that cannot be used, as far as it can be told.
    fn likely_data_dir(&self) -> PathBuf {
        if let Some(dir) = &self.data_dir {
            return dir.clone();
        }
        let base = self.file.parent().unwrap_or(Path::new("."));
        let named = Document::of_file(&self.file).ok();
        let named = named.and_then(|d| d.data_dir().map(|dir| base.join(dir)));
        named.unwrap_or_else(|| "/var/lib/riser".into())
    }
}

/// Chooses what to run. Opens nothing for writing.
///
/// # Errors
/// The file cannot be used, and there is nothing else.
pub(crate) fn boot(place: &Whereabouts) -> Result<Choice, Problems> {
    let file = place.read_file();
    let (dir, now) = match &file {
        Ok((config, _)) => (
            config.gateway.data_dir.clone(),
            GatewayClock::open(config.clock()).now(),
        ),
        Err(_) => (place.likely_data_dir(), SystemClock.now()),
    };
    // A damaged store is set aside when it is opened; the file runs then.
    let standing = riser_store::read_configurations(&StoreConfig::new(&dir)).unwrap_or_default();
    choose(file, &standing, now, |body| {
        place.parse("configuration", body)
    })
}

/// Records what was chosen. Answers with the version that runs.
///
/// # Errors
/// The disk refused.
pub(crate) async fn settle(
    store: &Store,
    choice: &Choice,
) -> Result<Option<ConfigurationDocument>, StoreError> {
    for (version, why) in &choice.reverts {
        let deed = Deed::by(Trace::gateway()).because(why.clone());
        store.revert_configuration(*version, deed).await?;
    }
    if choice.from_file {
        let ran = store.configuration().await?;
        let ran = ran.and_then(|ran| Document::of_text(&ran.body).ok());
        let new = NewConfiguration {
            sha256: choice.document.sha256,
            body: choice.document.text.clone(),
            note: String::new(),
            until: None,
            before: String::new(),
            differences: ran.map_or_else(Vec::new, |ran| ran.differences(&choice.document)),
        };
        let by = Trace::new("riserd", "file");
        store.add_configuration(new, Deed::by(by)).await?;
    }
    if let Some(seed) = choice.seed {
        store.set_configuration_seed(seed).await?;
    }
    let running = store.configuration().await?;
    if let Some(running) = &running {
        store
            .configuration_started(running.version.version, true)
            .await?;
    }
    Ok(running)
}

/// Takes a version back that could not even be started. False when there is none before it.
pub(crate) async fn give_up(store: &Store, running: &ConfigurationDocument, why: &str) -> bool {
    let version = &running.version;
    let before = match store.configurations().await {
        Ok(all) => all.into_iter().any(|d| {
            let state = d.version.state;
            d.version.version < version.version
                && state != riser_model::ConfigurationState::Reverted
        }),
        Err(_) => false,
    };
    if version.proven || !before {
        return false;
    }
    tracing::error!(
        version = version.version,
        why,
        "the configuration was taken back"
    );
    let deed = Deed::by(Trace::gateway()).because(why);
    store
        .revert_configuration(version.version, deed)
        .await
        .unwrap_or(false)
}
