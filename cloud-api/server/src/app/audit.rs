//! The audit logs of gateways, as whoever asks may see them. Owns the shape of the answer.

use super::error::found;
use super::{AppError, AppResult};
use crate::clock::Clock;
use crate::db::{AuditBreak, AuditQuery, Db};
use crate::tenancy::TenantContext;
use futures_util::{Stream, stream};
use riser_model::{Acknowledgement, AuditEntry, GatewayId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Longest comment, in characters.
const COMMENT_MAX: usize = 500;
/// Entries of one page of the export.
const PAGE: u32 = 1_000;

/// Which entries.
pub type AuditFilter = AuditQuery;

/// Who took note of a break, in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayAuditTaken {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they wrote.
    pub comment: String,
}

/// One place where a gateway's audit log is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayAuditBreak {
    /// Number of the entry that is named.
    pub no: u64,
    /// What is wrong with it.
    pub reason: String,
    /// When the cloud noticed.
    pub noticed_at: Timestamp,
    /// Who took note of it; null while nobody has.
    pub acknowledged: Option<GatewayAuditTaken>,
}

/// Whether a gateway's audit log is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayAuditChain {
    /// `ok`, or `broken at n` while nobody has taken note of it.
    pub state: String,
    /// Number of the entry that is named.
    pub broken_at: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
    /// When the cloud noticed.
    pub noticed_at: Option<Timestamp>,
    /// Every break, those first that nobody has taken note of; they stay.
    pub breaks: Vec<GatewayAuditBreak>,
    /// Chains there are; more than one when the log was restored, lost, or a break acknowledged on
    /// the gateway.
    pub chains: u64,
    /// Entries that have not come yet between those that have.
    pub missing: u64,
    /// Entries that are kept here.
    pub kept: u64,
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
    clock: Clock,
}

impl Audits {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
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
        Ok(GatewayAudit {
            chain: chain(page.breaks, (page.chains, page.missing, page.kept)),
            entries: page.entries,
        })
    }

    /// Takes note of every break there is: the alarm about them ends, they stay visible. Answers
    /// with the log as it stands then.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`]; [`super::AppError::Refused`] without a comment.
    pub async fn acknowledge(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        comment: &str,
    ) -> AppResult<GatewayAudit> {
        let comment = comment.trim();
        if comment.is_empty() || comment.chars().count() > COMMENT_MAX {
            return Err(AppError::Refused {
                code: "comment_needed",
                message: format!("say in 1 to {COMMENT_MAX} characters what is known of the break"),
            });
        }
        let by = Acknowledgement {
            by: who.author(),
            at: self.clock.now(),
            comment: comment.to_owned(),
        };
        let taken = self.db.take_audit_breaks(who, gateway.clone(), by).await?;
        let taken = found(taken, || format!("gateway '{gateway}'"))?;
        tracing::info!(%gateway, taken, by = who.email(), "breaks of an audit log were acknowledged");
        let filter = AuditFilter {
            limit: 100,
            ..AuditFilter::default()
        };
        self.of(who, gateway, filter).await
    }

    /// All that a filter lets through as CSV, page by page.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too.
    pub async fn csv(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        filter: AuditFilter,
    ) -> AppResult<impl Stream<Item = std::io::Result<String>> + Send + use<>> {
        let filter = AuditFilter {
            limit: PAGE,
            ..filter
        };
        let first = self.of(who, gateway.clone(), filter.clone()).await?;
        let (db, clock, who) = (self.db.clone(), self.clock.clone(), who.clone());
        let whole = Self { db, clock };
        let head = AuditEntry::CSV_HEADER.to_owned();
        let start = (head, Some(first.entries));
        Ok(stream::try_unfold(
            (whole, who, gateway, filter, start),
            |(whole, who, gateway, mut filter, (mut text, page))| async move {
                let Some(page) = page else {
                    return Ok(None);
                };
                for entry in &page {
                    entry.csv_row(&super::history::rfc3339(entry.at), &mut text);
                }
                filter.before = page.last().map(|entry| entry.no);
                let mut next = None;
                if page.len() >= PAGE as usize {
                    let more = whole.of(&who, gateway.clone(), filter.clone()).await;
                    next = Some(more.map_err(std::io::Error::other)?.entries);
                }
                let rest = (whole, who, gateway, filter, (String::new(), next));
                Ok(Some((text, rest)))
            },
        ))
    }
}

fn chain(found: Vec<AuditBreak>, (chains, missing, kept): (u64, u64, u64)) -> GatewayAuditChain {
    let first = found.iter().find(|b| b.taken.is_none()).cloned();
    GatewayAuditChain {
        state: match &first {
            None => "ok".to_owned(),
            Some(first) => format!("broken at {}", first.no),
        },
        broken_at: first.as_ref().map(|b| b.no),
        noticed_at: first.as_ref().map(|b| b.noticed_at),
        reason: first.map(|b| b.reason),
        breaks: found.into_iter().map(shown).collect(),
        chains,
        missing,
        kept,
    }
}

fn shown(found: AuditBreak) -> GatewayAuditBreak {
    GatewayAuditBreak {
        no: found.no,
        reason: found.reason,
        noticed_at: found.noticed_at,
        acknowledged: found
            .taken
            .map(|(at, by, comment)| GatewayAuditTaken { at, by, comment }),
    }
}
