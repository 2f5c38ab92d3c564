//! Tenants, gateways and points, read for somebody. Owns the queries; every one starts from a
//! context and returns nothing of another tenant's.

use super::scope::{self, GatewayRow, Sought, border};
use super::text::{from_json, unsigned};
use super::{Db, DbError, Origin, quality_from_column, value_from_columns};
use crate::tenancy::TenantContext;
use riser_model::{
    GatewayId, Key, PointPath, PointView, Quality, Reason, Slot, TenantId, Timestamp, Value,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// Name people read.
    pub name: String,
    /// When it was set up.
    pub created_at: Timestamp,
    /// Gateways ever heard of.
    pub gateways: u64,
}

/// A gateway as its link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayState {
    /// Its full name.
    pub origin: Origin,
    /// Name people read.
    pub name: String,
    /// Version of its software.
    pub version: String,
    /// Whether it has a connection.
    pub connected: bool,
    /// Since when.
    pub connected_since: Option<Timestamp>,
    /// When anything was last heard of it.
    pub last_seen: Option<Timestamp>,
    /// When its last heartbeat came.
    pub heartbeat_at: Option<Timestamp>,
    /// Cloud clock minus gateway clock of that heartbeat.
    pub lag_ms: Option<i64>,
    /// Batches it holds that are not durable here.
    pub backlog_batches: u64,
    /// Their octets.
    pub backlog_bytes: u64,
    /// Age of the oldest.
    pub backlog_age_ms: u64,
    /// Samples it had to drop.
    pub lost_samples: u64,
    /// Points it has.
    pub points: u64,
    /// Alarms active or not acknowledged.
    pub alarms_open: u64,
}

/// Which points.
#[derive(Debug, Clone, Default)]
pub struct PointQuery {
    /// Part of path, name or device name.
    pub search: Option<String>,
    /// Of this device only.
    pub device: Option<Key>,
    /// At most so many.
    pub limit: u32,
    /// Left out at the beginning.
    pub offset: u32,
}

const GATEWAY: &str = "SELECT tenant, id, name, version, connected, connected_since, last_seen,
    heartbeat_at, lag_ms, backlog_batches, backlog_bytes, backlog_age_ms, lost_samples,
    (SELECT count(*) FROM point WHERE point.gateway = gateway.row AND present = 1),
    (SELECT count(*) FROM alarm WHERE alarm.gateway = gateway.row AND open = 1)
  FROM gateway";

const POINT: &str = "SELECT definition, slot, at, kind, value, quality
  FROM point LEFT JOIN latest ON latest.point = point.row";

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(unsigned)
}

fn gateway_state(row: &Row<'_>) -> rusqlite::Result<Result<GatewayState, DbError>> {
    let (tenant, id): (String, String) = (row.get(0)?, row.get(1)?);
    let origin = match Origin::stored(&tenant, &id) {
        Ok(origin) => origin,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(GatewayState {
        origin,
        name: row.get(2)?,
        version: row.get(3)?,
        connected: row.get(4)?,
        connected_since: time(row, 5)?,
        last_seen: time(row, 6)?,
        heartbeat_at: time(row, 7)?,
        lag_ms: row.get(8)?,
        backlog_batches: count(row, 9)?,
        backlog_bytes: count(row, 10)?,
        backlog_age_ms: count(row, 11)?,
        lost_samples: count(row, 12)?,
        points: count(row, 13)?,
        alarms_open: count(row, 14)?,
    }))
}

type PointColumns = (
    String,
    u32,
    Option<i64>,
    Option<i64>,
    rusqlite::types::Value,
    Option<i64>,
);

fn point_columns(row: &Row<'_>) -> rusqlite::Result<PointColumns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
    ))
}

/// A good value of a gateway that is away is only the last one known.
fn view(columns: PointColumns, connected: bool) -> Result<PointView, DbError> {
    let (definition, slot, at, kind, value, code) = columns;
    let (value, quality) = match (kind, code) {
        (Some(kind), Some(code)) => (value_from_columns(kind, value)?, quality_from_column(code)),
        _ => (None, Quality::bad(Reason::Initial)),
    };
    let quality = if quality.is_good() && !connected {
        Quality::uncertain(Reason::Stale)
    } else {
        quality
    };
    Ok(PointView {
        point: from_json("point", &definition)?,
        slot: Slot(slot),
        value,
        quality,
        at: at.map(Timestamp),
    })
}

/// Every character counts as itself.
fn pattern(search: &str) -> String {
    let mut text = String::from("%");
    for c in search.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('%');
    text
}

fn page(
    c: &Connection,
    gateway: &GatewayRow,
    query: &PointQuery,
) -> Result<(Vec<PointView>, u64), DbError> {
    const MATCH: &str = "gateway = ?1 AND present = 1 AND (?2 IS NULL OR device = ?2)
        AND (?3 IS NULL OR search LIKE ?3 ESCAPE '\\')";
    let device = query.device.as_ref().map(Key::as_str);
    let search = query.search.as_deref().map(pattern);
    let total: i64 = c
        .prepare_cached(&format!("SELECT count(*) FROM point WHERE {MATCH}"))?
        .query_row(params![gateway.row, device, search], |row| row.get(0))?;
    let mut rows = c.prepare_cached(&format!(
        "{POINT} WHERE {MATCH} ORDER BY path LIMIT ?4 OFFSET ?5"
    ))?;
    let points = rows
        .query_map(
            params![gateway.row, device, search, query.limit, query.offset],
            point_columns,
        )?
        .map(|columns| view(columns?, gateway.connected))
        .collect::<Result<Vec<_>, DbError>>()?;
    Ok((points, unsigned(total)))
}

