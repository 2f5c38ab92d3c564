//! Tenants, gateways and points, as whoever asks may see them. Owns the way from rows to what is
//! shown.

use super::error::found;
use super::shape::{Gateway, PointDetail, PointPage, Tenant};
use super::{AppError, AppResult};
use crate::db::{Db, GatewayState, LatestRow, Origin, PointQuery};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, PointPath, TenantId};

/// Which points of a gateway.
pub type PointFilter = PointQuery;

/// Tenants, gateways, points.
#[derive(Debug)]
pub struct Fleet {
    db: Db,
}

impl Fleet {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Tenants whoever asks may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tenants(&self, who: &TenantContext) -> AppResult<Vec<Tenant>> {
        let rows = self.db.tenants(who).await?;
        Ok(rows
            .into_iter()
            .map(|row| Tenant {
                id: row.id,
                name: row.name,
                created_at: row.created_at,
                gateways: row.gateways,
            })
            .collect())
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another one's too.
    pub async fn tenant(&self, who: &TenantContext, id: TenantId) -> AppResult<Tenant> {
        let all = self.tenants(who).await?;
        all.into_iter()
            .find(|tenant| tenant.id == id)
            .ok_or_else(|| AppError::NotFound(format!("tenant '{id}'")))
    }

    /// Gateways whoever asks may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gateways(&self, who: &TenantContext) -> AppResult<Vec<Gateway>> {
        let rows = self.db.gateways(who, None).await?;
        Ok(rows.into_iter().map(gateway).collect())
    }

    /// One gateway.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too; [`AppError::Malformed`] when several
    /// tenants in sight have one of this name.
    pub async fn gateway(&self, who: &TenantContext, id: GatewayId) -> AppResult<Gateway> {
        let mut rows = self.db.gateways(who, Some(id.clone())).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(gateway(row)),
            (Some(_), false) => Err(AppError::Malformed(format!(
                "several tenants have a gateway '{id}'; add ?tenant= to say which"
            ))),
            (None, _) => Err(no_gateway(&id)),
        }
    }

    /// How a gateway stands now, for the live stream, which scopes by tenant itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn state(&self, origin: &Origin) -> AppResult<Option<Gateway>> {
        Ok(self.db.gateway_state(origin).await?.map(gateway))
    }

    /// One page of points with their present values.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is no such gateway.
    pub async fn points(
        &self,
        who: &TenantContext,
        id: GatewayId,
        filter: PointFilter,
    ) -> AppResult<PointPage> {
        let sought = self.db.points(who, id.clone(), filter).await?;
        let (points, total) = found(sought, || format!("gateway '{id}'"))?;
        Ok(PointPage { points, total })
    }

    /// One point with its present value and its newest command.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is no such gateway or point.
    pub async fn point(
        &self,
        who: &TenantContext,
        id: GatewayId,
        path: PointPath,
    ) -> AppResult<PointDetail> {
        let sought = self.db.point(who, id.clone(), path.clone()).await?;
        let (_, view) = found(sought, || format!("point {path} of gateway '{id}'"))?;
        let sought = self.db.commands(who, id.clone(), Some(path), 1).await?;
        let mut commands = found(sought, || format!("gateway '{id}'"))?;
        Ok(PointDetail {
            view,
            last_command: commands.pop(),
        })
    }

    /// Present values of points that have one; others are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest(
        &self,
        who: &TenantContext,
        points: Vec<(GatewayId, PointPath)>,
    ) -> AppResult<Vec<LatestRow>> {
        Ok(self.db.latest(who, points).await?)
    }
}

fn no_gateway(id: &GatewayId) -> AppError {
    AppError::NotFound(format!("gateway '{id}'"))
}

fn gateway(row: GatewayState) -> Gateway {
    Gateway {
        tenant: row.origin.tenant,
        id: row.origin.gateway,
        name: row.name,
        version: row.version,
        connected: row.connected,
        connected_since: row.connected_since,
        last_seen: row.last_seen,
        heartbeat_at: row.heartbeat_at,
        lag_ms: row.lag_ms,
        backlog_batches: row.backlog_batches,
        backlog_bytes: row.backlog_bytes,
        backlog_age_ms: row.backlog_age_ms,
        lost_samples: row.lost_samples,
        points: row.points,
        alarms_open: row.alarms_open,
    }
}
