//! The audit logs of gateways, read. Owns the filter, and that a page never ends between two entries
//! with the same number.

use super::scope::{self, Sought};
use super::text::{from_json, signed, unsigned};
use super::{Db, DbError};
use crate::tenancy::TenantContext;
use riser_model::{AuditEntry, GatewayId, Timestamp};
use rusqlite::{Connection, named_params, params};

/// Breaks that are shown.
const SHOWN: u32 = 100;

/// One break of a gateway's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// The entry that is named.
    pub no: u64,
    /// What is wrong with it.
    pub reason: String,
    /// When it was noticed here.
    pub noticed_at: Timestamp,
    /// Who took note of it here: when, who, and what they wrote.
    pub taken: Option<(Timestamp, String, String)>,
}

/// Which entries of a gateway; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only entries with lower numbers.
    pub before: Option<u64>,
    /// Only those of one action.
    pub action: Option<String>,
    /// Only those with this text in actor, source, object or detail.
    pub search: Option<String>,
    /// Only those made at or after this.
    pub from: Option<Timestamp>,
    /// Only those made before this.
    pub to: Option<Timestamp>,
    /// At most so many; those of several chains with the same number stay together.
    pub limit: u32,
}

/// A gateway's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Where it is broken, those first that nobody has taken note of.
    pub breaks: Vec<AuditBreak>,
    /// Chains there are; more than one when the log was restored, lost, or a break acknowledged.
    pub chains: u64,
    /// Entries that have not come between those that have.
    pub missing: u64,
    /// Entries that are kept.
    pub kept: u64,
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

fn breaks(c: &Connection, gateway: i64) -> Result<Vec<AuditBreak>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT no, reason, noticed_at, taken_at, taken_by, comment FROM audit_fault
         WHERE gateway = ?1 ORDER BY taken_at IS NOT NULL, noticed_at, no LIMIT ?2",
    )?;
    let rows = query.query_map(params![gateway, SHOWN], |r| {
        let at: Option<i64> = r.get(3)?;
        let (by, comment): (Option<String>, Option<String>) = (r.get(4)?, r.get(5)?);
        Ok(AuditBreak {
            no: unsigned(r.get(0)?),
            reason: r.get(1)?,
            noticed_at: Timestamp(r.get(2)?),
            taken: at.map(|at| {
                let (by, comment) = (by.unwrap_or_default(), comment.unwrap_or_default());
                (Timestamp(at), by, comment)
            }),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a filter asks of a row; the named values are those of [`entries`].
const WANTED: &str = "gateway = :gateway AND no < :before
    AND (:action IS NULL OR json_extract(body, '$.action') = :action)
    AND (:search IS NULL OR instr(lower(json_extract(body, '$.actor') || ' '
      || json_extract(body, '$.source') || ' ' || json_extract(body, '$.object') || ' '
      || json_extract(body, '$.detail')), :search) > 0)
    AND (:from IS NULL OR json_extract(body, '$.at') >= :from)
    AND (:to IS NULL OR json_extract(body, '$.at') < :to)";

fn entries(c: &Connection, gateway: i64, query: &AuditQuery) -> Result<Vec<AuditEntry>, DbError> {
    // Chains may give the same number; a page never ends between two of them.
    let mut rows = c.prepare_cached(&format!(
        "SELECT body FROM audit WHERE {WANTED} AND no >= coalesce((SELECT no FROM audit
           WHERE {WANTED} ORDER BY no DESC LIMIT 1 OFFSET :limit - 1), -1)
         ORDER BY no DESC, chain"
    ))?;
    let search = query.search.as_ref().map(|text| text.to_lowercase());
    let rows = rows.query_map(
        named_params! {
            ":gateway": gateway,
            ":before": query.before.map_or(i64::MAX, signed),
            ":action": query.action,
            ":search": search,
            ":from": query.from.map(|at| at.0),
            ":to": query.to.map(|at| at.0),
            ":limit": query.limit.max(1),
        },
        |r| r.get::<_, String>(0),
    )?;
    rows.map(|body| from_json("audit entry", &body?)).collect()
}

fn page(c: &Connection, gateway: i64, query: &AuditQuery) -> Result<AuditPage, DbError> {
    let (chains, missing, kept): (i64, i64, i64) = c
        .prepare_cached(
            "SELECT count(*), coalesce(sum(last - first + 1 - kept), 0), coalesce(sum(kept), 0)
             FROM (SELECT min(no) AS first, max(no) AS last, count(*) AS kept
               FROM audit WHERE gateway = ?1 GROUP BY chain)",
        )?
        .query_row([gateway], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    Ok(AuditPage {
        breaks: breaks(c, gateway)?,
        chains: unsigned(chains),
        missing: unsigned(missing),
        kept: unsigned(kept),
        entries: entries(c, gateway, query)?,
    })
}

impl Db {
    /// A gateway's audit log, the newest entries first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        query: AuditQuery,
    ) -> Result<Sought<AuditPage>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| page(c, g.row, &query).map(Some))
        })
        .await
    }
}
