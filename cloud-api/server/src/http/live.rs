//! The live socket, as WebSocket (RFC 6455). Owns its course: token, subscriptions, renewals,
//! keep-alive, end. What is sent, and to whom, is `crate::live`.

use super::Face;
use super::refusal::Refusal;
use crate::app::AppError;
use crate::live::hub::{SUBSCRIBE_MAX, Seat};
use crate::live::message::{LiveMessage, LivePoint, LiveRequest};
use crate::live::viewer::Viewer;
use crate::tenancy::TenantContext;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, StreamExt};
use riser_model::{Permission, TenantId, Timestamp};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Time for the first message, which carries the token.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// A ping goes out so often.
const PING: Duration = Duration::from_secs(20);
/// A peer that says nothing for so long, not even an answer to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A peer that takes nothing for so long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// Largest message of a client: 500 points with the longest names.
const MESSAGE_MAX: usize = 256 * 1024;

/// Close codes of this service (RFC 6455, clause 7.4.2: 4000 to 4999 are private).
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_UNAUTHENTICATED: u16 = 4401;
const CLOSE_FULL: u16 = 4429;

/// Live values, alarms, commands and gateway states
///
/// A WebSocket. The first message is `{"token":"…"}`; then `{"subscribe":[…]}` replaces the set
/// of points, and `{"token":"…"}` renews. Messages are LiveRequest and LiveMessage. Closes with
/// 4401 when there is no valid token (any more).
#[utoipa::path(get, path = "/api/v1/live", tag = "live",
    responses((status = 101, description = "The socket is open.")))]
pub(super) async fn live(
    State(face): State<Face>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(MESSAGE_MAX)
            .max_frame_size(MESSAGE_MAX)
            .on_upgrade(move |socket| session(face, socket)),
        Err(e) => Refusal::from(AppError::Malformed(format!(
            "this route is a WebSocket; connect with one ({})",
            e.body_text()
        )))
        .into_response(),
    }
}

async fn session(face: Face, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let opened = match face.unknown.try_acquire() {
        Ok(_place) => open(&face, &mut stream).await,
        Err(_) => Err(AppError::Busy("too many live connections are being opened")),
    };
    let (code, error) = match opened {
        Ok((who, seat)) => {
            let mut course = Course {
                face: &face,
                ends: deadline(&face, who.expires_at()),
                who,
                seat,
            };
            course.run(&mut sink, &mut stream).await
        }
        Err(AppError::Busy(text)) => (CLOSE_FULL, AppError::Busy(text)),
        Err(error) => (CLOSE_UNAUTHENTICATED, error),
    };
    let farewell = async {
        sink.send(text(&trouble(&error))).await?;
        let reason = error.code().into();
        sink.send(Message::Close(Some(CloseFrame { code, reason })))
            .await
    };
    // The peer may be gone already; then there is nobody to tell.
    let _ = timeout(Duration::from_secs(1), farewell).await;
}

/// Waits for the token and finds a place.
async fn open(
    face: &Face,
    stream: &mut SplitStream<WebSocket>,
) -> Result<(TenantContext, Seat), AppError> {
    let by = Instant::now() + FIRST_MESSAGE;
    let request = loop {
        match timeout_at(by, stream.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => break parse(&text)?,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            _ => return Err(no_token()),
        }
    };
    let token = request.token.ok_or_else(no_token)?;
    let who = admit(face, &token, request.tenant)?;
    let seat = face
        .live
        .join(&who)
        .map_err(|_| AppError::Busy("too many live connections are open"))?;
    seat.viewer().tell(LiveMessage::Ready {
        expires_at: who.expires_at(),
    });
    Ok((who, seat))
}

fn admit(face: &Face, token: &str, tenant: Option<TenantId>) -> Result<TenantContext, AppError> {
    let who = face.keeper.admit(token, tenant)?;
    if !who.role().may(Permission::Read) {
        return Err(AppError::Forbidden(
            "your role may not look at values".to_owned(),
        ));
    }
    Ok(who)
}

fn no_token() -> AppError {
    AppError::Unauthenticated {
        code: "token_missing",
        message: "the first message must be {\"token\":\"…\"} within 10 s".to_owned(),
    }
}

fn parse(text: &str) -> Result<LiveRequest, AppError> {
    serde_json::from_str(text)
        .map_err(|e| AppError::Malformed(format!("the message was not understood: {e}")))
}

/// The injected clock says how long the token lives; the runtime's clock wakes us.
fn deadline(face: &Face, expires_at: Timestamp) -> Instant {
    let left = expires_at.since(face.keeper.clock.now());
    Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

struct Course<'a> {
    face: &'a Face,
    who: TenantContext,
    seat: Seat,
    ends: Instant,
}

