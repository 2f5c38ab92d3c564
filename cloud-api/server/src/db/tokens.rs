//! Refresh tokens. Owns their rows and the one rule that matters: each is good once, and one that
//! comes a second time ends every session of its log-in (RFC 9700, clause 4.14.2). The proof of
//! who asks is the token itself, of which only the hash is kept.

use super::text::uuid;
use super::{Db, DbError, users};
use crate::tenancy::Subject;
use riser_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// SHA-256 of a refresh token.
pub type TokenHash = [u8; 32];

/// A token renewed this shortly ago may come once more from a second window of the same browser,
/// which is told to use the newer one; later it counts as stolen.
const RACE_MS: i64 = 10_000;

/// What became of renewing.
#[derive(Debug, Clone)]
pub enum Renewed {
    /// The new token holds, for this person as they are now.
    Yes(Subject),
    /// No such token, or it has ended.
    Unknown,
    /// Another window has just renewed it.
    Raced,
    /// It was used before: every session of that log-in has ended.
    Reused {
        /// Whose it was.
        user: Uuid,
    },
}

struct Found {
    id: Vec<u8>,
    user: Vec<u8>,
    family: Vec<u8>,
    used_at: Option<i64>,
}

fn insert(
    c: &Connection,
    user: &[u8],
    family: &[u8],
    hash: &TokenHash,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    c.prepare_cached(
        "INSERT INTO refresh_token (id, user, family, hash, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        Uuid::new_v4().as_bytes(),
        user,
        family,
        hash,
        expires_at.0
    ])
    .map_err(DbError::sqlite("enter a refresh token"))?;
    Ok(())
}

/// Tokens are kept until they end even when used, because only then is a second use seen.
fn find(c: &Connection, hash: &TokenHash, now: Timestamp) -> Result<Option<Found>, DbError> {
    c.prepare_cached(
        "SELECT id, user, family, used_at FROM refresh_token
         WHERE hash = ?1 AND expires_at > ?2 AND revoked = 0",
    )?
    .query_row(params![hash, now.0], |row| {
        Ok(Found {
            id: row.get(0)?,
            user: row.get(1)?,
            family: row.get(2)?,
            used_at: row.get(3)?,
        })
    })
    .optional()
    .map_err(DbError::sqlite("find a refresh token"))
}

fn revoke(c: &Connection, family: &[u8]) -> Result<(), DbError> {
    c.prepare_cached("UPDATE refresh_token SET revoked = 1 WHERE family = ?1")?
        .execute([family])?;
    Ok(())
}

impl Db {
    /// Begins a family: the first token of a log-in. Ended tokens of everybody go.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn begin_session(
        &self,
        user: Uuid,
        hash: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), DbError> {
        self.write(move |c| {
            c.prepare_cached("DELETE FROM refresh_token WHERE expires_at <= ?1")?
                .execute([now.0])?;
            let family = Uuid::new_v4();
            insert(c, user.as_bytes(), family.as_bytes(), &hash, expires_at)
        })
        .await
    }

    /// Replaces a token by the next of its family.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn renew_session(
        &self,
        hash: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewed, DbError> {
        self.write(move |c| {
            let Some(found) = find(c, &hash, now)? else {
                return Ok(Renewed::Unknown);
            };
            let user = uuid("user id", &found.user)?;
            if let Some(used_at) = found.used_at {
                if now.0.saturating_sub(used_at) < RACE_MS {
                    return Ok(Renewed::Raced);
                }
                revoke(c, &found.family)?;
                return Ok(Renewed::Reused { user });
            }
            let Some(subject) = users::find(c, user)? else {
                return Ok(Renewed::Unknown);
            };
            c.prepare_cached("UPDATE refresh_token SET used_at = ?2 WHERE id = ?1")?
                .execute(params![found.id, now.0])?;
            insert(c, &found.user, &found.family, &next, expires_at)?;
            Ok(Renewed::Yes(subject))
        })
        .await
    }

    /// Ends every session of the log-in a token comes from. An unknown token ends nothing.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn end_session(&self, hash: TokenHash, now: Timestamp) -> Result<(), DbError> {
        self.write(move |c| match find(c, &hash, now)? {
            Some(found) => revoke(c, &found.family),
            None => Ok(()),
        })
        .await
    }
}
