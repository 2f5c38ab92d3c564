//! Configurations of gateways: what runs, asking for another, keeping or taking it back. Owns the
//! routes; what a document means is the gateway's.

use super::Face;
use super::extract::{AtGateway, Body, Caller};
use super::refusal::Refusal;
use crate::app::configurations::{ConfigurationSent, GatewayConfiguration};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use riser_model::ConfigurationAsk;
use serde::Deserialize;
use utoipa::ToSchema;

/// Time to confirm a change in, if none is given.
const CONFIRM_SECONDS: u32 = 600;
/// How long a document waits for a gateway, if nothing is said: a week.
const WAIT_SECONDS: u32 = 7 * 24 * 3600;

/// A document for a gateway.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyRequest {
    /// TOML; `<hidden>` keeps the secret it stands for.
    document: String,
    /// Seconds until the gateway takes it back unless confirmed; 600 if absent, 0 keeps it at once.
    #[schema(maximum = 604_800)]
    confirm_seconds: Option<u32>,
    /// Why, for the history.
    #[serde(default)]
    note: String,
    /// Seconds it may wait for a gateway that is not connected; a week if absent, 0 does not wait.
    #[schema(maximum = 2_592_000)]
    wait_seconds: Option<u32>,
}

/// Which change to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmRequest {
    /// Only if it is this version.
    version: Option<u32>,
}

/// What to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevertRequest {
    /// The earlier version, when no change waits; the one before the running one if absent.
    version: Option<u32>,
    /// Why.
    #[serde(default)]
    reason: String,
    /// Seconds until an earlier version is taken back unless confirmed; 0 or absent keeps it at once.
    #[schema(maximum = 604_800)]
    confirm_seconds: Option<u32>,
}

type Sent = (StatusCode, Json<ConfigurationSent>);

/// What a gateway runs, and what was done about it, by its audit log
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/config", tag = "configuration",
    params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 200, body = GatewayConfiguration)))]
pub(super) async fn running(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
) -> Result<Json<GatewayConfiguration>, Refusal> {
    Ok(Json(face.app.configurations.of(&who, gateway).await?))
}

/// Ask a gateway to apply a document
///
/// The gateway checks it whole and takes it back by itself unless it is confirmed in time, or when it
/// does harm. The step that answers carries the request. A gateway that is not connected gets it when
/// it is back, unless a newer one was asked for, it was cancelled, or its time is over by then.
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/config", tag = "configuration",
    request_body = ApplyRequest, params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 202, body = ConfigurationSent)))]
pub(super) async fn apply(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Body(request): Body<ApplyRequest>,
) -> Result<Sent, Refusal> {
    let seconds = request.confirm_seconds.unwrap_or(CONFIRM_SECONDS);
    let ask = ConfigurationAsk::Apply {
        document: request.document,
        confirm_seconds: Some(seconds).filter(|seconds| *seconds > 0),
        note: request.note,
    };
    let wanted = (ask, request.wait_seconds.unwrap_or(WAIT_SECONDS));
    let sent = face.app.configurations.apply(&who, gateway, wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(sent)))
}

/// Cancel a document the gateway has not answered
///
/// One that is waiting never reaches it; one that is sent may have been applied already.
#[utoipa::path(delete, path = "/api/v1/gateways/{gateway}/config/desired", tag = "configuration",
    params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 200, body = GatewayConfiguration)))]
pub(super) async fn cancel(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
) -> Result<Json<GatewayConfiguration>, Refusal> {
    Ok(Json(face.app.configurations.cancel(&who, gateway).await?))
}

/// Ask a connected gateway to keep the change that waits
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/config/confirm", tag = "configuration",
    request_body = ConfirmRequest, params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 202, body = ConfigurationSent)))]
pub(super) async fn confirm(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Body(request): Body<ConfirmRequest>,
) -> Result<Sent, Refusal> {
    let version = request.version;
    let ask = ConfigurationAsk::Confirm { version };
    let sent = face.app.configurations.ask(&who, gateway, ask).await?;
    Ok((StatusCode::ACCEPTED, Json(sent)))
}

/// Ask a connected gateway to take back the change that waits, or to run an earlier version again
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/config/revert", tag = "configuration",
    request_body = RevertRequest, params(("gateway" = String, Path, description = "The gateway.")),
    responses((status = 202, body = ConfigurationSent)))]
pub(super) async fn revert(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Body(request): Body<RevertRequest>,
) -> Result<Sent, Refusal> {
    let ask = ConfigurationAsk::Revert {
        version: request.version,
        reason: request.reason,
        confirm_seconds: request.confirm_seconds.filter(|seconds| *seconds > 0),
    };
    let sent = face.app.configurations.ask(&who, gateway, ask).await?;
    Ok((StatusCode::ACCEPTED, Json(sent)))
}
