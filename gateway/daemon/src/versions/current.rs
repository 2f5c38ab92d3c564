//! Which configuration people ask about at the console: the version that runs, by the word of whoever
//! runs it; without one, what the next start runs. Owns saying which it is. Opens nothing for writing.

use super::choose::choose;
use super::socket::{self, ConsoleError};
use super::{Document, Whereabouts};
use crate::config::{Config, Problems};
use crate::print;
use riser_adapter::{Clock, SystemClock};
use riser_model::{ConfigurationState, ConfigurationVersion};
use riser_store::{ConfigurationStanding, StoreConfig};
use std::fmt;

/// A configuration, and which it is.
pub(crate) struct Current {
    pub(crate) config: Config,
    pub(crate) which: Which,
    /// What is wrong with the file, where something else stands in for it.
    pub(crate) file: Option<Problems>,
    /// Whether the file is another one than at the last start: it becomes a version at the next.
    pub(crate) file_is_new: bool,
    /// Why a gateway that listens was not heard.
    pub(crate) unheard: Option<String>,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Which {
    /// A running gateway says that it runs this one.
    Runs(Box<ConfigurationVersion>),
    /// No gateway runs; the next start takes this one, which ran before.
    Kept(u32),
    /// No gateway runs; the next start takes the file.
    File,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(version) => {
                write!(f, "configuration {}, which runs", version.version)?;
                match (version.state, version.until) {
                    (ConfigurationState::Waiting, Some(until)) => {
                        write!(f, " and waits to be confirmed until {}", print::time(until))
                    }
                    _ => Ok(()),
                }
            }
            Self::Kept(version) => write!(
                f,
                "configuration {version}, which ran last and runs at the next start"
            ),
            Self::File => f.write_str("the file, which runs at the next start"),
        }
    }
}

/// Asks the running gateway, or finds out what the next start runs.
///
/// # Errors
/// The file cannot be used, and there is nothing else.
pub(crate) fn current(place: &Whereabouts) -> Result<Current, Problems> {
    let file = place.read_file();
    let dir = match &file {
        Ok((config, _)) => config.gateway.data_dir.clone(),
        Err(_) => place.likely_data_dir(),
    };
    // One that cannot be read is set aside at the next start; the file runs then.
    let standing = riser_store::read_configurations(&StoreConfig::new(&dir)).unwrap_or_default();
    let unheard = match socket::running(&dir) {
        Ok(told) => {
            let name = format!("configuration {}", told.version.version);
            let (config, document) = place.parse(&name, &told.document)?;
            let file_is_new = file.as_ref().is_ok_and(|(_, own)| {
                own.sha256 != document.sha256 && standing.seed != Some(own.sha256)
            });
            return Ok(Current {
                config,
                which: Which::Runs(Box::new(told.version)),
                file: file.err(),
                file_is_new,
                unheard: None,
            });
        }
        Err(error) if nobody(&error) => None,
        Err(error) => Some(riser_model::chain(&error)),
    };
    next_start(place, file, (&standing, unheard))
}

/// Whether nobody listens; anything else is worth telling.
fn nobody(error: &ConsoleError) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error, ConsoleError::Away { source, .. }
        if matches!(source.kind(), NotFound | ConnectionRefused))
}

fn next_start(
    place: &Whereabouts,
    file: Result<(Config, Document), Problems>,
    (standing, unheard): (&ConfigurationStanding, Option<String>),
) -> Result<Current, Problems> {
    let problems = file.as_ref().err().cloned();
    let choice = choose(file, standing, SystemClock.now(), |body| {
        place.parse("configuration", body)
    })?;
    let taken_back = |version| choice.reverts.iter().any(|(v, _)| *v == version);
    let mut all = standing.documents.iter().map(|d| &d.version);
    let kept = all.find(|v| {
        v.sha256 == choice.document.sha256
            && v.state != ConfigurationState::Reverted
            && !taken_back(v.version)
    });
    let which = match kept.filter(|_| !choice.from_file) {
        Some(version) => Which::Kept(version.version),
        None => Which::File,
    };
    Ok(Current {
        config: choice.config,
        which,
        file: problems,
        file_is_new: false,
        unheard,
    })
}
