//! Who looks at what. Owns the table of sockets and the points each follows, the hand-out of
//! news to them, and the list of points a gateway is asked to send at once. It decides by tenant
//! and never asks the database.

use super::message::{LiveMessage, LivePoint, LiveValue};
use super::viewer::Viewer;
use crate::app::Figure;
use crate::db::{LatestRow, Origin, ValueBatch, ValueLane};
use crate::tenancy::TenantContext;
use riser_model::{PointPath, TenantId, Timestamp};
use riser_wire::limits::MAX_LEASE_PATHS;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Points one socket may follow.
pub const SUBSCRIBE_MAX: usize = 500;
/// Sockets at a time; each costs a bounded queue.
pub const VIEWERS_MAX: usize = 2000;
#[derive(Debug)]
struct Follow {
    viewers: Vec<u64>,
    /// The newest value handed out, for whoever comes later.
    newest: Option<LiveValue>,
}

impl Follow {
    fn newest_at(&self) -> Timestamp {
        self.newest.as_ref().map_or(Timestamp(i64::MIN), |v| v.at)
    }
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    viewers: FxHashMap<u64, Arc<Viewer>>,
    followed: FxHashMap<Origin, FxHashMap<PointPath, Follow>>,
    changed: FxHashSet<Origin>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    changed: Notify,
    values: AtomicU64,
    dropped: AtomicU64,
}

/// Who looks at what. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Shared>);

/// Too many sockets are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many live connections are open; close some and try again")]
pub struct Full;

/// A socket's place at the hub; leaving is dropping it.
#[derive(Debug)]
pub struct Seat {
    hub: Hub,
    id: u64,
    viewer: Arc<Viewer>,
    points: Vec<(Origin, PointPath)>,
}

impl Hub {
    /// Lets a socket in, for what its context may see.
    ///
    /// # Errors
    /// [`Full`] when [`VIEWERS_MAX`] are open.
    pub fn join(&self, who: &TenantContext) -> Result<Seat, Full> {
        let viewer = Arc::new(Viewer::new(who.tenant().cloned()));
        let mut table = self.lock();
        if table.viewers.len() >= VIEWERS_MAX {
            return Err(Full);
        }
        let id = table.next;
        table.next += 1;
        table.viewers.insert(id, Arc::clone(&viewer));
        drop(table);
        Ok(Seat {
            hub: self.clone(),
            id,
            viewer,
            points: Vec::new(),
        })
    }

    /// Hands values of one gateway to the sockets that follow their points.
    pub fn values(&self, origin: &Origin, lane: ValueLane, batch: &ValueBatch) {
        let mut table = self.lock();
        let Table {
            viewers, followed, ..
        } = &mut *table;
        let Some(points) = followed.get_mut(origin) else {
            return;
        };
        let mut letters: FxHashMap<u64, Vec<LiveValue>> = FxHashMap::default();
        batch.for_each(|path, at, value, quality| {
            let Some(follow) = points.get_mut(path) else {
                return;
            };
            // A stored batch repeats what the watch lane brought, or is a late one: old news.
            if lane == ValueLane::Stored && at <= follow.newest_at() {
                return;
            }
            let fresh = LiveValue {
                gateway: origin.gateway.clone(),
                path: path.clone(),
                value: value.cloned(),
                quality,
                at,
            };
            for id in &follow.viewers {
                letters.entry(*id).or_default().push(fresh.clone());
            }
            follow.newest = Some(fresh);
        });
        for (id, values) in letters {
            if let Some(viewer) = viewers.get(&id) {
                let count = values.len() as u64;
                self.0.values.fetch_add(count, Ordering::Relaxed);
                viewer.offer(values);
            }
        }
    }

    /// Tells every socket that may hear of this tenant.
    pub fn tell(&self, tenant: &TenantId, notice: &LiveMessage) {
        for viewer in self.lock().viewers.values() {
            if viewer.hears(tenant) {
                viewer.tell(notice.clone());
            }
        }
    }

    /// News was lost before it could be handed out: every socket may have missed some.
    pub fn lost(&self, count: u64) {
        for viewer in self.lock().viewers.values() {
            viewer.lost(count);
        }
    }

    /// Waits until the points somebody follows have changed, and takes the gateways concerned.
    /// One reader only.
    pub async fn changed(&self) -> Vec<Origin> {
        loop {
            let changed: Vec<_> = self.lock().changed.drain().collect();
            if !changed.is_empty() {
                return changed;
            }
            self.0.changed.notified().await;
        }
    }

