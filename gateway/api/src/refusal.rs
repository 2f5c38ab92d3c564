//! How a call that was not carried out looks over HTTP. Owns the error body and which status and
//! word each error gets; internal texts go to the log and never to a client.

use crate::auth::AuthError;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use riser_runtime::{AcknowledgeError, CommandRefused, ReadError, RefusedKind};
use riser_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable word for programs.
    pub code: String,
    /// What was tried and what to do, for people.
    pub message: String,
    /// Seconds until a repeat makes sense, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// A call that was not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after_s: Option<u64>,
}

impl Refusal {
    /// A refusal with a stable word for programs and a text for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// Says when a repeat makes sense.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what} on this gateway"),
        )
    }

    /// The request contradicts the document of the API.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// Something inside failed: the log says what, the client only that.
    pub(crate) fn internal(text: &str) -> Self {
        tracing::error!(error = text, "a request failed inside the gateway");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the gateway failed to carry this out; its log says why (journalctl -u riserd)",
        )
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let text = "the body is too long";
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text);
        }
        let text = rejection.body_text();
        Self::malformed(format!("the body was not understood: {text}"))
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        Self::malformed(format!("the query was not understood: {text}"))
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        let text = rejection.body_text();
        Self::malformed(format!("the path was not understood: {text}"))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string()).retry_after(1)
            }
            StoreError::TooSlow { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "range_too_long",
                error.to_string(),
            ),
            StoreError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "the gateway is going down",
            ),
            other => Self::internal(&other.chain()),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownPoint(_) => {
                Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
            }
            ReadError::Store { source, .. } => source.into(),
        }
    }
}

impl From<AcknowledgeError> for Refusal {
    fn from(error: AcknowledgeError) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
    }
}

impl From<CommandRefused> for Refusal {
    fn from(refused: CommandRefused) -> Self {
        let message = refused.record.outcome.detail;
        match refused.kind {
            RefusedKind::UnknownPoint => Self::new(StatusCode::NOT_FOUND, "not_found", message),
            RefusedKind::NotAllowed => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_allowed", message)
            }
            RefusedKind::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(1)
            }
            RefusedKind::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
        }
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        match error {
            AuthError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong_login", message),
            AuthError::WrongCode => Self::new(StatusCode::FORBIDDEN, "wrong_code", message),
            AuthError::Claimed => Self::new(StatusCode::CONFLICT, "claimed", message),
            AuthError::Unclaimed => Self::new(StatusCode::CONFLICT, "unclaimed", message),
            AuthError::Weak(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "weak_password", message)
            }
            AuthError::BadName(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_name", message)
            }
            AuthError::Locked { retry_after_s } => {
                Self::new(StatusCode::LOCKED, "locked", message).retry_after(retry_after_s)
            }
            AuthError::TooMany { retry_after_s } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
                    .retry_after(retry_after_s)
            }
            AuthError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(2)
            }
            AuthError::Hash(text) => Self::internal(&text),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.to_owned(),
                message: self.message,
                retry_after_s: self.retry_after_s,
            },
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
