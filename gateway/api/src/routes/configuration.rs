//! The configuration: seeing its versions, trying another, keeping or taking it back. Owns the routes
//! and how a refusal looks; what a document means is the daemon's.

use super::extract::{AtVersion, Body, From, Params};
use crate::auth::Caller;
use crate::face::Face;
use crate::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use riser_model::{
    ConfigurationAnswer, ConfigurationAsk, ConfigurationDifference, ConfigurationRefusal,
    ConfigurationRefusalKind as Kind, ConfigurationReply, ConfigurationVersion, Timestamp,
};
use riser_store::Trace;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

/// Time to confirm a change in, if none is given.
const CONFIRM_SECONDS: u32 = 600;

/// A document.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigurationView {
    /// What is known of it.
    version: ConfigurationVersion,
    /// TOML; `<hidden>` stands for secrets.
    document: String,
    /// The gateway's clock, for what is left of a window.
    #[schema(value_type = i64)]
    now: Timestamp,
}

/// Versions, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigurationList {
    versions: Vec<ConfigurationVersion>,
    /// The gateway's clock, for what is left of a window.
    #[schema(value_type = i64)]
    now: Timestamp,
}

/// Two documents side by side.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigurationComparison {
    /// The older one.
    from: u32,
    /// The newer one.
    to: u32,
    /// What is different, in order of places. Secrets are hidden.
    differences: Vec<ConfigurationDifference>,
}

/// Which two.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// The older one; the one before `to` if absent.
    from: Option<u32>,
    /// The newer one; the running one if absent.
    to: Option<u32>,
}

/// A document to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckRequest {
    /// TOML; `<hidden>` keeps the secret it stands for.
    document: String,
}

/// A document to apply.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyRequest {
    /// TOML; `<hidden>` keeps the secret it stands for.
    document: String,
    /// Seconds until it is taken back unless confirmed; 600 if absent, 0 keeps it at once.
    #[schema(maximum = 604_800)]
    confirm_seconds: Option<u32>,
    /// Why, for the history.
    #[serde(default)]
    note: String,
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

impl std::convert::From<ConfigurationRefusal> for Refusal {
    fn from(refused: ConfigurationRefusal) -> Self {
        let (status, code) = match refused.kind {
            Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_configuration"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict"),
            Kind::Unknown => (StatusCode::NOT_FOUND, "not_found"),
            Kind::Failed => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        };
        Self::new(status, code, refused.message)
    }
}

async fn ask(
    face: &Face,
    ask: ConfigurationAsk,
    (caller, address): (Caller, IpAddr),
) -> Result<ConfigurationReply, Refusal> {
    let by = Trace::new(caller.user, address.to_string());
    Ok(face.configuration().ask(ask, by, None).await?)
}

fn answer(reply: ConfigurationReply) -> Result<Json<ConfigurationAnswer>, Refusal> {
    match reply {
        ConfigurationReply::Done(answer) => Ok(Json(answer)),
        _ => Err(Refusal::internal("another answer than was asked for")),
    }
}

fn view(face: &Face, reply: ConfigurationReply) -> Result<Json<ConfigurationView>, Refusal> {
    match reply {
        ConfigurationReply::Shown { version, document } => Ok(Json(ConfigurationView {
            version,
            document,
            now: face.now(),
        })),
        _ => Err(Refusal::internal("another answer than was asked for")),
    }
}

/// The configuration that runs
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration",
    responses((status = 200, body = ConfigurationView)))]
pub(super) async fn running(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
) -> Result<Json<ConfigurationView>, Refusal> {
    let shown = ConfigurationAsk::Show { version: None };
    view(&face, ask(&face, shown, (caller, address)).await?)
}

/// The versions of the configuration, the newest first
#[utoipa::path(get, path = "/api/v1/config/versions", tag = "configuration",
    responses((status = 200, body = ConfigurationList)))]
