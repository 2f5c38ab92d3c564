//! `riserd backup` and `riserd restore` on the command line. Owns their words and the question before
//! anything is changed.

use super::archive::unpack;
use super::create::{Extent, Source, create};
use super::restore::{Target, describe, prepare};
use super::{BackupError, passphrase};
use crate::config::Config;
use crate::print;
use clap::{Args, Subcommand};
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make a backup, while the gateway runs or not, and read it back
    Create(CreateArgs),
    /// Check a backup and say what it holds
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The file to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// With the history
    #[arg(long)]
    with_history: bool,
    /// With certificates, private keys, metrics token and claim code: for the same gateway on other hardware
    #[arg(long)]
    with_identity: bool,
    /// File that holds the secret; without it the first line of standard input is the passphrase
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The backup
    file: PathBuf,
    /// File that holds the secret; without it the first line of standard input is the passphrase
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    backup: ShowArgs,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

/// Does what was asked for.
pub(crate) fn run(config: &Config, args: &CreateArgs) -> Result<(), BackupError> {
    let secret = passphrase(args.key_file.as_deref())?;
    let extent = Extent {
        history: args.with_history,
        identity: args.with_identity,
    };
    let made = create(&Source::of(config), &args.out, extent, &secret)?;
    print::line(describe(&made.manifest).trim_end());
    for file in made.left_out {
        print::error_line(&format!(
            "{} is not in the backup: it lies outside the folder of the configuration",
            file.display()
        ));
    }
    let detail = serde_json::json!({
        "ok": true, "octets": made.octets, "with_history": args.with_history,
        "with_identity": args.with_identity,
    });
    let object = args.out.display().to_string();
    // The backup is good whatever becomes of the note.
    if let Err(error) = crate::deeds::leave_backup(&config.gateway.data_dir, object, detail) {
        print::error_line(&format!("the audit log will not say of it: {error}"));
    }
    print::line(&format!(
        "{}: {} octets, read back and compared",
        args.out.display(),
        made.octets
    ));
    Ok(())
}

/// Checks all of a backup and says what it holds.
pub(crate) fn show(args: &ShowArgs) -> Result<(), BackupError> {
    let secret = passphrase(args.key_file.as_deref())?;
    let manifest = unpack(&args.file, &secret, None)?;
    print::line(describe(&manifest).trim_end());
    Ok(())
}

/// Shows the plan and, told so, carries it out.
pub(crate) fn restore(
    args: &RestoreArgs,
    configuration: &Path,
    data_dir: Option<PathBuf>,
) -> Result<(), BackupError> {
    let secret = passphrase(args.backup.key_file.as_deref())?;
    let target = Target {
        configuration: configuration.to_owned(),
        data_dir,
    };
    let prepared = prepare(&args.backup.file, &secret, target)?;
    print::line(prepared.plan().trim_end());
    if !args.yes && !confirmed() {
        return Err(BackupError::NotConfirmed);
    }
    print::line(&prepared.apply()?);
    Ok(())
}

fn confirmed() -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return false;
    }
    print::line("Type 'yes' to restore:");
    let mut line = String::new();
    stdin.lock().read_line(&mut line).is_ok() && line.trim() == "yes"
}
