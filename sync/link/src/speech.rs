//! What this gateway says, and which packet id it got. Owns the topics and the labels that tie a
//! PUBACK to what it is for. Never waits: when the client has no room, the caller keeps what it
//! wanted to say.

use crate::config::LinkConfig;
use crate::window::Key;
use bytes::Bytes;
use riser_wire::topic::{self, UpLane};
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use std::collections::{HashMap, VecDeque};

/// Watch messages that may wait for the network before further ones are dropped.
const WATCH_WAITING: usize = 64;

/// What a publication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The first message.
    Hello,
    /// A heartbeat.
    Heartbeat,
    /// A frame of a rollup, or a part of one.
    Rollup,
    /// Watched values, QoS 0.
    Watch,
    /// A frame out of the outbox, or the last part of one.
    Batch(Key),
    /// Another part of one.
    Part(Key),
}

/// The speaking half of a connection.
pub(crate) struct Speech {
    client: AsyncClient,
    filter: String,
    topics: HashMap<UpLane, String>,
    /// Handed over, packet id not known yet, in order.
    waiting: VecDeque<Label>,
    /// Sent, PUBACK not yet seen.
    labels: HashMap<u16, Label>,
}

impl Speech {
    /// Speech of a fresh client.
    pub(crate) fn new(client: AsyncClient, config: &LinkConfig) -> Self {
        use UpLane as L;
        let (tenant, gateway) = (&config.tenant, &config.gateway);
        let lanes = [
            L::Hello,
            L::Event,
            L::Live,
            L::Backfill,
            L::Rollup,
            L::Watch,
            L::Heartbeat,
        ];
        Self {
            client,
            filter: topic::down_filter(tenant, gateway),
            topics: lanes
                .map(|lane| (lane, topic::up(tenant, gateway, lane)))
                .into(),
            waiting: VecDeque::new(),
            labels: HashMap::new(),
        }
    }

    /// Publications handed over that have not left yet.
    pub(crate) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Octets a packet of this lane has besides its payload, at most.
    pub(crate) fn overhead(&self, lane: UpLane) -> usize {
        // Fixed header 5, topic length 2, packet id 2, property length 1.
        10 + self.topics.get(&lane).map_or(0, String::len)
    }

    /// Asks for what the cloud sends.
    pub(crate) fn subscribe(&self) -> bool {
        self.client
            .try_subscribe(self.filter.as_str(), QoS::AtLeastOnce)
            .is_ok()
    }

    /// Publishes; false when the client has no room.
    pub(crate) fn say(&mut self, lane: UpLane, label: Label, payload: Bytes) -> bool {
        let qos = if lane == UpLane::Watch {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        };
        if lane == UpLane::Watch && self.waiting.len() >= WATCH_WAITING {
            return false;
        }
        let topic = self.topics.get(&lane).cloned().unwrap_or_default();
        let said = self.client.try_publish(topic, qos, false, payload).is_ok();
        if said {
            self.waiting.push_back(label);
        }
        said
    }

    /// The next publication has left under this packet id.
    pub(crate) fn left(&mut self, pkid: u16) {
        if let Some(label) = self.waiting.pop_front()
            && pkid != 0
        {
            self.labels.insert(pkid, label);
        }
    }

    /// A PUBACK came: what it is for.
    pub(crate) fn acked(&mut self, pkid: u16) -> Option<Label> {
        self.labels.remove(&pkid)
    }

    /// Says goodbye, so that the other end need not wait for the keep-alive.
    pub(crate) fn goodbye(&self) {
        if self.client.try_disconnect().is_err() {
            tracing::debug!("no room to say goodbye to the cloud");
        }
    }
}
