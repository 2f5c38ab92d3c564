//! `riser-cloud pki …`. Owns the arguments and what is printed; the authority is `crate::pki`.

use super::{CliError, say};
use crate::db::Origin;
use crate::pki::{Authority, GatewayRequest, Issued, PkiError, Validity, expect_room, revoke};
use clap::{Args, Subcommand};
use riser_model::{Key, Timestamp};
use std::path::{Path, PathBuf};

/// Life of gateway certificates unless said otherwise.
const GATEWAY_DAYS: u32 = 825;
/// Life of the authority and of the server certificate unless said otherwise.
const AUTHORITY_DAYS: u32 = 3650;

#[derive(Debug, Subcommand)]
pub(super) enum Pki {
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
pub(super) struct Life {
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

/// Does what was asked for.
pub(super) fn run(command: Pki, now: Timestamp) -> Result<(), CliError> {
    match command {
        Pki::Init { dir, hosts, days } => {
            Authority::init(&dir, &hosts, Validity::days(now, days))?;
            let (hosts, dir) = (hosts.join(", "), dir.display());
            say(&format!(
                "made an authority and a certificate for {hosts} in {dir}"
            ))
        }
        Pki::IssueServer { dir, hosts, days } => {
            let issued = Authority::open(&dir)?.issue_server(&hosts, Validity::days(now, days))?;
            let (serial, hosts) = (issued.serial, hosts.join(", "));
            say(&format!(
                "issued {serial} for {hosts}; send the service SIGHUP"
            ))
        }
        Pki::IssueGateway {
            dir,
            tenant,
            gateway,
            life,
            out,
        } => {
            let origin = Origin { tenant, gateway };
            let request = GatewayRequest {
                origin,
                validity: life.validity(now),
            };
            let make = |authority: &Authority| authority.issue_gateway(&request);
            let serial = hand_out(&dir, (&out, "gateway"), make)?;
            say(&format!(
                "issued {serial} for {} in {}",
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
            let name = name.as_str();
            let make = |authority: &Authority| authority.issue_client(name, life.validity(now));
            let serial = hand_out(&dir, (&out, name), make)?;
            say(&format!("issued {serial} for {name} in {}", out.display()))
        }
        Pki::Revoke { dir, what } => {
            let entries = revoke(&dir, &what)?;
            say(&format!("revoked {}", entries.join(", ")))
        }
    }
}

/// Issues a certificate and writes its files; answers its serial number.
fn hand_out(
    dir: &Path,
    (out, name): (&Path, &str),
    make: impl FnOnce(&Authority) -> Result<Issued, PkiError>,
) -> Result<String, CliError> {
    expect_room(out, name)?;
    let authority = Authority::open(dir)?;
    let issued = make(&authority)?;
    issued.save(out, name, &authority)?;
    Ok(issued.serial)
}
