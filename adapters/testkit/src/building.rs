//! A gateway's points in memory, for adapters that show them to others. A test sets values; what
//! others write is held in a priority array of its own and becomes the value, as in a gateway whose
//! devices do what they are told.

use futures_util::future::BoxFuture;
use riser_adapter::{Building, Clock, HeldLevel, PointSource, PointWriter, SystemClock};
use riser_model::{
    Author, AuthorKind, Command, CommandId, CommandRecord, CommandState, HeldBy, Outcome, Point,
    PointPath, PointView, Priority, Quality, Reading, Reason, ScanBatch, Slot, Value,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use uuid::Uuid;

/// Points in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct BuildingInMemory {
    known: Arc<Mutex<Known>>,
    feed: broadcast::Sender<Arc<ScanBatch>>,
}

#[derive(Debug, Default)]
struct Known {
    points: Vec<PointView>,
    given: u32,
    levels: BTreeMap<(PointPath, Priority), (Value, Author)>,
    writes: Vec<Command>,
}

impl Default for BuildingInMemory {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            feed: broadcast::channel(256).0,
        }
    }
}

impl BuildingInMemory {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As an adapter gets it.
    #[must_use]
    pub fn building(&self) -> Building {
        Building {
            points: Arc::new(self.clone()),
            writes: Arc::new(self.clone()),
        }
    }

    /// Adds a point nobody has read yet.
    pub fn add(&self, point: Point) -> Slot {
        let mut known = self.lock();
        let slot = Slot(known.given);
        known.given += 1;
        known.points.push(PointView {
            point,
            slot,
            value: None,
            quality: Quality::bad(Reason::Initial),
            at: None,
        });
        slot
    }

    /// Takes a point away, as a new configuration does.
    pub fn remove(&self, slot: Slot) {
        self.lock().points.retain(|view| view.slot != slot);
    }

    /// A value as an adapter reads it.
    pub fn set(&self, slot: Slot, value: Option<Value>, quality: Quality) {
        let at = SystemClock.now();
        if let Some(view) = self.lock().points.iter_mut().find(|v| v.slot == slot) {
            view.value.clone_from(&value);
            view.quality = quality;
            view.at = Some(at);
        }
        let readings = vec![Reading {
            slot,
            value,
            quality,
        }];
        // Nobody may listen.
        let _ = self.feed.send(Arc::new(ScanBatch { at, readings }));
    }

    /// Everything others wrote, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<Command> {
        self.lock().writes.clone()
    }

    fn hold(&self, command: &Command) -> Outcome {
        let mut known = self.lock();
        known.writes.push(command.clone());
        let found = known.points.iter().find(|v| v.point.path == command.path);
        let refused = match (found, &command.value) {
            (None, _) => Some("there is no such point".to_owned()),
            (Some(view), Some(value)) => view.point.check_write(value).err(),
            (Some(_), None) => None,
        };
        let slot = found.map(|view| view.slot);
        let mut outcome = Outcome {
            command: command.id,
            state: CommandState::Applied,
            at: command.issued_at,
            detail: String::new(),
            read_back: None,
            held_by: None,
        };
        if let Some(detail) = refused {
            outcome.state = CommandState::Refused;
            outcome.detail = detail;
            return outcome;
        }
        let key = (command.path.clone(), command.priority);
        match &command.value {
            Some(value) => known
                .levels
                .insert(key, (value.clone(), command.author.clone())),
            None => known.levels.remove(&key),
        };
        let mut held = known.levels.iter().filter(|((p, _), _)| *p == command.path);
        let winner = held
            .next()
            .map(|((_, level), (value, author))| (*level, value.clone(), author.clone()));
        drop(known);
        if let (Some((level, value, author)), Some(slot)) = (winner, slot) {
            if command.value.is_some() && level != command.priority {
                outcome.state = CommandState::AcceptedNotEffective;
                outcome.held_by = Some(HeldBy {
                    priority: level,
                    author: Some(author),
                });
            }
            outcome.read_back = Some(value.clone());
            self.set(slot, Some(value), Quality::GOOD);
        }
        outcome
    }
}

impl PointSource for BuildingInMemory {
    fn points(&self) -> Vec<PointView> {
        let mut points = self.lock().points.clone();
        points.sort_by(|a, b| a.point.path.cmp(&b.point.path));
        points
    }

    fn point(&self, slot: Slot) -> Option<PointView> {
        self.lock().points.iter().find(|v| v.slot == slot).cloned()
    }

    fn changes(&self) -> broadcast::Receiver<Arc<ScanBatch>> {
        self.feed.subscribe()
    }
}

impl PointWriter for BuildingInMemory {
    fn write(
        &self,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
        by: String,
    ) -> BoxFuture<'static, CommandRecord> {
        let now = SystemClock.now();
        let command = Command {
            id: CommandId(Uuid::new_v4()),
            path,
            value,
            priority,
            issued_at: now,
            expires_at: now,
            hold_until: None,
            author: Author {
                kind: AuthorKind::System,
                name: by,
            },
        };
        let outcome = self.hold(&command);
        Box::pin(async move { CommandRecord { command, outcome } })
    }

    fn levels(&self, path: &PointPath) -> Vec<HeldLevel> {
        let known = self.lock();
        let held = known.levels.iter().filter(|((p, _), _)| p == path);
        held.map(|((_, level), (value, author))| HeldLevel {
            level: *level,
            value: value.clone(),
            author: author.clone(),
            until: None,
        })
        .collect()
    }
}
