//! Users of this gateway. Owns the counters behind the lock-out; hashes come ready made from whoever
//! knows the password. Their sessions are in `sessions`.

use crate::audit::{Note, Trace, append};
use crate::error::Doing;
use crate::state::StateTx;
use crate::{Store, StoreError};
use riser_model::audit::action;
use riser_model::{Role, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;

/// A person who may log in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// PHC string of the password hash.
    pub password_hash: String,
    /// Wrong passwords in a row.
    pub failed: u32,
    /// No login before this time.
    pub locked_until: Option<Timestamp>,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A person to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Login name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// PHC string of the password hash.
    pub password_hash: String,
}

/// When wrong passwords lock a user out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong passwords in a row until then.
    pub after: u32,
    /// How long, in milliseconds.
    pub for_ms: i64,
}

/// A login that is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Digest of the token; the token itself is never stored.
    pub token_hash: [u8; 32],
    /// Whose.
    pub user: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

const COLUMNS: &str = "name, role, password_hash, failed, locked_until, created_at";

fn role_text(role: Role) -> String {
    serde_json::to_value(role)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn user_of(row: &Row<'_>) -> rusqlite::Result<(User, String)> {
    let user = User {
        name: row.get(0)?,
        role: Role::Viewer,
        password_hash: row.get(2)?,
        failed: row.get(3)?,
        locked_until: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        created_at: Timestamp(row.get(5)?),
    };
    Ok((user, row.get(1)?))
}

fn with_role((user, role): (User, String)) -> Result<User, StoreError> {
    let role = serde_json::from_value(serde_json::Value::String(role)).map_err(|e| {
        StoreError::Record {
            what: "user",
            detail: format!("role of '{}': {e}", user.name),
        }
    })?;
    Ok(User { role, ..user })
}

pub(crate) fn find_user(
    conn: &Connection,
    file: &Path,
    name: &str,
) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM user WHERE name = ?1");
    let found = conn
        .prepare_cached(&sql)
        .and_then(|mut q| q.query_row([name], user_of).optional());
    found.doing("find a user", file)?.map(with_role).transpose()
}

fn insert_user(tx: &StateTx<'_>, user: &NewUser) -> Result<(), StoreError> {
    if find_user(tx.conn(), tx.file(), &user.name)?.is_some() {
        return Err(StoreError::Exists {
            what: "user",
            name: user.name.clone(),
        });
    }
    tx.execute(
        "add a user",
        "INSERT INTO user (name, role, password_hash, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            user.name,
            role_text(user.role),
            user.password_hash,
            tx.now().0
        ],
    )?;
    Ok(())
}

/// One update of one user, which must exist.
pub(crate) fn change(
    tx: &StateTx<'_>,
    name: &str,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    match tx.execute("change a user", sql, values)? {
        0 => Err(StoreError::Missing {
            what: "user",
            name: name.to_owned(),
        }),
        _ => Ok(()),
    }
}

pub(crate) fn about(by: Trace, action: &'static str, user: &str) -> Note {
    Note::new(by, action, user)
}

fn role(role: Role) -> serde_json::Value {
    serde_json::json!({ "role": role })
}

impl Store {
    /// Adds a user.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken; the disk refused.
    pub async fn add_user(&self, user: NewUser, by: Trace) -> Result<(), StoreError> {
        self.write(move |tx| {
            insert_user(tx, &user)?;
            append(
                tx,
                about(by, action::USER_ADDED, &user.name).with(role(user.role)),
            )
        })
        .await
    }

    /// Adds the very first user, who claims the gateway from somewhere. `false`, and nothing is changed, when there is one already: this
    /// is what makes the first-boot claim work once.
    ///
    /// # Errors
    /// The disk refused.
    pub async fn add_first_user(&self, user: NewUser, from: &str) -> Result<bool, StoreError> {
        let by = Trace::new(&user.name, from);
        self.write(move |tx| {
            let count: i64 = tx.value("count users", "SELECT count(*) FROM user", [])?;
            if count > 0 {
                return Ok(false);
            }
            insert_user(tx, &user)?;
            let note = about(by, action::CLAIM, &user.name).with(role(user.role));
            append(tx, note).map(|()| true)
        })
        .await
    }

    /// Finds a user by login name.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let name = name.to_owned();
        self.read(move |r| {
            let file = r.state_file();
            find_user(r.state()?, &file, &name)
        })
        .await
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(|r| {
            let file = r.state_file();
            let sql = format!("SELECT {COLUMNS} FROM user ORDER BY name");
            let mut query = r.state()?.prepare_cached(&sql).doing("list users", &file)?;
            let rows = query.query_map([], user_of).doing("list users", &file)?;
            rows.map(|row| row.doing("list users", &file).and_then(with_role))
                .collect()
        })
        .await
    }

    /// Removes a user with their sessions.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none; the disk refused.
    pub async fn remove_user(&self, name: &str, by: Trace) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |tx| {
            change(tx, &name, "DELETE FROM user WHERE name = ?1", [&name])?;
            append(tx, about(by, action::USER_REMOVED, &name))
        })
        .await
    }

    /// Sets a new password hash and ends every session of the user.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none; the disk refused.
    pub async fn set_password(
        &self,
        name: &str,
        hash: String,
        by: Trace,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |tx| {
            tx.execute(
                "end sessions",
                "DELETE FROM session WHERE user = ?1",
                [&name],
            )?;
            let sql = "UPDATE user SET password_hash = ?2, failed = 0, locked_until = NULL \
                       WHERE name = ?1";
            change(tx, &name, sql, params![name, hash])?;
            append(tx, about(by, action::USER_PASSWORD, &name))
        })
        .await
    }

    /// Sets what a user may do.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none; the disk refused.
    pub async fn set_role(&self, name: &str, to: Role, by: Trace) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |tx| {
            let sql = "UPDATE user SET role = ?2 WHERE name = ?1";
            change(tx, &name, sql, params![name, role_text(to)])?;
            append(tx, about(by, action::USER_ROLE, &name).with(role(to)))
        })
        .await
    }

    /// Counts a wrong password and locks the user out when it was one too many. Answers with the
    /// user afterwards; the counter starts anew with each lock.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none; the disk refused.
    pub async fn login_failed(
        &self,
        name: &str,
        lockout: Lockout,
        from: &str,
    ) -> Result<User, StoreError> {
        let (name, by) = (name.to_owned(), Trace::new(name, from));
        self.write(move |tx| {
            let until = tx.now().0.saturating_add(lockout.for_ms);
            let sql = "UPDATE user SET \
                 locked_until = CASE WHEN failed + 1 >= ?2 THEN ?3 ELSE locked_until END, \
                 failed = CASE WHEN failed + 1 >= ?2 THEN 0 ELSE failed + 1 END \
                 WHERE name = ?1";
            change(tx, &name, sql, params![name, lockout.after, until])?;
            let user = find_user(tx.conn(), tx.file(), &name)?.ok_or(StoreError::Missing {
                what: "user",
                name: name.clone(),
            })?;
            append(tx, about(by.clone(), action::LOGIN_FAILED, &name))?;
            if user.locked_until == Some(Timestamp(until)) {
                let detail = serde_json::json!({ "until": until });
                append(tx, about(by, action::LOCKED_OUT, &name).with(detail))?;
            }
            Ok(user)
        })
        .await
    }
}
