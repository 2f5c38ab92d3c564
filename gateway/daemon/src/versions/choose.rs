//! Which configuration to start with. Owns the precedence (`docs/adr/` says why):
//!
//! 1. a file that is other than at the last start becomes a new version and runs;
//! 2. otherwise the newest version that was not taken back runs;
//! 3. unless its window for confirming is over, or it was started again and again and never ran
//!    steadily: then it is taken back, and the one before, or the last that was proven, runs.
//!
//! A file that cannot be used stops only a gateway that never ran.

use super::document::Document;
use crate::config::{Config, Problems};
use riser_model::{AuditHash, ConfigurationState, Timestamp};
use riser_store::{ConfigurationDocument, ConfigurationStanding};

/// Starts without a steady run after which a version is taken for broken.
pub(super) const STARTS: u32 = 5;

/// What to run, and what to record about it once the store is open.
pub(crate) struct Choice {
    pub(crate) config: Config,
    pub(crate) document: Document,
    /// What runs is new, from the file.
    pub(crate) from_file: bool,
    /// Versions to take back, each with the reason.
    pub(crate) reverts: Vec<(u32, String)>,
    /// Hash of the file.
    pub(crate) seed: Option<AuditHash>,
    /// What a person should be told.
    pub(crate) warnings: Vec<String>,
}

/// The file as it is now.
pub(super) type FromFile = Result<(Config, Document), Problems>;

/// Chooses. `parse` makes a configuration of a document that was kept.
pub(super) fn choose(
    file: FromFile,
    standing: &ConfigurationStanding,
    now: Timestamp,
    parse: impl Fn(&str) -> Result<(Config, Document), Problems>,
) -> Result<Choice, Problems> {
    let mut reverts = Vec::new();
    let mut warnings = Vec::new();
    let seed = file.as_ref().ok().map(|(_, document)| document.sha256);
    let running = candidates(standing).next();
    let fresh = |document: &Document| match running {
        None => true,
        Some(running) => {
            standing.seed != Some(document.sha256) && running.version.sha256 != document.sha256
        }
    };
    let (problems, unchanged) = match file {
        Ok((config, document)) if fresh(&document) => {
            return Ok(Choice {
                from_file: true,
                config,
                document,
                reverts,
                seed,
                warnings,
            });
        }
        Ok(unchanged) => (None, Some(unchanged)),
        Err(problems) => (Some(problems), None),
    };
    for candidate in candidates(standing) {
        let version = candidate.version.version;
        if let Some(why) = doomed(candidate, standing, now) {
            warnings.push(format!("configuration {version} was taken back: {why}"));
            reverts.push((version, why));
            continue;
        }
        match parse(&candidate.body) {
            Ok((config, document)) => {
                if let Some(problems) = &problems {
                    warnings.push(format!(
                        "the configuration file cannot be used; configuration {version} runs \
                         instead: {problems}"
                    ));
                }
                return Ok(Choice {
                    config,
                    document,
                    from_file: false,
                    reverts,
                    seed,
                    warnings,
                });
            }
            Err(problems) => {
                let why = format!("it cannot be used any more: {problems}");
                warnings.push(format!("configuration {version} was taken back: {why}"));
                reverts.push((version, why));
            }
        }
    }
    let Some((config, document)) = unchanged else {
        return Err(problems.unwrap_or_default());
    };
    Ok(Choice {
        config,
        document,
        from_file: true,
        reverts,
        seed,
        warnings,
    })
}

/// What may run, the best first: the newest that was not taken back, and those before it.
fn candidates(standing: &ConfigurationStanding) -> impl Iterator<Item = &ConfigurationDocument> {
    let documents = standing.documents.iter();
    documents.filter(|d| d.version.state != ConfigurationState::Reverted)
}

/// Why a version is not to be started.
fn doomed(
    candidate: &ConfigurationDocument,
    standing: &ConfigurationStanding,
    now: Timestamp,
) -> Option<String> {
    let ConfigurationDocument {
        version, starts, ..
    } = candidate;
    let before = || {
        let mut all = candidates(standing).map(|d| &d.version);
        all.any(|other| other.version < version.version)
    };
    if !before() {
        return None;
    }
    if version.state == ConfigurationState::Waiting {
        let until = version.until.unwrap_or(version.at);
        if now >= until {
            return Some("nobody confirmed it in time".to_owned());
        }
        if now < version.at {
            return Some("nobody can tell how long it has waited: the clock went back".to_owned());
        }
    }
    let proven =
        |d: &ConfigurationDocument| d.version.proven && d.version.version < version.version;
    if !version.proven && *starts >= STARTS && candidates(standing).any(proven) {
        return Some(format!(
            "riserd was started {starts} times with it and never ran steadily"
        ));
    }
    None
}
