//! The command line. Owns the commands and what they print; the work is done elsewhere.

mod certificates;

use crate::app::accounts::{NewPerson, put_person};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, SAMPLE};
use crate::db::{Db, DbError};
use crate::pki::PkiError;
use crate::service::{Control, Service, StartError, check};
use crate::tenancy::Console;
use clap::{Args, Parser, Subcommand};
use riser_model::{Role, TenantId};
use std::io::{Read, Write};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code for a configuration or command line that cannot work (sysexits EX_USAGE).
pub const EXIT_USAGE: u8 = 64;

/// The cloud service of Riser.
#[derive(Debug, Parser)]
#[command(name = "riser-cloud", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop. SIGHUP reads certificates and the revocation list again.
    Run(ConfigFile),
    /// Check the configuration and every file it names; open nothing.
    CheckConfig(ConfigFile),
    /// Print a commented configuration.
    SampleConfig,
    /// Certificates.
    #[command(subcommand)]
    Pki(certificates::Pki),
    /// People who may log in.
    #[command(subcommand)]
    User(User),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum User {
    /// Add a person, or give an existing one a new password and role.
    Add {
        #[command(flatten)]
        config: ConfigFile,
        /// Login name.
        #[arg(long)]
        email: String,
        /// Name people read; the login name if absent.
        #[arg(long)]
        name: Option<String>,
        /// Role, such as tenant_admin, operator or viewer.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Tenant; not for a system_admin.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Read the password from standard input; without this one is made and printed once.
        #[arg(long)]
        password_stdin: bool,
    },
}

fn role(text: &str) -> Result<Role, String> {
    let word = |role: &Role| {
        serde_json::to_value(role)
            .ok()
            .and_then(|v| v.as_str().map(ToOwned::to_owned))
            .unwrap_or_default()
    };
    Role::ALL
        .into_iter()
        .find(|r| word(r) == text)
        .ok_or_else(|| {
            let all: Vec<_> = Role::ALL.iter().map(word).collect();
            format!("no such role; there are {}", all.join(", "))
        })
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// People.
    #[error(transparent)]
    App(#[from] crate::app::AppError),
    /// Standard input, output or signals.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl CliError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Start(StartError::Config(_)) => EXIT_USAGE,
            _ => 1,
        }
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Run(file) => serve(&file).await,
            Command::CheckConfig(file) => {
                check(&Config::load(&file.config)?)?;
                say(&format!("{} is in order", file.config.display()))
            }
            Command::SampleConfig => say(SAMPLE.trim_end()),
            Command::Pki(command) => certificates::run(command, Clock::system().now()),
            Command::User(command) => user(command).await,
        }
    }
}

fn say(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{text}").map_err(CliError::Io)
}

async fn serve(file: &ConfigFile) -> Result<(), CliError> {
    let config = Config::load(&file.config)?;
    crate::log::start(&config.log)?;
    let control = Control::default();
    let service = Service::start(&config, control.clone()).await?;
    let (mut interrupt, mut terminate, mut hangup) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    let signals = async {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => control.reload.notify_one(),
            }
        }
        control.stop.cancel();
    };
    tokio::join!(service.run(), signals);
    Ok(())
}

async fn user(command: User) -> Result<(), CliError> {
    let User::Add {
        config,
        email,
        name,
        role,
        tenant,
        password_stdin,
    } = command;
    let config = Config::load(&config.config)?;
    let password = if password_stdin {
        read_password()?
    } else {
        make_password()
    };
    // A service may be running on the same folder; both may write.
    let db = Db::open_beside(&config.data_dir)?;
    let person = NewPerson {
        name: name.unwrap_or_else(|| email.clone()),
        email: email.clone(),
        role,
        tenant,
        password: password.clone(),
    };
    let done = put_person(
        &db,
        Console::on_this_machine(),
        person,
        Clock::system().now(),
    )
    .await;
    db.close().await;
    done?;
    if password_stdin {
        return say(&format!("{email} may log in"));
    }
    say(&format!("{email} may log in with {password}"))
}

fn read_password() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// 100 random bits in letters and digits that are not mistaken for one another.
fn make_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random: [u8; 20] = rand::random();
    let groups = random.chunks(5).map(|group| {
        group
            .iter()
            .map(|octet| char::from(LETTERS[usize::from(octet & 31)]))
            .collect::<String>()
    });
    groups.collect::<Vec<_>>().join("-")
}
