//! What goes down to gateways: commands, acknowledgements, watch leases, and the answers of the
//! ingest itself. Owns who is reachable by which session. Commands and acknowledgements are rows
//! first and messages second, so neither a lost connection nor a restart loses one; leases live
//! only here and only as long as they last.

use crate::clock::Clock;
use crate::db::{Db, DbError, Issued, Origin, Taken};
use riser_model::{
    Acknowledgement, Alarm, AlarmId, Command, CommandRecord, GatewayId, TenantId, Timestamp,
};
use riser_wire::{Down, WatchLease};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages waiting for one session's socket.
pub(super) const SESSION_QUEUE: usize = 256;

/// Why a command or an acknowledgement was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DownlinkError {
    /// There is no such gateway, or it has no such alarm.
    #[error("{origin} has no {what}")]
    Unknown {
        /// The gateway meant.
        origin: Origin,
        /// What it does not have.
        what: String,
    },
    /// The database did not take it.
    #[error("{origin}: {what} could not be entered")]
    Db {
        /// The gateway meant.
        origin: Origin,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: DbError,
    },
}

/// Way of one session, newest wins.
#[derive(Debug)]
struct Route {
    session: u64,
    sender: mpsc::Sender<Down>,
}

#[derive(Debug)]
struct Lease {
    lease: WatchLease,
    until: Timestamp,
}

#[derive(Debug, Default)]
struct Table {
    routes: FxHashMap<Origin, Route>,
    leases: FxHashMap<Origin, Lease>,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    clock: Clock,
    table: Mutex<Table>,
    dropped: AtomicU64,
}

/// The way down to every gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Downlink(Arc<Shared>);

impl Downlink {
    /// A way down without any session yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            db,
            clock,
            table: Mutex::default(),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Enters a command and sends it when the gateway is connected; otherwise it waits until the
    /// gateway is back or the command expires. A second one with the same id has no effect and
    /// answers how the first stands.
    ///
    /// # Errors
    /// When there is no such gateway, or the database did not take it.
    pub async fn command(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        command: Command,
    ) -> Result<CommandRecord, DownlinkError> {
        let origin = origin(tenant, gateway);
        let now = self.0.clock.now();
        let id = command.id;
        let issued = self.0.db.issue_command(&origin, command, now).await;
        let issued = issued.map_err(|source| DownlinkError::Db {
            origin: origin.as_ref().clone(),
            what: "a command",
            source,
        })?;
        match issued {
            Issued::UnknownGateway => Err(DownlinkError::Unknown {
                origin: origin.as_ref().clone(),
                what: "gateway of this name ever connected".to_owned(),
            }),
            Issued::Known(record) => Ok(record),
            Issued::New(record) => {
                if self.send(&origin, Down::Command(record.command.clone())) {
                    self.note_sent(&origin, id).await;
                }
                Ok(record)
            }
        }
    }

    /// Enters the acknowledgement of an alarm and sends it when the gateway is connected. The
    /// alarm itself changes when the gateway says so. Answers the alarm as it stands.
    ///
    /// # Errors
    /// When there is no such alarm, or the database did not take it.
    pub async fn acknowledge(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        alarm: AlarmId,
        acknowledgement: Acknowledgement,
    ) -> Result<Alarm, DownlinkError> {
        let origin = origin(tenant, gateway);
        let now = self.0.clock.now();
        let taken = self
            .0
            .db
            .take_alarm(&origin, alarm, acknowledgement.clone(), now)
            .await;
        let taken = taken.map_err(|source| DownlinkError::Db {
            origin: origin.as_ref().clone(),
            what: "an acknowledgement",
            source,
        })?;
        match taken {
            Taken::Queued(record) => {
                self.send(
                    &origin,
                    Down::Acknowledge {
                        alarm,
                        acknowledgement,
                    },
                );
                Ok(record)
            }
            Taken::Already(record) => Ok(record),
            Taken::Unknown => Err(DownlinkError::Unknown {
                origin: origin.as_ref().clone(),
                what: format!("alarm {}", alarm.0),
            }),
        }
    }

