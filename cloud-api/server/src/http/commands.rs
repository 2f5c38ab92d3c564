//! Writing points and seeing what became of it. Owns the routes; limits, time to live and the
//! way down are `app::commands`.

use super::Face;
use super::extract::{AtGateway, AtId, AtPoint, Body, Caller, Params};
use super::refusal::Refusal;
use crate::app::shape::{CommandList, WriteRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use riser_model::{CommandId, CommandRecord, PointPath};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which commands.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandQuery {
    /// Of this point only, as `device/point`.
    #[param(value_type = Option<String>)]
    path: Option<PointPath>,
    /// At most so many; 50 if absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Write a point, or release a level
///
/// Answers at once with the recorded command; its outcome follows on the live stream and under
/// the command's id. A value the point does not take is refused (422) and goes nowhere.
#[utoipa::path(post, path = "/api/v1/gateways/{gateway}/points/{device}/{point}/write",
    tag = "commands", request_body = WriteRequest,
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("device" = String, Path, description = "The device."),
        ("point" = String, Path, description = "The point within the device."),
    ),
    responses((status = 202, body = CommandRecord)))]
pub(super) async fn write(
    State(face): State<Face>,
    Caller(who): Caller,
    at: AtPoint,
    Body(request): Body<WriteRequest>,
) -> Result<(StatusCode, Json<CommandRecord>), Refusal> {
    let commands = &face.app.commands;
    let record = commands.write(&who, (at.gateway, at.path), request).await?;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

/// Commands to a gateway, newest first
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/commands", tag = "commands",
    params(("gateway" = String, Path, description = "The gateway."), CommandQuery),
    responses((status = 200, body = CommandList)))]
pub(super) async fn commands(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<CommandQuery>,
) -> Result<Json<CommandList>, Refusal> {
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let all = &face.app.commands;
    let commands = all.list(&who, gateway, query.path, limit).await?;
    Ok(Json(CommandList { commands }))
}

/// One command with what became of it
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands",
    params(("id" = uuid::Uuid, Path, description = "The command's id.")),
    responses((status = 200, body = CommandRecord)))]
pub(super) async fn command(
    State(face): State<Face>,
    Caller(who): Caller,
    AtId(id): AtId,
) -> Result<Json<CommandRecord>, Refusal> {
    Ok(Json(face.app.commands.get(&who, CommandId(id)).await?))
}
