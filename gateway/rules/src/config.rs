//! How a rule is read from configuration and refused. Owns the words of the refusal: where, what,
//! and the nearest thing that would have been right. Knows no file format; any serde one will do.

use crate::Rule;
use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use strsim::jaro_winkler;

/// One thing that is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct RuleError {
    /// Where, as a path a person can follow: `rule[2].condition.limit`.
    pub at: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl RuleError {
    /// An error at a place.
    #[must_use]
    pub fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            problem: problem.into(),
        }
    }
}

/// Reads one rule; an unknown key or variant is answered with the nearest known one.
///
/// `at` says where the rule stands, such as `rule[0]`.
pub fn parse_rule<'de, D>(at: &str, source: D) -> Result<Rule, RuleError>
where
    D: Deserializer<'de>,
    D::Error: Display,
{
    Rule::deserialize(source).map_err(|e| RuleError::new(at, suggest(&e.to_string())))
}

/// The candidate that looks most like `given`; `None` when there is none at all.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .max_by(|a, b| jaro_winkler(a, given).total_cmp(&jaro_winkler(b, given)))
}

/// serde says: unknown field `x`, expected one of `a`, `b`. This adds the nearest of them and
/// drops what a parser puts around the sentence.
fn suggest(message: &str) -> String {
    let line = message
        .lines()
        .find(|l| l.contains("unknown field") || l.contains("unknown variant"));
    let Some(line) = line else {
        return message.trim().replace('`', "'");
    };
    let mut quoted = line.split('`').skip(1).step_by(2);
    let given = quoted.next().unwrap_or_default();
    let plain = line.trim().replace('`', "'");
    match nearest(given, quoted) {
        Some(near) => format!("{plain}; did you mean '{near}'?"),
        None => plain,
    }
}
