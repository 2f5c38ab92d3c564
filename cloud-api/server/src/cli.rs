//! The command line. Owns the commands and what they print; the work is done elsewhere.

use crate::app::accounts::{NewPerson, put_person};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, SAMPLE};
use crate::db::{Db, DbError, Origin};
use crate::pki::{Authority, GatewayRequest, PkiError, Validity, revoke};
use crate::service::{Control, Service, StartError, check};
use crate::tenancy::Console;
use clap::{Args, Parser, Subcommand};
use riser_model::{Key, Role, TenantId, Timestamp};
use std::io::{Read, Write};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code for a configuration or command line that cannot work (sysexits EX_USAGE).
pub const EXIT_USAGE: u8 = 64;
/// Life of gateway certificates unless said otherwise.
const GATEWAY_DAYS: u32 = 825;
/// Life of the authority and of the server certificate unless said otherwise.
const AUTHORITY_DAYS: u32 = 3650;

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
    Pki(Pki),
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
enum Pki {
    /// Make an authority and the server's certificate in a new folder.
    Init {
        /// The folder.
        #[arg(long)]
        dir: PathBuf,
        /// Name or address gateways connect to; give it once for each.
        #[arg(long = "host", default_values = ["localhost", "127.0.0.1", "::1"])]
        hosts: Vec<String>,
        /// Life in days.
        #[arg(long, default_value_t = AUTHORITY_DAYS)]
        days: u32,
    },
    /// Issue the server's certificate anew; a running service takes it over on SIGHUP.
    IssueServer {
        /// Folder of the authority.
        #[arg(long)]
        dir: PathBuf,
        /// Name or address gateways connect to; give it once for each.
        #[arg(long = "host", required = true)]
        hosts: Vec<String>,
        /// Life in days.
        #[arg(long, default_value_t = AUTHORITY_DAYS)]
        days: u32,
    },
    /// Issue a gateway's certificate: gateway.pem, gateway.key and ca.pem.
    IssueGateway {
        /// Folder of the authority.
        #[arg(long)]
        dir: PathBuf,
        /// The tenant.
        #[arg(long)]
        tenant: Key,
        /// The gateway.
        #[arg(long)]
        gateway: Key,
        #[command(flatten)]
        life: Life,
        /// Folder to write the files to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Issue a certificate for a client of a third-party broker, such as this service:
    /// NAME.pem, NAME.key and ca.pem.
    IssueClient {
        /// Folder of the authority.
        #[arg(long)]
        dir: PathBuf,
        /// Common name.
        #[arg(long)]
        name: Key,
        #[command(flatten)]
        life: Life,
        /// Folder to write the files to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Revoke one certificate by serial number or fingerprint, or all of TENANT/GATEWAY. A running
    /// service ends their sessions within a second or two.
    Revoke {
        /// Folder of the authority.
        #[arg(long)]
        dir: PathBuf,
        /// Serial number, SHA-256 fingerprint, or tenant/gateway.
        what: String,
    },
}

#[derive(Debug, Args)]
struct Life {
    /// Life in days from now.
    #[arg(long, default_value_t = GATEWAY_DAYS, conflicts_with_all = ["not_before", "not_after"])]
    days: u32,
    /// First day, such as 2026-01-31 (UTC).
    #[arg(long, requires = "not_after")]
    not_before: Option<jiff::civil::Date>,
    /// Day it ends on (UTC).
    #[arg(long, requires = "not_before")]
    not_after: Option<jiff::civil::Date>,
}

impl Life {
    fn validity(&self, now: Timestamp) -> Validity {
        match (self.not_before, self.not_after) {
            (Some(from), Some(to)) => Validity {
                not_before: midnight(from),
                not_after: midnight(to),
            },
            _ => Validity::days(now, self.days),
        }
    }
}

fn midnight(date: jiff::civil::Date) -> Timestamp {
    let instant = date
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map(|z| z.timestamp().as_millisecond());
    // Only the last hours of the year 9999 have no instant.
    Timestamp(instant.unwrap_or(i64::MAX))
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
            Command::Pki(command) => pki(command, Clock::system().now()),
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

fn pki(command: Pki, now: Timestamp) -> Result<(), CliError> {
    match command {
        Pki::Init { dir, hosts, days } => {
            Authority::init(&dir, &hosts, Validity::days(now, days))?;
            say(&format!(
                "made an authority and a certificate for {} in {}",
                hosts.join(", "),
                dir.display()
            ))
        }
        Pki::IssueServer { dir, hosts, days } => {
            let issued = Authority::open(&dir)?.issue_server(&hosts, Validity::days(now, days))?;
            say(&format!(
                "issued {} for {}; send the service SIGHUP",
                issued.serial,
                hosts.join(", ")
            ))
        }
        Pki::IssueGateway {
            dir,
            tenant,
            gateway,
            life,
            out,
        } => {
            let authority = Authority::open(&dir)?;
            let origin = Origin { tenant, gateway };
            let request = GatewayRequest {
                origin,
                validity: life.validity(now),
            };
            let issued = authority.issue_gateway(&request)?;
            issued.save(&out, "gateway", &authority)?;
            say(&format!(
                "issued {} for {} in {}",
                issued.serial,
                request.origin,
                out.display()
            ))
        }
        Pki::IssueClient {
            dir,
            name,
            life,
            out,
        } => {
            let authority = Authority::open(&dir)?;
            let issued = authority.issue_client(name.as_str(), life.validity(now))?;
            issued.save(&out, name.as_str(), &authority)?;
            say(&format!(
                "issued {} for {name} in {}",
                issued.serial,
                out.display()
            ))
        }
        Pki::Revoke { dir, what } => {
            let entries = revoke(&dir, &what)?;
            say(&format!("revoked {}", entries.join(", ")))
        }
    }
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
