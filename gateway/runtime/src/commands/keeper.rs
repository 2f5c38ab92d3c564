//! Keeps what the arrays say and what the devices hold together. Owns three chores: ending holds
//! whose time is over, writing again what is not settled, and recording the arrays.

use super::commander::{Commander, Unsettled};
use crate::schedules;
use crate::stats::count;
use riser_model::{Access, Author, Command, Key, Level, PointPath, Priority, Slot};
use riser_rules::{PriorityArray, Rule, Tick};
use riser_store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// First wait before a write is repeated, in milliseconds.
pub(crate) const REPEAT_FIRST_MS: i64 = 5_000;
/// Longest wait between two repeats, in milliseconds.
const REPEAT_MAX_MS: i64 = 600_000;
/// How often holds and repeats are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Wait before the arrays of a device are recorded again after a failure.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// Works until cancelled.
pub(crate) async fn run(commander: Arc<Commander>, cancel: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = look.tick() => commander.look(),
        }
    }
}

/// Records changed arrays until cancelled, then once more.
pub(crate) async fn record(commander: Arc<Commander>, cancel: CancellationToken) {
    loop {
        let ending = tokio::select! {
            () = cancel.cancelled() => true,
            () = commander.arrays_changed.notified() => false,
        };
        let worked = commander.record_arrays().await;
        if ending {
            return;
        }
        if !worked {
            tokio::time::sleep(RECORD_AGAIN).await;
            commander.arrays_changed.notify_one();
        }
    }
}

impl Commander {
    /// Ends holds whose time is over and repeats what is due.
    pub(crate) fn look(&self) {
        let ended = {
            let mut books = self.books();
            let now = self.time_of(&mut books);
            books.levels.expire(now)
        };
        self.ended(ended, "its time is over");
        let tick = self.tools.field.tick();
        for (slot, unsettled) in self.due(tick) {
            self.repeat(slot, unsettled);
        }
    }

    /// What is due to be written again. Each is put off at once, so that a failure waits longer.
    fn due(&self, now: Tick) -> Vec<(Slot, Unsettled)> {
        let mut due: Vec<(Slot, Unsettled)> = {
            let books = self.books();
            let all = books.unsettled.iter();
            all.filter(|(_, u)| u.due <= now)
                .map(|(slot, u)| (*slot, u.clone()))
                .collect()
        };
        if due.is_empty() {
            return due;
        }
        {
            // A device that does not answer is not written to; the reading that ends its bad
            // quality makes the repeat due at the next look.
            let directory = self.tools.field.directory();
            let state = self.tools.field.lock();
            due.retain(|(slot, _)| {
                let entry = directory.entry(*slot);
                let blind = entry.is_some_and(|e| e.point.access == Access::Write);
                blind || state.table.quality(*slot).level != Level::Bad
            });
        }
        let mut books = self.books();
        for (slot, _) in &due {
            if let Some(u) = books.unsettled.get_mut(slot) {
                u.due = Tick(now.0 + u.wait_ms);
                u.wait_ms = (u.wait_ms * 2).min(REPEAT_MAX_MS);
            }
        }
        due
    }

    fn repeat(&self, slot: Slot, unsettled: Unsettled) {
        let path = {
            let directory = self.tools.field.directory();
            directory.entry(slot).map(|e| e.point.path.clone())
        };
        let Some(path) = path else {
            self.books().unsettled.remove(&slot);
            return;
        };
        count(&self.tools.counters.writes_repeated);
        let winner = {
            let books = self.books();
            let winner = books.levels.array(slot).and_then(PriorityArray::winner);
            winner.map(|(level, held)| (level, held.clone()))
        };
        let command = match winner {
            Some((level, held)) => {
                let mut command = self.own_command(path, Some(held.value), level, held.author);
                command.hold_until = held.until;
                command
            }
            None => self.own_command(path, None, unsettled.level, unsettled.author),
        };
        self.issue(&command, true, unsettled.why);
    }

    /// Records the arrays of every device that changed. Returns whether all worked.
    async fn record_arrays(&self) -> bool {
        let devices = std::mem::take(&mut self.books().unrecorded);
        let mut worked = true;
        for device in devices {
            if let Err(error) = self.record_device(&device).await {
                count(&self.tools.counters.levels_unrecorded);
                let error = error.chain();
                tracing::warn!(%device, error, "the priority arrays could not be recorded");
                self.books().unrecorded.insert(device);
                worked = false;
            }
        }
        worked
    }

    async fn record_device(&self, device: &Key) -> Result<(), StoreError> {
        let (arrays, owed) = (self.arrays_of(device), self.owed_to(device));
        // What is owed goes first when it grows and last when it shrinks: after a crash in between
        // a value is written once more rather than never.
        if !owed.is_empty() {
            self.books().with_record.insert(device.clone());
            self.record_as(owed_key(device), &owed).await?;
        }
        self.record_as(store_key(device), &arrays).await?;
        if owed.is_empty() && self.books().with_record.contains(device) {
            self.tools.store.remove_value(&owed_key(device)).await?;
            self.books().with_record.remove(device);
        }
        Ok(())
    }

    /// Records a map as one document; an empty one as none.
    async fn record_as<T: Serialize>(
        &self,
        key: String,
        map: &BTreeMap<Key, T>,
    ) -> Result<(), StoreError> {
        if map.is_empty() {
            return self.tools.store.remove_value(&key).await;
        }
        match serde_json::to_vec(map) {
            Ok(text) => self.tools.store.set_value(&key, text).await,
            Err(error) => {
                tracing::error!(key, %error, "priority arrays cannot be written as text");
                Ok(())
            }
        }
    }

