//! Parts of a request, refused in Riser's own words. Owns the extractors the routes share.

use crate::refusal::Refusal;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use riser_model::{Key, PointPath};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use uuid::Uuid;

/// The query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(query) = Query::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let axum::Json(body) = axum::Json::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// `/{device}/{point}`.
pub(super) struct AtPoint(pub(super) PointPath);

impl<S: Send + Sync> FromRequestParts<S> for AtPoint {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path((device, point)): Path<(String, String)> =
            Path::from_request_parts(parts, state).await?;
        // A name no point can have is a point there is not.
        match (Key::new(&device), Key::new(&point)) {
            (Ok(device), Ok(point)) => Ok(Self(PointPath::new(device, point))),
            _ => Err(Refusal::not_found("such point")),
        }
    }
}

/// `/{id}`.
pub(super) struct AtId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for AtId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(id): Path<Uuid> = Path::from_request_parts(parts, state).await?;
        Ok(Self(id))
    }
}

/// `/{version}`.
pub(super) struct AtVersion(pub(super) u32);

impl<S: Send + Sync> FromRequestParts<S> for AtVersion {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(version): Path<u32> = Path::from_request_parts(parts, state).await?;
        Ok(Self(version))
    }
}

/// The address a request came from.
pub(super) struct From(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<SocketAddr>();
        Ok(Self(
            peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip),
        ))
    }
}
