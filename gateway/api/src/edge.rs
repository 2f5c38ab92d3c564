//! What every request and answer goes through: origin check, security headers, a line in the log.
//! Owns the content security policy.

use crate::refusal::Refusal;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

/// Nothing from outside and no script but our own. Styles may be inline: the theme of the UI is a
/// style element it makes itself.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const FIXED: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Wraps one request.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let status = response.status();
    tracing::debug!(%method, path, status = status.as_u16(), "answered");
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api && status != StatusCode::SWITCHING_PROTOCOLS {
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// Refuses what a page of another origin makes a browser send: every request that changes
/// something and every upgrade to a WebSocket (RFC 6455, clause 10.2) whose `Origin` is not the
/// `Host` it was sent to. Programs that are no browsers send no `Origin`.
pub(crate) fn same_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let harmless = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
        && !headers.contains_key(header::UPGRADE);
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    if harmless {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let from = origin.to_str().ok().and_then(|o| o.split_once("://"));
    match (from, host) {
        (Some((_, from)), Some(host)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "this came from a page of another address; open the gateway's own page",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn only_the_gateways_own_page_may_change_or_upgrade() {
        let own = headers(&[
            (header::HOST, "gw:8080"),
            (header::ORIGIN, "http://GW:8080"),
        ]);
        let foreign = headers(&[(header::HOST, "gw:8080"), (header::ORIGIN, "http://evil")]);
        let opaque = headers(&[(header::HOST, "gw:8080"), (header::ORIGIN, "null")]);
        let program = headers(&[(header::HOST, "gw:8080")]);
        assert!(same_origin(&Method::POST, &own).is_ok());
        assert!(same_origin(&Method::POST, &program).is_ok());
        assert!(same_origin(&Method::POST, &foreign).is_err());
        assert!(same_origin(&Method::DELETE, &opaque).is_err());
        assert!(same_origin(&Method::GET, &foreign).is_ok());
        let mut upgrade = foreign;
        upgrade.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        assert!(same_origin(&Method::GET, &upgrade).is_err());
    }
}
