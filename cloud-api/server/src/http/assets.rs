//! The dashboard, out of the binary. Owns which path shows which file, how long browsers keep
//! it, and the page that stands in while the dashboard has not been built.

use super::refusal::Refusal;
use crate::app::AppError;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use std::borrow::Cow;
use std::fmt::Write;
use tower_http::compression::CompressionLayer;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dashboard;

const INDEX: &str = "index.html";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Riser</title><h1>Riser cloud</h1><p>The service runs; its dashboard was not built into \
    it. Run <code>make ui</code>, then build the service again.</p>\
    <p>The API is described by <a href=\"/openapi.json\">openapi.json</a>.</p></html>";

/// Everything that is not a route of the API.
pub(super) fn router() -> Router {
    Router::new()
        .fallback(show)
        .layer(CompressionLayer::new().gzip(true))
}

async fn show(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Refusal::from(AppError::NotFound(format!("route /{path}"))).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let known = request.headers().get(header::IF_NONE_MATCH);
    if let Some(file) = asset(path).filter(|_| !path.is_empty()) {
        return answer(path, file, known);
    }
    let is_file = path
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'));
    if is_file {
        return Refusal::from(AppError::NotFound(format!("file /{path}"))).into_response();
    }
    // Any other path is a page of the dashboard, which finds its way itself.
    match asset(INDEX) {
        Some(file) => answer(INDEX, file, known),
        None => axum::response::Html(NOT_BUILT).into_response(),
    }
}

/// A file with what browsers compare it by.
struct Asset {
    octets: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

fn asset(path: &str) -> Option<Asset> {
    let file = Dashboard::get(path)?;
    Some(Asset {
        octets: file.data,
        sha256: file.metadata.sha256_hash(),
    })
}

fn answer(path: &str, asset: Asset, known: Option<&HeaderValue>) -> Response {
    let etag = etag(&asset.sha256);
    // The build names files below assets/ after their content.
    let keep = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = if known.is_some_and(|k| k.to_str().is_ok_and(|k| k.contains(&etag))) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static(media_type(path));
        ([(header::CONTENT_TYPE, kind)], asset.octets.into_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(value) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, value);
    }
    response
}

/// Weak, because the same file may go out compressed (RFC 9110, clause 8.8.1).
fn etag(sha256: &[u8; 32]) -> String {
    let mut text = String::from("W/\"");
    for octet in &sha256[..16] {
        // Writing into a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text.push('"');
    text
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(path: &str, known: Option<&HeaderValue>) -> Response {
        let asset = Asset {
            octets: Cow::Borrowed(b"text"),
            sha256: [0xab; 32],
        };
        answer(path, asset, known)
    }

    #[test]
    fn files_named_after_their_content_are_kept_and_pages_are_asked_for_again() {
        let file = given("assets/index-3f2a.js", None);
        assert_eq!(
            file.headers()["cache-control"],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            file.headers()["content-type"],
            "text/javascript; charset=utf-8"
        );
        let page = given("index.html", None);
        assert_eq!(page.headers()["cache-control"], "no-cache");
        let tag = page.headers()["etag"].clone();
        assert_eq!(tag, "W/\"abababababababababababababababab\"");
        let again = given("index.html", Some(&tag));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other = HeaderValue::from_static("W/\"00\"");
        assert_eq!(given("index.html", Some(&other)).status(), StatusCode::OK);
    }
}
