//! Audit logs of gateways: reading, taking away, taking note of a break. Owns nothing but the routes.

use super::Face;
use super::extract::{AtGateway, Body, Caller, Params};
use super::refusal::Refusal;
use crate::app::audit::{AuditFilter, GatewayAudit};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use riser_model::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
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
    /// At most so many; 100 if absent. Entries of several chains with the same number stay together.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl AuditParams {
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

/// The audit log of a gateway, the newest first, and whether its chain is whole
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/audit", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."), AuditParams),
    responses((status = 200, body = GatewayAudit)))]
pub(super) async fn audit(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<AuditParams>,
) -> Result<Json<GatewayAudit>, Refusal> {
    let audits = &face.app.audits;
    Ok(Json(audits.of(&who, gateway, query.filter()).await?))
}

/// The audit log of a gateway as a table, the newest first
///
/// With chain, previous and hash, so that it can be checked by whoever gets it.
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/audit.csv", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."), AuditParams),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub(super) async fn audit_csv(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<AuditParams>,
) -> Result<Response, Refusal> {
    let name = format!("attachment; filename=\"{gateway}-audit.csv\"");
    let rows = face.app.audits.csv(&who, gateway, query.filter()).await?;
    let mut response = HttpBody::from_stream(rows).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    // Keys are safe in a quoted file name, so this never fails.
    if let Ok(value) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Says that somebody knows of the breaks there are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditAcknowledgeRequest {
    /// What is known or done about them.
    #[schema(min_length = 1, max_length = 500)]
    comment: String,
}

/// Take note of the breaks of a gateway's audit log
///
/// The alarm about them ends; they stay visible, with who took note of them.
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/audit/acknowledge", tag = "fleet",
    operation_id = "acknowledge_audit",
    request_body = AuditAcknowledgeRequest,
    params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 200, body = GatewayAudit)))]
pub(super) async fn acknowledge(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Body(request): Body<AuditAcknowledgeRequest>,
) -> Result<Json<GatewayAudit>, Refusal> {
    let audits = &face.app.audits;
    let log = audits.acknowledge(&who, gateway, &request.comment).await?;
    Ok(Json(log))
}
