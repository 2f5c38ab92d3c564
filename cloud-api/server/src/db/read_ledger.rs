//! Loss ledgers, read. Owns how completeness is reckoned: what is committed here in parts of what
//! the gateway has collected.

use super::scope::{self, Sought};
use super::text::{from_json, unsigned};
use super::{Db, DbError, Span};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, LedgerCounts, Timestamp};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// One lane in one hour, as the gateway told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// Begin of the hour.
    pub hour: Timestamp,
    /// The lane.
    pub lane: String,
    /// The gateway's figures.
    pub counts: LedgerCounts,
    /// When it told of them.
    pub told_at: Timestamp,
    /// Of its points, committed here; `None` until counted.
    pub received: Option<u64>,
}

/// One hour of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerHour {
    /// Begin of the hour.
    pub hour: Timestamp,
    /// Collected by the gateway.
    pub collected: u64,
    /// Committed here; `None` until counted.
    pub received: Option<u64>,
    /// Unaccounted for.
    pub missing: u64,
    /// Here as rollups only.
    pub rolled_up: u64,
}

/// A point in one hour with its lane's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointHour {
    /// Path of the point.
    pub path: String,
    /// Its samples committed here.
    pub received: u64,
    /// Collected on its lane.
    pub lane_collected: u64,
    /// Of its lane, committed here.
    pub lane_received: u64,
}

const LANE_RECEIVED: &str = "(SELECT sum(samples) FROM received r JOIN point p ON p.row = r.point
    LEFT JOIN ledger_lane n ON n.gateway = r.gateway AND n.device = p.device
    WHERE r.gateway = l.gateway AND r.hour = l.hour AND coalesce(n.lane, '') = l.lane)";

fn lines(c: &Connection, gateway: i64, span: Span) -> Result<Vec<LedgerLine>, DbError> {
    let mut query = c.prepare_cached(&format!(
        "SELECT l.hour, l.lane, l.body, l.told_at,
           CASE WHEN h.received IS NULL THEN NULL ELSE coalesce({LANE_RECEIVED}, 0) END
         FROM ledger l JOIN ledger_hour h ON h.gateway = l.gateway AND h.hour = l.hour
         WHERE l.gateway = ?1 AND l.hour >= ?2 AND l.hour < ?3 ORDER BY l.hour, l.lane"
    ))?;
    let mut rows = query.query(params![gateway, span.from.0, span.to.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(2)?;
        found.push(LedgerLine {
            hour: Timestamp(row.get(0)?),
            lane: row.get(1)?,
            counts: from_json("ledger", &body)?,
            told_at: Timestamp(row.get(3)?),
            received: row.get::<_, Option<i64>>(4)?.map(unsigned),
        });
    }
    Ok(found)
}

fn hours(c: &Connection, gateway: i64, span: Span) -> Result<Vec<LedgerHour>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT h.hour, h.collected, h.received, h.missing, coalesce(r.samples, 0)
         FROM ledger_hour h LEFT JOIN rolled_hour r ON r.gateway = h.gateway AND r.hour = h.hour
         WHERE h.gateway = ?1 AND h.hour >= ?2 AND h.hour < ?3 ORDER BY h.hour",
    )?;
    let hour = |r: &Row<'_>| {
        Ok(LedgerHour {
            hour: Timestamp(r.get(0)?),
            collected: unsigned(r.get(1)?),
            received: r.get::<_, Option<i64>>(2)?.map(unsigned),
            missing: unsigned(r.get(3)?),
            rolled_up: unsigned(r.get(4)?),
        })
    };
    let rows = query.query_map(params![gateway, span.from.0, span.to.0], hour)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn points(c: &Connection, gateway: i64, span: Span) -> Result<Vec<PointHour>, DbError> {
    let mut lanes: BTreeMap<(Timestamp, String), (u64, u64)> = BTreeMap::new();
    for line in lines(c, gateway, span)? {
        let received = line.received.unwrap_or(0);
        lanes.insert((line.hour, line.lane), (line.counts.collected, received));
    }
    let mut query = c.prepare_cached(
        "SELECT r.hour, p.path, coalesce(n.lane, ''), r.samples FROM received r
         JOIN point p ON p.row = r.point
         LEFT JOIN ledger_lane n ON n.gateway = r.gateway AND n.device = p.device
         WHERE r.gateway = ?1 AND r.hour >= ?2 AND r.hour < ?3 ORDER BY p.path",
    )?;
    let mut rows = query.query(params![gateway, span.from.0, span.to.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let lane = (Timestamp(row.get(0)?), row.get(2)?);
        let received = unsigned(row.get(3)?);
        let (collected, all) = lanes.get(&lane).copied().unwrap_or((received, received));
        found.push(PointHour {
            path: row.get(1)?,
            received,
            lane_collected: collected,
            lane_received: all,
        });
    }
    Ok(found)
}

impl Db {
    /// What a gateway has told of the hours that begin in `span`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ledger(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        span: Span,
    ) -> Result<Sought<Vec<LedgerLine>>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| lines(c, g.row, span).map(Some))
        })
        .await
    }

    /// The hours of a gateway that begin in `span`, and its points in them where `with_points`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn completeness(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        (span, with_points): (Span, bool),
    ) -> Result<Sought<(Vec<LedgerHour>, Vec<PointHour>)>, DbError> {
        let who = who.clone();
        self.read(move |c| {
            scope::gateway(c, &who, &gateway)?.and_then(|g| {
                let points = if with_points {
                    points(c, g.row, span)?
                } else {
                    Vec::new()
                };
                Ok(Some((hours(c, g.row, span)?, points)))
            })
        })
        .await
    }
}
