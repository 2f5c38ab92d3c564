//! Points, one point, its trend. Owns the routes and the defaults of their queries.

use super::extract::{AtPoint, Params};
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{PointDetail, PointList};
use axum::Json;
use axum::extract::State;
use riser_model::{Key, Level, PointPath, PointView, Timestamp, Trend};
use riser_runtime::PointFilter;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which points.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PointQuery {
    /// Text that occurs in the path or a name, in any case.
    #[param(max_length = 200)]
    search: Option<String>,
    /// Of this device only.
    #[param(value_type = Option<String>)]
    device: Option<Key>,
    /// Of this quality only.
    quality: Option<Level>,
    /// At most so many; 200 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Leave out so many; none if absent.
    offset: Option<usize>,
}

/// Points with their present values, by path
#[utoipa::path(get, path = "/api/v1/points", tag = "points", params(PointQuery),
    responses((status = 200, body = PointList)))]
pub(super) async fn points(
    State(face): State<Face>,
    Params(query): Params<PointQuery>,
) -> Json<PointList> {
    let page = face.runtime().points(&PointFilter {
        search: query.search.filter(|text| !text.is_empty()),
        device: query.device,
        quality: query.quality,
        offset: query.offset.unwrap_or(0),
        limit: query.limit.unwrap_or(200).clamp(1, 1000),
    });
    Json(PointList {
        points: page.points,
        total: page.total as u64,
    })
}

/// Everything about one point
#[utoipa::path(get, path = "/api/v1/points/{device}/{point}", tag = "points",
    params(("device" = String, Path), ("point" = String, Path)),
    responses((status = 200, body = PointDetail)))]
pub(super) async fn point(
    State(face): State<Face>,
    AtPoint(path): AtPoint,
) -> Result<Json<PointDetail>, Refusal> {
    let view = known(&face, &path)?;
    let runtime = face.runtime();
    let levels = runtime.priority_array(&path);
    let health = runtime.health();
    let device_health = health
        .devices()
        .into_iter()
        .find(|d| d.device == path.device);
    let lane = device_health
        .as_ref()
        .and_then(|d| health.lanes().into_iter().find(|l| l.lane == d.lane));
    let newest = runtime.commands(Some(&path), 1).await?;
    Ok(Json(PointDetail {
        view,
        priority_array: levels.into_iter().map(Into::into).collect(),
        lane,
        device_health,
        last_command: newest.into_iter().next(),
    }))
}

/// Which stretch of time, in how many parts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TrendQuery {
    /// Start, inclusive; a day before the end if absent.
    #[param(value_type = Option<i64>)]
    from: Option<Timestamp>,
    /// End, exclusive; now if absent.
    #[param(value_type = Option<i64>)]
    to: Option<Timestamp>,
    /// In at most so many buckets; 600 if absent.
    #[param(minimum = 1, maximum = 5000)]
    buckets: Option<usize>,
}

/// A point over time
#[utoipa::path(get, path = "/api/v1/points/{device}/{point}/trend", tag = "points",
    params(("device" = String, Path), ("point" = String, Path), TrendQuery),
    responses((status = 200, body = Trend)))]
pub(super) async fn trend(
    State(face): State<Face>,
    AtPoint(path): AtPoint,
    Params(query): Params<TrendQuery>,
) -> Result<Json<Trend>, Refusal> {
    let (from, to) = range(&face, query.from, query.to)?;
    let buckets = query.buckets.unwrap_or(600).clamp(1, 5000);
    Ok(Json(face.runtime().trend(&path, from, to, buckets).await?))
}

/// The point, if there is one.
pub(super) fn known(face: &Face, path: &PointPath) -> Result<PointView, Refusal> {
    face.runtime()
        .point(path)
        .ok_or_else(|| Refusal::not_found(&format!("point {path}")))
}

/// A stretch of time with its defaults.
pub(super) fn range(
    face: &Face,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(Timestamp, Timestamp), Refusal> {
    let to = to.unwrap_or_else(|| face.now());
    let from = from.unwrap_or(Timestamp(to.0.saturating_sub(Timestamp::DAY)));
    if from < to {
        Ok((from, to))
    } else {
        Err(Refusal::malformed(format!(
            "'from' ({}) must be before 'to' ({})",
            from.0, to.0
        )))
    }
}
