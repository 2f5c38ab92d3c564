//! What people send down to gateways: commands, acknowledgements, configurations, watch leases. All but
//! leases are rows first and messages second, so neither a lost connection nor a restart loses one;
//! leases live only here and only as long as they last.

use super::figures::Figures;
use super::sessions::Sessions;
use crate::clock::Clock;
use crate::db::{Db, DbError, Desired, Issued, Origin, Taken};
use riser_model::{
    Acknowledgement, Alarm, AlarmId, Command, CommandRecord, GatewayId, TenantId, Timestamp,
};
use riser_wire::{ConfigurationRequest, Down, WatchLease};
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

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

#[derive(Debug)]
struct Lease {
    lease: WatchLease,
    until: Timestamp,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    clock: Clock,
    sessions: Sessions,
    figures: Arc<Figures>,
    leases: Mutex<FxHashMap<Origin, Lease>>,
}

/// The way down to every gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Downlink(Arc<Shared>);

impl Downlink {
    /// A way down of its own, on which no gateway is reachable: what is entered waits.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self::over(db, clock, Sessions::default(), Arc::default())
    }

    /// The way down over the sessions of an ingest.
    pub(super) fn over(db: Db, clock: Clock, sessions: Sessions, figures: Arc<Figures>) -> Self {
        Self(Arc::new(Shared {
            db,
            clock,
            sessions,
            figures,
            leases: Mutex::default(),
        }))
    }

    /// Enters a command and where its author was, and sends it when the gateway is connected; otherwise it waits until the
    /// gateway is back or the command expires. A second one with the same id has no effect and
    /// answers how the first stands.
    ///
    /// # Errors
    /// When there is no such gateway, or the database did not take it.
    pub async fn command(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        (command, from): (Command, Option<IpAddr>),
    ) -> Result<CommandRecord, DownlinkError> {
        let origin = origin(tenant, gateway);
        let now = self.0.clock.now();
        let id = command.id;
        let issued = self.0.db.issue_command(&origin, (command, from), now).await;
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
                let command = record.command.clone();
                if self.send(&origin, Down::Command { command, from }) {
                    self.note_sent(&origin, id).await;
                }
                Ok(record)
            }
        }
    }

    /// Enters the acknowledgement of an alarm and where the person was, and sends it when the gateway is connected. The
    /// alarm itself changes when the gateway says so. Answers the alarm as it stands.
    ///
    /// # Errors
    /// When there is no such alarm, or the database did not take it.
    pub async fn acknowledge(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        alarm: AlarmId,
        (acknowledgement, from): (Acknowledgement, Option<IpAddr>),
    ) -> Result<Alarm, DownlinkError> {
        let origin = origin(tenant, gateway);
        let now = self.0.clock.now();
        let taken = self
            .0
            .db
            .take_alarm(&origin, alarm, (acknowledgement.clone(), from), now)
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
                        from,
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
        self.leases().insert(origin.as_ref().clone(), kept);
        self.send(&origin, Down::Watch(lease))
    }

    /// Enters a configuration for a gateway in place of the one before and sends it when the gateway is
    /// connected; otherwise it waits until the gateway is back, its time is over or somebody cancels it.
    /// The gateway's audit log tells what became of it. Answers whether it went out now.
    ///
    /// # Errors
    /// When there is no such gateway, or the database did not take it.
    pub async fn desire(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        desired: Desired,
    ) -> Result<bool, DownlinkError> {
        let origin = origin(tenant, gateway);
        let entered = self
            .0
            .db
            .desire_configuration(&origin, desired.clone())
            .await;
        let entered = entered.map_err(|source| DownlinkError::Db {
            origin: origin.as_ref().clone(),
            what: "a configuration",
            source,
        })?;
        if !entered {
            return Err(DownlinkError::Unknown {
                origin: origin.as_ref().clone(),
                what: "gateway of this name ever connected".to_owned(),
            });
        }
        Ok(self.deliver(&origin, desired).await)
    }

    async fn deliver(&self, origin: &Arc<Origin>, desired: Desired) -> bool {
        let request = desired.request;
        let sent = self.send(origin, configuration(desired));
        if sent {
            self.note_configuration(origin, request).await;
        }
        sent
    }

    /// Asks a gateway to keep a configuration or to go back, if it is connected: days later that would
    /// surprise. Nothing is stored; the gateway's audit log tells what became of it. Answers whether it
    /// went out.
    pub fn configure(
        &self,
        tenant: &TenantId,
        gateway: &GatewayId,
        request: ConfigurationRequest,
    ) -> bool {
        self.send(&origin(tenant, gateway), Down::Configuration(request))
    }

    /// Whether a gateway can be reached now.
    #[must_use]
    pub fn connected(&self, tenant: &TenantId, gateway: &GatewayId) -> bool {
        self.0.sessions.contains(&origin(tenant, gateway))
    }

    /// Gateways that can be reached now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.count()
    }

    /// Messages that found their way full, since start. Every one of them is sent again in
    /// another way: rows at the next connect, leases when they are renewed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.figures.down_dropped.load(Ordering::Relaxed)
    }

    /// Counters of the ingest since start.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// Ends commands and configurations that nobody answered in time. Called about once a second.
    pub async fn expire(&self) {
        let now = self.0.clock.now();
        if let Err(error) = self.0.db.expire_commands(now).await {
            tracing::warn!(%error, "commands that are too old could not be ended; tried again");
        }
        self.leases().retain(|_, lease| lease.until > now);
        if let Err(error) = self.expire_configurations(now).await {
            tracing::warn!(%error, "configurations that wait could not be looked through; tried again");
        }
    }

    /// Ends configurations that are too old, and sends what found a gateway busy.
    async fn expire_configurations(&self, now: Timestamp) -> Result<(), DbError> {
        self.0.db.expire_configurations(now).await?;
        for (origin, desired) in self.0.db.unsent_configurations(now).await? {
            let origin = Arc::new(origin);
            if self.0.sessions.contains(&origin) {
                self.deliver(&origin, desired).await;
            }
        }
        Ok(())
    }

    /// Everything that waits for a gateway, to be sent once it listens: commands and a configuration
    /// without an answer, acknowledgements not yet seen, the lease in force.
    pub(super) async fn waiting(&self, origin: &Arc<Origin>) -> Result<Vec<Down>, DbError> {
        let now = self.0.clock.now();
        let mut waiting = Vec::new();
        for (command, from) in self.0.db.pending_commands(origin, now).await? {
            self.note_sent(origin, command.id).await;
            waiting.push(Down::Command { command, from });
        }
        let acknowledgements = self.0.db.pending_acknowledgements(origin).await?;
        waiting.extend(
            acknowledgements
                .into_iter()
                .map(|(alarm, acknowledgement, from)| Down::Acknowledge {
                    alarm,
                    acknowledgement,
                    from,
                }),
        );
        if let Some(desired) = self.0.db.pending_configuration(origin, now).await? {
            self.note_configuration(origin, desired.request).await;
            waiting.push(configuration(desired));
        }
        waiting.extend(self.standing_lease(origin, now).map(Down::Watch));
        Ok(waiting)
    }

    /// Queues a message for a gateway. False when it cannot be reached, or reads too slowly.
    fn send(&self, origin: &Arc<Origin>, message: Down) -> bool {
        let sent = self.0.sessions.send(origin, message);
        if sent == Some(false) {
            self.0.figures.down_dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent == Some(true)
    }

    fn standing_lease(&self, origin: &Origin, now: Timestamp) -> Option<WatchLease> {
        let leases = self.leases();
        let lease = leases.get(origin)?;
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

    async fn note_configuration(&self, origin: &Arc<Origin>, request: Uuid) {
        let now = self.0.clock.now();
        if let Err(error) = self.0.db.configuration_sent(request, now).await {
            tracing::warn!(%origin, %request, %error, "a configuration went out, but that was not noted");
        }
    }

    fn leases(&self) -> MutexGuard<'_, FxHashMap<Origin, Lease>> {
        // The table is whole after every statement, so a panic elsewhere does not harm it.
        self.0.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configuration(desired: Desired) -> Down {
    Down::Configuration(ConfigurationRequest {
        request: desired.request,
        author: desired.author,
        expires_at: desired.expires_at,
        ask: desired.ask,
        from: desired.from,
    })
}

fn origin(tenant: &TenantId, gateway: &GatewayId) -> Arc<Origin> {
    Arc::new(Origin {
        tenant: tenant.clone(),
        gateway: gateway.clone(),
    })
}
