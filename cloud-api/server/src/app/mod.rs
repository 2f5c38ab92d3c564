//! What the cloud does for people: logging in, the fleet, history, alarms, commands. Owns the
//! rules between the HTTP face above and the database below; it knows no HTTP.

pub mod accounts;
pub mod alarms;
pub mod attempts;
pub mod audit;
pub mod commands;
pub mod configurations;
mod error;
mod figure;
pub mod fleet;
pub mod history;
pub mod ledger;
pub mod passwords;
pub mod quarantine;
pub mod shape;

pub use error::{AppError, AppResult};
pub use figure::{Figure, FigureKind};

use crate::clock::Clock;
use crate::db::Db;
use crate::ingest::Downlink;
use crate::tenancy::Authority;
use accounts::Accounts;
use alarms::Alarms;
use audit::Audits;
use commands::Commands;
use configurations::Configurations;
use fleet::Fleet;
use history::History;
use ledger::Ledgers;
use quarantine::Quarantines;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A database that takes longer for the least question does not work.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Everything the HTTP face may ask for.
#[derive(Debug)]
pub struct App {
    /// Logging in and out.
    pub accounts: Accounts,
    /// Tenants, gateways, points.
    pub fleet: Fleet,
    /// Trends and samples.
    pub history: History,
    /// Audit logs of gateways.
    pub audits: Audits,
    /// Loss ledgers and completeness.
    pub ledgers: Ledgers,
    /// Frames in quarantine.
    pub quarantines: Quarantines,
    /// Alarms.
    pub alarms: Alarms,
    /// Commands.
    pub commands: Commands,
    /// Configurations of gateways.
    pub configurations: Configurations,
    db: Db,
    downlink: Downlink,
}

impl App {
    /// Puts the parts together and starts the password threads.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn start(
        db: &Db,
        downlink: &Downlink,
        authority: &Arc<Authority>,
        clock: &Clock,
    ) -> AppResult<Self> {
        Ok(Self {
            accounts: Accounts::start(db.clone(), Arc::clone(authority), clock.clone())?,
            fleet: Fleet::new(db.clone()),
            history: History::new(db.clone()),
            audits: Audits::new(db.clone(), clock.clone()),
            ledgers: Ledgers::new(db.clone()),
            quarantines: Quarantines::new(db.clone()),
            alarms: Alarms::new(db.clone(), downlink.clone(), clock.clone()),
            commands: Commands::new(db.clone(), downlink.clone(), clock.clone()),
            configurations: Configurations::new(db, downlink.clone(), clock.clone()),
            db: db.clone(),
            downlink: downlink.clone(),
        })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`AppError::Busy`] when it does not answer in time.
    pub async fn alive(&self) -> AppResult<()> {
        let asked = self
            .db
            .read(|c| Ok(c.query_row("SELECT 1", [], |_| Ok(()))?));
        match tokio::time::timeout(SIGN_OF_LIFE, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(AppError::Busy("the database does not answer")),
        }
    }

    /// Operating figures.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let db = self.db.figures();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counter = Figure::counter;
        let mut figures = vec![
            counter(
                "riser_db_transactions_total",
                "Transactions.",
                read(&db.transactions),
            ),
            counter(
                "riser_db_failed_total",
                "Transactions not committed.",
                read(&db.failed),
            ),
            counter(
                "riser_db_jobs_total",
                "Jobs in transactions.",
                read(&db.jobs),
            ),
            counter(
                "riser_db_busy_microseconds_total",
                "Time spent in transactions.",
                read(&db.busy_us),
            ),
            counter("riser_batches_total", "Batches stored.", read(&db.batches)),
            counter(
                "riser_batches_known_total",
                "Batches there already.",
                read(&db.duplicates),
            ),
            counter("riser_samples_total", "Samples stored.", read(&db.samples)),
            counter(
                "riser_frame_bytes_total",
                "Octets of frames stored.",
                read(&db.bytes),
            ),
            counter(
                "riser_quarantined_total",
                "Frames set aside.",
                read(&db.quarantined),
            ),
            Figure::gauge(
                "riser_gateways_connected",
                "Gateways with a session.",
                self.downlink.sessions() as u64,
            ),
        ];
        figures.extend(self.ingest_figures());
        figures.extend(self.accounts.figures());
        figures
    }

    fn ingest_figures(&self) -> Vec<Figure> {
        let ingest = self.downlink.figures();
        [
            (
                "riser_handshakes_failed_total",
                "TLS handshakes of gateways that failed.",
                &ingest.handshakes_failed,
            ),
            (
                "riser_pending_dropped_total",
                "Connections dropped before they had shown who they are.",
                &ingest.pending_dropped,
            ),
            (
                "riser_handshakes_put_off_total",
                "Connections let go before their handshake: too many came at once.",
                &ingest.handshakes_put_off,
            ),
            (
                "riser_sessions_put_off_total",
                "Gateways asked to come back later: too many came at once.",
                &ingest.sessions_put_off,
            ),
            (
                "riser_refused_total",
                "Connects, publishes and subscriptions refused.",
                &ingest.refused,
            ),
            (
                "riser_watch_values_total",
                "Watched values passed on.",
                &ingest.watch_values,
            ),
            (
                "riser_watch_dropped_total",
                "Watched values dropped.",
                &ingest.watch_dropped,
            ),
            (
                "riser_down_dropped_total",
                "Messages to gateways that found their queue full; each is sent again.",
                &ingest.down_dropped,
            ),
        ]
        .into_iter()
        .map(|(name, help, count)| Figure::counter(name, help, count.load(Ordering::Relaxed)))
        .collect()
    }
}
