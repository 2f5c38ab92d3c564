//! Writes under way. Owns the way from a service call to its outcome: Home Assistant answers the
//! call before the device has done anything, so only the entity's state says what came of it.

use crate::book::Entry;
use crate::mapping::{Plan, shows};
use riser_adapter::WriteResult;
use riser_model::{Slot, Value};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Writes under way at once.
const WRITES: usize = 64;

/// A write under way.
struct Write {
    id: u64,
    slot: Slot,
    plan: Plan,
    wanted: Value,
    /// Home Assistant has answered the call.
    called: bool,
    deadline: Instant,
    reply: oneshot::Sender<WriteResult>,
}

/// All of them.
pub(crate) struct Writes {
    confirm: Duration,
    open: Vec<Write>,
}

impl Writes {
    pub(crate) fn new(confirm: Duration) -> Self {
        Self {
            confirm,
            open: Vec::new(),
        }
    }

    /// Whether no further write can be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= WRITES
    }

    /// A service was called.
    pub(crate) fn begun(
        &mut self,
        id: u64,
        (entry, wanted): (&Entry, Value),
        reply: oneshot::Sender<WriteResult>,
    ) {
        self.open.push(Write {
            id,
            slot: entry.slot,
            plan: entry.plan.clone(),
            wanted,
            called: false,
            deadline: Instant::now() + self.confirm,
            reply,
        });
    }

    /// The answer to a call; what the point shows by now may confirm it at once.
    pub(crate) fn answered(
        &mut self,
        id: u64,
        outcome: Result<serde_json::Value, String>,
        present: impl Fn(Slot) -> Option<Value>,
    ) {
        let Some(at) = self.open.iter().position(|w| w.id == id) else {
            return;
        };
        if let Err(why) = outcome {
            let write = self.open.swap_remove(at);
            end(
                write,
                WriteResult::Refused(format!("Home Assistant refused it: {why}")),
            );
            return;
        }
        self.open[at].called = true;
        let (slot, value) = (self.open[at].slot, present(self.open[at].slot));
        if let Some(value) = value {
            self.shown(slot, &value);
        }
    }

    /// A point shows a value.
    pub(crate) fn shown(&mut self, slot: Slot, value: &Value) {
        let confirmed =
            |w: &mut Write| w.called && w.slot == slot && shows(&w.plan, value, &w.wanted);
        for write in self.open.extract_if(.., confirmed) {
            end(write, WriteResult::Applied(Some(value.clone())));
        }
    }

    /// Ends what has waited long enough.
    pub(crate) fn look(&mut self, present: impl Fn(Slot) -> Option<Value>) {
        let now = Instant::now();
        for write in self.open.extract_if(.., |w| w.deadline <= now) {
            let result = match write.called {
                true => WriteResult::NotEffective {
                    read_back: present(write.slot),
                    detail: "Home Assistant took it, but the entity does not show it; the device \
                             may be out of reach, or something else sets it"
                        .to_owned(),
                },
                false => WriteResult::Failed("Home Assistant did not answer the call".to_owned()),
            };
            end(write, result);
        }
    }

    /// The connection is lost: nobody knows what came of them.
    pub(crate) fn fail(&mut self, why: &str) {
        for write in self.open.drain(..) {
            end(write, WriteResult::Failed(why.to_owned()));
        }
    }
}

fn end(write: Write, result: WriteResult) {
    // Whoever asked may have stopped waiting.
    let _ = write.reply.send(result);
}