/// One point of a gateway.
fn point(
    c: &Connection,
    gateway: &GatewayRow,
    path: &PointPath,
) -> Result<Option<PointView>, DbError> {
    c.prepare_cached(&format!(
        "{POINT} WHERE gateway = ?1 AND path = ?2 AND present = 1"
    ))?
    .query_row(params![gateway.row, path.to_string()], point_columns)
    .optional()?
    .map(|columns| view(columns, gateway.connected))
    .transpose()
}

impl Db {
    /// Tenants whoever asks may see, in order of id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tenants(&self, who: &TenantContext) -> Result<Vec<TenantRow>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            let mut query = c.prepare_cached(
                "SELECT id, name, created_at,
                   (SELECT count(*) FROM gateway WHERE gateway.tenant = tenant.id)
                 FROM tenant WHERE ?1 IS NULL OR id = ?1 ORDER BY id",
            )?;
            let rows = query.query_map([border(&who)], |row| {
                let id: String = row.get(0)?;
                Ok((id, row.get(1)?, Timestamp(row.get(2)?), count(row, 3)?))
            })?;
            rows.map(|row| {
                let (id, name, created_at, gateways) = row?;
                Ok(TenantRow {
                    id: Key::new(&id).map_err(|e| DbError::stored("tenant", e))?,
                    name,
                    created_at,
                    gateways,
                })
            })
            .collect()
        })
        .await
    }

    /// Gateways whoever asks may see, or those of one name, in order of tenant and id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gateways(
        &self,
        who: &TenantContext,
        id: Option<GatewayId>,
    ) -> Result<Vec<GatewayState>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            let id = id.as_ref().map(Key::as_str);
            let mut query = c.prepare_cached(&format!(
                "{GATEWAY} WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR id = ?2)
                 ORDER BY tenant, id"
            ))?;
            query
                .query_map(params![border(&who), id], gateway_state)?
                .map(|row| row?)
                .collect()
        })
        .await
    }

    /// A gateway as its link stands, for the live stream, which scopes by tenant itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn gateway_state(
        &self,
        origin: &Origin,
    ) -> Result<Option<GatewayState>, DbError> {
        let origin = origin.clone();
        self.read(move |c| {
            // Asked at every heartbeat while somebody looks: by the index, unlike a list.
            c.prepare_cached(&format!("{GATEWAY} WHERE tenant = ?1 AND id = ?2"))?
                .query_row(
                    params![origin.tenant.as_str(), origin.gateway.as_str()],
                    gateway_state,
                )
                .optional()?
                .transpose()
        })
        .await
    }

    /// The full name of a gateway.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn locate(
        &self,
        who: &TenantContext,
        id: GatewayId,
    ) -> Result<Sought<Origin>, DbError> {
        let who = who.clone();
        self.read(move |c| scope::gateway(c, &who, &id)?.and_then(|found| Ok(Some(found.origin))))
            .await
    }

    /// One page of a gateway's points with their present values, and how many match in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn points(
        &self,
        who: &TenantContext,
        id: GatewayId,
        query: PointQuery,
    ) -> Result<Sought<(Vec<PointView>, u64)>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &id)?.and_then(|found| page(c, &found, &query).map(Some))
        })
        .await
    }

    /// One point with its present value, and whose it is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn point(
        &self,
        who: &TenantContext,
        id: GatewayId,
        path: PointPath,
    ) -> Result<Sought<(Origin, PointView)>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &id)?.and_then(|found| {
                let view = point(c, &found, &path)?;
                Ok(view.map(|view| (found.origin, view)))
            })
        })
        .await
    }

    /// Present values of points that have one, of any gateways; what is not there is left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest(
        &self,
        who: &TenantContext,
        points: Vec<(GatewayId, PointPath)>,
    ) -> Result<Vec<LatestRow>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            let mut known: Option<(GatewayId, Option<GatewayRow>)> = None;
            let mut latest = Vec::with_capacity(points.len());
            for (id, path) in points {
                // Subscriptions come in runs of one gateway.
                if known.as_ref().is_none_or(|(last, _)| *last != id) {
                    let row = match scope::gateway(c, &who, &id)? {
                        Sought::Found(row) => Some(row),
                        _ => None,
                    };
                    known = Some((id.clone(), row));
                }
                let Some((_, Some(gateway))) = &known else {
                    continue;
                };
                if let Some(view) = point(c, gateway, &path)?
                    && let Some(at) = view.at
                {
                    latest.push(LatestRow {
                        gateway: id,
                        path,
                        value: view.value,
                        quality: view.quality,
                        at,
                    });
                }
            }
            Ok(latest)
        })
        .await
    }
}

/// A present value.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestRow {
    /// The gateway.
    pub gateway: GatewayId,
    /// The point.
    pub path: PointPath,
    /// The value; `None` is unknown.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_every_character_as_itself() {
        assert_eq!(pattern(r"50%_A\"), r"%50\%\_a\\%");
    }
}
