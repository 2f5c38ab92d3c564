//! Points: lists, one point, its trend and its samples. Owns the queries of those routes and
//! their defaults.

use super::Face;
use super::extract::{AtGateway, AtPoint, Caller, Params};
use super::refusal::Refusal;
use crate::app::fleet::PointFilter;
use crate::app::history::Range;
use crate::app::shape::{PointDetail, PointPage, SampleList};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use riser_model::{Key, Timestamp, Trend};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which points.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PointQuery {
    /// Part of a path or name, upper and lower case alike.
    search: Option<String>,
    /// Of this device only.
    #[param(value_type = Option<String>)]
    device: Option<Key>,
    /// At most so many; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Leave out so many at the beginning.
    offset: Option<u32>,
}

/// Which time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RangeQuery {
    /// Start, inclusive, in milliseconds since 1970; a day before the end if absent.
    from: Option<i64>,
    /// End, exclusive, in milliseconds since 1970; now if absent.
    to: Option<i64>,
}

/// Which time, in how many steps.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TrendQuery {
    /// Start, inclusive, in milliseconds since 1970; a day before the end if absent.
    from: Option<i64>,
    /// End, exclusive, in milliseconds since 1970; now if absent.
    to: Option<i64>,
    /// At most so many buckets; 500 if absent.
    #[param(minimum = 1, maximum = 10_000)]
    buckets: Option<usize>,
}

/// Which time, and how many samples.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SampleQuery {
    /// Start, inclusive, in milliseconds since 1970; a day before the end if absent.
    from: Option<i64>,
    /// End, exclusive, in milliseconds since 1970; now if absent.
    to: Option<i64>,
    /// At most so many; 1,000 if absent.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

fn range(face: &Face, from: Option<i64>, to: Option<i64>) -> Result<Range, Refusal> {
    let to = to.map_or_else(|| face.keeper.clock.now(), Timestamp);
    let from = from.map_or(Timestamp(to.0.saturating_sub(Timestamp::DAY)), Timestamp);
    Ok(Range::new(from, to)?)
}

/// Points of a gateway with their present values
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/points", tag = "points",
    params(("gateway" = String, Path, description = "The gateway."), PointQuery),
    responses((status = 200, body = PointPage)))]
pub(super) async fn points(
    State(face): State<Face>,
    Caller(who): Caller,
    AtGateway(gateway): AtGateway,
    Params(query): Params<PointQuery>,
) -> Result<Json<PointPage>, Refusal> {
    let filter = PointFilter {
        search: query.search.filter(|s| !s.is_empty()),
        device: query.device,
        limit: query.limit.unwrap_or(100).clamp(1, 1000),
        offset: query.offset.unwrap_or(0),
    };
    Ok(Json(face.app.fleet.points(&who, gateway, filter).await?))
}

/// One point with its present value and its newest command
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/points/{device}/{point}", tag = "points",
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("device" = String, Path, description = "The device."),
        ("point" = String, Path, description = "The point within the device."),
    ),
    responses((status = 200, body = PointDetail)))]
pub(super) async fn point(
    State(face): State<Face>,
    Caller(who): Caller,
    at: AtPoint,
) -> Result<Json<PointDetail>, Refusal> {
    Ok(Json(face.app.fleet.point(&who, at.gateway, at.path).await?))
}

/// A point over time, reduced to minimum, maximum, mean and last per bucket
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/points/{device}/{point}/trend",
    tag = "points",
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("device" = String, Path, description = "The device."),
        ("point" = String, Path, description = "The point within the device."),
        TrendQuery,
    ),
    responses((status = 200, body = Trend)))]
pub(super) async fn trend(
    State(face): State<Face>,
    Caller(who): Caller,
    at: AtPoint,
    Params(query): Params<TrendQuery>,
) -> Result<Json<Trend>, Refusal> {
    let range = range(&face, query.from, query.to)?;
    let buckets = query.buckets.unwrap_or(500).clamp(1, 10_000);
    let history = &face.app.history;
    let trend = history
        .trend(&who, (at.gateway, at.path), range, buckets)
        .await?;
    Ok(Json(trend))
}

/// Stored samples of a point
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/points/{device}/{point}/samples",
    tag = "points",
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("device" = String, Path, description = "The device."),
        ("point" = String, Path, description = "The point within the device."),
        SampleQuery,
    ),
    responses((status = 200, body = SampleList)))]
pub(super) async fn samples(
    State(face): State<Face>,
    Caller(who): Caller,
    at: AtPoint,
    Params(query): Params<SampleQuery>,
) -> Result<Json<SampleList>, Refusal> {
    let range = range(&face, query.from, query.to)?;
    let limit = query.limit.unwrap_or(1000).clamp(1, 10_000);
    let history = &face.app.history;
    let samples = history
        .samples(&who, (at.gateway, at.path), range, limit)
        .await?;
    Ok(Json(samples))
}

/// Stored samples of a point as a table
///
/// Columns `time` (RFC 3339, UTC), `value`, `quality`, `reason`; sent piece by piece.
#[utoipa::path(get, path = "/api/v1/gateways/{gateway}/points/{device}/{point}/samples.csv",
    tag = "points",
    params(
        ("gateway" = String, Path, description = "The gateway."),
        ("device" = String, Path, description = "The device."),
        ("point" = String, Path, description = "The point within the device."),
        RangeQuery,
    ),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub(super) async fn samples_csv(
    State(face): State<Face>,
    Caller(who): Caller,
    at: AtPoint,
    Params(query): Params<RangeQuery>,
) -> Result<Response, Refusal> {
    let range = range(&face, query.from, query.to)?;
    let name = format!("{}-{}-{}.csv", at.gateway, at.path.device, at.path.point);
    let history = &face.app.history;
    let rows = history.csv(&who, (at.gateway, at.path), range).await?;
    let mut response = HttpBody::from_stream(rows).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    // Keys are safe in a quoted file name, so this never fails.
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