    /// The points of a gateway somebody follows now, at most [`MAX_LEASE_PATHS`].
    #[must_use]
    pub fn followed(&self, origin: &Origin) -> Vec<PointPath> {
        let table = self.lock();
        let points = table.followed.get(origin);
        points
            .into_iter()
            .flat_map(FxHashMap::keys)
            .take(MAX_LEASE_PATHS)
            .cloned()
            .collect()
    }

    /// Every gateway of which a point is followed.
    #[must_use]
    pub fn gateways(&self) -> Vec<Origin> {
        self.lock().followed.keys().cloned().collect()
    }

    /// Whether no socket is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().viewers.is_empty()
    }

    /// Operating figures.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let table = self.lock();
        let open: u64 = table.viewers.values().map(|v| v.dropped_ever()).sum();
        let dropped = self.0.dropped.load(Ordering::Relaxed) + open;
        let points = table.followed.values().map(FxHashMap::len).sum::<usize>();
        vec![
            Figure::gauge(
                "riser_live_viewers",
                "Live sockets open.",
                table.viewers.len() as u64,
            ),
            Figure::gauge(
                "riser_live_points",
                "Points followed by at least one live socket.",
                points as u64,
            ),
            Figure::counter(
                "riser_live_values_total",
                "Values queued for live sockets.",
                self.0.values.load(Ordering::Relaxed),
            ),
            Figure::counter(
                "riser_live_dropped_total",
                "Values and notices left out because a live socket read too slowly.",
                dropped,
            ),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement, so a panic elsewhere does not harm it.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unfollow(&self, id: u64, points: &[(Origin, PointPath)]) {
        let mut table = self.lock();
        for (gateway, path) in points {
            let Some(of_gateway) = table.followed.get_mut(gateway) else {
                continue;
            };
            if let Some(follow) = of_gateway.get_mut(path) {
                follow.viewers.retain(|other| *other != id);
                if follow.viewers.is_empty() {
                    of_gateway.remove(path);
                }
            }
            if of_gateway.is_empty() {
                table.followed.remove(gateway);
            }
        }
    }

    fn follow(&self, id: u64, points: &[(Origin, PointPath)]) {
        let mut table = self.lock();
        for (gateway, path) in points {
            let follow = table
                .followed
                .entry(gateway.clone())
                .or_default()
                .entry(path.clone())
                .or_insert_with(|| Follow {
                    viewers: Vec::new(),
                    newest: None,
                });
            follow.viewers.push(id);
            table.changed.insert(gateway.clone());
        }
        drop(table);
        self.0.changed.notify_one();
    }
}

impl Seat {
    /// The queue of this socket, to be kept by whoever empties it.
    #[must_use]
    pub fn share(&self) -> Arc<Viewer> {
        Arc::clone(&self.viewer)
    }

    /// The queue of this socket.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Replaces the set of points this socket follows. Duplicates count once; the caller has
    /// checked [`SUBSCRIBE_MAX`].
    pub fn subscribe(&mut self, tenant: &TenantId, points: Vec<LivePoint>) {
        let mut wanted: Vec<_> = points
            .into_iter()
            .map(|p| {
                let origin = Origin {
                    tenant: tenant.clone(),
                    gateway: p.gateway,
                };
                (origin, p.path)
            })
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        // A point in both sets stays where it is and keeps its newest time.
        let gone = without(&self.points, &wanted);
        let new = without(&wanted, &self.points);
        self.hub.unfollow(self.id, &gone);
        self.hub.follow(self.id, &new);
        self.points = wanted;
    }

    /// Hands this socket alone what is known of a point it follows: the stored value, or the one
    /// others got meanwhile, whichever is newer.
    pub fn known(&self, tenant: &TenantId, stored: LatestRow) {
        let origin = Origin {
            tenant: tenant.clone(),
            gateway: stored.gateway,
        };
        let mut table = self.hub.lock();
        let points = table.followed.get_mut(&origin);
        let Some(follow) = points.and_then(|points| points.get_mut(&stored.path)) else {
            return;
        };
        if stored.at >= follow.newest_at() {
            follow.newest = Some(LiveValue {
                gateway: origin.gateway,
                path: stored.path,
                value: stored.value,
                quality: stored.quality,
                at: stored.at,
            });
        }
        self.viewer.offer(follow.newest.clone());
    }
}

/// What is in `all` and not in `others`; both in order.
fn without(
    all: &[(Origin, PointPath)],
    others: &[(Origin, PointPath)],
) -> Vec<(Origin, PointPath)> {
    all.iter()
        .filter(|point| others.binary_search(point).is_err())
        .cloned()
        .collect()
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.unfollow(self.id, &self.points);
        self.hub.lock().viewers.remove(&self.id);
        let dropped = self.viewer.dropped_ever();
        self.hub.0.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}
