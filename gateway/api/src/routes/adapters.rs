//! Adapters and what they can be asked for beyond points: browsing their devices, operations of their
//! own. Owns the routes; carrying them out and recording them is the runtime's.

use super::extract::{Body, From as Asker, Params};
use crate::auth::Caller;
use crate::face::Face;
use crate::plain;
use crate::refusal::Refusal;
use crate::shape::commissioning::{
    Adapter, AdapterList, BrowseEntry, BrowseList, OperationAnswer, OperationList,
    OperationRequest, OperationView,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use riser_runtime::PowerError;
use riser_store::Trace;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which node.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BrowseQuery {
    /// Its path; the root if absent.
    #[serde(default)]
    path: String,
}

impl From<PowerError> for Refusal {
    fn from(error: PowerError) -> Self {
        let message = error.to_string();
        let (status, code) = match error {
            PowerError::UnknownAdapter(_) | PowerError::Unable { .. } => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            PowerError::Parameter { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "bad_parameter"),
            PowerError::NotRunning { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_running"),
            PowerError::Failed(_) => (StatusCode::BAD_GATEWAY, "failed"),
            PowerError::TooSlow { .. } => (StatusCode::GATEWAY_TIMEOUT, "too_slow"),
        };
        Self::new(status, code, message)
    }
}

/// The adapters with their state and what they can be asked for
#[utoipa::path(get, path = "/api/v1/adapters", tag = "adapters",
    responses((status = 200, body = AdapterList)))]
pub(super) async fn adapters(State(face): State<Face>) -> Json<AdapterList> {
    let runtime = face.runtime();
    let adapters = runtime.adapters().into_iter().map(|view| {
        let abilities = runtime.abilities(&view.name);
        Adapter {
            view,
            can_browse: abilities.browse,
            operations: abilities.operations,
        }
    });
    Json(AdapterList {
        adapters: adapters.collect(),
    })
}

/// What the devices of an adapter hold, one level
#[utoipa::path(get, path = "/api/v1/adapters/{adapter}/browse", tag = "adapters",
    params(("adapter" = String, Path), BrowseQuery), responses((status = 200, body = BrowseList)))]
pub(super) async fn browse(
    State(face): State<Face>,
    Path(adapter): Path<String>,
    Params(query): Params<BrowseQuery>,
) -> Result<Json<BrowseList>, Refusal> {
    let nodes = face.runtime().browse(&adapter, query.path).await?;
    let collected = |node: &riser_runtime::BrowseNode| {
        let point = node.point.as_ref();
        point.is_some_and(|point| face.runtime().slot(&point.path).is_some())
    };
    let entries = nodes.into_iter().map(|node| {
        let collected = collected(&node);
        BrowseEntry::new(node, collected)
    });
    Ok(Json(BrowseList {
        nodes: entries.collect(),
    }))
}

/// What can be done with an adapter now
#[utoipa::path(get, path = "/api/v1/adapters/{adapter}/operations", tag = "adapters",
    params(("adapter" = String, Path)), responses((status = 200, body = OperationList)))]
pub(super) async fn operations(
    State(face): State<Face>,
    Path(adapter): Path<String>,
) -> Result<Json<OperationList>, Refusal> {
    let operations = face.runtime().operations(&adapter)?.into_iter();
    let owners = face.runtime().owners().into_iter();
    let own = owners.filter(|(_, owner)| **owner == *adapter);
    Ok(Json(OperationList {
        operations: operations.map(OperationView::from).collect(),
        devices: own.map(|(device, _)| device.to_string()).collect(),
    }))
}

/// Do one of an adapter's operations
///
/// The audit log has who asked for it and what came of it.
#[utoipa::path(post, path = "/api/v1/adapters/{adapter}/operations/{operation}", tag = "adapters",
    params(("adapter" = String, Path), ("operation" = String, Path)),
    request_body = OperationRequest, responses((status = 200, body = OperationAnswer)))]
pub(super) async fn operate(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
    Path((adapter, operation)): Path<(String, String)>,
    Body(request): Body<OperationRequest>,
) -> Result<Json<OperationAnswer>, Refusal> {
    let by = Trace::new(caller.user, address.to_string());
    let asked = (operation.as_str(), plain::table(request.parameters));
    let answer = face.runtime().operate(&adapter, asked, by).await?;
    Ok(Json(OperationAnswer {
        answer: plain::object(answer),
    }))
}
