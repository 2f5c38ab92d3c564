//! Frames of gateways in quarantine, read. Owns nothing but the routes.

use super::Face;
use super::extract::{AtGateway, Caller, Params};
use super::refusal::Refusal;
use crate::app::AppError;
use crate::app::quarantine::GatewayQuarantine;
use axum::Json;
use axum::extract::{RawPathParams, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// Frames listed without a limit.
const LIMIT: usize = 100;

/// How many.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct QuarantineQuery {
    /// 100 if absent, 1000 at most.
    limit: Option<usize>,
}

/// Frames of a gateway that could not be used, with the reasons
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/quarantine", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."), QuarantineQuery),
    responses((status = 200, body = GatewayQuarantine)))]
pub(super) async fn quarantine(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<QuarantineQuery>,
) -> Result<Json<GatewayQuarantine>, Refusal> {
    let limit = query.limit.unwrap_or(LIMIT);
    let quarantines = &face.app.quarantines;
    Ok(Json(quarantines.list(&who, gateway, limit).await?))
}

/// The octets of a frame in quarantine, as they came
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/quarantine/{frame}", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."),
        ("frame" = i64, Path, description = "Its id in the list.")),
    responses((status = 200, content_type = "application/octet-stream")))]
pub(super) async fn quarantined_frame(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    params: RawPathParams,
) -> Result<Response, Refusal> {
    let named = params.iter().find(|(name, _)| *name == "frame");
    let id = named.and_then(|(_, id)| id.parse().ok());
    let id = id.ok_or_else(|| AppError::NotFound("a frame of that name".to_owned()))?;
    let frame = face.app.quarantines.frame(&who, gateway, id).await?;
    let name = format!("attachment; filename=\"{id}.frame\"");
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((head, frame).into_response())
}
