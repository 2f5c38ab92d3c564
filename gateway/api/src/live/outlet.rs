//! The way out of one live connection: a bounded queue and the task that writes it to the socket.
//! Owns the count of what did not fit; telling never waits.

use super::{Ending, LiveMessage};
use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that may wait for a slow client.
const WAITING: usize = 64;
/// A client that does not take a message within this time is gone.
const WRITE_MAX: Duration = Duration::from_secs(20);

pub(super) struct Outlet {
    queue: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    lost: u64,
    told_of_loss: bool,
}

impl Outlet {
    pub(super) fn start(mut sink: SplitSink<WebSocket, Message>) -> Self {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        let writer = tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                let written = tokio::time::timeout(WRITE_MAX, sink.send(message)).await;
                if !matches!(written, Ok(Ok(()))) {
                    return;
                }
            }
            // The queue was closed on purpose; the client may be gone already.
            let _ = tokio::time::timeout(WRITE_MAX, sink.close()).await;
        });
        Self {
            queue,
            writer,
            lost: 0,
            told_of_loss: false,
        }
    }

    /// Queues a message that stands for so many values or events, or counts them as lost.
    pub(super) fn tell(&mut self, message: &LiveMessage, worth: u64) {
        self.tell_of_loss();
        if self.lost > 0 || !self.push(message) {
            self.lost += worth;
        }
    }

    /// Counts what was lost before it came here.
    pub(super) fn lost(&mut self, count: u64) {
        self.lost += count;
        self.tell_of_loss();
    }

    /// True once after the client was told that something is missing.
    pub(super) fn told_of_loss(&mut self) -> bool {
        std::mem::take(&mut self.told_of_loss)
    }

    pub(super) fn ping(&mut self) {
        self.tell_of_loss();
        // A full queue is sign of life enough: the writer is waiting for the client.
        let _ = self.queue.try_send(Message::Ping(axum::body::Bytes::new()));
    }

    /// Waits until nothing can be told any more.
    pub(super) async fn broken(&self) {
        self.queue.closed().await;
    }

    /// Waits until the client, who missed something, can be told so. For ever if nothing is missing.
    pub(super) async fn room(&self) {
        match self.lost {
            0 => std::future::pending().await,
            // Closed is as good an answer: telling then fails like before.
            _ => drop(self.queue.reserve().await),
        }
    }

    /// Says goodbye as far as the client listens, then cuts.
    pub(super) async fn close(mut self, ending: Ending) {
        let goodbye = self.queue.try_send(Message::Close(Some(ending.frame())));
        drop(self.queue);
        let patience = if goodbye.is_ok() { 2 } else { 0 };
        let ended = tokio::time::timeout(Duration::from_secs(patience), &mut self.writer).await;
        if ended.is_err() {
            self.writer.abort();
        }
    }

    pub(super) fn tell_of_loss(&mut self) {
        if self.lost > 0 && self.push(&LiveMessage::Dropped { count: self.lost }) {
            self.lost = 0;
            self.told_of_loss = true;
        }
    }

    fn push(&self, message: &LiveMessage) -> bool {
        match serde_json::to_string(message) {
            Ok(text) => self.queue.try_send(Message::Text(text.into())).is_ok(),
            Err(error) => {
                tracing::error!(%error, "a live message cannot be written as JSON");
                false
            }
        }
    }
}
