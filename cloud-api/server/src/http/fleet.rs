//! Tenants and gateways, read. Owns nothing but the routes.

use super::Face;
use super::extract::{AtGateway, AtTenant, Caller};
use super::refusal::Refusal;
use crate::app::shape::{Gateway, GatewayList, Tenant, TenantList};
use axum::Json;
use axum::extract::State;

/// Tenants the caller may see
#[utoipa::path(get, path = "/api/v1/tenants", tag = "fleet",
    responses((status = 200, body = TenantList)))]
pub(super) async fn tenants(
    State(face): State<Face>,
    Caller(who): Caller,
) -> Result<Json<TenantList>, Refusal> {
    let tenants = face.app.fleet.tenants(&who).await?;
    Ok(Json(TenantList { tenants }))
}

/// One tenant
#[utoipa::path(get, path = "/api/v1/tenants/{id}", tag = "fleet",
    params(("id" = String, Path, description = "The tenant.")),
    responses((status = 200, body = Tenant)))]
pub(super) async fn tenant(
    State(face): State<Face>,
    Caller(who): Caller,
    AtTenant(id): AtTenant,
) -> Result<Json<Tenant>, Refusal> {
    Ok(Json(face.app.fleet.tenant(&who, id).await?))
}

/// Gateways with connection, lag, backlog and version
#[utoipa::path(get, path = "/api/v1/gateways", tag = "fleet",
    responses((status = 200, body = GatewayList)))]
pub(super) async fn gateways(
    State(face): State<Face>,
    Caller(who): Caller,
) -> Result<Json<GatewayList>, Refusal> {
    let gateways = face.app.fleet.gateways(&who).await?;
    Ok(Json(GatewayList { gateways }))
}

/// One gateway
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 200, body = Gateway)))]
pub(super) async fn gateway(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(id): AtGateway,
) -> Result<Json<Gateway>, Refusal> {
    Ok(Json(face.app.fleet.gateway(&who, id).await?))
}
