//! Claiming a gateway, logging in, staying logged in, logging out. Owns the routes; passwords,
//! limits and sessions are `auth`.

use super::extract::{Body, From};
use crate::auth::{Caller, Granted};
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{ClaimRequest, LoginRequest, Person, Setup};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Whether this gateway has been claimed
#[utoipa::path(get, path = "/api/v1/setup", tag = "people",
    responses((status = 200, body = Setup)))]
pub(super) async fn setup(State(face): State<Face>) -> Json<Setup> {
    Json(Setup {
        claimed: *face.claimed().borrow(),
        gateway: face.gateway_name(),
    })
}

/// Claim a new gateway
///
/// Makes the first user with the code of this unit and logs them in. Works once (409
/// afterwards); five wrong codes in a row pause it for 15 minutes (423).
#[utoipa::path(post, path = "/api/v1/claim", tag = "people", request_body = ClaimRequest,
    responses((status = 201, body = Person, description = "Claimed; the session cookie is set.")))]
pub(super) async fn claim(
    State(face): State<Face>,
    From(address): From,
    Body(request): Body<ClaimRequest>,
) -> Result<Response, Refusal> {
    let wanted = (
        request.code.as_str(),
        request.user.as_str(),
        request.password,
    );
    let granted = face.accounts().claim(wanted, address).await?;
    Ok(answer(StatusCode::CREATED, granted))
}

/// Log in
///
/// Five wrong passwords in a row lock the user out for 15 minutes (423).
#[utoipa::path(post, path = "/api/v1/session", tag = "people", request_body = LoginRequest,
    responses((status = 200, body = Person, description = "Logged in; the session cookie is set.")))]
pub(super) async fn login(
    State(face): State<Face>,
    From(address): From,
    Body(request): Body<LoginRequest>,
) -> Result<Response, Refusal> {
    let accounts = face.accounts();
    let granted = accounts
        .login(&request.user, request.password, address)
        .await?;
    Ok(answer(StatusCode::OK, granted))
}

/// Who is logged in
#[utoipa::path(get, path = "/api/v1/session", tag = "people",
    responses((status = 200, body = Person)))]
pub(super) async fn me(caller: Caller) -> Json<Person> {
    Json(caller.person())
}

/// Log out
#[utoipa::path(delete, path = "/api/v1/session", tag = "people",
    responses((status = 204, description = "The session has ended.")))]
pub(super) async fn logout(
    State(face): State<Face>,
    From(address): From,
    caller: Caller,
) -> Result<Response, Refusal> {
    let cookie = face.accounts().logout(&caller, address).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

fn answer(status: StatusCode, granted: Granted) -> Response {
    let cookie = [(header::SET_COOKIE, granted.cookie)];
    (status, cookie, Json(granted.person)).into_response()
}
