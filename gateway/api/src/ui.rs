//! The technician's UI, out of the binary. Owns which path shows which file, how long browsers
//! keep it, and the page that stands in while the UI has not been built.

use crate::refusal::Refusal;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::fmt::Write;

// Unoptimised builds read the folder at run time, release builds carry it.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Riser</title><h1>Riser gateway</h1><p>The gateway runs; its UI was not built into it. \
    Run <code>make ui</code>, then build the gateway again.</p>\
    <p>The API is described by <a href=\"/openapi.json\">openapi.json</a>.</p></html>";

/// Everything that is not a route of the API.
pub(crate) async fn show(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Refusal::not_found(&format!("route /{path}")).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = "only GET is answered here";
        return Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", text).into_response();
    }
    let known = request.headers().get(header::IF_NONE_MATCH);
    if let Some(file) = Files::get(path).filter(|_| !path.is_empty()) {
        return answer(path, file, known);
    }
    let is_file = path
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'));
    if is_file {
        return Refusal::not_found(&format!("file /{path}")).into_response();
    }
    // Any other path is a page of the UI, which finds its way itself.
    match Files::get(INDEX) {
        Some(file) => answer(INDEX, file, known),
        None => axum::response::Html(NOT_BUILT).into_response(),
    }
}

fn answer(path: &str, file: EmbeddedFile, known: Option<&HeaderValue>) -> Response {
    let etag = etag(&file);
    // The build names files below assets/ after their content.
    let keep = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let unchanged = known.is_some_and(|k| k.to_str().is_ok_and(|k| k.contains(&etag)));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static(media_type(path));
        ([(header::CONTENT_TYPE, kind)], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(value) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, value);
    }
    response
}

/// Weak, because the same file may go out compressed (RFC 9110, clause 8.8.1).
fn etag(file: &EmbeddedFile) -> String {
    let mut text = String::from("W/\"");
    for octet in &file.metadata.sha256_hash()[..16] {
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
