//! Completeness: what of the samples a gateway collected is here. Owns the percentages and the
//! shapes of the answers.

use super::AppResult;
use super::error::found;
use super::history::Range;
use crate::db::{Db, LedgerHour, LedgerLine, PointHour};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, LedgerCounts, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One lane of a gateway in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayLedgerRow {
    /// Begin of the hour (UTC).
    pub hour: Timestamp,
    /// The lane.
    pub lane: String,
    /// What the gateway says, in samples.
    #[serde(flatten)]
    pub counts: LedgerCounts,
    /// When it said so.
    pub told_at: Timestamp,
    /// Samples of its points that are committed here; null until counted.
    pub received: Option<u64>,
}

/// What a gateway has told of its closed hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayLedger {
    /// In order of hours, then lanes.
    pub rows: Vec<GatewayLedgerRow>,
}

/// One day of a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletenessDay {
    /// Begin of the day (UTC).
    pub day: Timestamp,
    /// Samples the gateway has collected in its closed hours.
    pub collected: u64,
    /// Of them, committed here.
    pub received: u64,
    /// `received` in per cent of `collected`; null when nothing was collected.
    pub completeness: Option<f64>,
    /// Samples nobody can account for.
    pub unexplained: u64,
    /// Samples that are here rolled up only, a minute or more in one: not received, and never counted
    /// as complete. They may follow.
    pub rolled_up: u64,
}

/// One point in the range asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletenessPoint {
    /// `device/point`.
    pub path: String,
    /// Samples committed here.
    pub received: u64,
    /// In per cent of what was to be expected: a lane's loss falls on its points in proportion.
    pub completeness: Option<f64>,
}

/// How complete the record of a gateway is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Completeness {
    /// Day by day.
    pub days: Vec<CompletenessDay>,
    /// Point by point, the least complete first; only for a range of one day at most.
    pub points: Vec<CompletenessPoint>,
}

/// Ledgers and completeness.
#[derive(Debug)]
pub struct Ledgers {
    db: Db,
}

impl Ledgers {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// What a gateway has told.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too.
    pub async fn ledger(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        range: Range,
    ) -> AppResult<GatewayLedger> {
        let sought = self.db.ledger(who, gateway.clone(), range.span()).await?;
        let lines = found(sought, || format!("gateway '{gateway}'"))?;
        let row = |line: LedgerLine| GatewayLedgerRow {
            hour: line.hour,
            lane: line.lane,
            counts: line.counts,
            told_at: line.told_at,
            received: line.received,
        };
        Ok(GatewayLedger {
            rows: lines.into_iter().map(row).collect(),
        })
    }

    /// How complete the record of a gateway is.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too.
    pub async fn completeness(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        range: Range,
    ) -> AppResult<Completeness> {
        let span = range.span();
        let short = span.to.since(span.from) <= Timestamp::DAY;
        let asked = self.db.completeness(who, gateway.clone(), (span, short));
        let (hours, points) = found(asked.await?, || format!("gateway '{gateway}'"))?;
        Ok(Completeness {
            days: days(&hours),
            points: by_point(&points),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn percent(part: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part * 100.0 / whole as f64).min(100.0))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn days(hours: &[LedgerHour]) -> Vec<CompletenessDay> {
    let mut days: BTreeMap<i64, CompletenessDay> = BTreeMap::new();
    // An hour that is not counted yet says nothing.
    for hour in hours.iter().filter(|h| h.received.is_some()) {
        let day = Timestamp(hour.hour.day() * Timestamp::DAY);
        let sum = days.entry(day.0).or_insert(CompletenessDay {
            day,
            collected: 0,
            received: 0,
            completeness: None,
            unexplained: 0,
            rolled_up: 0,
        });
        sum.collected = sum.collected.saturating_add(hour.collected);
        sum.received = sum.received.saturating_add(hour.received.unwrap_or(0));
        sum.unexplained = sum.unexplained.saturating_add(hour.missing);
        sum.rolled_up = sum.rolled_up.saturating_add(hour.rolled_up);
    }
    let mut days: Vec<_> = days.into_values().collect();
    for day in &mut days {
        day.completeness = percent(day.received as f64, day.collected);
    }
    days
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn by_point(hours: &[PointHour]) -> Vec<CompletenessPoint> {
    let mut points = Vec::new();
    for series in hours.chunk_by(|a, b| a.path == b.path) {
        let received: u64 = series.iter().map(|h| h.received).sum();
        let share = |h: &PointHour| match h.lane_received {
            0 => h.received as f64,
            all => h.received as f64 * (h.lane_collected as f64 / all as f64).max(1.0),
        };
        let expected: f64 = series.iter().map(share).sum();
        points.push(CompletenessPoint {
            path: series.first().map(|h| h.path.clone()).unwrap_or_default(),
            received,
            completeness: (expected > 0.0).then(|| received as f64 * 100.0 / expected),
        });
    }
    points.sort_by(|a, b| {
        let least = |p: &CompletenessPoint| p.completeness.unwrap_or(0.0);
        least(a).total_cmp(&least(b))
    });
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_complete_as_far_as_what_was_collected_is_here() {
        let hour = |n: i64, received| LedgerHour {
            hour: Timestamp(n * 3_600_000),
            collected: 200,
            received,
            missing: 1,
            rolled_up: 50,
        };
        let days = days(&[hour(0, Some(200)), hour(1, Some(100)), hour(2, None)]);
        assert_eq!(days.len(), 1);
        assert_eq!((days[0].collected, days[0].received), (400, 300));
        assert_eq!((days[0].completeness, days[0].unexplained), (Some(75.0), 2));
        assert_eq!(days[0].rolled_up, 100);
    }

    #[test]
    fn the_loss_of_a_lane_falls_on_its_points_in_proportion() {
        let hour = |path: &str, received| PointHour {
            path: path.to_owned(),
            received,
            lane_collected: 100,
            lane_received: 80,
        };
        let points = by_point(&[hour("a/x", 60), hour("a/y", 20)]);
        assert!(points.iter().all(|p| p.completeness == Some(80.0)));
    }
}
