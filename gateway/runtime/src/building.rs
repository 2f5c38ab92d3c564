//! The gateway's points as an adapter may show them to others. Owns that a write of another system
//! is a command like a person's, and how long such a system is kept waiting for its outcome.

use crate::commands::Commander;
use crate::field::Field;
use crate::views::{LevelView, PointFilter, RefusedKind};
use futures_util::future::BoxFuture;
use riser_adapter::{Building, HeldLevel, PointSource, PointWriter};
use riser_model::{
    Author, AuthorKind, Command, CommandId, CommandRecord, PointPath, PointView, Priority,
    ScanBatch, Slot, Value,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a write waits to be begun: whoever asked has given up by then.
const EXPIRES: Duration = Duration::from_secs(10);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gateway's points, over the parts of a runtime.
pub(crate) fn building(
    commander: &Arc<Commander>,
    live: &broadcast::Sender<Arc<ScanBatch>>,
) -> Building {
    Building {
        points: Arc::new(Points {
            field: Arc::clone(&commander.tools.field),
            live: live.clone(),
        }),
        writes: Arc::new(Writes(Arc::clone(commander))),
    }
}

struct Points {
    field: Arc<Field>,
    live: broadcast::Sender<Arc<ScanBatch>>,
}

impl PointSource for Points {
    fn points(&self) -> Vec<PointView> {
        let slots = self.field.directory().matching(&PointFilter::default());
        slots
            .into_iter()
            .filter_map(|s| self.field.view(s))
            .collect()
    }

    fn point(&self, slot: Slot) -> Option<PointView> {
        self.field.view(slot)
    }

    fn changes(&self) -> broadcast::Receiver<Arc<ScanBatch>> {
        self.live.subscribe()
    }
}

struct Writes(Arc<Commander>);

impl PointWriter for Writes {
    fn write(
        &self,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
        by: String,
    ) -> BoxFuture<'static, CommandRecord> {
        let commander = Arc::clone(&self.0);
        let now = commander.tools.clock.now();
        let command = Command {
            id: CommandId(Uuid::new_v4()),
            path,
            value,
            priority,
            issued_at: now,
            expires_at: now.plus(EXPIRES),
            hold_until: None,
            author: Author {
                kind: AuthorKind::System,
                name: by.clone(),
            },
        };
        // In a task of its own, so that a command that is recorded is also begun.
        let asked = command.clone();
        let task = tokio::spawn(carry_out(Arc::clone(&commander), command, by));
        Box::pin(async move {
            task.await.unwrap_or_else(|_| {
                let why = "the gateway failed while it took the command";
                let kind = RefusedKind::Unavailable;
                *commander.refuse(&asked, kind, why.to_owned()).record
            })
        })
    }

    fn levels(&self, path: &PointPath) -> Vec<HeldLevel> {
        let slot = self.0.tools.field.directory().slot(path);
        let levels = slot.map(|slot| self.0.array(slot)).unwrap_or_default();
        levels.into_iter().map(HeldLevel::from).collect()
    }
}

impl From<LevelView> for HeldLevel {
    fn from(level: LevelView) -> Self {
        Self {
            level: level.level,
            value: level.value,
            author: level.author,
            until: level.until,
        }
    }
}

async fn carry_out(commander: Arc<Commander>, command: Command, by: String) -> CommandRecord {
    let mut feed = commander.feed();
    let id = command.id;
    let mut record = match commander.write(command, Some(by)).await {
        Ok(record) => record,
        Err(refused) => return *refused.record,
    };
    let deadline = Instant::now() + PATIENCE;
    while !record.outcome.state.is_final() {
        match tokio::time::timeout_at(deadline, feed.recv()).await {
            Ok(Ok(next)) if next.command.id == id => record = next,
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => break,
        }
    }
    record
}
