//! What the gateway knows of the field: which points there are, and what the scans change. Owns
//! the two locks and the clock that never steps.
//!
//! A scan takes only the lock of the state, once. The directory changes when points are declared
//! and is read by people; searching it never holds up a scan.

use crate::directory::{Directory, Entry};
use crate::leases::Leases;
use crate::table::Table;
use riser_model::{Key, Point, PointPath, PointView, Slot, Timestamp};
use riser_rules::{Effect, Rule, RuleEngine, Tick};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tokio::time::Instant;

/// What the scans change.
pub(crate) struct FieldState {
    pub(crate) table: Table,
    pub(crate) engine: RuleEngine,
    pub(crate) leases: Leases,
}

/// The field as the gateway knows it.
pub(crate) struct Field {
    state: Mutex<FieldState>,
    directory: RwLock<Directory>,
    zero: Instant,
}

impl Field {
    pub(crate) fn new(engine: RuleEngine) -> Self {
        Self {
            state: Mutex::new(FieldState {
                table: Table::default(),
                engine,
                leases: Leases::default(),
            }),
            directory: RwLock::default(),
            zero: Instant::now(),
        }
    }

    /// Takes the lock of the state. Nothing behind it waits for anything.
    pub(crate) fn lock(&self) -> MutexGuard<'_, FieldState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The points there are.
    pub(crate) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds points with the slots they were given; `Err` is the first one another adapter owns.
    pub(crate) fn declare(&self, declared: Vec<(Slot, Entry)>) -> Result<(), Entry> {
        let now = self.tick();
        {
            let mut directory = self
                .directory
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            for (slot, entry) in &declared {
                directory.add(*slot, entry.clone())?;
            }
        }
        let mut state = self.lock();
        for (slot, entry) in declared {
            state.table.declare(slot, &entry.point, now);
            state.engine.bind(&entry.point.path, slot);
        }
        Ok(())
    }

    /// Exchanges the points of some adapters for others. What is declared again keeps its value.
    /// Answers with the slots that are no longer there; `Err` is a point another adapter owns.
    pub(crate) fn exchange(
        &self,
        gone: &[String],
        declared: Vec<(Slot, Entry)>,
    ) -> Result<Vec<Slot>, Entry> {
        let mut removed: Vec<Slot> = Vec::new();
        {
            let mut directory = self
                .directory
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            for adapter in gone {
                removed.append(&mut directory.remove(adapter));
            }
            for (slot, entry) in &declared {
                directory.add(*slot, entry.clone())?;
            }
            removed.retain(|slot| directory.entry(*slot).is_none());
        }
        let mut state = self.lock();
        removed.iter().for_each(|slot| state.table.retire(*slot));
        drop(state);
        self.declare(declared)?;
        Ok(removed)
    }

    /// The rules that run.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.lock().engine.rules().cloned().collect()
    }

    /// Exchanges the rules; answers with what follows from it.
    pub(crate) fn exchange_rules(
        &self,
        rules: Vec<Rule>,
        holding: &[Key],
        at: Timestamp,
    ) -> Vec<Effect> {
        let paths: Vec<(PointPath, Slot)> = {
            let directory = self.directory();
            let all = directory.iter();
            all.map(|(slot, entry)| (entry.point.path.clone(), slot))
                .collect()
        };
        let mut state = self.lock();
        let effects = state.engine.replace(rules, holding, at);
        for (path, slot) in &paths {
            state.engine.bind(path, *slot);
        }
        effects
    }

    /// A point with its present value.
    pub(crate) fn view(&self, slot: Slot) -> Option<PointView> {
        let point = self.directory().entry(slot)?.point.clone();
        let present = self.lock().table.present(slot);
        Some(PointView {
            point: Point::clone(&point),
            slot,
            value: present.value,
            quality: present.quality,
            at: present.at,
        })
    }

    /// Now, on the clock that never steps.
    pub(crate) fn tick(&self) -> Tick {
        Tick(i64::try_from(self.zero.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
