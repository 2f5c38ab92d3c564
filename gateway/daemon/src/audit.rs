//! `riserd audit`: the log for people and programs. Owns how an entry looks; reads beside a running
//! daemon.

use crate::config::Config;
use crate::print;
use clap::{Args, Subcommand};
use riser_model::{AuditEntry, ChainBreak};
use riser_store::{AuditFilter, StoreConfig, StoreError};
use std::fmt::Write;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that every entry continues the one before it; names the first that does not
    Verify,
    /// List entries, the newest first
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Only one action, such as `login_failed`
    #[arg(long)]
    action: Option<String>,
    /// Only with this text in actor, source, object or detail
    #[arg(long)]
    search: Option<String>,
    /// As JSON, one entry a line
    #[arg(long)]
    json: bool,
}

/// The log is not whole, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    /// The chain is broken.
    #[error(
        "the audit log was tampered with or damaged: {broken}; {sound} other entries are sound"
    )]
    Broken {
        /// Entries that are sound.
        sound: u64,
        /// Where.
        broken: ChainBreak,
    },
    /// The file cannot be read.
    #[error("could not read the audit log")]
    Store(#[from] StoreError),
}

/// Does what was asked for.
pub(crate) fn run(config: &Config, command: &AuditCommand) -> Result<(), AuditError> {
    let store = StoreConfig::new(&config.gateway.data_dir);
    match command {
        AuditCommand::Verify => verify(&store),
        AuditCommand::List(args) => list(&store, args),
    }
}

fn verify(store: &StoreConfig) -> Result<(), AuditError> {
    let report = riser_store::verify_audit(store)?;
    for known in &report.breaks {
        let more = known.acknowledged.as_ref().map_or(String::new(), |taken| {
            let at = print::time(taken.at);
            format!(" (acknowledged by {} on {at}: {})", taken.by, taken.comment)
        });
        print::line(&format!("{}{more}", known.broken));
    }
    if let Some(broken) = report.broken {
        let sound = report.sound;
        return Err(AuditError::Broken { sound, broken });
    }
    print::line(&format!(
        "the audit log is whole{}: {} entries, up to number {}",
        if report.breaks.is_empty() {
            ""
        } else {
            " but for what is acknowledged"
        },
        report.sound,
        report.last
    ));
    Ok(())
}

fn list(store: &StoreConfig, args: &ListArgs) -> Result<(), AuditError> {
    let filter = AuditFilter {
        action: args.action.clone(),
        search: args.search.clone(),
        limit: args.limit,
        ..AuditFilter::default()
    };
    for entry in riser_store::list_audit(store, &filter)? {
        if args.json {
            print::line(&serde_json::to_string(&entry).unwrap_or_default());
        } else {
            print::line(&row(&entry));
        }
    }
    Ok(())
}

fn row(entry: &AuditEntry) -> String {
    let AuditEntry {
        no, actor, source, ..
    } = entry;
    let mut text = format!(
        "{no:>8}  {}  {actor} ({source})  {}",
        print::time(entry.at),
        entry.action
    );
    for more in [&entry.object, &entry.detail] {
        if !more.is_empty() {
            // Writing into a String cannot fail.
            let _ = write!(text, "  {more}");
        }
    }
    text
}
