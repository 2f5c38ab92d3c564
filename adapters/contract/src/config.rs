//! Configuration as adapters receive it, and how they refuse it. Owns the error a technician
//! reads: where, what, and the nearest thing that would have been right.

use std::path::PathBuf;
use strsim::jaro_winkler;

/// What an adapter's `build` may know besides its own table.
#[derive(Debug, Clone, Default)]
pub struct BuildContext {
    /// Folder that relative paths (certificates, keys) are meant from.
    pub base_dir: PathBuf,
    /// Extra folder with device profiles; those built in are always there.
    pub profile_dir: Option<PathBuf>,
}

/// One thing that is wrong in a configuration. Nothing was opened or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct ConfigError {
    /// Where, as a path a person can follow: `device[2].point[5].type`.
    pub at: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl ConfigError {
    /// An error at a place.
    #[must_use]
    pub fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            problem: problem.into(),
        }
    }

    /// The same error, one level further out: `within("device[2]")`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.at = match (outer.is_empty(), self.at.is_empty()) {
            (true, _) => self.at,
            (false, true) => outer.to_owned(),
            (false, false) => format!("{outer}.{}", self.at),
        };
        self
    }

    /// Turns the parser's complaint into one that also names the nearest known key or variant.
    ///
    /// serde says `unknown field `x`, expected one of `a`, `b``; this adds the nearest of them.
    #[must_use]
    pub fn from_toml(at: &str, error: &toml::de::Error) -> Self {
        let message = error.message();
        let mut quoted = message.split('`').skip(1).step_by(2);
        let unknown = message.contains("unknown field") || message.contains("unknown variant");
        let problem = match (unknown, quoted.next()) {
            (true, Some(given)) => match nearest(given, quoted) {
                Some(near) => format!("{message}; did you mean '{near}'?"),
                None => message.to_owned(),
            },
            _ => message.to_owned(),
        };
        Self::new(at, problem.replace('`', "'"))
    }
}

/// The candidate that looks most like `given`; `None` when there is none at all.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .max_by(|a, b| jaro_winkler(a, given).total_cmp(&jaro_winkler(b, given)))
}

/// Parses a table into a type that denies unknown fields.
pub fn parse<T: serde::de::DeserializeOwned>(
    at: &str,
    table: &toml::Table,
) -> Result<T, ConfigError> {
    T::deserialize(table.clone()).map_err(|e| ConfigError::from_toml(at, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the field names matter")]
    struct Sample {
        timeout_ms: u32,
        retries: u32,
    }

    #[test]
    fn unknown_key_names_the_nearest() {
        let table: toml::Table = toml::from_str("timout_ms = 1\nretries = 2").unwrap();
        let err = parse::<Sample>("device[0]", &table).unwrap_err();
        assert_eq!(err.at, "device[0]");
        assert!(
            err.problem.contains("did you mean 'timeout_ms'"),
            "{}",
            err.problem
        );
    }
}