pub(super) async fn versions(State(face): State<Face>) -> Result<Json<ConfigurationList>, Refusal> {
    let kept = face.store().configurations().await?;
    Ok(Json(ConfigurationList {
        versions: kept.into_iter().map(|document| document.version).collect(),
        now: face.now(),
    }))
}

/// One version of the configuration
#[utoipa::path(get, path = "/api/v1/config/versions/{version}", tag = "configuration",
    params(("version" = u32, Path)),
    responses((status = 200, body = ConfigurationView)))]
pub(super) async fn version(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    AtVersion(version): AtVersion,
) -> Result<Json<ConfigurationView>, Refusal> {
    let shown = ConfigurationAsk::Show {
        version: Some(version),
    };
    view(&face, ask(&face, shown, (caller, address)).await?)
}

/// What is different between two versions
#[utoipa::path(get, path = "/api/v1/config/diff", tag = "configuration", params(CompareQuery),
    responses((status = 200, body = ConfigurationComparison)))]
pub(super) async fn compare(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Params(query): Params<CompareQuery>,
) -> Result<Json<ConfigurationComparison>, Refusal> {
    let CompareQuery { from, to } = query;
    let compared = ConfigurationAsk::Compare { from, to };
    match ask(&face, compared, (caller, address)).await? {
        ConfigurationReply::Compared {
            from,
            to,
            differences,
        } => Ok(Json(ConfigurationComparison {
            from,
            to,
            differences,
        })),
        _ => Err(Refusal::internal("another answer than was asked for")),
    }
}

/// Check a document and say what it would change
///
/// Nothing is changed.
#[utoipa::path(post, path = "/api/v1/config/check", tag = "configuration",
    request_body = CheckRequest, responses((status = 200, body = ConfigurationAnswer)))]
pub(super) async fn check(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Body(request): Body<CheckRequest>,
) -> Result<Json<ConfigurationAnswer>, Refusal> {
    let document = request.document;
    let check = ConfigurationAsk::Check { document };
    answer(ask(&face, check, (caller, address)).await?)
}

/// Apply a document
///
/// It is checked whole first; one equal to what runs changes nothing. Unless it is confirmed in time,
/// or when it does harm, it is taken back by itself.
#[utoipa::path(post, path = "/api/v1/config", tag = "configuration",
    request_body = ApplyRequest, responses((status = 200, body = ConfigurationAnswer)))]
pub(super) async fn apply(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Body(request): Body<ApplyRequest>,
) -> Result<Json<ConfigurationAnswer>, Refusal> {
    let seconds = request.confirm_seconds.unwrap_or(CONFIRM_SECONDS);
    let apply = ConfigurationAsk::Apply {
        document: request.document,
        confirm_seconds: Some(seconds).filter(|seconds| *seconds > 0),
        note: request.note,
    };
    answer(ask(&face, apply, (caller, address)).await?)
}

/// Keep the change that waits
#[utoipa::path(post, path = "/api/v1/config/confirm", tag = "configuration",
    request_body = ConfirmRequest, responses((status = 200, body = ConfigurationAnswer)))]
pub(super) async fn confirm(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Body(request): Body<ConfirmRequest>,
) -> Result<Json<ConfigurationAnswer>, Refusal> {
    let version = request.version;
    let confirm = ConfigurationAsk::Confirm { version };
    answer(ask(&face, confirm, (caller, address)).await?)
}

/// Take back the change that waits, or apply an earlier version again
#[utoipa::path(post, path = "/api/v1/config/revert", tag = "configuration",
    request_body = RevertRequest, responses((status = 200, body = ConfigurationAnswer)))]
pub(super) async fn revert(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
    Body(request): Body<RevertRequest>,
) -> Result<Json<ConfigurationAnswer>, Refusal> {
    let revert = ConfigurationAsk::Revert {
        version: request.version,
        reason: request.reason,
        confirm_seconds: request.confirm_seconds.filter(|seconds| *seconds > 0),
    };
    answer(ask(&face, revert, (caller, address)).await?)
}
