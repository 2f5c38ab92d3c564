//! The loss ledger. Owns the route; the counting is the store's.

use super::extract::Params;
use crate::face::Face;
use crate::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use riser_model::{Ledger, Timestamp};
use riser_store::LedgerFilter;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// How far back without a begin.
const SPAN: i64 = 7 * Timestamp::DAY;
/// Longest span by the hour.
const SPAN_MAX: i64 = 32 * Timestamp::DAY;

/// What one row stands for.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum LedgerStep {
    /// An hour.
    #[default]
    Hour,
    /// A day (UTC).
    Day,
}

/// Which part of the ledger.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// Hours that end after this; a week before `to` if absent.
    from: Option<i64>,
    /// Hours that begin before this; now if absent.
    to: Option<i64>,
    /// Only this lane.
    lane: Option<String>,
    /// What one row stands for; an hour if absent. By the hour at most 32 days are answered.
    #[param(inline)]
    by: Option<LedgerStep>,
}

/// What became of every sample, per lane and hour or day
#[utoipa::path(get, path = "/api/v1/ledger", tag = "gateway", params(LedgerQuery),
    responses((status = 200, body = Ledger)))]
pub(super) async fn ledger(
    State(face): State<Face>,
    Params(query): Params<LedgerQuery>,
) -> Result<Json<Ledger>, Refusal> {
    let to = query.to.unwrap_or_else(|| face.now().0.saturating_add(1));
    let from = query.from.unwrap_or_else(|| to.saturating_sub(SPAN));
    let by = query.by.unwrap_or_default();
    if from > to {
        return Err(Refusal::malformed("'from' is after 'to'".to_owned()));
    }
    if by == LedgerStep::Hour && to.saturating_sub(from) > SPAN_MAX {
        return Err(Refusal::malformed(
            "more than 32 days by the hour: ask by=day, or for less".to_owned(),
        ));
    }
    let filter = LedgerFilter {
        from: Some(Timestamp(from)),
        to: Some(Timestamp(to)),
        lane: query.lane.filter(|lane| !lane.is_empty()),
    };
    let ledger = face.runtime().ledger(filter).await?;
    Ok(Json(match by {
        LedgerStep::Hour => ledger,
        LedgerStep::Day => ledger.by_day(),
    }))
}
