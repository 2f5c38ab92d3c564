//! The audit logs of gateways, as whoever asks may see them. Owns the shape of the answer.

use super::AppResult;
use super::error::found;
use crate::db::{AuditQuery, Db};
use crate::tenancy::TenantContext;
use riser_model::{AuditEntry, GatewayId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Which entries.
pub type AuditFilter = AuditQuery;

/// Whether a gateway's audit log is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayAuditChain {
    /// `ok`, or `broken at n`.
    pub state: String,
    /// Number of the entry that is named.
    pub broken_at: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
    /// When the cloud noticed.
    pub noticed_at: Option<Timestamp>,
    /// Chains there are; more than one when the log was restored or lost.
    pub chains: u64,
    /// Entries that have not come yet between those that have.
    pub missing: u64,
}

/// A gateway's audit log, the newest entries first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayAudit {
    /// Whether it is whole.
    pub chain: GatewayAuditChain,
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Audit logs.
#[derive(Debug)]
pub struct Audits {
    db: Db,
}

impl Audits {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// One gateway's.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too.
    pub async fn of(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        filter: AuditFilter,
    ) -> AppResult<GatewayAudit> {
        let sought = self.db.audit(who, gateway.clone(), filter).await?;
        let page = found(sought, || format!("gateway '{gateway}'"))?;
        let state = match &page.broken {
            None => "ok".to_owned(),
            Some(broken) => format!("broken at {}", broken.no),
        };
        Ok(GatewayAudit {
            chain: GatewayAuditChain {
                state,
                broken_at: page.broken.as_ref().map(|b| b.no),
                noticed_at: page.broken.as_ref().map(|b| b.noticed_at),
                reason: page.broken.map(|b| b.reason),
                chains: page.chains,
                missing: page.missing,
            },
            entries: page.entries,
        })
    }
}
