//! The live stream over a real socket.

use crate::bench::{Bench, request};
use axum::http::Method;
use futures_util::{SinkExt, StreamExt};
use riser_model::{LinkState, LinkStatus, Role, Value};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn serve(bench: &Bench) -> SocketAddr {
    let any = "127.0.0.1:0".parse().unwrap();
    let listening = riser_api::bind(any, None).await.unwrap();
    let address = listening.address;
    tokio::spawn(listening.serve(bench.router.clone(), bench.stop.clone()));
    address
}

async fn connect(at: SocketAddr, cookie: &str, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{at}/api/v1/live").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("cookie", HeaderValue::from_str(cookie).unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", HeaderValue::from_str(origin).unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next message of a type, within ten seconds; others are passed over.
async fn next(socket: &mut Socket, kind: &str) -> Json {
    next_of(socket, &[kind]).await
}

async fn next_of(socket: &mut Socket, kinds: &[&str]) -> Json {
    let wanted = async {
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let message: Json = serde_json::from_str(&text).unwrap();
                    if kinds.iter().any(|kind| message["type"] == *kind) {
                        return message;
                    }
                }
                Message::Close(frame) => panic!("closed instead of {kinds:?}: {frame:?}"),
                _ => {}
            }
        }
    };
    let limit = Duration::from_secs(10);
    let found = tokio::time::timeout(limit, wanted).await;
    found.unwrap_or_else(|_| panic!("none of {kinds:?}"))
}

async fn subscribe(socket: &mut Socket, paths: &[&str]) {
    let text = json!({ "subscribe": paths }).to_string();
    socket.send(Message::text(text)).await.unwrap();
}

fn status(refused: Result<Socket, Error>) -> u16 {
    match refused {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn only_a_session_on_the_gateways_own_page_may_look() {
    let bench = Bench::new().await;
    let at = serve(&bench).await;
    let cookie = bench.session(Role::Viewer).await;
    assert_eq!(status(connect(at, "riser_session=guess", None).await), 401);
    assert_eq!(
        status(connect(at, &cookie, Some("http://evil.example")).await),
        403
    );
    let own = format!("http://{at}");
    connect(at, &cookie, Some(&own)).await.unwrap();
}

#[tokio::test]
async fn followed_points_alarms_commands_and_the_link_are_told() {
    let bench = Bench::new().await;
    bench.read("ahu-1/temperature", Value::Float(20.0)).await;
    let at = serve(&bench).await;
    let mut socket = connect(at, &bench.session(Role::Viewer).await, None)
        .await
        .unwrap();
    assert_eq!(next(&mut socket, "link").await["link"]["state"], "disabled");

    subscribe(&mut socket, &["ahu-1/temperature", "ahu-1/not_there"]).await;
    let present = next(&mut socket, "values").await;
    assert_eq!(present["values"][0]["path"], "ahu-1/temperature");
    assert_eq!(present["values"][0]["value"], 20.0);

    bench.read("ahu-1/setpoint", Value::Float(18.0)).await;
    bench.read("ahu-1/temperature", Value::Float(31.5)).await;
    // The two come by different ways, so either may be first.
    let (mut fresh, mut alarm) = (Json::Null, Json::Null);
    while fresh.is_null() || alarm.is_null() {
        let message = next_of(&mut socket, &["values", "alarm"]).await;
        if message["type"] == "alarm" {
            alarm = message;
        } else {
            fresh = message;
        }
    }
    assert_eq!(
        fresh["values"],
        json!([{"path": "ahu-1/temperature", "value": 31.5,
        "quality": {"level": "good"}, "at": crate::bench::START}])
    );
    assert_eq!(alarm["alarm"]["rule"], "hot");

    let cookie = bench.session(Role::Operator).await;
    let body = json!({"value": 22.0});
    bench
        .post("/api/v1/points/ahu-1/setpoint/write", &cookie, body)
        .await;
    let told = next(&mut socket, "command").await;
    assert_eq!(told["command"]["command"]["path"], "ahu-1/setpoint");

    bench.link.send_replace(LinkStatus {
        state: LinkState::Live,
        ..LinkStatus::default()
    });
    assert_eq!(next(&mut socket, "link").await["link"]["state"], "live");

    // Another set replaces the first.
    subscribe(&mut socket, &["ahu-1/setpoint"]).await;
    let replaced = next(&mut socket, "values").await;
    assert_eq!(replaced["values"][0]["path"], "ahu-1/setpoint");
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    let bench = Bench::new().await;
    let at = serve(&bench).await;
    let mut socket = connect(at, &bench.session(Role::Viewer).await, None)
        .await
        .unwrap();
    let many: Vec<String> = (0..501).map(|n| format!("ahu-1/p{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    subscribe(&mut socket, &many).await;
    let refused = next(&mut socket, "error").await;
    assert!(
        refused["message"].as_str().unwrap().contains("at most 500"),
        "{refused}"
    );
    socket
        .send(Message::text("{\"subscrbe\":[]}"))
        .await
        .unwrap();
    let refused = next(&mut socket, "error").await;
    assert!(
        refused["message"].as_str().unwrap().contains("subscrbe"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_ends_with_the_truth() {
    let bench = Bench::new().await;
    let at = serve(&bench).await;
    let mut socket = connect(at, &bench.session(Role::Viewer).await, None)
        .await
        .unwrap();
    subscribe(&mut socket, &["ahu-1/text"]).await;
    bench.read("ahu-1/text", Value::text("first")).await;
    next(&mut socket, "values").await;

    // More than every buffer between here and there holds, while nobody reads.
    let padding = "x".repeat(4000);
    for n in 0..4_000 {
        let text = Value::text(&format!("{n} {padding}"));
        bench.feed.send(vec![("ahu-1/text", text)]).await.unwrap();
    }
    bench.read("ahu-1/text", Value::text("last")).await;
    let dropped = next(&mut socket, "dropped").await;
    assert!(dropped["count"].as_u64().unwrap() > 0);
    loop {
        let message = next(&mut socket, "values").await;
        let values = message["values"].as_array().unwrap();
        if values.iter().any(|v| v["value"] == "last") {
            break;
        }
    }
}

#[tokio::test]
async fn live_views_end_with_the_gateway() {
    let bench = Bench::new().await;
    let at = serve(&bench).await;
    let mut socket = connect(at, &bench.session(Role::Viewer).await, None)
        .await
        .unwrap();
    next(&mut socket, "link").await;
    bench.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                return frame;
            }
        }
        None
    });
    let frame = ended.await.unwrap().unwrap();
    assert!(frame.reason.contains("going down"), "{frame:?}");
}

#[tokio::test]
async fn a_live_view_ends_with_its_session() {
    let bench = Bench::new().await;
    let at = serve(&bench).await;
    let cookie = bench.session(Role::Viewer).await;
    let mut socket = connect(at, &cookie, None).await.unwrap();
    next(&mut socket, "link").await;
    let out = request(Method::DELETE, "/api/v1/session", &cookie, None);
    bench.send(out).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                return frame;
            }
        }
        None
    });
    let frame = ended.await.unwrap().unwrap();
    assert!(frame.reason.contains("session has ended"), "{frame:?}");
}