    /// Asks a gateway to send points as they are read; replaces the lease before. It goes out now
    /// if the gateway is connected, and again at each connect until it ends. Nothing is stored.
    /// Answers whether it went out now.
    pub fn watch(&self, tenant: &TenantId, gateway: &GatewayId, lease: WatchLease) -> bool {
        let origin = origin(tenant, gateway);
        let until = self
            .0
            .clock
            .now()
            .plus(Duration::from_secs(lease.seconds.into()));
        let kept = Lease {
            lease: lease.clone(),
            until,
        };
        self.lock().leases.insert(origin.as_ref().clone(), kept);
        self.send(&origin, Down::Watch(lease))
    }

    /// Whether a gateway has a session now.
    #[must_use]
    pub fn connected(&self, tenant: &TenantId, gateway: &GatewayId) -> bool {
        self.lock().routes.contains_key(&*origin(tenant, gateway))
    }

    /// Sessions now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.lock().routes.len()
    }

    /// Messages that found their session's queue full, since start. Every one of them is sent
    /// again in another way: rows at the next connect, leases when they are renewed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Ends commands that nobody answered in time. Called about once a second.
    pub async fn expire(&self) {
        let now = self.0.clock.now();
        if let Err(error) = self.0.db.expire_commands(now).await {
            tracing::warn!(%error, "commands that are too old could not be ended; tried again");
        }
        self.lock().leases.retain(|_, lease| lease.until > now);
    }

    /// Opens the way to a gateway; an older session's way is replaced.
    pub(super) fn open(&self, origin: &Origin, session: u64, sender: mpsc::Sender<Down>) {
        let route = Route { session, sender };
        self.lock().routes.insert(origin.clone(), route);
    }

    /// Closes the way, unless a newer session has taken it.
    pub(super) fn close(&self, origin: &Origin, session: u64) {
        let mut table = self.lock();
        if table
            .routes
            .get(origin)
            .is_some_and(|r| r.session == session)
        {
            table.routes.remove(origin);
        }
    }

    /// Sends everything that waits for a gateway: called once it listens.
    pub(super) async fn resend(&self, origin: &Arc<Origin>) -> Result<(), DbError> {
        let now = self.0.clock.now();
        for command in self.0.db.pending_commands(origin, now).await? {
            let id = command.id;
            if self.send(origin, Down::Command(command)) {
                self.note_sent(origin, id).await;
            }
        }
        for (alarm, acknowledgement) in self.0.db.pending_acknowledgements(origin).await? {
            self.send(
                origin,
                Down::Acknowledge {
                    alarm,
                    acknowledgement,
                },
            );
        }
        if let Some(lease) = self.standing_lease(origin, now) {
            self.send(origin, Down::Watch(lease));
        }
        Ok(())
    }

    /// Queues a message for the gateway's session. False when it has none, or reads too slowly.
    pub(super) fn send(&self, origin: &Origin, message: Down) -> bool {
        let table = self.lock();
        let Some(route) = table.routes.get(origin) else {
            return false;
        };
        match route.sender.try_send(message) {
            Ok(()) => true,
            Err(_) => {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    fn standing_lease(&self, origin: &Origin, now: Timestamp) -> Option<WatchLease> {
        let table = self.lock();
        let lease = table.leases.get(origin)?;
        let left = lease.until.since(now);
        let seconds = u32::try_from(left.div_euclid(1000) + 1).ok()?;
        (left > 0).then(|| WatchLease {
            paths: lease.lease.paths.clone(),
            seconds,
        })
    }

    async fn note_sent(&self, origin: &Arc<Origin>, id: riser_model::CommandId) {
        let now = self.0.clock.now();
        if let Err(error) = self.0.db.command_sent(origin, id, now).await {
            tracing::warn!(%origin, command = %id.0, %error, "a command went out, but that was not noted");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement, so a panic elsewhere does not harm it.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn origin(tenant: &TenantId, gateway: &GatewayId) -> Arc<Origin> {
    Arc::new(Origin {
        tenant: tenant.clone(),
        gateway: gateway.clone(),
    })
}
