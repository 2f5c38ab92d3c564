//! One finding: what was looked at, where, how it is, what to do.

use std::fmt;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// Works, but somebody should know.
    Doubtful,
    /// Somebody must act.
    Broken,
}

/// What was looked at and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    subject: &'static str,
    place: String,
    text: String,
    advice: String,
}

impl Finding {
    /// As it should be.
    pub(crate) fn good(subject: &'static str, place: &str, text: &str) -> Self {
        Self::new(Verdict::Good, (subject, place), text, "")
    }

    /// Works, but somebody should know.
    pub(crate) fn doubtful(subject: &'static str, place: &str, text: &str, advice: &str) -> Self {
        Self::new(Verdict::Doubtful, (subject, place), text, advice)
    }

    /// Somebody must act.
    pub(crate) fn broken(subject: &'static str, place: &str, text: &str, advice: &str) -> Self {
        Self::new(Verdict::Broken, (subject, place), text, advice)
    }

    fn new(
        verdict: Verdict,
        (subject, place): (&'static str, &str),
        text: &str,
        advice: &str,
    ) -> Self {
        Self {
            verdict,
            subject,
            place: place.to_owned(),
            text: text.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

/// `ok    clock  …: …`, and what to do on a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "warn",
            Verdict::Broken => "FAIL",
        };
        write!(
            f,
            "{word:<5} {:<12} {}: {}",
            self.subject, self.place, self.text
        )?;
        if !self.advice.is_empty() {
            write!(f, "\n{:19}→ {}", "", self.advice)?;
        }
        Ok(())
    }
}
