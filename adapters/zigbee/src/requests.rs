//! Requests to the bridge on their way, each with its transaction. Owns which answer belongs to which
//! request; an answer to somebody else's is left alone.

use crate::network::entity::EntityId;
use riser_adapter::AdapterError;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Requests that may wait for an answer.
pub(crate) const WAITING_MAX: usize = 64;

/// What comes of an operation.
pub(crate) type Answer = Result<toml::Table, AdapterError>;
/// Makes the answer of an operation from the bridge's.
pub(crate) type Read = fn(&Json) -> toml::Table;

/// Who waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The adapter itself: is the bridge there.
    Check,
    /// Somebody who asked for an operation.
    Operation(Operation),
    /// Somebody who asked for something with a scene, which only lists, states and the log answer.
    Scene(Scene, Operation),
}

/// What is to become of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    /// Of which device or group.
    pub(crate) of: EntityId,
    /// Its name, as the bridge's log has it.
    pub(crate) name: String,
    pub(crate) number: u8,
    pub(crate) shows: Shows,
}

/// What shows that it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// The list has it.
    Listed,
    /// The list has it no more.
    Gone,
    /// A state comes; a group or a device that tells none has done it when nobody complains.
    State,
}

/// An operation on its way.
#[derive(Debug)]
pub(crate) struct Operation {
    /// What was asked, such as `rename lamp`.
    pub(crate) what: String,
    /// Where the answer goes.
    pub(crate) reply: oneshot::Sender<Answer>,
    /// How it is read.
    pub(crate) read: Read,
    /// Nothing coming in time is good news: it has begun.
    pub(crate) begun: Option<&'static str>,
}

#[derive(Debug)]
struct Pending {
    waiting: Waiting,
    asked_at: i64,
    deadline: i64,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Requests {
    prefix: String,
    next: u64,
    pending: BTreeMap<u64, Pending>,
}

impl Requests {
    pub(crate) fn new() -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        Self {
            prefix: format!("riser-{}-", &unique[..12]),
            next: 0,
            pending: BTreeMap::new(),
        }
    }

    /// Notes a request; the number and its transaction. `None` when too many wait.
    pub(crate) fn add(
        &mut self,
        waiting: Waiting,
        now: i64,
        patience: i64,
    ) -> Result<(u64, String), Waiting> {
        if self.pending.len() >= WAITING_MAX {
            return Err(waiting);
        }
        self.next += 1;
        let pending = Pending {
            waiting,
            asked_at: now,
            deadline: now.saturating_add(patience),
        };
        self.pending.insert(self.next, pending);
        Ok((self.next, format!("{}{}", self.prefix, self.next)))
    }

    /// Who waits for this transaction, and how long it took.
    pub(crate) fn answered(&mut self, transaction: &str, now: i64) -> Option<(Waiting, i64)> {
        let number: u64 = transaction.strip_prefix(&self.prefix)?.parse().ok()?;
        let pending = self.pending.remove(&number)?;
        Some((pending.waiting, now.saturating_sub(pending.asked_at)))
    }

    /// Whoever waits for a request by its number.
    pub(crate) fn take(&mut self, number: u64) -> Option<Waiting> {
        self.pending.remove(&number).map(|p| p.waiting)
    }

    /// Whoever has waited too long.
    pub(crate) fn late(&mut self, now: i64) -> Vec<Waiting> {
        let late = self.pending.iter().filter(|(_, p)| now >= p.deadline);
        let late: Vec<u64> = late.map(|(number, _)| *number).collect();
        late.into_iter().filter_map(|n| self.take(n)).collect()
    }

    /// Whoever waits for something with a scene that this is true of.
    pub(crate) fn scenes(&mut self, is: impl Fn(&Scene) -> bool) -> Vec<(Scene, Operation)> {
        let found = self.pending.iter().filter(|(_, p)| match &p.waiting {
            Waiting::Scene(scene, _) => is(scene),
            _ => false,
        });
        let found: Vec<u64> = found.map(|(number, _)| *number).collect();
        let taken = found.into_iter().filter_map(|n| self.take(n));
        taken
            .filter_map(|waiting| match waiting {
                Waiting::Scene(scene, operation) => Some((scene, operation)),
                _ => None,
            })
            .collect()
    }

    /// Everybody: the connection is gone.
    pub(crate) fn all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.pending)
            .into_values()
            .map(|p| p.waiting)
            .collect()
    }

    /// Checks sent to a bridge that has started anew since are not answered any more.
    pub(crate) fn forget_checks(&mut self) {
        let check = |p: &Pending| matches!(p.waiting, Waiting::Check);
        self.pending.retain(|_, p| !check(p));
    }

    /// A check is on its way.
    pub(crate) fn checking(&self) -> bool {
        let mut pending = self.pending.values();
        pending.any(|p| matches!(p.waiting, Waiting::Check))
    }
}
