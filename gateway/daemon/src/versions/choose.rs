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
    let (reverts, warnings) = (Vec::new(), Vec::new());
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
    let mut search = Search {
        standing,
        now,
        reverts,
        warnings,
    };
    if let Some((config, document)) = search.best(problems.as_ref(), parse) {
        let Search {
            reverts, warnings, ..
        } = search;
        return Ok(Choice {
            config,
            document,
            from_file: false,
            reverts,
            seed,
            warnings,
        });
    }
    let Search {
        reverts, warnings, ..
    } = search;
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

/// The way through the versions that are kept.
struct Search<'a> {
    standing: &'a ConfigurationStanding,
    now: Timestamp,
    reverts: Vec<(u32, String)>,
    warnings: Vec<String>,
}

impl Search<'_> {
    /// The first that may run; what comes before it is to be taken back.
    fn best(
        &mut self,
        problems: Option<&Problems>,
        parse: impl Fn(&str) -> Result<(Config, Document), Problems>,
    ) -> Option<(Config, Document)> {
        for candidate in candidates(self.standing) {
            let version = candidate.version.version;
            if let Some(why) = doomed(candidate, self.standing, self.now) {
                self.warnings
                    .push(format!("configuration {version} was taken back: {why}"));
                self.reverts.push((version, why));
                continue;
            }
            match parse(&candidate.body) {
                Ok((config, document)) => {
                    if let Some(problems) = problems {
                        self.warnings.push(format!(
                            "the configuration file cannot be used; configuration {version} runs \
                             instead: {problems}"
                        ));
                    }
                    return Some((config, document));
                }
                Err(problems) => {
                    let why = format!("it cannot be used any more: {problems}");
                    self.warnings
                        .push(format!("configuration {version} was taken back: {why}"));
                    self.reverts.push((version, why));
                }
            }
        }
        None
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::ConfigurationVersion;

    fn version(number: u32, state: ConfigurationState) -> ConfigurationDocument {
        ConfigurationDocument {
            version: ConfigurationVersion {
                version: number,
                sha256: AuditHash([u8::try_from(number).unwrap(); 32]),
                at: Timestamp(1_000),
                actor: String::new(),
                source: String::new(),
                note: String::new(),
                state,
                until: (state == ConfigurationState::Waiting).then_some(Timestamp(2_000)),
                ended_at: None,
                ended_by: String::new(),
                reason: String::new(),
                proven: false,
                running: false,
            },
            body: String::new(),
            starts: 0,
            before: String::new(),
        }
    }

    fn why(standing: &ConfigurationStanding, now: i64) -> Option<String> {
        doomed(&standing.documents[0], standing, Timestamp(now))
    }

    #[test]
    fn a_window_ends_by_the_clock_and_when_the_clock_cannot_tell() {
        let mut standing = ConfigurationStanding {
            documents: vec![
                version(2, ConfigurationState::Waiting),
                version(1, ConfigurationState::Confirmed),
            ],
            seed: None,
        };
        assert_eq!(why(&standing, 1_999), None);
        assert!(why(&standing, 2_000).unwrap().contains("nobody confirmed"));
        assert!(why(&standing, 999).unwrap().contains("the clock went back"));
        // With nothing to go back to it runs on.
        standing.documents.pop();
        assert_eq!(why(&standing, 2_000), None);
    }

    #[test]
    fn only_a_version_that_ran_steadily_takes_the_place_of_one_that_does_not() {
        let mut standing = ConfigurationStanding {
            documents: vec![
                version(2, ConfigurationState::Confirmed),
                version(1, ConfigurationState::Confirmed),
            ],
            seed: None,
        };
        standing.documents[0].starts = STARTS;
        assert_eq!(why(&standing, 5_000), None);
        standing.documents[1].version.proven = true;
        assert!(
            why(&standing, 5_000)
                .unwrap()
                .contains("never ran steadily")
        );
        standing.documents[0].starts = STARTS - 1;
        assert_eq!(why(&standing, 5_000), None);
        standing.documents[0].starts = STARTS;
        standing.documents[0].version.proven = true;
        assert_eq!(why(&standing, 5_000), None);
    }
}
