//! The gateway an adapter meets while doctor looks at its lanes: points get numbers nobody keeps,
//! nothing is filled in, noted, shown or written.

use futures_util::future::BoxFuture;
use riser_adapter::{
    Building, Clock, HeldLevel, Memory, Past, PastError, PointRegistry, PointSource, PointWriter,
    RegistryError, SystemClock,
};
use riser_model::{
    Author, AuthorKind, Command, CommandId, CommandRecord, CommandState, Outcome, Point, PointPath,
    PointView, Priority, ScanBatch, Slot, Timestamp, Value,
};
use std::sync::Arc;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Why nothing comes of anything here.
const WHY: &str = "the gateway does not run, its doctor looks round";

/// A gateway that is not there.
pub(super) struct Nowhere;

impl Nowhere {
    /// A building without points.
    pub(super) fn building() -> Building {
        Building {
            points: Arc::new(Self),
            writes: Arc::new(Self),
        }
    }
}

impl PointRegistry for Nowhere {
    fn declare<'a>(
        &'a self,
        _: &'a str,
        points: Vec<Arc<Point>>,
    ) -> BoxFuture<'a, Result<Vec<Slot>, RegistryError>> {
        let count = u32::try_from(points.len()).unwrap_or(u32::MAX);
        Box::pin(async move { Ok((0..count).map(Slot).collect()) })
    }
}

impl Past for Nowhere {
    fn stamps(
        &self,
        _: Slot,
        _: Timestamp,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<Vec<Timestamp>, PastError>> {
        Box::pin(async { Err(not_here("read")) })
    }

    fn add(&self, _: Vec<ScanBatch>) -> BoxFuture<'static, Result<(), PastError>> {
        Box::pin(async { Err(not_here("stored")) })
    }
}

fn not_here(doing: &'static str) -> PastError {
    let source = WHY.into();
    PastError::Unavailable { doing, source }
}

impl Memory for Nowhere {
    fn get(&self, _: &str) -> BoxFuture<'static, Option<String>> {
        Box::pin(async { None })
    }

    fn put(&self, _: &str, _: Option<String>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

impl PointSource for Nowhere {
    fn points(&self) -> Vec<PointView> {
        Vec::new()
    }

    fn point(&self, _: Slot) -> Option<PointView> {
        None
    }

    fn changes(&self) -> broadcast::Receiver<Arc<ScanBatch>> {
        broadcast::channel(1).1
    }
}

impl PointWriter for Nowhere {
    fn write(
        &self,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
        by: String,
    ) -> BoxFuture<'static, CommandRecord> {
        let (id, at) = (CommandId(Uuid::new_v4()), SystemClock.now());
        let record = CommandRecord {
            command: Command {
                id,
                path,
                value,
                priority,
                issued_at: at,
                expires_at: at,
                hold_until: None,
                author: Author {
                    kind: AuthorKind::System,
                    name: by,
                },
            },
            outcome: Outcome {
                command: id,
                state: CommandState::Refused,
                at,
                detail: WHY.to_owned(),
                read_back: None,
                held_by: None,
            },
        };
        Box::pin(async move { record })
    }

    fn levels(&self, _: &PointPath) -> Vec<HeldLevel> {
        Vec::new()
    }
}
