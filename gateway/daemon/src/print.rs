//! Words for the terminal. Owns how an error looks: once, with all its causes.

use riser_model::Timestamp;
use std::error::Error;
use std::io::Write;

/// One line, or several, for people and pipes. A closed pipe is nobody's loss.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What went wrong.
pub(crate) fn error_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "riserd: {text}");
}

/// A time as people and programs read it (RFC 3339, UTC).
pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| t.to_string())
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    text
}
