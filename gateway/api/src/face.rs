//! What every route can reach. Owns nothing but the handles; cheap to clone.

use crate::audit::AuditWatch;
use crate::auth::{Accounts, AuthSettings, ClaimCode};
use crate::configuration::ConfigurationDesk;
use crate::search::Searches;
use crate::shape::{GatewayFacts, GatewayName};
use riser_model::{GatewayId, LinkStatus, TenantId, Timestamp};
use riser_runtime::{Clock, Kind, Runtime};
use riser_store::{Store, StoreError};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Live sockets at once.
pub(crate) const LIVE_SOCKETS: usize = 64;

/// Which gateway this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name within its tenant.
    pub id: GatewayId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The name people read.
    pub name: String,
    /// Version of the software.
    pub version: String,
}

/// A figure for `/metrics` from a part this crate does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Its name, without `riser_` before and `_total` behind.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// How many since start.
    pub value: u64,
}

/// How the scheduled backups and their restore drills are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct BackupHealth {
    /// Whether the last one was made, restored and compared; absent before the first.
    pub ok: Option<bool>,
    /// Hours between two.
    pub every_hours: u32,
    /// Whether one is being made now.
    pub running: bool,
    /// When the last one was begun.
    #[schema(value_type = Option<i64>)]
    pub at: Option<Timestamp>,
    /// When the last good one was begun.
    #[schema(value_type = Option<i64>)]
    pub last_ok: Option<Timestamp>,
    /// The file.
    pub file: Option<String>,
    /// Its size.
    pub octets: u64,
    /// Why it failed, and what to do.
    pub error: Option<String>,
}

/// What the HTTP face needs.
pub struct FaceParts {
    /// Which gateway this is.
    pub identity: Identity,
    /// Points, commands, alarms.
    pub runtime: Runtime,
    /// History, users, sessions.
    pub store: Store,
    /// Tells the time, and how far it is to be trusted.
    pub clock: Arc<dyn Clock>,
    /// The link to the cloud.
    pub link: watch::Receiver<LinkStatus>,
    /// The scheduled backups; `None` inside where none are configured.
    pub backup: watch::Receiver<Option<BackupHealth>>,
    /// Told when somebody wants a backup now.
    pub backup_now: Arc<Notify>,
    /// Limits of logging in.
    pub auth: AuthSettings,
    /// The code that claims this unit; nobody can claim it without.
    pub claim_code: Option<ClaimCode>,
    /// What a program shows to read `/metrics`; without it only persons may.
    pub metrics_token: Option<String>,
    /// More figures for `/metrics`.
    pub counters: Arc<dyn Fn() -> Vec<Counter> + Send + Sync>,
    /// The way to whoever keeps the configuration.
    pub configuration: ConfigurationDesk,
    /// The protocols devices can be added of.
    pub protocols: Vec<Kind>,
    /// Closes live sockets when the gateway goes down.
    pub stop: CancellationToken,
}

/// What every route can reach.
#[derive(Clone)]
pub struct Face(Arc<Inner>);

struct Inner {
    parts: FaceParts,
    accounts: Accounts,
    audit: AuditWatch,
    searches: Searches,
    metrics_token: Option<[u8; 32]>,
    started_at: Timestamp,
    live_sockets: Arc<Semaphore>,
}

impl Face {
    /// Looks whether the gateway has been claimed and is ready then.
    ///
    /// # Errors
    /// The users could not be read.
    pub async fn open(mut parts: FaceParts) -> Result<Self, StoreError> {
        let accounts = Accounts::open(
            parts.store.clone(),
            Arc::clone(&parts.clock),
            parts.auth,
            parts.claim_code.take(),
        )
        .await?;
        let audit = AuditWatch::new(
            parts.store.clone(),
            parts.runtime.clone(),
            Arc::clone(&parts.clock),
        );
        let searches = Searches::new(
            std::mem::take(&mut parts.protocols),
            Arc::clone(&parts.clock),
            parts.stop.clone(),
        );
        let metrics_token = parts.metrics_token.take().filter(|token| !token.is_empty());
        Ok(Self(Arc::new(Inner {
            started_at: parts.clock.now(),
            metrics_token: metrics_token.map(|token| digest(&token)),
            live_sockets: Arc::new(Semaphore::new(LIVE_SOCKETS)),
            accounts,
            audit,
            searches,
            parts,
        })))
    }

    /// Whether somebody owns this gateway; changes once, from false to true.
    #[must_use]
    pub fn claimed(&self) -> watch::Receiver<bool> {
        self.0.accounts.claimed()
    }

    /// Marks cookies `Secure`: browsers reach this face by TLS.
    pub fn served_by_tls(&self) {
        self.0.accounts.set_secure();
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    pub(crate) fn audit(&self) -> &AuditWatch {
        &self.0.audit
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.0.parts.runtime
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(crate) fn link(&self) -> watch::Receiver<LinkStatus> {
        self.0.parts.link.clone()
    }

    pub(crate) fn backup(&self) -> Option<BackupHealth> {
        self.0.parts.backup.borrow().clone()
    }

    pub(crate) fn backup_now(&self) {
        self.0.parts.backup_now.notify_one();
    }

    pub(crate) fn configuration(&self) -> &ConfigurationDesk {
        &self.0.parts.configuration
    }

    pub(crate) fn searches(&self) -> &Searches {
        &self.0.searches
    }

    pub(crate) fn stop(&self) -> CancellationToken {
        self.0.parts.stop.clone()
    }

    pub(crate) fn live_sockets(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.live_sockets)
    }

    pub(crate) fn more_counters(&self) -> Vec<Counter> {
        (self.0.parts.counters)()
    }

    /// Compares in constant time; digests have one length whatever was given.
    pub(crate) fn is_metrics_token(&self, given: Option<&str>) -> bool {
        match (self.0.metrics_token, given) {
            (Some(own), Some(given)) => own.ct_eq(&digest(given)).into(),
            _ => false,
        }
    }

    pub(crate) fn gateway_name(&self) -> GatewayName {
        let identity = &self.0.parts.identity;
        GatewayName {
            id: identity.id.clone(),
            name: identity.name.clone(),
            version: identity.version.clone(),
        }
    }

    pub(crate) fn gateway_facts(&self) -> GatewayFacts {
        let identity = &self.0.parts.identity;
        GatewayFacts {
            id: identity.id.clone(),
            name: identity.name.clone(),
            tenant: identity.tenant.clone(),
            version: identity.version.clone(),
            started_at: self.0.started_at,
            now: self.now(),
            clock: self.0.parts.clock.state(),
        }
    }
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Face")
            .field("identity", &self.0.parts.identity)
            .finish_non_exhaustive()
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
