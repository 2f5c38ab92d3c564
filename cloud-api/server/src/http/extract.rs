//! What handlers take out of a request. Owns the path and query shapes several routes share,
//! and the extractors that answer in the error body of this service.

use super::refusal::Refusal;
use crate::app::AppError;
use crate::tenancy::TenantContext;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use riser_model::{GatewayId, Key, PointPath};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Refusal))]
pub(super) struct Body<T>(pub(super) T);

/// The query string.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Refusal))]
pub(super) struct Params<T>(pub(super) T);

/// Who asks, as the guard of the route found out. A route without a guard has none, and a
/// handler that wants one there answers with a failure instead of data.
pub(super) struct Caller(pub(super) TenantContext);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<TenantContext>()
            .cloned()
            .map(Self)
            .ok_or_else(|| {
                AppError::Internal(format!(
                    "{} is registered without a permission",
                    parts.uri.path()
                ))
                .into()
            })
    }
}

async fn names<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Refusal> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|e| AppError::Malformed(format!("the path was not understood: {e}")).into())
}

/// A name that cannot be one does not exist, so it is not found rather than malformed.
fn key(params: &RawPathParams, name: &str) -> Result<Key, Refusal> {
    let text = params
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .unwrap_or_default();
    Key::new(text).map_err(|_| {
        let given: String = text.chars().take(80).collect();
        AppError::NotFound(format!("{name} '{given}'")).into()
    })
}

/// Where a request comes from; unspecified when the server does not know.
pub(super) struct Peer(pub(super) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(
            known.map_or(Ipv4Addr::UNSPECIFIED.into(), |p| p.0.ip()),
        ))
    }
}

/// `{gateway}` of a path.
pub(super) struct AtGateway(pub(super) GatewayId);

impl<S: Send + Sync> FromRequestParts<S> for AtGateway {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = names(parts, state).await?;
        Ok(Self(key(&params, "gateway")?))
    }
}

/// `{gateway}`, `{device}` and `{point}` of a path.
pub(super) struct AtPoint {
    pub(super) gateway: GatewayId,
    pub(super) path: PointPath,
}

impl<S: Send + Sync> FromRequestParts<S> for AtPoint {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = names(parts, state).await?;
        Ok(Self {
            gateway: key(&params, "gateway")?,
            path: PointPath::new(key(&params, "device")?, key(&params, "point")?),
        })
    }
}

/// `{id}` of a tenant's path.
pub(super) struct AtTenant(pub(super) Key);

impl<S: Send + Sync> FromRequestParts<S> for AtTenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = names(parts, state).await?;
        Ok(Self(key(&params, "id")?))
    }
}

/// `{id}` of a path.
pub(super) struct AtId(pub(super) uuid::Uuid);

impl<S: Send + Sync> FromRequestParts<S> for AtId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = names(parts, state).await?;
        let text = params
            .iter()
            .find(|(name, _)| *name == "id")
            .map(|(_, value)| value)
            .unwrap_or_default();
        let id = text
            .parse()
            .map_err(|_| AppError::NotFound("object with this id".to_owned()))?;
        Ok(Self(id))
    }
}
