//! Brings news from the database to the hub, and leases from the hub to the gateways. Owns the
//! rhythm of the leases; nothing on the way of a value waits for a clock.

use super::hub::Hub;
use super::message::LiveMessage;
use crate::app::App;
use crate::db::{CloudEvent, Origin};
use crate::ingest::Downlink;
use riser_wire::WatchLease;
use rustc_hash::FxHashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How long a gateway sends watched points at once after it was last asked to.
const LEASE_S: u32 = 30;
/// How often it is asked again while somebody looks.
const RENEW: Duration = Duration::from_secs(10);

/// What the live stream needs to run.
#[derive(Debug)]
pub struct Pump {
    /// Who follows what.
    pub hub: Hub,
    /// Asked how a gateway stands when it has changed.
    pub app: Arc<App>,
    /// The way down, for leases.
    pub downlink: Downlink,
}

impl Pump {
    /// Runs until `stop`.
    pub async fn run(self, events: broadcast::Receiver<CloudEvent>, stop: CancellationToken) {
        let changed = Changed::default();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.news(events, &changed) => {}
            () = self.states(&changed) => {}
            () = self.leases() => {}
        }
    }

    async fn news(&self, mut events: broadcast::Receiver<CloudEvent>, changed: &Changed) {
        loop {
            match events.recv().await {
                Ok(event) => self.hand_out(event, changed),
                Err(RecvError::Lagged(count)) => {
                    tracing::warn!(count, "the live stream fell behind and lost news");
                    self.hub.lost(count);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn hand_out(&self, event: CloudEvent, changed: &Changed) {
        match event {
            CloudEvent::Values {
                origin,
                lane,
                batch,
            } => self.hub.values(&origin, lane, &batch),
            CloudEvent::Alarm { origin, alarm } => self.hub.tell(
                &origin.tenant,
                &LiveMessage::Alarm {
                    tenant: origin.tenant.clone(),
                    gateway: origin.gateway.clone(),
                    alarm: alarm.as_ref().clone(),
                },
            ),
            CloudEvent::Command { origin, record } => self.hub.tell(
                &origin.tenant,
                &LiveMessage::Command {
                    tenant: origin.tenant.clone(),
                    gateway: origin.gateway.clone(),
                    command: record.as_ref().clone(),
                },
            ),
            CloudEvent::Gateway { origin, .. } => changed.put(origin),
        }
    }

    /// Tells how gateways stand. A burst of changes of one gateway is told once.
    async fn states(&self, changed: &Changed) {
        loop {
            for origin in changed.take().await {
                if self.hub.is_empty() {
                    continue;
                }
                match self.app.fleet.state(&origin).await {
                    Ok(Some(gateway)) => {
                        self.hub
                            .tell(&origin.tenant, &LiveMessage::Gateway { gateway });
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%origin, %error, "the state of a gateway was not told");
                    }
                }
            }
        }
    }

    /// Keeps gateways sending what somebody looks at: at once when that changes, and again before
    /// the lease ends.
    async fn leases(&self) {
        let mut renew = tokio::time::interval(RENEW);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let origins = tokio::select! {
                origins = self.hub.changed() => origins,
                _ = renew.tick() => self.hub.gateways(),
            };
            for origin in origins {
                let paths = self.hub.followed(&origin);
                if !paths.is_empty() {
                    let lease = WatchLease {
                        paths,
                        seconds: LEASE_S,
                    };
                    self.downlink.watch(&origin.tenant, &origin.gateway, lease);
                }
            }
        }
    }
}

/// Gateways whose state is to be told; each counts once however often it changes.
#[derive(Debug, Default)]
struct Changed {
    origins: Mutex<FxHashSet<Arc<Origin>>>,
    some: Notify,
}

impl Changed {
    fn put(&self, origin: Arc<Origin>) {
        self.lock().insert(origin);
        self.some.notify_one();
    }

    async fn take(&self) -> Vec<Arc<Origin>> {
        loop {
            let origins: Vec<_> = self.lock().drain().collect();
            if !origins.is_empty() {
                return origins;
            }
            self.some.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, FxHashSet<Arc<Origin>>> {
        // A set is whole after every statement, so a panic elsewhere does not harm it.
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
