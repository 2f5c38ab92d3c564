//! For programs: health, figures, the document of the API. Owns the routes and what counts as
//! healthy.

use crate::face::Face;
use crate::metrics;
use crate::refusal::Refusal;
use crate::shape::HealthReport;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use riser_runtime::AdapterState;
use riser_store::DiskState;
use std::sync::OnceLock;

/// Whether the gateway collects
///
/// Devices that do not answer and a cloud that is away are no illness of the gateway: they are
/// shown by the overview.
#[utoipa::path(get, path = "/healthz", tag = "service",
    responses(
        (status = 200, body = HealthReport, description = "Collecting."),
        (status = 503, body = HealthReport, description = "Not collecting; the reasons say why.")))]
pub(super) async fn healthz(State(face): State<Face>) -> Response {
    let report = health(&face);
    let status = if report.collecting {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    (status, uncached, Json(report)).into_response()
}

fn health(face: &Face) -> HealthReport {
    let mut reasons = Vec::new();
    if let DiskState::Failing { since, .. } = face.store().stats().disk {
        let seconds = face.now().since(since) / 1000;
        reasons.push(format!("the disk has refused every write for {seconds} s"));
    }
    for adapter in face.runtime().adapters() {
        let state = match adapter.state {
            AdapterState::Running => continue,
            AdapterState::Starting => "is still starting",
            AdapterState::BackingOff => "ended and is about to be started again",
            AdapterState::Parked => "cannot work as configured",
            AdapterState::Quarantined => "failed again and again and is left alone",
            AdapterState::Stopped => "has been stopped",
        };
        reasons.push(format!("adapter {} {state}", adapter.name));
    }
    HealthReport {
        collecting: reasons.is_empty(),
        reasons,
        link: face.link().borrow().state,
    }
}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(face): State<Face>) -> Response {
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (kind, metrics::text(&face)).into_response()
}

/// The document of this API
#[utoipa::path(get, path = "/openapi.json", tag = "service",
    responses((status = 200, content_type = "application/json")))]
pub(super) async fn openapi() -> Result<Response, Refusal> {
    static DOCUMENT: OnceLock<Option<String>> = OnceLock::new();
    let text = DOCUMENT
        .get_or_init(|| super::document().to_json().ok())
        .as_deref()
        .ok_or_else(|| Refusal::internal("the OpenAPI document cannot be written as JSON"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
