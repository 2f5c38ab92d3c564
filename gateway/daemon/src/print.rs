//! Words for the terminal: to whom a line goes, and how a time looks there.

use riser_model::Timestamp;
use std::io::Write;

/// One line, or several, for people and pipes. A closed pipe is nobody's loss.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What should be known beside the answer; the answer itself stays for programs.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What went wrong.
pub(crate) fn error_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "riserd: {text}");
}

/// A time as people and programs read it (RFC 3339, UTC).
pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| t.to_string())
}
