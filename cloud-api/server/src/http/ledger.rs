//! Loss ledgers and completeness, read. Owns nothing but the routes.

use super::Face;
use super::extract::{AtGateway, Caller, Params};
use super::refusal::Refusal;
use crate::app::history::Range;
use crate::app::ledger::{Completeness, GatewayLedger};
use axum::Json;
use axum::extract::State;
use riser_model::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// Without a begin, so many days back.
const DAYS: i64 = 30;
/// Longest range.
const DAYS_MAX: i64 = 400;

/// Which hours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// Hours that begin at or after this, in milliseconds since 1970; 30 days before the end if
    /// absent.
    from: Option<i64>,
    /// Hours that begin before this; now if absent. At most 400 days.
    to: Option<i64>,
}

fn range(face: &Face, query: &LedgerQuery) -> Result<Range, Refusal> {
    let to = query.to.map_or_else(|| face.keeper.clock.now(), Timestamp);
    let back = |days: i64| to.0.saturating_sub(days * Timestamp::DAY);
    let from = query.from.unwrap_or_else(|| back(DAYS)).max(back(DAYS_MAX));
    Ok(Range::new(Timestamp(from), to)?)
}

/// What a gateway says became of every sample, per lane and closed hour
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/ledger", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."), LedgerQuery),
    responses((status = 200, body = GatewayLedger)))]
pub(super) async fn ledger(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<LedgerQuery>,
) -> Result<Json<GatewayLedger>, Refusal> {
    let range = range(&face, &query)?;
    Ok(Json(face.app.ledgers.ledger(&who, gateway, range).await?))
}

/// How complete the record of a gateway is, per day, and per point for one day
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/completeness", tag = "fleet",
    params(("gateway" = String, Path, description = "The gateway."), LedgerQuery),
    responses((status = 200, body = Completeness)))]
pub(super) async fn completeness(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<LedgerQuery>,
) -> Result<Json<Completeness>, Refusal> {
    let range = range(&face, &query)?;
    let ledgers = &face.app.ledgers;
    Ok(Json(ledgers.completeness(&who, gateway, range).await?))
}
