//! The command line. Owns its words and the exit codes: 0 done, 1 failed, 64 the configuration
//! cannot be used.

use crate::audit::{self, AuditCommand};
use crate::backup::command::{BackupCommand, RestoreArgs};
use crate::config::{Config, Problems};
use crate::history::{self, HistoryCommand};

use crate::ledger::LedgerArgs;
use crate::quarantine::{self, QuarantineArgs};
use crate::versions::command::ConfigCommand;
use crate::versions::{self, Whereabouts};
use crate::{assemble, backup, doctor, ledger, logs, points, print, run, secrets};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `sysexits.h` calls a usage error; a supervisor need not start the daemon again.
const BAD_CONFIGURATION: u8 = 64;

/// Riser gateway daemon
#[derive(Debug, Parser)]
#[command(name = "riserd", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where things are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The configuration file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RISER_CONFIG",
        default_value = "/etc/riser/riser.toml"
    )]
    config: PathBuf,
    /// Folder for everything the gateway keeps, instead of the one in the configuration
    #[arg(long, global = true, value_name = "FOLDER", env = "RISER_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collect, store, act, serve; until SIGTERM or SIGINT
    Run,
    /// Check the whole configuration and open nothing
    CheckConfig,
    /// Apply another configuration while riserd runs; list, show, compare its versions
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the commented sample of the configuration, or of one adapter's part of it
    SampleConfig {
        /// Kind of the adapter, such as `modbus`
        adapter: Option<String>,
    },
    /// List the points of the configuration that runs
    Points {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Look for everything that could be wrong, and say what to do
    Doctor,
    /// Write stored samples to a file
    #[command(subcommand)]
    History(HistoryCommand),
    /// Check every file of the store; also while riserd runs
    Check,
    /// Print the code that claims this gateway
    ClaimCode,
    /// Show or check the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show what became of every sample, per lane and hour
    Ledger(LedgerArgs),
    /// List the batches the cloud refuses or that cannot be read, or write them to files
    Quarantine(QuarantineArgs),
    /// Make or look at a backup
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Put a backup in place of what this gateway has; shows what would happen first
    Restore(RestoreArgs),
    /// Print the version
    Version,
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> ExitCode {
        let done = match &self.command {
            Command::Run => self.daemon(),
            Command::CheckConfig => self.check_config(),
            Command::Config(command) => versions::command::run(&self.whereabouts(), command)
                .map_err(|error| Failure::Other(Box::new(error))),
            Command::SampleConfig { adapter } => sample(adapter.as_deref()),
            Command::Points { json } => self.points(*json),
            Command::Doctor => return doctor::run(&self.whereabouts()),
            Command::History(command) => self.history(command),
            Command::Check => self.check_store(),
            Command::ClaimCode => self.claim_code(),
            Command::Audit(command) => self.audit(command),
            Command::Backup(command) => self.backup(command),
            Command::Restore(args) => self.restore(args),
            Command::Ledger(args) => self.ledger(args),
            Command::Quarantine(args) => self.quarantine(args),
            Command::Version => {
                print::line(&format!("riserd {}", env!("CARGO_PKG_VERSION")));
                Ok(())
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Configuration(problems)) => {
                print::error_line(&format!("the configuration cannot be used\n{problems}"));
                ExitCode::from(BAD_CONFIGURATION)
            }
            Err(Failure::Other(error)) => {
                print::error_line(&riser_model::chain(error.as_ref()));
                ExitCode::FAILURE
            }
        }
    }

    /// What runs, or would run next; other than it seems is told.
    fn current(&self) -> Result<versions::Current, Failure> {
        let current = versions::current(&self.whereabouts()).map_err(Failure::Configuration)?;
        if let Some(problems) = &current.file {
            print::note(&format!(
                "the configuration file cannot be used\n{problems}"
            ));
        }
        if let Some(why) = &current.unheard {
            print::note(&format!("a running riserd was not heard: {why}"));
        }
        Ok(current)
    }

    fn daemon(&self) -> Result<(), Failure> {
        let place = self.whereabouts();
        let choice = versions::boot(&place).map_err(Failure::Configuration)?;
        logs::start();
        run::daemon(choice, place).map_err(|error| Failure::Other(Box::new(error)))
    }

    fn whereabouts(&self) -> Whereabouts {
        Whereabouts {
            file: self.place.config.clone(),
            data_dir: self.place.data_dir.clone(),
        }
    }

    fn check_config(&self) -> Result<(), Failure> {
        let config = Config::load(&self.place.config, self.place.data_dir.clone())
            .map_err(Failure::Configuration)?;
        if !config.identity_problems.is_empty() {
            return Err(Failure::Configuration(config.identity_problems));
        }
        for doubt in &config.doubts {
            print::line(&format!("warning: {doubt}"));
        }
        print::line(&format!("{}: {}", config.file.display(), config.summary()));
        Ok(())
    }

    fn points(&self, json: bool) -> Result<(), Failure> {
        let current = self.current()?;
        print::note(&format!("points of {}", current.which));
        let text = points::list(&current.config.points, json);
        print::line(text.trim_end());
        Ok(())
    }

    fn history(&self, command: &HistoryCommand) -> Result<(), Failure> {
        let config = self.current()?.config;
        history::run(&config, command).map_err(Failure::Other)
    }

    fn check_store(&self) -> Result<(), Failure> {
        let config = self.current()?.config;
        history::check(&config.gateway.data_dir).map_err(Failure::Other)
    }

    fn claim_code(&self) -> Result<(), Failure> {
        let config = self.current()?.config;
        let code = secrets::known_claim_code(&config.gateway.data_dir)
            .map_err(|error| Failure::Other(Box::new(error)))?;
        print::line(&code.to_string());
        Ok(())
    }

    fn ledger(&self, args: &LedgerArgs) -> Result<(), Failure> {
        let config = self.current()?.config;
        ledger::run(&config, args).map_err(|error| Failure::Other(Box::new(error)))
    }

    fn quarantine(&self, args: &QuarantineArgs) -> Result<(), Failure> {
        let config = self.current()?.config;
        quarantine::run(&config, args).map_err(Failure::Other)
    }

    fn audit(&self, command: &AuditCommand) -> Result<(), Failure> {
        let config = self.current()?.config;
        audit::run(&config, command).map_err(|error| Failure::Other(Box::new(error)))
    }

    fn backup(&self, command: &BackupCommand) -> Result<(), Failure> {
        let done = match command {
            BackupCommand::Create(args) => backup::command::run(&self.current()?.config, args),
            BackupCommand::Show(args) => backup::command::show(args),
        };
        done.map_err(|error| Failure::Other(Box::new(error)))
    }

    fn restore(&self, args: &RestoreArgs) -> Result<(), Failure> {
        let Place { config, data_dir } = &self.place;
        backup::command::restore(args, config, data_dir.clone())
            .map_err(|error| Failure::Other(Box::new(error)))
    }
}

fn sample(adapter: Option<&str>) -> Result<(), Failure> {
    let text = match adapter {
        None => crate::config::SAMPLE,
        Some(name) => assemble::kind(name)
            .map(|kind| kind.sample)
            .map_err(|problem| Failure::Other(problem.into()))?,
    };
    print::line(text.trim_end());
    Ok(())
}

/// Why a command was not carried out.
enum Failure {
    Configuration(Problems),
    Other(Box<dyn std::error::Error>),
}
