//! What the database can fail with. Owns no recovery: the caller knows whether to try again.

/// Why a read or a write did not happen. Nothing was changed by a write that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// SQLite said no.
    #[error("{what}: {message}")]
    Sqlite {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        message: String,
    },
    /// The database file or its folder cannot be used.
    #[error("{path}: {message}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// What is stored cannot be read as what it should be.
    #[error("stored {what} cannot be read: {message}")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// A limit that protects the service was reached.
    #[error("{0}")]
    Limit(String),
    /// The service is ending, or the database thread is gone.
    #[error("the database is closed: the service is ending")]
    Closed,
    /// A job panicked; it was rolled back alone.
    #[error("a database job panicked and was rolled back: {0}")]
    Panicked(String),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite {
            what: "query",
            message: error.to_string(),
        }
    }
}

impl DbError {
    /// An error of SQLite with what was tried.
    pub fn sqlite(what: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::Sqlite {
            what,
            message: error.to_string(),
        }
    }

    /// An error about stored text or octets.
    pub fn stored(what: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Stored {
            what,
            message: error.to_string(),
        }
    }
}
