//! A connection with its requests: numbers them, and lets one be waited for while the rest is kept
//! in order. Owns the bound on what is kept; the connection itself is in `socket`.

pub(crate) mod socket;

use self::socket::{Lost, Socket};
use crate::codec::Message;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Messages kept while one answer is waited for.
const KEPT: usize = 100_000;

/// A connection with its requests.
pub(crate) struct Session {
    socket: Socket,
    last: u64,
    kept: VecDeque<Message>,
    /// Requests sent.
    pub(crate) requests: u64,
}

impl Session {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            last: 0,
            kept: VecDeque::new(),
            requests: 0,
        }
    }

    /// Sends a request; its answer comes with this number.
    pub(crate) async fn ask(&mut self, kind: &str, body: Map<String, Value>) -> Result<u64, Lost> {
        self.last += 1;
        self.requests += 1;
        let mut message = body;
        message.insert("id".to_owned(), json!(self.last));
        message.insert("type".to_owned(), json!(kind));
        self.socket.send(Value::Object(message).to_string()).await?;
        Ok(self.last)
    }

    /// The next message; may be given up while waiting.
    pub(crate) async fn next(&mut self) -> Result<Message, Lost> {
        match self.kept.pop_front() {
            Some(message) => Ok(message),
            None => self.socket.next().await,
        }
    }

    /// Sends a request and waits for its answer; what else comes is kept.
    pub(crate) async fn call(
        &mut self,
        kind: &str,
        body: Map<String, Value>,
    ) -> Result<Result<Value, String>, Lost> {
        let wanted = self.ask(kind, body).await?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let next = timeout_at(deadline, self.socket.next()).await;
            let slow = |_| Lost::Ended(format!("'{kind}' was not answered within 30 s"));
            match next.map_err(slow)?? {
                Message::Result { id, outcome } if id == wanted => return Ok(outcome),
                other if self.kept.len() < KEPT => self.kept.push_back(other),
                _ => return Err(Lost::Ended("more came than can be kept".to_owned())),
            }
        }
    }
}
