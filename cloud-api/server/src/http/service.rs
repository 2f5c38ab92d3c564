//! The routes about the service itself: alive or not, figures, the document. Owns the text of
//! `/metrics`, in the Prometheus exposition format 0.0.4.

use super::Face;
use super::guard::bearer;
use super::refusal::Refusal;
use crate::app::AppError;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Write;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// Whether the service works.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok` when the database answers.
    status: &'static str,
    /// Version of the service.
    version: &'static str,
}

/// Whether the service works
///
/// Asks the database; 503 when it does not answer.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = Health)))]
pub(super) async fn healthz(State(face): State<Face>) -> Result<Json<Health>, Refusal> {
    face.app.alive().await?;
    Ok(Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Operating figures for Prometheus
///
/// Needs the metrics token of the configuration as bearer token.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(
    State(face): State<Face>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let given = bearer(&headers).unwrap_or_default();
    let genuine = face.metrics_token.as_ref().is_some_and(|token| {
        bool::from(token.as_bytes().ct_eq(given.as_bytes())) && !token.is_empty()
    });
    if !genuine {
        return Err(AppError::Unauthenticated {
            code: "token_missing",
            message: "the figures need the metrics token of the configuration as bearer token"
                .to_owned(),
        }
        .into());
    }
    let mut text = String::with_capacity(4096);
    for figure in face.app.figures().into_iter().chain(face.live.figures()) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}",
            figure.name, figure.help, figure.kind, figure.value
        );
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "service",
    responses((status = 200, body = Object, content_type = "application/json")))]
pub(super) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(super::document())
}
