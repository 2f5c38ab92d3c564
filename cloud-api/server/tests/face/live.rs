//! The live socket: whose news it tells, how it ends, and what a slow reader gets.

use crate::site::{Site, T0, origin};
use futures_util::{SinkExt, StreamExt};
use riser_model::{
    Alarm, AlarmId, AlarmPriority, AlarmState, Event, Quality, Reading, Role, ScanBatch, Slot,
    Timestamp, Value,
};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(site: &Site) -> Self {
        let url = format!("{}/api/v1/live", site.base.replace("http", "ws"));
        Self(connect_async(url).await.unwrap().0)
    }

    /// Open, with a token that was accepted.
    async fn of(site: &Site, role: Role, tenant: Option<&str>) -> Self {
        let mut socket = Self::open(site).await;
        socket
            .say(json!({ "token": site.token(role, tenant) }))
            .await;
        assert_eq!(socket.next().await["type"], "ready");
        socket
    }

    async fn say(&mut self, message: Json) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn follow(&mut self, gateway: &str, paths: &[&str]) {
        let points: Vec<_> = paths
            .iter()
            .map(|p| json!({ "gateway": gateway, "path": p }))
            .collect();
        self.say(json!({ "subscribe": points })).await;
    }

    async fn frame(&mut self) -> Message {
        timeout(Duration::from_secs(20), self.0.next())
            .await
            .expect("the server says nothing")
            .expect("the socket has ended")
            .unwrap()
    }

    async fn next(&mut self) -> Json {
        loop {
            match self.frame().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.frame().await {
                return frame.unwrap().code.into();
            }
        }
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < by, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn figure(site: &Site, name: &str) -> u64 {
    let figures = site.hub.figures();
    figures.iter().find(|f| f.name == name).unwrap().value
}

async fn value(site: &Site, tenant: &str, ms: i64, value: f64) {
    let readings = vec![
        Reading {
            slot: Slot(0),
            value: Some(Value::Float(value)),
            quality: Quality::GOOD,
        },
        Reading {
            slot: Slot(4),
            value: Some(Value::Int(1)),
            quality: Quality::GOOD,
        },
    ];
    let at = Timestamp(T0 + ms);
    let origin = origin(tenant, "gw-001");
    site.data(&origin, vec![ScanBatch { at, readings }]).await;
}

fn alarm(n: u128) -> Alarm {
    Alarm {
        id: AlarmId(Uuid::from_u128(n)),
        rule: "too_hot".parse().unwrap(),
        path: "ahu-1/supply_temp".parse().unwrap(),
        priority: AlarmPriority::High,
        message: "too hot".into(),
        state: AlarmState::ActiveUnacknowledged,
        raised_at: Timestamp(T0),
        value: None,
        limit: None,
        cleared_at: None,
        acknowledged: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_gets_the_points_it_follows_first_as_known_then_as_they_come() {
    let site = Site::with_gateways().await;
    value(&site, "acme", 0, 1.0).await;
    let mut socket = Socket::of(&site, Role::Viewer, Some("acme")).await;
    socket
        .follow("gw-001", &["ahu-1/supply_temp", "ahu-1/none"])
        .await;
    let known = socket.next().await;
    let expected = |value: f64, ms: i64| {
        json!({ "type": "values", "values": [{
            "gateway": "gw-001", "path": "ahu-1/supply_temp", "value": value,
            "quality": { "level": "good" }, "at": T0 + ms,
        }]})
    };
    assert_eq!(known, expected(1.0, 0));
    value(&site, "acme", 10, 2.0).await;
    assert_eq!(socket.next().await, expected(2.0, 10));
    // An old batch, sent late, is history and no news.
    value(&site, "acme", 5, 9.0).await;
    value(&site, "acme", 20, 3.0).await;
    assert_eq!(socket.next().await, expected(3.0, 20));
    socket.follow("gw-001", &[]).await;
    until("nothing is followed", || {
        figure(&site, "riser_live_points") == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_later_gets_what_is_known_too() {
    let site = Site::with_gateways().await;
    let mut first = Socket::of(&site, Role::Viewer, Some("acme")).await;
    first.follow("gw-001", &["ahu-1/supply_temp"]).await;
    until("it is followed", || figure(&site, "riser_live_points") == 1).await;
    value(&site, "acme", 10, 2.0).await;
    assert_eq!(first.next().await["values"][0]["value"], 2.0);
    let mut second = Socket::of(&site, Role::Viewer, Some("acme")).await;
    second.follow("gw-001", &["ahu-1/supply_temp"]).await;
    assert_eq!(second.next().await["values"][0]["value"], 2.0);
    value(&site, "acme", 20, 3.0).await;
    // The first was told once; the second's arrival is no news.
    assert_eq!(first.next().await["values"][0]["value"], 3.0);
    assert_eq!(second.next().await["values"][0]["value"], 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_tenant_comes_through() {
    let site = Site::with_gateways().await;
    let mut acme = Socket::of(&site, Role::TenantAdmin, Some("acme")).await;
    let mut all = Socket::of(&site, Role::SystemAdmin, None).await;
    // The name exists in both tenants, and one exists only in the other.
    let points = json!([
        { "gateway": "gw-001", "path": "ahu-1/supply_temp" },
        { "gateway": "gw-beta", "path": "ahu-1/supply_temp" },
    ]);
    acme.say(json!({ "subscribe": points })).await;
    until("both are followed", || {
        figure(&site, "riser_live_points") == 2
    })
    .await;
    value(&site, "beta", 10, 66.0).await;
    let beta = origin("beta", "gw-001");
    site.event(&beta, Event::Alarm(alarm(1))).await;
    site.db
        .gateway_disconnected(&beta, site.now())
        .await
        .unwrap();
    value(&site, "acme", 20, 7.0).await;
    let first = acme.next().await;
    assert_eq!(first["values"][0]["value"], 7.0, "{first}");
    site.event(&origin("acme", "gw-001"), Event::Alarm(alarm(2)))
        .await;
    let second = acme.next().await;
    assert_eq!(
        (&second["type"], &second["tenant"]),
        (&"alarm".into(), &"acme".into()),
        "{second}"
    );
    // Whoever runs the platform hears of both.
    let mut tenants = Vec::new();
    while tenants.len() < 2 {
        let message = all.next().await;
        if message["type"] == "alarm" {
            tenants.push(message["tenant"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(tenants, ["beta", "acme"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_gateway_states_are_told() {
    let site = Site::with_gateways().await;
    let mut socket = Socket::of(&site, Role::Operator, Some("acme")).await;
    let token = site.token(Role::Operator, Some("acme"));
    let path = "/api/v1/gateways/gw-001/points/ahu-1/setpoint/write";
    let (status, record) = site.post(&token, path, json!({ "value": 20 })).await;
    assert_eq!(status, 202);
    let message = socket.next().await;
    assert_eq!(message["type"], "command", "{message}");
    assert_eq!(message["command"]["command"], record["command"]);
    let gone = origin("acme", "gw-001");
    site.db
        .gateway_disconnected(&gone, site.now())
        .await
        .unwrap();
    let message = socket.next().await;
    assert_eq!(message["type"], "gateway", "{message}");
    assert_eq!(message["gateway"]["id"], "gw-001");
    assert_eq!(message["gateway"]["connected"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_good_token_first_the_socket_closes() {
    let site = Site::with_gateways().await;
    let expired = site.token_at(Role::Viewer, Some("acme"), Timestamp(T0 - 900_000));
    for (first, code) in [
        (json!({ "token": expired }), "token_expired"),
        (json!({ "token": "x.y.z" }), "token_invalid"),
        (json!({ "subscribe": [] }), "token_missing"),
        (
            json!({ "token": site.token(Role::Viewer, Some("acme")), "tenant": "beta" }),
            "not_found",
        ),
        (json!({ "hello": 1 }), "malformed"),
    ] {
        let mut socket = Socket::open(&site).await;
        socket.say(first).await;
        let error = socket.next().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&"error".into(), &code.into()),
            "{error}"
        );
        assert_eq!(socket.close_code().await, 4401);
    }
    until("no seat is left behind", || {
        figure(&site, "riser_live_viewers") == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_ends_with_its_token_unless_the_token_is_renewed() {
    let site = Site::with_gateways().await;
    let soon = Timestamp(T0 - 900_000 + 1_000);
    let token = site.token_at(Role::Viewer, Some("acme"), soon);
    let mut left = Socket::open(&site).await;
    let mut renewed = Socket::open(&site).await;
    for socket in [&mut left, &mut renewed] {
        socket.say(json!({ "token": token })).await;
        assert_eq!(socket.next().await["expires_at"], T0 + 1_000);
    }
    let fresh = site.token(Role::Viewer, Some("acme"));
    renewed.say(json!({ "token": fresh })).await;
    assert_eq!(renewed.next().await["expires_at"], T0 + 900_000);
    assert_eq!(left.next().await["code"], "token_expired");
    assert_eq!(left.close_code().await, 4401);
    renewed.follow("gw-001", &["ahu-1/supply_temp"]).await;
    until("it is followed", || figure(&site, "riser_live_points") == 1).await;
    value(&site, "acme", 1, 5.0).await;
    assert_eq!(renewed.next().await["values"][0]["value"], 5.0);
    // Somebody else's token does not take the socket over.
    let other = site.token(Role::Operator, Some("acme"));
    renewed.say(json!({ "token": other })).await;
    assert_eq!(renewed.next().await["code"], "token_invalid");
    assert_eq!(renewed.close_code().await, 4401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_answered_and_the_socket_stays() {
    let site = Site::with_gateways().await;
    let mut socket = Socket::of(&site, Role::Viewer, Some("acme")).await;
    let many: Vec<_> = (0..501).map(|i| format!("ahu-1/p{i}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    socket.follow("gw-001", &many).await;
    assert_eq!(socket.next().await["code"], "too_many_points");
    socket
        .say(json!({ "subscribe": [{ "gateway": "gw-001", "path": "no path" }] }))
        .await;
    assert_eq!(socket.next().await["code"], "malformed");
    socket.follow("gw-001", &many[..500]).await;
    until("500 are followed", || {
        figure(&site, "riser_live_points") == 500
    })
    .await;
    let mut all = Socket::of(&site, Role::SystemAdmin, None).await;
    all.follow("gw-001", &["ahu-1/supply_temp"]).await;
    assert_eq!(all.next().await["code"], "tenant_needed");
}

/// One value after the other until each of two sockets has been told of two, live.
async fn both_hear(site: &Site, sockets: [&mut Socket; 2]) {
    let words = ["first", "second"];
    let mut heard = sockets;
    for (n, word) in (1..).zip(words) {
        let reading = Reading {
            slot: Slot(3),
            value: Some(Value::text(word)),
            quality: Quality::GOOD,
        };
        let scan = ScanBatch {
            at: Timestamp(T0 + n),
            readings: vec![reading],
        };
        site.data(&origin("acme", "gw-001"), vec![scan]).await;
        for socket in &mut heard {
            while !socket.next().await["values"].to_string().contains(word) {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_costs_a_bounded_queue_and_hears_what_it_missed() {
    let site = Site::with_gateways().await;
    let mut slow = Socket::of(&site, Role::Viewer, Some("acme")).await;
    let mut quick = Socket::of(&site, Role::Viewer, Some("acme")).await;
    for socket in [&mut slow, &mut quick] {
        socket.follow("gw-001", &["ahu-1/mode"]).await;
    }
    until("both follow", || figure(&site, "riser_live_viewers") == 2).await;
    // One who begins to follow is handed what others have got already; that is over then.
    both_hear(&site, [&mut slow, &mut quick]).await;
    let text = "x".repeat(4000);
    let (mut ms, mut received) = (10, 0_u64);
    // Nobody reads `slow`: once the system's buffers are full, its queue is.
    let by = Instant::now() + Duration::from_secs(60);
    while figure(&site, "riser_live_dropped_total") == 0 {
        assert!(Instant::now() < by, "nothing was ever dropped");
        let scans = (0..200).map(|_| {
            ms += 1;
            ScanBatch {
                at: Timestamp(T0 + ms),
                readings: vec![Reading {
                    slot: Slot(3),
                    value: Some(Value::text(&format!("{ms} {text}"))),
                    quality: Quality::GOOD,
                }],
            }
        });
        site.data(&origin("acme", "gw-001"), scans.collect()).await;
        while received + 10 < ms.unsigned_abs() {
            let message = quick.next().await;
            let values = message["values"].as_array();
            received += values.map_or(0, |v| v.len() as u64);
        }
    }
    let (mut got, mut missed) = (0, 0);
    while got + missed < received {
        let message = slow.next().await;
        got += message["values"].as_array().map_or(0, |v| v.len() as u64);
        missed += message["count"].as_u64().unwrap_or(0);
    }
    assert_eq!(got + missed, received, "some are neither told nor counted");
    assert!(missed > 0 && got > 2000, "{got} got, {missed} missed");
    assert_eq!(figure(&site, "riser_live_dropped_total"), missed);
}
