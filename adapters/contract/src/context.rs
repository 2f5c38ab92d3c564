//! Everything an adapter may touch while it runs: points, sample sink, command inbox, health,
//! clock, cancellation. Owns the bounded channels between an adapter and the runtime.

use crate::{Building, Clock, HealthBoard, Memory, Past};
use futures_util::future::BoxFuture;
use riser_model::{Command, Point, Priority, ScanBatch, Slot, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Gives a point its slot. Implemented by the runtime over the store, and by the test kit.
pub trait PointRegistry: Send + Sync {
    /// Declares points; the answer has a slot for each, in order. Declaring a known path again
    /// updates its description and yields the same slot. Refused when another adapter owns a path.
    fn declare<'a>(
        &'a self,
        adapter: &'a str,
        points: Vec<Arc<Point>>,
    ) -> BoxFuture<'a, Result<Vec<Slot>, RegistryError>>;
}

/// Why points could not be declared.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two adapters, or two entries of one, claim the same path.
    #[error("point {path} is already declared by {owner}; give one of the two another key")]
    Duplicate {
        /// The path claimed twice.
        path: String,
        /// Who has it.
        owner: String,
    },
    /// The registry could not record it.
    #[error("could not record the points of {adapter}")]
    Unavailable {
        /// Who asked.
        adapter: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The declared slots of a set of points, in the order they were declared.
pub type Declared = Vec<Slot>;

/// Where readings go. Bounded: when the intake cannot keep up, [`SampleSink::send`] waits, and the
/// adapter's scan falls behind instead of memory growing.
#[derive(Debug, Clone)]
pub struct SampleSink {
    sender: mpsc::Sender<ScanBatch>,
    waits: Arc<AtomicU64>,
}

impl SampleSink {
    /// A sink over a bounded channel.
    #[must_use]
    pub fn new(sender: mpsc::Sender<ScanBatch>) -> Self {
        Self {
            sender,
            waits: Arc::default(),
        }
    }

    /// Hands over one scan. Returns `false` when the gateway is going down.
    pub async fn send(&self, batch: ScanBatch) -> bool {
        match self.sender.try_send(batch) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(batch)) => {
                self.waits.fetch_add(1, Ordering::Relaxed);
                self.sender.send(batch).await.is_ok()
            }
        }
    }

    /// How often a send had to wait since start.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }
}

/// What the device made of one write, after read-back.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteResult {
    /// Read-back shows the value (`None` when the point cannot be read at all).
    Applied(Option<Value>),
    /// The device took it, but read-back shows another value: something else holds the point.
    NotEffective {
        /// What read-back shows.
        read_back: Option<Value>,
        /// What is known about why, in words.
        detail: String,
    },
    /// The device, or the adapter's own checks, said no.
    Refused(String),
    /// Not known to have worked: timeout, broken link, undecodable answer.
    Failed(String),
}

/// One write for the adapter to carry out.
#[derive(Debug)]
pub struct AdapterCommand {
    /// The point.
    pub slot: Slot,
    /// The winning value of the point's priority array; `None` relinquishes (protocols without
    /// relinquish refuse).
    pub value: Option<Value>,
    /// The level of `value` in the gateway's priority array; `None` when the gateway holds none.
    pub winner: Option<Priority>,
    /// Levels the gateway has given back, or holds below the winner: what a device with levels of
    /// its own still has there from this gateway is to go.
    pub released: Vec<Priority>,
    /// What it is for, with priority and expiry, for protocols that have them.
    pub command: Command,
    /// Where the result goes; exactly one is expected.
    pub reply: oneshot::Sender<WriteResult>,
}

/// Everything an adapter may touch while it runs.
pub struct AdapterContext {
    /// Name of this instance, unique in the configuration.
    pub name: String,
    /// Gives points their slots.
    pub registry: Arc<dyn PointRegistry>,
    /// Takes readings.
    pub samples: SampleSink,
    /// Brings writes for this adapter's points.
    pub commands: mpsc::Receiver<AdapterCommand>,
    /// Takes history a device recorded itself.
    pub past: Arc<dyn Past>,
    /// Keeps what was learned about devices.
    pub memory: Arc<dyn Memory>,
    /// The gateway's points, for an adapter that shows them to others.
    pub building: Building,
    /// Shows health.
    pub health: HealthBoard,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Says when to end.
    pub cancel: CancellationToken,
}
