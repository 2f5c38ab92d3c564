//! Commands seen lately, by id. Owns the bound; older ids are known to the store.

use riser_model::{CommandId, CommandRecord, PointPath};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Records remembered. More than can be under way at once, so none of those is ever forgotten.
const REMEMBERED: usize = 8192;

/// The last commands with where they stand.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    records: FxHashMap<CommandId, CommandRecord>,
    order: VecDeque<CommandId>,
}

impl Recent {
    pub(crate) fn get(&self, id: CommandId) -> Option<&CommandRecord> {
        self.records.get(&id)
    }

    /// Of one point or of all, those issued last first.
    pub(crate) fn newest(&self, path: Option<&PointPath>, limit: usize) -> Vec<CommandRecord> {
        let wanted = |r: &&CommandRecord| path.is_none_or(|path| r.command.path == *path);
        let mut found: Vec<&CommandRecord> = self.records.values().filter(wanted).collect();
        found.sort_by_key(|r| Reverse(r.command.issued_at));
        found.into_iter().take(limit).cloned().collect()
    }

    /// Every record remembered.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut CommandRecord> {
        self.records.values_mut()
    }

    /// Remembers a record, or replaces the one with the same id.
    pub(crate) fn put(&mut self, record: CommandRecord) {
        let id = record.command.id;
        if self.records.insert(id, record).is_some() {
            return;
        }
        self.order.push_back(id);
        while self.order.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.records.remove(&oldest);
        }
    }
}