    /// What is not settled of a device.
    fn owed_to(&self, device: &Key) -> BTreeMap<Key, Owed> {
        let unsettled: Vec<(Slot, Owed)> = {
            let books = self.books();
            let all = books.unsettled.iter();
            all.map(|(slot, unsettled)| (*slot, Owed::of(unsettled)))
                .collect()
        };
        let directory = self.tools.field.directory();
        unsettled
            .into_iter()
            .filter_map(|(slot, owed)| {
                let path = &directory.entry(slot)?.point.path;
                (path.device == *device).then(|| (path.point.clone(), owed))
            })
            .collect()
    }

    /// Notes again what was not settled before a restart.
    async fn restore_owed(
        &self,
        device: &Key,
        points: &BTreeMap<Key, Slot>,
    ) -> Result<(), StoreError> {
        let Some(text) = self.tools.store.value(&owed_key(device)).await? else {
            return Ok(());
        };
        let owed: BTreeMap<Key, Owed> = serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::error!(%device, %error, "the record of writes still owed cannot be read");
            BTreeMap::new()
        });
        let due = self.tools.field.tick();
        let mut books = self.books();
        books.with_record.insert(device.clone());
        for (point, Owed { level, author, why }) in owed {
            let Some(slot) = points.get(&point) else {
                continue;
            };
            let unsettled = Unsettled {
                due,
                wait_ms: REPEAT_FIRST_MS,
                level,
                author,
                why,
            };
            books.unsettled.insert(*slot, unsettled);
        }
        Ok(())
    }

    /// A restart cut a command off at the device, which may hold either value: what wins is
    /// written again.
    pub(crate) fn cut_off(&self, command: &Command) {
        let slot = self.tools.field.directory().slot(&command.path);
        let Some(slot) = slot else { return };
        if self.books().levels.array(slot).is_some() {
            self.unsettle(slot, command);
        }
    }

    fn arrays_of(&self, device: &Key) -> BTreeMap<Key, PriorityArray> {
        let held: Vec<(Slot, PriorityArray)> = {
            let books = self.books();
            let all = books.levels.iter();
            all.map(|(slot, array)| (slot, array.clone())).collect()
        };
        let directory = self.tools.field.directory();
        held.into_iter()
            .filter_map(|(slot, array)| {
                let path = &directory.entry(slot)?.point.path;
                (path.device == *device).then(|| (path.point.clone(), array))
            })
            .collect()
    }

    /// Takes over the arrays from before a restart, for the writable points declared by now.
    /// Levels of rules that no longer write them are given back.
    pub(crate) async fn restore(&self, rules: &[Rule]) -> Result<(), StoreError> {
        self.restore_points(|_| true).await?;
        self.end_levels_of_gone_rules(rules);
        Ok(())
    }

    /// Takes over the arrays of some points, for those declared by now.
    pub(crate) async fn restore_points(
        &self,
        wanted: impl Fn(Slot) -> bool,
    ) -> Result<(), StoreError> {
        let mut devices: BTreeMap<Key, BTreeMap<Key, Slot>> = BTreeMap::new();
        for (slot, entry) in self.tools.field.directory().iter() {
            if entry.point.access.writable() && wanted(slot) {
                let PointPath { device, point } = entry.point.path.clone();
                devices.entry(device).or_default().insert(point, slot);
            }
        }
        for (device, points) in devices {
            self.restore_owed(&device, &points).await?;
            let Some(text) = self.tools.store.value(&store_key(&device)).await? else {
                continue;
            };
            let arrays: BTreeMap<Key, PriorityArray> = match serde_json::from_slice(&text) {
                Ok(arrays) => arrays,
                Err(error) => {
                    tracing::error!(%device, %error, "recorded priority arrays cannot be read");
                    continue;
                }
            };
            let mut books = self.books();
            for (point, array) in arrays {
                if let Some(slot) = points.get(&point) {
                    books.levels.restore(*slot, array);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn end_levels_of_gone_rules(&self, rules: &[Rule]) {
        let paths: BTreeMap<Slot, PointPath> = {
            let books = self.books();
            let directory = self.tools.field.directory();
            let slots = books.levels.iter().map(|(slot, _)| slot);
            slots
                .filter_map(|slot| Some((slot, directory.entry(slot)?.point.path.clone())))
                .collect()
        };
        let schedules = Arc::clone(&self.tools.schedules.borrow());
        let writes = |slot: Slot, rule: &str, level: Priority| {
            schedules::writes(&schedules, (rule, level), paths.get(&slot))
                || rules.iter().filter(|r| r.enabled).any(|r| {
                    r.key.as_str() == rule
                        && matches!(&r.action, riser_rules::Action::Write(w)
                        if w.priority == level && paths.get(&slot) == Some(&w.point))
                })
        };
        let ended = self.books().levels.end_rules(writes);
        self.ended(ended, "its rule or schedule was removed or changed");
    }

    /// Keys of the rules that hold a level.
    pub(crate) fn holding_rules(&self) -> Vec<Key> {
        let books = self.books();
        let held = books.levels.iter().flat_map(|(_, array)| array.iter());
        held.filter(|(_, h)| h.author.kind == riser_model::AuthorKind::Rule)
            .filter_map(|(_, h)| Key::new(&h.author.name).ok())
            .collect()
    }
}

/// A write still owed to a device, as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
struct Owed {
    level: Priority,
    author: Author,
    why: String,
}

impl Owed {
    fn of(unsettled: &Unsettled) -> Self {
        Self {
            level: unsettled.level,
            author: unsettled.author.clone(),
            why: unsettled.why.clone(),
        }
    }
}

/// Where what is not settled of a device is recorded.
fn owed_key(device: &Key) -> String {
    format!("unsettled/{device}")
}

/// Where the arrays of a device are recorded: one JSON document, point → level → what it holds.
fn store_key(device: &Key) -> String {
    format!("priority_array/{device}")
}
