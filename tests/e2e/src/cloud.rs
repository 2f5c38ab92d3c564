//! An operator's browser as the tests play it: the cloud's HTTP face and its live stream.

use crate::local::{is_final, json_of, text};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_tungstenite::tungstenite::Message;

/// A logged-in client of the cloud.
#[derive(Debug, Clone)]
pub struct Cloud {
    base: String,
    socket: String,
    http: reqwest::Client,
    token: Arc<Mutex<String>>,
}

impl Cloud {
    /// A client without a token.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self {
            base: format!("http://127.0.0.1:{port}"),
            socket: format!("ws://127.0.0.1:{port}/api/v1/live"),
            http: reqwest::Client::builder()
                .cookie_store(true)
                .build()
                .expect("an HTTP client"),
            token: Arc::default(),
        }
    }

    /// Logs in; answers status and body and keeps the token.
    pub async fn login(&self, email: &str, password: &str) -> (u16, Value) {
        let body = json!({"email": email, "password": password});
        let (status, body) = self.post("/api/v1/auth/login", &body).await;
        if let Some(token) = body["access_token"].as_str() {
            self.set_token(token);
        }
        (status, body)
    }

    /// Replaces the token, for tests that bring a wrong one.
    pub fn set_token(&self, token: &str) {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone_into(&mut kept);
    }

    fn token(&self) -> String {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    /// Sends a request; renews a token that has expired and sends it again, as the dashboard does.
    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        let again = request.try_clone();
        let first = text(request.bearer_auth(self.token()).send().await).await;
        let expired = first.0 == 401 && first.1.contains("token_expired");
        let (true, Some(again)) = (expired, again) else {
            return first;
        };
        let refresh = self.http.post(format!("{}/api/v1/auth/refresh", self.base));
        let (_, renewed) = text(refresh.send().await).await;
        let renewed: Value = serde_json::from_str(&renewed).unwrap_or_default();
        self.set_token(renewed["access_token"].as_str().unwrap_or_default());
        text(again.bearer_auth(self.token()).send().await).await
    }

    /// The same with the body read as JSON.
    async fn ask(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let (status, text) = self.send(request).await;
        (status, json_of(text))
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.base));
        self.ask(request).await
    }

    /// `POST path` with a body.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.ask(request).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        let request = self.http.delete(format!("{}{path}", self.base));
        self.ask(request).await
    }

    /// Body of a `GET` as text.
    pub async fn text(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.base));
        self.send(request).await.1
    }

    /// One gateway as the fleet list shows it.
    pub async fn gateway(&self, id: &str) -> Option<Value> {
        let (status, body) = self.get(&format!("/api/v1/gateways/{id}")).await;
        (status == 200).then_some(body)
    }

    /// One point with its latest value.
    pub async fn point(&self, gateway: &str, path: &str) -> Option<Value> {
        let (status, body) = self
            .get(&format!("/api/v1/gateways/{gateway}/points/{path}"))
            .await;
        (status == 200).then(|| body["view"].clone())
    }

    /// Every sample of a point the cloud has, `(time, value)` in order of time.
    pub async fn samples(&self, gateway: &str, path: &str) -> Vec<(i64, f64)> {
        let far = 4_102_444_800_000_i64;
        let csv = self
            .text(&format!(
                "/api/v1/gateways/{gateway}/points/{path}/samples.csv?from=0&to={far}"
            ))
            .await;
        parse_csv(&csv)
    }

    /// Writes a point and waits for its final outcome.
    pub async fn write(&self, gateway: &str, path: &str, body: &Value) -> Value {
        let (status, record) = self
            .post(
                &format!("/api/v1/gateways/{gateway}/points/{path}/write"),
                body,
            )
            .await;
        assert_eq!(status, 202, "write {path}: {record}");
        let id = record["command"]["id"]
            .as_str()
            .expect("a command has an id")
            .to_owned();
        crate::until(
            "the command ends",
            std::time::Duration::from_secs(20),
            || async {
                let (_, record) = self.get(&format!("/api/v1/commands/{id}")).await;
                is_final(&record).then_some(record)
            },
        )
        .await
    }

    /// Opens the live stream on some points of a gateway.
    ///
    /// # Panics
    /// When the stream cannot be opened.
    pub async fn live(&self, gateway: &str, paths: &[&str]) -> Live {
        let (mut socket, _) = tokio_tungstenite::connect_async(&self.socket)
            .await
            .expect("live stream");
        let wanted: Vec<Value> = paths
            .iter()
            .map(|p| json!({"gateway": gateway, "path": p}))
            .collect();
        for message in [json!({"token": self.token()}), json!({"subscribe": wanted})] {
            socket
                .send(Message::text(message.to_string()))
                .await
                .expect("live stream");
        }
        Live { socket }
    }
}

/// An open live stream.
#[derive(Debug)]
pub struct Live {
    socket: tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >,
}

impl Live {
    /// The next message; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Message::Text(text) = self.socket.next().await?.ok()? {
                return serde_json::from_str(&text).ok();
            }
        }
    }
}

/// `(time, value)` of the rows of a samples CSV whose quality is good; columns are found by name.
///
/// # Panics
/// When there is a header without the columns.
#[must_use]
#[expect(clippy::panic, reason = "a table without its columns fails the test")]
pub fn parse_csv(csv: &str) -> Vec<(i64, f64)> {
    let mut lines = csv.lines();
    let Some(header) = lines.next() else {
        return Vec::new();
    };
    let column = |name: &str| {
        header
            .split(',')
            .position(|c| c == name)
            .unwrap_or_else(|| panic!("no column {name} in '{header}'"))
    };
    let (at, value, quality) = (column("at"), column("value"), column("quality"));
    lines
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| fields.get(quality) == Some(&"good"))
        .filter_map(|fields| {
            Some((
                fields.get(at)?.parse().ok()?,
                fields.get(value)?.parse().ok()?,
            ))
        })
        .collect()
}
