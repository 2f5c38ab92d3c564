//! The log of the process: one line per event to standard error, filtered. Owns its start only.

use tracing_subscriber::EnvFilter;

/// Starts the log; `RUST_LOG` overrides the filter.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<(), crate::config::ConfigError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(own) if !own.is_empty() => own,
        _ => filter.to_owned(),
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|e| crate::config::ConfigError {
        file: "log".to_owned(),
        at: String::new(),
        problem: format!("'{filter}' is not a log filter: {e}"),
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    // Only a second start fails, which tests may cause; the first one stays.
    drop(started);
    Ok(())
}
