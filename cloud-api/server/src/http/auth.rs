//! Logging in, staying logged in, logging out. Owns the refresh cookie; the passwords, tokens
//! and limits behind it are `app::accounts`.

use super::Face;
use super::extract::{Body, Caller, Peer};
use super::refusal::Refusal;
use crate::app::accounts::Granted;
use crate::app::shape::{Session, User};
use crate::app::{AppError, AppResult};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

const COOKIE: &str = "riser_refresh";

/// Who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    /// Login name.
    #[schema(max_length = 254)]
    email: String,
    /// Password.
    #[schema(max_length = 1024)]
    password: String,
}

/// Log in with a password
///
/// Answers with an access token for 15 minutes and sets the refresh cookie. Five wrong
/// passwords within 15 minutes lock the account for 15 minutes (423).
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = Session)))]
pub(super) async fn login(
    State(face): State<Face>,
    Peer(address): Peer,
    Body(request): Body<LoginRequest>,
) -> Result<Response, Refusal> {
    let granted = face
        .app
        .accounts
        .login(&request.email, request.password, address)
        .await?;
    Ok(answer(&face, granted)?)
}

/// Renew the access token
///
/// Takes the refresh cookie and replaces it: each is good once. One that was used before ends
/// every session that came from the same log-in; within 10 s it only answers 409
/// (`session_raced`), because another window was quicker: repeat with the newer cookie.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth",
    responses((status = 200, body = Session)))]
pub(super) async fn refresh(
    State(face): State<Face>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    same_site(&headers)?;
    let secret = cookie(&headers).ok_or_else(no_cookie)?;
    let granted = face.app.accounts.refresh(secret).await?;
    Ok(answer(&face, granted)?)
}

/// Log out
///
/// Ends the session of the refresh cookie. The access token ends by itself within 15 minutes.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth",
    responses((status = 204, description = "Logged out, or was not logged in.")))]
pub(super) async fn logout(
    State(face): State<Face>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    same_site(&headers)?;
    if let Some(secret) = cookie(&headers) {
        face.app.accounts.logout(secret).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &face, "", 0)?;
    Ok(response)
}

/// Who is logged in
#[utoipa::path(get, path = "/api/v1/me", tag = "auth", responses((status = 200, body = User)))]
pub(super) async fn me(Caller(who): Caller) -> Json<User> {
    Json(User {
        id: who.user(),
        email: who.email().to_owned(),
        name: who.name().to_owned(),
        role: who.role(),
        tenant: who.home().cloned(),
    })
}

fn no_cookie() -> AppError {
    AppError::Unauthenticated {
        code: "session_missing",
        message: "there is no session to renew; log in with POST /api/v1/auth/login".to_owned(),
    }
}

fn answer(face: &Face, granted: Granted) -> AppResult<Response> {
    let mut response = Json(granted.session).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_cookie(
        &mut response,
        face,
        &granted.refresh,
        granted.refresh_life_s,
    )?;
    Ok(response)
}

/// RFC 6265: not readable by scripts, sent to the auth routes of this site only.
fn set_cookie(response: &mut Response, face: &Face, value: &str, life_s: u64) -> AppResult<()> {
    let secure = if face.secure_cookies { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={value}; Path=/api/v1/auth; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}"
    );
    let value = HeaderValue::try_from(text)
        .map_err(|e| AppError::Internal(format!("refresh cookie: {e}")))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value)
}

/// The cookie is `SameSite=Strict`; browsers that say where a request comes from are believed too.
fn same_site(headers: &HeaderMap) -> AppResult<()> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"cross-site") => Err(AppError::Forbidden(
            "this request came from another site; open the dashboard itself".to_owned(),
        )),
        _ => Ok(()),
    }
}
