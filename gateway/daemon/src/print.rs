//! Words for the terminal. Owns how an error looks: once, with all its causes.

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
