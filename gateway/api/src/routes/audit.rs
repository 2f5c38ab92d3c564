//! The audit log, for whoever runs this gateway. Owns the route; the log is the store's.

use super::extract::Params;
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{AuditChain, AuditList};
use axum::Json;
use axum::extract::State;
use riser_store::AuditFilter;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only entries with lower numbers, to page back.
    before: Option<u64>,
    /// Only this action, such as `login_failed`.
    action: Option<String>,
    /// Only with this text in actor, source, object or detail.
    search: Option<String>,
    /// At most so many; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The audit log, the newest first, and whether its chain is whole
#[utoipa::path(get, path = "/api/v1/audit", tag = "gateway", params(AuditQuery),
    responses((status = 200, body = AuditList)))]
pub(super) async fn audit(
    State(face): State<Face>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditList>, Refusal> {
    let report = face.store().verify_audit().await?;
    let filter = AuditFilter {
        before: query.before,
        action: query.action.filter(|text| !text.is_empty()),
        search: query.search.filter(|text| !text.is_empty()),
        limit: query.limit.unwrap_or(100).clamp(1, 1000),
    };
    let entries = face.store().audit(filter).await?;
    Ok(Json(AuditList {
        chain: AuditChain {
            ok: report.broken.is_none(),
            broken_at: report.broken.as_ref().map(riser_model::ChainBreak::no),
            reason: report.broken.map(|broken| broken.to_string()),
            pruned: report.pruned,
            last: report.last,
        },
        entries,
    }))
}
