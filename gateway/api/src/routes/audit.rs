//! The audit log, for whoever runs this gateway. Owns the routes and the export; the log is the
//! store's.

use super::extract::{Body, From, Params};
use crate::auth::Caller;
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{AuditAcknowledgeRequest, AuditChain, AuditList};
use axum::Json;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use riser_model::{AuditEntry, Timestamp};
use riser_store::{AuditFilter, Store, StoreError, Trace};
use serde::Deserialize;
use utoipa::IntoParams;

/// Entries of one page of the export.
const PAGE: usize = 1_000;
/// Longest comment, in characters.
const COMMENT_MAX: usize = 500;

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
    /// Only those made at or after this, in milliseconds since 1970.
    from: Option<i64>,
    /// Only those made before this.
    to: Option<i64>,
    /// At most so many; 100 if absent. Means nothing to the export.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// True checks the chain now; else the answer may be a minute old.
    check: Option<bool>,
}

impl AuditQuery {
    fn filter(self) -> AuditFilter {
        AuditFilter {
            before: self.before,
            action: self.action.filter(|text| !text.is_empty()),
            search: self.search.filter(|text| !text.is_empty()),
            from: self.from.map(Timestamp),
            to: self.to.map(Timestamp),
            limit: self.limit.unwrap_or(100).clamp(1, 1000),
        }
    }
}

/// The audit log, the newest first, and whether its chain is whole
#[utoipa::path(get, path = "/api/v1/audit", tag = "gateway", params(AuditQuery),
    responses((status = 200, body = AuditList)))]
pub(super) async fn audit(
    State(face): State<Face>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditList>, Refusal> {
    let (report, at) = face.audit().look(query.check == Some(true)).await?;
    let entries = face.store().audit(query.filter()).await?;
    let chain = AuditChain::of(report, at);
    Ok(Json(AuditList { chain, entries }))
}

/// Say that you know of the breaks there are
///
/// A new chain begins, and the alarm ends. What is broken stays visible, with who took it.
#[utoipa::path(post, path = "/api/v1/audit/acknowledge", tag = "gateway",
    operation_id = "acknowledge_audit",
    request_body = AuditAcknowledgeRequest,
    responses((status = 200, body = AuditChain)))]
pub(super) async fn acknowledge(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Body(request): Body<AuditAcknowledgeRequest>,
) -> Result<Json<AuditChain>, Refusal> {
    let comment = request.comment.trim();
    if comment.is_empty() || comment.chars().count() > COMMENT_MAX {
        return Err(Refusal::malformed(format!(
            "say in 1 to {COMMENT_MAX} characters what is known of the break"
        )));
    }
    let by = Trace::new(caller.user, address.to_string());
    let (report, at) = face.audit().acknowledge(by, comment).await?;
    Ok(Json(AuditChain::of(report, at)))
}

/// The audit log as CSV, the newest first
///
/// With chain, previous and hash, so that it can be checked by whoever gets it.
#[utoipa::path(get, path = "/api/v1/audit.csv", tag = "gateway", params(AuditQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub(super) async fn audit_csv(
    State(face): State<Face>,
    Params(query): Params<AuditQuery>,
) -> Result<Response, Refusal> {
    let filter = AuditFilter {
        limit: PAGE,
        ..query.filter()
    };
    // The first page is read before answering, so an error still gets a proper status.
    let (first, rest) = page(face.store().clone(), filter).await?;
    let head = Bytes::from(format!("{}{first}", AuditEntry::CSV_HEADER));
    let more = stream::try_unfold(rest, |rest| async move {
        let Some((store, filter)) = rest else {
            return Ok::<_, StoreError>(None);
        };
        let (text, rest) = page(store, filter).await?;
        Ok(Some((Bytes::from(text), rest)))
    });
    let body = HttpBody::from_stream(stream::iter([Ok(head)]).chain(more));
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"audit.csv\"",
        ),
    ];
    Ok((headers, body).into_response())
}

/// One page as text, and where the next one begins.
async fn page(
    store: Store,
    filter: AuditFilter,
) -> Result<(String, Option<(Store, AuditFilter)>), StoreError> {
    let entries = store.audit(filter.clone()).await?;
    let mut text = String::new();
    for entry in &entries {
        entry.csv_row(&super::export::utc(entry.at), &mut text);
    }
    let next = entries.last().filter(|_| entries.len() >= PAGE);
    let rest = next.map(|last| {
        let before = Some(last.no);
        (store, AuditFilter { before, ..filter })
    });
    Ok((text, rest))
}
