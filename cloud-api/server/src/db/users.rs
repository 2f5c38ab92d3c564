//! People and tenants. Owns the rows of `user` and the wrong passwords counted in them. Reading an
//! account comes before anybody is known, so it alone takes no context: it answers one row by its
//! login name, and only `app::accounts` calls it.

use super::text::{uuid, word};
use super::{Db, DbError, gateways};
use crate::tenancy::{Console, Subject, Tries};
use riser_model::{Key, Role, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// An account as logging in needs it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who it is.
    pub subject: Subject,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// Wrong passwords so far.
    pub tries: Tries,
}

/// A person to be.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Login name.
    pub email: String,
    /// Name people read.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The tenant they belong to; made when it is new. `None` for somebody who runs the platform.
    pub tenant: Option<TenantId>,
    /// Argon2id, PHC string.
    pub password_hash: String,
}

/// How a try to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// In.
    Passed,
    /// Wrong, and this is the count now.
    Wrong(Tries),
    /// Locked, by this count; the password does not matter.
    Locked(Tries),
}

const COLUMNS: &str =
    "id, tenant, email, name, role, password_hash, failed, failed_at, locked_until";

type Columns = (Vec<u8>, Option<String>, String, String, String);

fn subject_columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ))
}

fn subject((id, tenant, email, name, role): Columns) -> Result<Subject, DbError> {
    let tenant = tenant.map(|t| Key::new(&t)).transpose();
    let role = serde_json::from_value(serde_json::Value::String(role));
    Ok(Subject {
        user: uuid("user id", &id)?,
        email,
        name,
        role: role.map_err(|e| DbError::stored("role", e))?,
        tenant: tenant.map_err(|e| DbError::stored("tenant", e))?,
    })
}

/// Whom a user id belongs to now.
pub(super) fn find(c: &Connection, user: Uuid) -> Result<Option<Subject>, DbError> {
    c.prepare_cached("SELECT id, tenant, email, name, role FROM user WHERE id = ?1")?
        .query_row([user.as_bytes()], subject_columns)
        .optional()?
        .map(subject)
        .transpose()
}

fn tries(c: &Connection, user: Uuid) -> Result<Option<Tries>, DbError> {
    c.prepare_cached("SELECT failed, failed_at, locked_until FROM user WHERE id = ?1")?
        .query_row([user.as_bytes()], |row| tries_at(row, 0))
        .optional()
        .map_err(DbError::sqlite("read an account"))
}

fn tries_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Tries> {
    Ok(Tries {
        failed: row.get(first)?,
        first_at: row.get::<_, Option<i64>>(first + 1)?.map(Timestamp),
        locked_until: row.get::<_, Option<i64>>(first + 2)?.map(Timestamp),
    })
}

fn keep(c: &Connection, user: Uuid, tries: Tries) -> Result<(), DbError> {
    c.prepare_cached(
        "UPDATE user SET failed = ?2, failed_at = ?3, locked_until = ?4 WHERE id = ?1",
    )?
    .execute(params![
        user.as_bytes(),
        tries.failed,
        tries.first_at.map(|t| t.0),
        tries.locked_until.map(|t| t.0)
    ])?;
    Ok(())
}

impl Db {
    /// The account behind a login name, upper and lower case alike.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account(&self, email: String) -> Result<Option<Account>, DbError> {
        self.read(move |c| {
            let found = c
                .prepare_cached(&format!("SELECT {COLUMNS} FROM user WHERE email = ?1"))?
                .query_row([email], |row| {
                    let hash: String = row.get(5)?;
                    Ok((subject_columns(row)?, hash, tries_at(row, 6)?))
                })
                .optional()?;
            let Some((columns, password_hash, tries)) = found else {
                return Ok(None);
            };
            Ok(Some(Account {
                subject: subject(columns)?,
                password_hash,
                tries,
            }))
        })
        .await
    }

    /// Settles a try: a right password clears the count, a wrong one adds to it, and while the
    /// account is locked neither matters. Tries made side by side are settled one after the other.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn settle(
        &self,
        user: Uuid,
        right: bool,
        now: Timestamp,
    ) -> Result<Settled, DbError> {
        self.write(move |c| {
            let before = tries(c, user)?.unwrap_or_default();
            if before.locked_s(now).is_some() {
                return Ok(Settled::Locked(before));
            }
            if right {
                if before != Tries::default() {
                    keep(c, user, Tries::default())?;
                }
                return Ok(Settled::Passed);
            }
            let after = before.wrong(now);
            keep(c, user, after)?;
            Ok(Settled::Wrong(after))
        })
        .await
    }

    /// Makes a person, and their tenant when it is new. Somebody with this login name gets the new
    /// name, role, tenant and password, is unlocked, and is logged out everywhere.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn put_user(
        &self,
        _: Console,
        new: NewUser,
        now: Timestamp,
    ) -> Result<Uuid, DbError> {
        self.write(move |c| {
            let tenant = new.tenant.as_ref().map(Key::as_str);
            if let Some(tenant) = tenant {
                gateways::ensure_tenant(c, tenant, now)?;
            }
            let known: Option<Vec<u8>> = c
                .prepare_cached("SELECT id FROM user WHERE email = ?1")?
                .query_row([&new.email], |row| row.get(0))
                .optional()?;
            let id = match known {
                Some(id) => uuid("user id", &id)?,
                None => Uuid::new_v4(),
            };
            c.prepare_cached(
                "INSERT INTO user (id, tenant, email, name, role, password_hash, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, name = excluded.name,
                   role = excluded.role, password_hash = excluded.password_hash,
                   failed = 0, failed_at = NULL, locked_until = NULL",
            )?
            .execute(params![
                id.as_bytes(),
                tenant,
                new.email,
                new.name,
                word(&new.role)?,
                new.password_hash,
                now.0
            ])
            .map_err(DbError::sqlite("enter a person"))?;
            c.prepare_cached("DELETE FROM refresh_token WHERE user = ?1")?
                .execute([id.as_bytes()])?;
            Ok(id)
        })
        .await
    }

    /// How many people there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_users(&self, _: Console) -> Result<u64, DbError> {
        self.read(|c| {
            let count: i64 = c.query_row("SELECT count(*) FROM user", [], |row| row.get(0))?;
            Ok(super::text::unsigned(count))
        })
        .await
    }
}
