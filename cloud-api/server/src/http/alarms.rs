//! Alarms: seeing and taking them. Owns the routes; who wins when two people take one alarm is
//! `app::alarms`.

use super::Face;
use super::extract::{AtGateway, AtId, Body, Caller, Params};
use super::refusal::Refusal;
use crate::app::alarms::AlarmFilter;
use crate::app::shape::{AcknowledgeRequest, AlarmList, GatewayAlarm};
use axum::Json;
use axum::extract::State;
use riser_model::{AlarmId, GatewayId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which alarms, by where they stand.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum AlarmScope {
    /// Active or not acknowledged.
    Open,
    /// Every one, past ones too.
    All,
}

/// Which alarms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AlarmQuery {
    /// Of this gateway only.
    #[param(value_type = Option<String>)]
    gateway: Option<GatewayId>,
    /// Where they stand; open ones if absent.
    #[param(inline)]
    state: Option<AlarmScope>,
    /// At most so many; 200 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Alarms, newest first
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(AlarmQuery),
    responses((status = 200, body = AlarmList)))]
pub(super) async fn alarms(
    State(face): State<Face>,
    Caller(who): Caller,
    Params(query): Params<AlarmQuery>,
) -> Result<Json<AlarmList>, Refusal> {
    let filter = AlarmFilter {
        gateway: query.gateway,
        open_only: query.state.unwrap_or(AlarmScope::Open) == AlarmScope::Open,
        limit: query.limit.unwrap_or(200).clamp(1, 1000),
    };
    let alarms = face.app.alarms.list(&who, filter).await?;
    Ok(Json(AlarmList { alarms }))
}

/// Take an alarm
///
/// Recorded here and sent down to the gateway. An alarm somebody took before keeps that
/// acknowledgement, and the answer shows it.
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/alarms/{id}/acknowledge", tag = "alarms",
    request_body = AcknowledgeRequest,
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("id" = uuid::Uuid, Path, description = "The alarm's id."),
    ),
    responses((status = 200, body = GatewayAlarm)))]
pub(super) async fn acknowledge(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    AtId(id): AtId,
    Body(request): Body<AcknowledgeRequest>,
) -> Result<Json<GatewayAlarm>, Refusal> {
    let alarms = &face.app.alarms;
    let alarm = alarms
        .acknowledge(&who, (gateway, AlarmId(id)), request.comment)
        .await?;
    Ok(Json(alarm))
}
