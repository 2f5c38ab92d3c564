//! Audit logs of gateways, read. Owns nothing but the route.

use super::Face;
use super::extract::{AtGateway, Caller, Params};
use super::refusal::Refusal;
use crate::app::audit::{AuditFilter, GatewayAudit};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
    /// Only entries with lower numbers, to page back.
    before: Option<u64>,
    /// At most so many; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
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
    let filter = AuditFilter {
        before: query.before,
        limit: query.limit.unwrap_or(100).clamp(1, 1000),
    };
    Ok(Json(face.app.audits.of(&who, gateway, filter).await?))
}