impl Course<'_> {
    /// Reads and writes side by side until one of them ends; says why.
    async fn run(
        &mut self,
        sink: &mut SplitSink<WebSocket, Message>,
        stream: &mut SplitStream<WebSocket>,
    ) -> (u16, AppError) {
        let viewer = self.seat.share();
        let stop = self.face.stop.clone();
        tokio::select! {
            () = stop.cancelled() => (CLOSE_GOING_AWAY, AppError::Busy("it is stopping")),
            () = write(sink, &viewer) => {
                (CLOSE_GOING_AWAY, AppError::Busy("this connection takes nothing"))
            }
            end = self.read(stream) => end,
        }
    }

    async fn read(&mut self, stream: &mut SplitStream<WebSocket>) -> (u16, AppError) {
        loop {
            let silent = Instant::now() + SILENCE;
            let by = silent.min(self.ends);
            match timeout_at(by, stream.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    if let Err(error) = self.act(&text).await {
                        if matches!(error, AppError::Unauthenticated { .. }) {
                            return (CLOSE_UNAUTHENTICATED, error);
                        }
                        self.seat.viewer().tell(trouble(&error));
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                    return (CLOSE_GOING_AWAY, AppError::Busy("the client left"));
                }
                Ok(Some(Ok(_))) => {}
                Err(_) if by == self.ends => {
                    let error = AppError::Unauthenticated {
                        code: "token_expired",
                        message: "the access token has expired; renew it and connect again"
                            .to_owned(),
                    };
                    return (CLOSE_UNAUTHENTICATED, error);
                }
                Err(_) => return (CLOSE_GOING_AWAY, AppError::Busy("the client is silent")),
            }
        }
    }

    async fn act(&mut self, text: &str) -> Result<(), AppError> {
        let request = parse(text)?;
        if let Some(token) = request.token {
            self.renew(&token, request.tenant)?;
        }
        match request.subscribe {
            Some(points) => self.subscribe(points).await,
            None => Ok(()),
        }
    }

    /// A newer token of the same person for the same tenant keeps the socket open.
    fn renew(&mut self, token: &str, tenant: Option<TenantId>) -> Result<(), AppError> {
        let tenant = tenant.or_else(|| self.who.tenant().cloned());
        let who = admit(self.face, token, tenant)?;
        if who.user() != self.who.user() || who.tenant() != self.who.tenant() {
            return Err(AppError::Unauthenticated {
                code: "token_invalid",
                message: "this token is for another person or tenant; open another socket"
                    .to_owned(),
            });
        }
        self.ends = deadline(self.face, who.expires_at());
        self.seat.viewer().tell(LiveMessage::Ready {
            expires_at: who.expires_at(),
        });
        self.who = who;
        Ok(())
    }

    async fn subscribe(&mut self, points: Vec<LivePoint>) -> Result<(), AppError> {
        if points.len() > SUBSCRIBE_MAX {
            return Err(AppError::Refused {
                code: "too_many_points",
                message: format!(
                    "{} points were asked for, {SUBSCRIBE_MAX} is the most; subscribe to those \
                     on the screen",
                    points.len()
                ),
            });
        }
        let Some(tenant) = self.who.tenant().cloned() else {
            return Err(AppError::Refused {
                code: "tenant_needed",
                message: "name the tenant beside the token: {\"token\":\"…\",\"tenant\":\"…\"}"
                    .to_owned(),
            });
        };
        let known = points.iter().map(|p| (p.gateway.clone(), p.path.clone()));
        let known: Vec<_> = known.collect();
        self.seat.subscribe(&tenant, points);
        for latest in self.face.app.fleet.latest(&self.who, known).await? {
            self.seat.known(&tenant, latest);
        }
        Ok(())
    }
}

/// Sends whatever is queued, at once while the socket keeps up, and a ping now and then however
/// much else goes out: a dashboard only listens, its pongs are all that is heard of it. Ends when
/// the socket does not keep up.
async fn write(sink: &mut (impl Sink<Message> + Unpin), viewer: &Viewer) {
    let mut ping_at = Instant::now() + PING;
    loop {
        let messages = timeout_at(ping_at, viewer.take()).await.unwrap_or_default();
        let ping = Instant::now() >= ping_at;
        let sent = async {
            for message in &messages {
                sink.feed(text(message)).await?;
            }
            if ping {
                sink.feed(Message::Ping(Vec::new().into())).await?;
            }
            sink.flush().await
        };
        if !matches!(timeout(STUCK, sent).await, Ok(Ok(()))) {
            return;
        }
        if ping {
            ping_at = Instant::now() + PING;
        }
    }
}

fn text(message: &LiveMessage) -> Message {
    // Plain data with text keys always serialises.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}

fn trouble(error: &AppError) -> LiveMessage {
    LiveMessage::Error {
        code: error.code().to_owned(),
        message: match error {
            AppError::Internal(text) => {
                tracing::error!(error = %text, "a live request failed inside the service");
                "the service failed to carry this out; its log says why".to_owned()
            }
            other => other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::message::LiveValue;
    use riser_model::{Key, Quality, Value};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_only_listens_to_many_values_is_pinged_all_the_same() {
        let viewer = Viewer::new(None);
        let mut sent: Vec<Message> = Vec::new();
        let values = async {
            for at in 0..590 {
                viewer.offer([LiveValue {
                    gateway: Key::slug("gw"),
                    path: "a/b".parse().unwrap(),
                    value: Some(Value::Int(at)),
                    quality: Quality::GOOD,
                    at: Timestamp(at),
                }]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = write(&mut sent, &viewer) => panic!("the socket keeps up"),
            () = values => {}
        }
        let pings = sent.iter().filter(|m| matches!(m, Message::Ping(_)));
        assert_eq!(pings.count(), 2);
        assert_eq!(sent.len(), 592);
    }
}
