//! The commit log: where a batch becomes durable. Owns the one trait every backend implements;
//! the SQLite inbox is the first.

use super::append::Append;
use super::writer::Order;
use super::{Db, DbError, Origin};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use riser_model::{Event, Sample, Timestamp};
use riser_wire::{BatchHeader, Durable};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is inside a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Samples of the data stream.
    Data(Vec<Sample>),
    /// One entry of the event stream.
    Event(Event),
}

/// A frame that was decoded and found good.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose.
    pub origin: Arc<Origin>,
    /// Its header.
    pub header: BatchHeader,
    /// The octets as they arrived; these are kept.
    pub frame: Bytes,
    /// What they mean.
    pub content: Content,
    /// When they arrived (cloud clock).
    pub received_at: Timestamp,
}

/// A batch that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Stored now; false when it was there already.
    pub fresh: bool,
    /// What is settled of its stream.
    pub durable: Durable,
}

/// Resolves once the batch is durable, or with the reason why it is not.
pub type Commit = BoxFuture<'static, Result<Committed, DbError>>;

/// A place where batches become durable. Appending is two steps, so that a caller can have many
/// commits under way and still be held back when there are too many: the outer future resolves
/// when the batch is queued, in the order of the calls; the inner one when it is durable.
///
/// The unique key (gateway, epoch, stream, seq) of the database decides what is a duplicate; an
/// implementation may use it earlier only to save work.
pub trait CommitLog: Send + Sync {
    /// Queues a batch.
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Commit, DbError>>;
}

impl CommitLog for Db {
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Commit, DbError>> {
        async move {
            let (reply, answer) = oneshot::channel();
            let job = Append::new(batch, self.parts(), reply);
            let sent = self.0.writer.send(Order::Work(Box::new(job))).await;
            sent.map_err(|_| DbError::Closed)?;
            Ok(async move { answer.await.map_err(|_| DbError::Closed)? }.boxed())
        }
        .boxed()
    }
}
