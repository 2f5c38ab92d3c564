//! Writing points and seeing what became of it. Owns the routes and the defaults of a write;
//! whether it is allowed and what happens is the runtime's.

use super::extract::{AtId, AtPoint, Body, From, Params};
use super::points::known;
use crate::auth::Caller;
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{CommandList, WriteRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use riser_model::{
    Author, AuthorKind, Command, CommandId, CommandRecord, PointPath, Priority, Timestamp,
};
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;
use uuid::Uuid;

/// How long a write may wait to be begun, in seconds, unless it says otherwise.
const TTL_S: u32 = 30;
/// The longest it may say.
const TTL_MAX_S: u32 = 3600;
/// The longest hold, a leap year; longer ones are held until released.
const HOLD_MAX_S: u32 = 366 * 24 * 3600;

/// Write a point
///
/// Accepted means: on its way. The outcome follows on the live stream and under
/// `/api/v1/commands/{id}`.
#[utoipa::path(post, path = "/api/v1/points/{device}/{point}/write", tag = "commands",
    request_body = WriteRequest,
    params(("device" = String, Path), ("point" = String, Path)),
    responses((status = 202, body = CommandRecord)))]
pub(super) async fn write(
    State(face): State<Face>,
    caller: Caller,
    AtPoint(path): AtPoint,
    From(address): From,
    Body(request): Body<WriteRequest>,
) -> Result<(StatusCode, Json<CommandRecord>), Refusal> {
    known(&face, &path)?;
    let command = command_of(request, path, caller.user, face.now())?;
    tracing::info!(path = %command.path, user = %command.author.name, value = ?command.value,
        priority = command.priority.level(), "a write was asked for");
    let from = Some(address.to_string());
    let record = face.runtime().write_from(command, from).await?;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

fn command_of(
    request: WriteRequest,
    path: PointPath,
    user: String,
    now: Timestamp,
) -> Result<Command, Refusal> {
    let level = request
        .priority
        .unwrap_or(Priority::MANUAL_OPERATOR.level());
    let priority = Priority::try_from(level).map_err(Refusal::malformed)?;
    let ttl = within(
        "ttl_seconds",
        request.ttl_seconds.unwrap_or(TTL_S),
        TTL_MAX_S,
    )?;
    let hold = request
        .hold_seconds
        .map(|seconds| within("hold_seconds", seconds, HOLD_MAX_S))
        .transpose()?;
    Ok(Command {
        id: CommandId(request.id.unwrap_or_else(Uuid::now_v7)),
        path,
        value: request.value,
        priority,
        issued_at: now,
        expires_at: now.plus(ttl),
        hold_until: hold.map(|hold| now.plus(hold)),
        author: Author {
            kind: AuthorKind::Local,
            name: user,
        },
    })
}

fn within(name: &str, seconds: u32, most: u32) -> Result<Duration, Refusal> {
    if (1..=most).contains(&seconds) {
        return Ok(Duration::from_secs(u64::from(seconds)));
    }
    Err(Refusal::malformed(format!(
        "{name} is {seconds}; it must be between 1 and {most}"
    )))
}

/// Which commands.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandQuery {
    /// For this point only: `device/point`.
    #[param(value_type = Option<String>)]
    path: Option<PointPath>,
    /// At most so many; 50 if absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Commands with where they stand, the newest first
#[utoipa::path(get, path = "/api/v1/commands", tag = "commands", params(CommandQuery),
    responses((status = 200, body = CommandList)))]
pub(super) async fn commands(
    State(face): State<Face>,
    Params(query): Params<CommandQuery>,
) -> Result<Json<CommandList>, Refusal> {
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let commands = face.runtime().commands(query.path.as_ref(), limit).await?;
    Ok(Json(CommandList { commands }))
}

/// One command with where it stands
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = CommandRecord)))]
pub(super) async fn command(
    State(face): State<Face>,
    AtId(id): AtId,
) -> Result<Json<CommandRecord>, Refusal> {
    let found = face.runtime().command(CommandId(id)).await?;
    found
        .map(Json)
        .ok_or_else(|| Refusal::not_found(&format!("command {id}")))
}
