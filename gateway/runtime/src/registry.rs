//! Gives points their slots, over the store. Owns the rule that a path has one owner.

use crate::directory::Entry;
use crate::field::Field;
use futures_util::future::BoxFuture;
use riser_adapter::{PointRegistry, RegistryError};
use riser_model::{Point, Slot};
use riser_store::{Store, StoreError};
use std::collections::HashSet;
use std::sync::Arc;

/// The registry every adapter declares its points with.
pub(crate) struct Registry {
    pub(crate) store: Store,
    pub(crate) field: Arc<Field>,
}

impl PointRegistry for Registry {
    fn declare<'a>(
        &'a self,
        adapter: &'a str,
        points: Vec<Arc<Point>>,
    ) -> BoxFuture<'a, Result<Vec<Slot>, RegistryError>> {
        Box::pin(self.declare_points(adapter, points))
    }
}

impl Registry {
    async fn declare_points(
        &self,
        adapter: &str,
        points: Vec<Arc<Point>>,
    ) -> Result<Vec<Slot>, RegistryError> {
        self.check_owners(adapter, &points)?;
        let declared = self.store.declare_points(points.clone()).await;
        let declared = declared.map_err(|source| RegistryError::Unavailable {
            adapter: adapter.to_owned(),
            source: Box::new(source),
        })?;
        let owner: Arc<str> = adapter.into();
        self.assign_lanes(&declared.slots, &owner)
            .await
            .map_err(|source| RegistryError::Unavailable {
                adapter: adapter.to_owned(),
                source: Box::new(source),
            })?;
        let entries = points.into_iter().map(|point| Entry {
            point,
            adapter: Arc::clone(&owner),
        });
        let entries = declared.slots.iter().copied().zip(entries).collect();
        self.field
            .declare(entries)
            .map_err(|entry| duplicate(&entry))?;
        Ok(declared.slots)
    }

    /// Points found while running are on a lane named after their adapter, for the loss ledger.
    async fn assign_lanes(&self, slots: &[Slot], lane: &Arc<str>) -> Result<(), StoreError> {
        let found = {
            let directory = self.field.directory();
            let new = slots
                .iter()
                .filter(|slot| directory.entry(**slot).is_none());
            new.map(|slot| (*slot, Arc::clone(lane))).collect()
        };
        self.store.assign_lanes(found).await
    }

    fn check_owners(&self, adapter: &str, points: &[Arc<Point>]) -> Result<(), RegistryError> {
        let directory = self.field.directory();
        let mut seen = HashSet::new();
        for point in points {
            if !seen.insert(&point.path) {
                return Err(RegistryError::Duplicate {
                    path: point.path.to_string(),
                    owner: adapter.to_owned(),
                });
            }
            if let Some((_, entry)) = directory.find(&point.path)
                && &*entry.adapter != adapter
            {
                return Err(duplicate(entry));
            }
        }
        Ok(())
    }
}

fn duplicate(entry: &Entry) -> RegistryError {
    RegistryError::Duplicate {
        path: entry.point.path.to_string(),
        owner: entry.adapter.to_string(),
    }
}
