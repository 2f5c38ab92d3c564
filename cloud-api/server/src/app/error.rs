//! What an application call can fail with, in words for whoever called. Owns the codes clients
//! may branch on; the HTTP status for each is chosen in `http::refusal`.

use crate::db::{DbError, Sought};

/// Why a call was not carried out. Every text says what was tried and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such thing for whoever asks; also the answer for another tenant's.
    #[error("there is no {0} that you can see; check the name in the list it came from")]
    NotFound(String),
    /// The request itself makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// Understood, but the thing asked for is not allowed for this object.
    #[error("{message}")]
    Refused {
        /// Stable word for programs.
        code: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// Clashes with what is there already.
    #[error("{message}")]
    Conflict {
        /// Stable word for programs.
        code: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// Not logged in, or not any more.
    #[error("{message}")]
    Unauthenticated {
        /// Stable word for programs.
        code: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// The role does not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// The account is locked after wrong passwords.
    #[error(
        "this account is locked after {failures} wrong passwords; try again in {retry_after_s} s, \
         or ask an administrator to set a new password"
    )]
    Locked {
        /// Wrong passwords that led here.
        failures: u32,
        /// Seconds until the next try makes sense.
        retry_after_s: u64,
    },
    /// Too many tries.
    #[error("too many log-in attempts from this {scope}; try again in {retry_after_s} s")]
    TooMany {
        /// What is counted: `address` or `account`.
        scope: &'static str,
        /// Seconds until the next try makes sense.
        retry_after_s: u64,
    },
    /// The service has more to do than it can; nothing was changed.
    #[error("the service is busy ({0}); nothing was changed, try again in a moment")]
    Busy(&'static str),
    /// A fault of the service. The text is for its log, not for clients.
    #[error("{0}")]
    Internal(String),
}

/// Result of an application call.
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// The stable word programs may branch on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Malformed(_) => "malformed",
            Self::Refused { code, .. }
            | Self::Conflict { code, .. }
            | Self::Unauthenticated { code, .. } => code,
            Self::Forbidden(_) => "forbidden",
            Self::Locked { .. } => "account_locked",
            Self::TooMany { .. } => "too_many_attempts",
            Self::Busy(_) => "busy",
            Self::Internal(_) => "internal",
        }
    }

    /// When a repeat makes sense, in seconds, where that is known.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Locked { retry_after_s, .. } | Self::TooMany { retry_after_s, .. } => {
                Some(*retry_after_s)
            }
            Self::Busy(_) => Some(1),
            _ => None,
        }
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Limit(message) => Self::Refused {
                code: "too_much",
                message,
            },
            DbError::Closed => Self::Busy("it is stopping"),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// What a look-up found, or the answer when it found nothing.
///
/// # Errors
/// [`AppError::NotFound`], or a request to name the tenant when several fit.
pub(super) fn found<T>(sought: Sought<T>, what: impl FnOnce() -> String) -> AppResult<T> {
    match sought {
        Sought::Found(found) => Ok(found),
        Sought::Missing => Err(AppError::NotFound(what())),
        Sought::Ambiguous => Err(AppError::Malformed(format!(
            "several tenants have a {}; add ?tenant= to say which",
            what()
        ))),
    }
}
