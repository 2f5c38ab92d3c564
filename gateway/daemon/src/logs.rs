//! Where log lines go and how they look: text for a person at a terminal, JSON for everything else.
//! `RUST_LOG` chooses what is said (`info` if unset).

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Begins logging to standard error.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.with_target(false).init();
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init();
    }
}
