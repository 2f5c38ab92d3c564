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
use tokio::time::{Instant, MissedTickBehavior, interval_at};
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
        let mut renew = interval_at(Instant::now() + RENEW, RENEW);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::db::{Db, SlotPaths, ValueBatch, ValueLane};
    use crate::ingest::{Ingest, IngestLimits};
    use crate::live::hub::Seat;
    use crate::live::message::LivePoint;
    use crate::tenancy::{Authority, SigningKey, Subject, TenantContext};
    use riser_model::{
        Key, PointPath, Quality, Reading, Role, ScanBatch, Slot, TenantId, Timestamp, Value,
    };
    use riser_wire::Down;
    use tokio::sync::mpsc;
    use tokio::time::timeout;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp(1_780_000_000_000);

    struct Rig {
        db: Db,
        hub: Hub,
        ingest: Ingest,
        authority: Arc<Authority>,
        origin: Arc<Origin>,
        stop: CancellationToken,
        _dir: tempfile::TempDir,
    }

    impl Drop for Rig {
        fn drop(&mut self) {
            self.stop.cancel();
        }
    }

    fn rig() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let clock = Clock::new(|| NOW);
        let log = Arc::new(db.clone());
        let ingest = Ingest::new(db.clone(), log, clock.clone(), IngestLimits::default());
        let downlink = ingest.downlink().clone();
        let authority = Arc::new(Authority::new(&SigningKey::new(&[7; 32]).unwrap()));
        let app = Arc::new(App::start(&db, &downlink, &authority, &clock).unwrap());
        let (hub, stop) = (Hub::default(), CancellationToken::new());
        let pump = Pump {
            hub: hub.clone(),
            app,
            downlink,
        };
        tokio::spawn(pump.run(db.events(), stop.clone()));
        let origin = Arc::new(Origin {
            tenant: Key::slug("acme"),
            gateway: Key::slug("gw-001"),
        });
        Rig {
            db,
            hub,
            ingest,
            authority,
            origin,
            stop,
            _dir: dir,
        }
    }

    fn who(rig: &Rig) -> TenantContext {
        let subject = Subject {
            user: Uuid::nil(),
            email: "v@acme".into(),
            name: "V".into(),
            role: Role::Viewer,
            tenant: Some(TenantId::new("acme").unwrap()),
        };
        let token = rig.authority.issue(&subject, NOW).unwrap();
        let identity = rig.authority.verify(&token, NOW).unwrap();
        identity.enter(None).unwrap()
    }

    fn follow(rig: &Rig, seat: &mut Seat, paths: &[&str]) {
        let points = paths.iter().map(|path| LivePoint {
            gateway: rig.origin.gateway.clone(),
            path: path.parse().unwrap(),
        });
        seat.subscribe(&rig.origin.tenant, points.collect());
    }

    async fn lease(down: &mut mpsc::Receiver<(Arc<Origin>, Down)>) -> (Vec<String>, u32) {
        let message = timeout(Duration::from_secs(15), down.recv()).await;
        let Ok(Some((_, Down::Watch(lease)))) = message else {
            panic!("no lease: {message:?}")
        };
        let mut paths: Vec<_> = lease.paths.iter().map(PointPath::to_string).collect();
        paths.sort();
        (paths, lease.seconds)
    }

    #[tokio::test]
    async fn a_gateway_is_asked_for_the_union_of_what_all_look_at() {
        let rig = rig();
        let mut down = rig.ingest.way_for_test(&rig.origin);
        let mut one = rig.hub.join(&who(&rig)).unwrap();
        let mut two = rig.hub.join(&who(&rig)).unwrap();
        follow(&rig, &mut one, &["a/x", "a/y"]);
        assert_eq!(
            lease(&mut down).await,
            (vec!["a/x".into(), "a/y".into()], 30)
        );
        follow(&rig, &mut two, &["a/y", "b/z"]);
        let all = ["a/x", "a/y", "b/z"].map(str::to_owned).to_vec();
        assert_eq!(lease(&mut down).await, (all, 30));
        drop(one);
        follow(&rig, &mut two, &["b/z", "c/c"]);
        assert_eq!(
            lease(&mut down).await,
            (vec!["b/z".into(), "c/c".into()], 30)
        );
        drop(two);
        assert!(rig.hub.gateways().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_before_it_ends_while_somebody_looks() {
        let rig = rig();
        let mut down = rig.ingest.way_for_test(&rig.origin);
        let mut seat = rig.hub.join(&who(&rig)).unwrap();
        follow(&rig, &mut seat, &["a/x"]);
        lease(&mut down).await;
        let begun = Instant::now();
        for _ in 0..3 {
            lease(&mut down).await;
        }
        assert_eq!(begun.elapsed().as_secs(), 30);
        drop(seat);
        let silence = timeout(Duration::from_secs(60), down.recv()).await;
        assert!(silence.is_err(), "asked although nobody looks: {silence:?}");
    }

    #[tokio::test]
    async fn a_watched_value_passes_even_when_the_gateways_clock_went_back() {
        let rig = rig();
        let mut seat = rig.hub.join(&who(&rig)).unwrap();
        follow(&rig, &mut seat, &["a/x"]);
        let mut paths = SlotPaths::default();
        paths.set(Slot(3), "a/x".parse().unwrap());
        let paths = Arc::new(paths);
        for (lane, ms, value) in [
            (ValueLane::Watch, 1_000, 1.0),
            (ValueLane::Stored, 1_000, 1.0),
            (ValueLane::Stored, 500, 0.5),
            (ValueLane::Watch, 200, 2.0),
            (ValueLane::Stored, 300, 3.0),
        ] {
            let readings = vec![Reading {
                slot: Slot(3),
                value: Some(Value::Float(value)),
                quality: Quality::GOOD,
            }];
            let at = Timestamp(ms);
            let scans = vec![ScanBatch { at, readings }];
            rig.db.announce(CloudEvent::Values {
                origin: Arc::clone(&rig.origin),
                lane,
                batch: Arc::new(ValueBatch::scans(Arc::clone(&paths), scans)),
            });
        }
        let mut got = Vec::new();
        while got.len() < 3 {
            for message in timeout(Duration::from_secs(10), seat.viewer().take())
                .await
                .unwrap()
            {
                let LiveMessage::Values { values } = message else {
                    panic!("{message:?}")
                };
                got.extend(values.into_iter().filter_map(|v| v.value?.as_f64()));
            }
        }
        assert_eq!(got, [1.0, 2.0, 3.0]);
    }
}
