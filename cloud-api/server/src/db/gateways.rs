//! Gateways as the link sees them: first heard of, connected, heartbeat, gone. Owns the rows of
//! `tenant`, `gateway` and `epoch`.

use super::text::signed;
use super::{CloudEvent, Db, DbError, GatewayChange, Origin};
use riser_model::Timestamp;
use riser_wire::{Epoch, Heartbeat, Hello};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// The row of a gateway, if it was ever heard of.
pub(super) fn find(connection: &Connection, origin: &Origin) -> Result<Option<i64>, DbError> {
    connection
        .prepare_cached("SELECT row FROM gateway WHERE tenant = ?1 AND id = ?2")?
        .query_row(
            params![origin.tenant.as_str(), origin.gateway.as_str()],
            |r| r.get(0),
        )
        .optional()
        .map_err(DbError::sqlite("find a gateway"))
}

/// The row of a gateway, made when it is new. Its tenant is made with it: both names come from a
/// certificate this service's own CA has signed.
pub(super) fn ensure(
    connection: &Connection,
    origin: &Origin,
    now: Timestamp,
) -> Result<i64, DbError> {
    if let Some(row) = find(connection, origin)? {
        return Ok(row);
    }
    ensure_tenant(connection, origin.tenant.as_str(), now)?;
    let id = origin.gateway.as_str();
    connection
        .execute(
            "INSERT INTO gateway (tenant, id, name, created_at) VALUES (?1, ?2, ?2, ?3)",
            params![origin.tenant.as_str(), id, now.0],
        )
        .map_err(DbError::sqlite("enter a gateway"))?;
    Ok(connection.last_insert_rowid())
}

/// Makes a tenant that is new; its name is its id until somebody says otherwise.
pub(super) fn ensure_tenant(
    connection: &Connection,
    tenant: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO tenant (id, name, created_at) VALUES (?1, ?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![tenant, now.0])
        .map_err(DbError::sqlite("enter a tenant"))?;
    Ok(())
}

/// The row of an epoch, made when it is new.
pub(super) fn ensure_epoch(
    connection: &Connection,
    gateway: i64,
    epoch: Epoch,
    now: Timestamp,
) -> Result<i64, DbError> {
    let found = connection
        .prepare_cached("SELECT row FROM epoch WHERE gateway = ?1 AND uuid = ?2")?
        .query_row(params![gateway, epoch.0.as_bytes()], |r| r.get(0))
        .optional()?;
    if let Some(row) = found {
        return Ok(row);
    }
    connection
        .execute(
            "INSERT INTO epoch (gateway, uuid, created_at) VALUES (?1, ?2, ?3)",
            params![gateway, epoch.0.as_bytes(), now.0],
        )
        .map_err(DbError::sqlite("enter an epoch"))?;
    Ok(connection.last_insert_rowid())
}

impl Db {
    /// A gateway has connected: enters it if it is new.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn gateway_connected(
        &self,
        origin: &Arc<Origin>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let row = ensure(c, &of, now)?;
            c.prepare_cached(
                "UPDATE gateway SET connected = 1, connected_since = ?2, last_seen = ?2 WHERE row = ?1",
            )?
            .execute(params![row, now.0])?;
            Ok(())
        })
        .await?;
        self.announce_change(origin, GatewayChange::Connected);
        Ok(())
    }

    /// The connection of a gateway has ended.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn gateway_disconnected(
        &self,
        origin: &Arc<Origin>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        self.gateway_gone(origin, now, || true).await
    }

    /// As [`Db::gateway_disconnected`], if `gone` still says so when its turn comes: a newer
    /// connection may have been entered meanwhile.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn gateway_gone(
        &self,
        origin: &Arc<Origin>,
        now: Timestamp,
        gone: impl FnOnce() -> bool + Send + 'static,
    ) -> Result<(), DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            if !gone() {
                return Ok(());
            }
            c.prepare_cached(
                "UPDATE gateway SET connected = 0, connected_since = NULL, last_seen = ?3
                 WHERE tenant = ?1 AND id = ?2",
            )?
            .execute(params![of.tenant.as_str(), of.gateway.as_str(), now.0])?;
            Ok(())
        })
        .await?;
        self.announce_change(origin, GatewayChange::Disconnected);
        Ok(())
    }

    /// A gateway has introduced itself.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn gateway_hello(
        &self,
        origin: &Arc<Origin>,
        hello: Hello,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let row = ensure(c, &of, now)?;
            let epoch = ensure_epoch(c, row, hello.epoch, now)?;
            let name = if hello.name.trim().is_empty() {
                of.gateway.as_str()
            } else {
                hello.name.trim()
            };
            c.prepare_cached(
                "UPDATE gateway SET name = ?2, version = ?3, boot = ?4, epoch = ?5, connected = 1,
                        connected_since = coalesce(connected_since, ?6), last_seen = ?6
                 WHERE row = ?1",
            )?
            .execute(params![
                row,
                name,
                hello.version,
                hello.boot.as_bytes(),
                epoch,
                now.0
            ])?;
            Ok(())
        })
        .await?;
        self.announce_change(origin, GatewayChange::Connected);
        Ok(())
    }

    /// A heartbeat came. Its commit shows that the whole path to the disk works, which is what
    /// the answer to it means.
    ///
    /// # Errors
    /// When nothing was committed: then it must not be answered.
    pub async fn gateway_heartbeat(
        &self,
        origin: &Arc<Origin>,
        beat: Heartbeat,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let row = ensure(c, &of, now)?;
            c.prepare_cached(
                "UPDATE gateway SET heartbeat_at = ?2, last_seen = ?2, lag_ms = ?3, connected = 1,
                        connected_since = coalesce(connected_since, ?2), backlog_batches = ?4,
                        backlog_bytes = ?5, backlog_age_ms = ?6
                 WHERE row = ?1",
            )?
            .execute(params![
                row,
                now.0,
                now.since(beat.sent_at),
                signed(beat.backlog_batches),
                signed(beat.backlog_bytes),
                signed(beat.backlog_age_ms)
            ])?;
            Ok(())
        })
        .await?;
        self.announce_change(origin, GatewayChange::Heartbeat);
        Ok(())
    }

    fn announce_change(&self, origin: &Arc<Origin>, change: GatewayChange) {
        self.announce(CloudEvent::Gateway {
            origin: Arc::clone(origin),
            change,
        });
    }
}
