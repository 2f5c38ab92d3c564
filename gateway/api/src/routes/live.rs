//! The way into the live stream. Owns the route and the bound on sockets; what flows is
//! `crate::live`.

use crate::auth::Caller;
use crate::face::{Face, LIVE_SOCKETS};
use crate::live;
use crate::refusal::Refusal;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::Response;

/// Longest message of a client, in octets: 500 of the longest paths.
const MESSAGE_MAX: usize = 128 * 1024;

/// Values, alarms and commands as they happen
///
/// A WebSocket. The client sends `LiveRequest`, the server `LiveMessage`, both as JSON text.
#[utoipa::path(get, path = "/api/v1/live", tag = "live",
    responses((status = 101, description = "Upgraded to a WebSocket.")))]
pub(super) async fn live(
    State(face): State<Face>,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let place = face.live_sockets().try_acquire_owned().map_err(|_| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many",
            format!("{LIVE_SOCKETS} live views are open already; close one"),
        )
        .retry_after(10)
    })?;
    Ok(upgrade
        .max_message_size(MESSAGE_MAX)
        .max_frame_size(MESSAGE_MAX)
        .on_upgrade(move |socket| async move {
            live::serve(socket, face, caller).await;
            drop(place);
        }))
}
