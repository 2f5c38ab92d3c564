//! The MQTT face of the cloud: gateways come in here. Owns the endpoint, the client of a
//! third-party broker, and the one pipeline behind both; knows no HTTP.

mod acks;
mod broker;
pub mod downlink;
mod endpoint;
mod figures;
mod mqtt;
mod packet;
mod parts;
mod peers;
mod pending;
mod pipeline;
mod reason;
mod rights;
mod session;
mod sessions;
mod socket;
pub mod tls;
mod turnstile;

pub use broker::{BrokerAddress, BrokerClient};
pub use downlink::{Downlink, DownlinkError};
pub use endpoint::Endpoint;
pub use figures::Figures;

use crate::clock::Clock;
use crate::db::{CommitLog, Db, Origin};
use pipeline::Pipeline;
use sessions::{Sessions, Way};
use std::sync::Arc;

/// Messages down that may wait for one session's socket.
const SESSION_QUEUE: usize = 256;

/// Longest MQTT packet taken: the longest frame, which is the directory of a very large gateway,
/// with its topic and headers.
#[expect(clippy::cast_possible_truncation, reason = "some megabytes")]
const PACKET_MAX: u32 = (riser_wire::limits::MAX_EVENT_FRAME + 1024) as u32;

/// Bounds of the ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestLimits {
    /// Gateways connected at a time.
    pub connections_max: usize,
    /// Connections at a time that have not shown who they are.
    pub pending_max: usize,
    /// TLS handshakes begun per second; the surplus waits a moment or is let go.
    pub handshakes_per_s: u32,
    /// Gateways let in per second; the surplus is asked to come back later.
    pub sessions_per_s: u32,
    /// Messages of one gateway that may wait for their commit.
    pub receive_max: u16,
    /// Longest keep-alive in seconds; gateways that want longer are told this one.
    pub keep_alive_max_s: u16,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            pending_max: 2048,
            handshakes_per_s: 400,
            sessions_per_s: 200,
            receive_max: 64,
            keep_alive_max_s: 300,
        }
    }
}

impl IngestLimits {
    fn mqtt(&self) -> mqtt::Limits {
        mqtt::Limits {
            packet_max: PACKET_MAX,
            receive_max: self.receive_max,
        }
    }
}

/// The ingest, whatever carries messages to it. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    pipeline: Pipeline,
    sessions: Sessions,
    downlink: Downlink,
    limits: IngestLimits,
}

impl Ingest {
    /// An ingest into a commit log.
    #[must_use]
    pub fn new(db: Db, log: Arc<dyn CommitLog>, clock: Clock, limits: IngestLimits) -> Self {
        let (sessions, figures) = (Sessions::default(), Arc::new(Figures::default()));
        let downlink = Downlink::over(
            db.clone(),
            clock.clone(),
            sessions.clone(),
            Arc::clone(&figures),
        );
        Self {
            pipeline: Pipeline {
                db,
                log,
                clock,
                figures,
            },
            sessions,
            downlink,
            limits,
        }
    }

    /// The way down to gateways.
    #[must_use]
    pub fn downlink(&self) -> &Downlink {
        &self.downlink
    }

    /// Opens a way to a gateway and enters it as connected; answers the number of the way.
    async fn enter(&self, origin: &Arc<Origin>, way: Way) -> u64 {
        let number = self.sessions.open(origin, way);
        let now = self.pipeline.clock.now();
        if let Err(error) = self.pipeline.db.gateway_connected(origin, now).await {
            tracing::warn!(%origin, %error, "a connect could not be noted; its next heartbeat does it");
        }
        number
    }

    /// Closes a way; unless a newer one is open, the gateway is entered as gone.
    async fn leave(&self, origin: &Arc<Origin>, number: u64) {
        if !self.sessions.close(origin, number) && self.sessions.contains(origin) {
            return;
        }
        let (sessions, of) = (self.sessions.clone(), Arc::clone(origin));
        let gone = move || !sessions.contains(&of);
        let now = self.pipeline.clock.now();
        if let Err(error) = self.pipeline.db.gateway_gone(origin, now, gone).await {
            tracing::warn!(%origin, %error, "a disconnect could not be noted");
        }
    }
}

#[cfg(test)]
impl Ingest {
    /// A way to a gateway that ends in the test.
    pub(crate) fn way_for_test(
        &self,
        origin: &Arc<Origin>,
    ) -> tokio::sync::mpsc::Receiver<(Arc<Origin>, riser_wire::Down)> {
        let (sender, receiver) = tokio::sync::mpsc::channel(SESSION_QUEUE);
        self.sessions.open(origin, Way::Broker(sender));
        receiver
    }
}
