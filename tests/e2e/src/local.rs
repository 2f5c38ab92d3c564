//! A technician's browser as the tests play it: the local HTTP face of one gateway with a session.

use serde_json::{Value, json};

/// A logged-in client of the local API.
#[derive(Debug, Clone)]
pub struct Local {
    base: String,
    http: reqwest::Client,
}

/// The user the tests claim a gateway with.
pub const USER: &str = "tech";
/// Their password.
pub const PASSWORD: &str = "correct horse battery";

impl Local {
    /// A client without a session.
    #[must_use]
    pub fn new(port: u16) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .build()
            .expect("an HTTP client");
        Self {
            base: format!("http://127.0.0.1:{port}"),
            http,
        }
    }

    /// `GET path`; status and body (JSON, or text as a JSON string).
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.base)).send().await).await
    }

    /// `POST path` with a body and the header that guards against forged requests.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("X-Riser", "1")
            .json(body);
        answer(request.send().await).await
    }

    /// Body of a `GET` as text.
    pub async fn text(&self, path: &str) -> String {
        match self.http.get(format!("{}{path}", self.base)).send().await {
            Ok(response) => response.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Claims the gateway with its code; leaves the client logged in.
    ///
    /// # Panics
    /// When the gateway refuses.
    pub async fn claim(&self, code: &str) {
        let body = json!({"code": code, "user": USER, "password": PASSWORD});
        // The code is said before anybody listens.
        let limit = std::time::Duration::from_secs(20);
        let (status, answer) = crate::until("the claim is answered", limit, || async {
            let answer = self.post("/api/v1/claim", &body).await;
            (answer.0 != 0).then_some(answer)
        })
        .await;
        assert_eq!(status, 201, "claim: {answer}");
    }

    /// Logs in; answers the status.
    pub async fn login(&self, user: &str, password: &str) -> (u16, Value) {
        self.post(
            "/api/v1/session",
            &json!({"user": user, "password": password}),
        )
        .await
    }

    /// One point with its value; `None` until it exists.
    pub async fn point(&self, path: &str) -> Option<Value> {
        let (status, body) = self.get(&format!("/api/v1/points/{path}")).await;
        (status == 200).then(|| body["view"].clone())
    }

    /// A point's good value as a number.
    pub async fn value(&self, path: &str) -> Option<f64> {
        let point = self.point(path).await?;
        (point["quality"]["level"] == "good")
            .then(|| point["value"].as_f64())
            .flatten()
    }

    /// Writes a point and waits for its final outcome.
    pub async fn write(&self, path: &str, body: &Value) -> Value {
        let (status, record) = self
            .post(&format!("/api/v1/points/{path}/write"), body)
            .await;
        assert_eq!(status, 202, "write {path}: {record}");
        let id = record["command"]["id"]
            .as_str()
            .expect("a command has an id")
            .to_owned();
        crate::until(
            "the command ends",
            std::time::Duration::from_secs(15),
            || async {
                let (_, record) = self.get(&format!("/api/v1/commands/{id}")).await;
                is_final(&record).then_some(record)
            },
        )
        .await
    }
}

/// True once nothing more will happen to a command record.
#[must_use]
pub fn is_final(record: &Value) -> bool {
    !matches!(
        record["outcome"]["state"].as_str(),
        None | Some("requested" | "sent")
    )
}

/// Status and body of an answer; status 0 when none came.
pub(crate) async fn answer(sent: Result<reqwest::Response, reqwest::Error>) -> (u16, Value) {
    let (status, text) = text(sent).await;
    (status, json_of(text))
}

/// The same with the body as text.
pub(crate) async fn text(sent: Result<reqwest::Response, reqwest::Error>) -> (u16, String) {
    let Ok(response) = sent else {
        return (0, String::new());
    };
    let status = response.status().as_u16();
    (status, response.text().await.unwrap_or_default())
}

/// A body as JSON, or as a text in it.
pub(crate) fn json_of(text: String) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
