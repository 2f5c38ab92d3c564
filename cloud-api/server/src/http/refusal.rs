//! How a failed call looks over HTTP. Owns the error body and the status of every
//! [`AppError`]; internal texts go to the log and never to a client.

use crate::app::AppError;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// What went wrong.
    pub(super) error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// Stable word for programs.
    pub(super) code: String,
    /// What was tried and what to do, for people.
    pub(super) message: String,
    /// Seconds until a repeat makes sense, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_s: Option<u64>,
}

/// A call that was not carried out.
#[derive(Debug)]
pub(super) struct Refusal(AppError);

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        Self(error)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        let text = rejection.body_text();
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self(AppError::Refused {
                code: "too_large",
                message: text,
            });
        }
        Self(AppError::Malformed(format!(
            "the body was not understood: {text}"
        )))
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self(AppError::Malformed(format!(
            "the query was not understood: {}",
            rejection.body_text()
        )))
    }
}

fn status(error: &AppError) -> StatusCode {
    match error {
        AppError::NotFound(_) => StatusCode::NOT_FOUND,
        AppError::Malformed(_) => StatusCode::BAD_REQUEST,
        AppError::Refused {
            code: "too_large", ..
        } => StatusCode::PAYLOAD_TOO_LARGE,
        AppError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        AppError::Conflict { .. } => StatusCode::CONFLICT,
        AppError::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        AppError::Forbidden(_) => StatusCode::FORBIDDEN,
        AppError::Locked { .. } => StatusCode::LOCKED,
        AppError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        AppError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let message = if let AppError::Internal(text) = &self.0 {
            tracing::error!(error = %text, "a request failed inside the service");
            "the service failed to carry this out; its log says why under the id in x-request-id"
                .to_owned()
        } else {
            self.0.to_string()
        };
        let retry = self.0.retry_after_s();
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.0.code().to_owned(),
                message,
                retry_after_s: retry,
            },
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
