//! What handlers take out of a request. Owns the path and query shapes several routes share,
//! and the extractors that answer in the error body of this service.

use super::Face;
use super::refusal::Refusal;
use crate::app::AppError;
use crate::tenancy::TenantContext;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
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

/// Where a request comes from; unspecified when the server does not know. Behind a reverse proxy
/// every connection is the proxy's own, so its word counts, and nobody else's.
pub(super) struct Peer(pub(super) IpAddr);

impl FromRequestParts<Face> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Result<Self, Infallible> {
        let peer = peer(&face.proxies, &parts.extensions, &parts.headers);
        Ok(Self(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into())))
    }
}

/// As [`Peer`]; none when the server does not know.
pub(super) fn peer(
    proxies: &[IpAddr],
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Option<IpAddr> {
    let known = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(origin(proxies, known.0.ip(), headers))
}

/// The last address in `X-Forwarded-For` that is no proxy of ours: what stands before it was
/// written by whoever asks, and may be anything.
fn origin(proxies: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let ours = |address: &IpAddr| proxies.contains(&address.to_canonical());
    if !ours(&peer) {
        return peer;
    }
    let mut last = peer;
    for header in headers.get_all("x-forwarded-for").iter().rev() {
        for text in header.to_str().unwrap_or_default().rsplit(',') {
            let Ok(address) = text.trim().parse::<IpAddr>() else {
                return last;
            };
            last = address;
            if !ours(&address) {
                return last;
            }
        }
    }
    last
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn told(lines: &[&str]) -> HeaderMap {
        let line = |text: &&str| ("x-forwarded-for".parse().unwrap(), text.parse().unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_what_our_proxies_wrote_is_believed() {
        let proxies = [ip("127.0.0.1"), ip("10.0.0.2")];
        let from = |peer, lines: &[&str]| origin(&proxies, ip(peer), &told(lines)).to_string();
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("::ffff:127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        // The client has written the first one itself.
        assert_eq!(from("127.0.0.1", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            from("127.0.0.1", &["1.2.3.4", "203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(from("127.0.0.1", &["203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(from("127.0.0.1", &["nonsense"]), "127.0.0.1");
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
    }
}
