//! Sessions of the users of this gateway. Owns on which clock they are kept.
//!
//! Their times are on the clock as it was at the start of the process, so that setting the wall clock
//! neither ends nor prolongs one. What it was set by is noted beside them, and they are moved by it at
//! the next start, whose clock begins where the wall clock is.

use crate::audit::{Trace, append};
use crate::error::Doing;
use crate::people::{about, change, find_user};
use crate::state::StateTx;
use crate::{Session, Store, StoreError, User};
use riser_model::Timestamp;
use riser_model::audit::action;
use rusqlite::{OptionalExtension, params};

/// By how many milliseconds the wall clock was set since sessions were moved to it.
const BEHIND: &str = "sessions_behind_ms";

fn behind(tx: &StateTx<'_>) -> Result<i64, StoreError> {
    let sql = "SELECT value FROM kv WHERE key = 'sessions_behind_ms'";
    let kept: Option<Vec<u8>> = tx.row("read how the clock was set", sql, |r| r.get(0))?;
    let text = kept.and_then(|octets| String::from_utf8(octets).ok());
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

impl Store {
    /// Forgets wrong passwords after a right one and begins a session; those that were over by then
    /// are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such user; the disk refused.
    pub async fn login(&self, session: Session, from: &str) -> Result<(), StoreError> {
        let by = Trace::new(&session.user, from);
        self.write(move |tx| {
            let sql = "UPDATE user SET failed = 0, locked_until = NULL WHERE name = ?1";
            change(tx, &session.user, sql, [&session.user])?;
            tx.execute(
                "forget expired sessions",
                "DELETE FROM session WHERE expires_at <= ?1",
                [session.created_at.0],
            )?;
            tx.execute(
                "begin a session",
                "INSERT INTO session (token_hash, user, created_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4)",
                params![
                    session.token_hash,
                    session.user,
                    session.created_at.0,
                    session.expires_at.0
                ],
            )?;
            append(tx, about(by, action::LOGIN, &session.user))
        })
        .await
    }

    /// The session of a token and its user, unless it is over at `now`.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, StoreError> {
        self.read(move |r| {
            let file = r.state_file();
            let conn = r.state()?;
            let sql = "SELECT user, created_at, expires_at FROM session \
                       WHERE token_hash = ?1 AND expires_at > ?2";
            let found = conn.prepare_cached(sql).and_then(|mut q| {
                q.query_row(params![token_hash, now.0], |row| {
                    Ok(Session {
                        token_hash,
                        user: row.get(0)?,
                        created_at: Timestamp(row.get(1)?),
                        expires_at: Timestamp(row.get(2)?),
                    })
                })
                .optional()
            });
            let Some(session) = found.doing("find a session", &file)? else {
                return Ok(None);
            };
            Ok(find_user(conn, &file, &session.user)?.map(|user| (session, user)))
        })
        .await
    }

    /// Notes that the wall clock was set while sessions are kept on the one of before.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn sessions_behind(&self, by_ms: i64) -> Result<(), StoreError> {
        self.write(move |tx| {
            let behind = behind(tx)?.saturating_add(by_ms).to_string();
            let sql = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
            let values = params![BEHIND, behind.into_bytes()];
            tx.execute("note that the clock was set", sql, values)
                .map(drop)
        })
        .await
    }

    /// Moves sessions to where the wall clock is; once, before any is looked at.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn move_sessions(&self) -> Result<(), StoreError> {
        self.write(move |tx| {
            let behind = behind(tx)?;
            if behind == 0 {
                return Ok(());
            }
            let sql =
                "UPDATE session SET created_at = created_at + ?1, expires_at = expires_at + ?1";
            tx.execute("move the sessions", sql, [behind])?;
            let sql = "DELETE FROM kv WHERE key = ?1";
            tx.execute("note that they are moved", sql, [BEHIND])
                .map(drop)
        })
        .await
    }

    /// Sets a new end of a session.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn extend_session(
        &self,
        token_hash: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE session SET expires_at = ?2 WHERE token_hash = ?1";
        self.write(move |tx| {
            tx.execute("extend a session", sql, params![token_hash, expires_at.0])
                .map(drop)
        })
        .await
    }

    /// Ends a session; one that is not there is no error.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn end_session(&self, token_hash: [u8; 32], by: Trace) -> Result<(), StoreError> {
        let sql = "DELETE FROM session WHERE token_hash = ?1";
        self.write(move |tx| {
            if tx.execute("end a session", sql, params![token_hash])? == 0 {
                return Ok(());
            }
            let user = by.actor.clone();
            append(tx, about(by, action::LOGOUT, &user))
        })
        .await
    }
}
