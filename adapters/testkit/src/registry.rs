//! Points in memory: what the runtime does over the store, in the shortest form that keeps the
//! contract (a slot for each path, the same one each time, a duplicate refused).

use riser_adapter::{PointRegistry, RegistryError};
use riser_model::{Point, Slot};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Points in memory; slots count from 0.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    paths: Vec<String>,
    slots: HashMap<String, Slot>,
}

impl Registry {
    fn with<R>(&self, f: impl FnOnce(&mut Known) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The path behind a slot.
    #[must_use]
    pub fn path(&self, slot: Slot) -> String {
        let path = self.with(|k| k.paths.get(slot.index()).cloned());
        path.unwrap_or_else(|| format!("slot {}", slot.0))
    }

    /// The slot of a path.
    #[must_use]
    pub fn slot(&self, path: &str) -> Option<Slot> {
        self.with(|k| k.slots.get(path).copied())
    }

    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.with(|k| k.paths.len())
    }
}

impl Known {
    fn slot(&mut self, path: String) -> Slot {
        if let Some(slot) = self.slots.get(&path) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.paths.len()).unwrap_or(u32::MAX));
        self.paths.push(path.clone());
        self.slots.insert(path, slot);
        slot
    }
}

impl PointRegistry for Registry {
    fn declare<'a>(
        &'a self,
        adapter: &'a str,
        points: Vec<Arc<Point>>,
    ) -> futures_util::future::BoxFuture<'a, Result<Vec<Slot>, RegistryError>> {
        Box::pin(async move {
            let mut seen = HashSet::new();
            points
                .into_iter()
                .map(|point| {
                    let path = point.path.to_string();
                    let slot = self.with(|k| k.slot(path.clone()));
                    if seen.insert(slot) {
                        Ok(slot)
                    } else {
                        Err(RegistryError::Duplicate {
                            path,
                            owner: adapter.to_owned(),
                        })
                    }
                })
                .collect()
        })
    }
}
