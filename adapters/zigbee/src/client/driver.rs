//! The one task that touches the MQTT client. Owns its options and turns what it reports into
//! [`Heard`]; decides nothing. The client is never polled inside a `select!`: dropping a poll halfway
//! loses the packet it had taken on. A new client is built for every connection, so nothing of a
//! broken one is carried over.

use crate::config::BrokerConfig;
use bytes::Bytes;
use futures_util::FutureExt;
use riser_mqtt::{Place, Trouble, describe};
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Requests that may wait for the client.
const REQUESTS: usize = 1_024;
/// Reports that may wait for the adapter; beyond, the client stops reading and TCP pushes back.
const REPORTS: usize = 256;
/// Unacknowledged publications the client keeps track of.
const IN_FLIGHT: u16 = 256;
/// Longest packet taken: the list of devices of a large network is one message.
const PACKET_MAX: u32 = 17 * 1024 * 1024;
/// Silence after which the client asks whether the broker is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What the client reports.
#[derive(Debug)]
pub(crate) enum Heard {
    /// CONNACK: the connection is up.
    Connected,
    /// A publication got its packet id and left.
    Left(u16),
    /// PUBACK; `refused` says why the message was not taken.
    Acked {
        /// Of which packet id.
        pkid: u16,
        /// Reason, unless taken.
        refused: Option<Refusal>,
    },
    /// The broker refused a subscription.
    NotSubscribed(String),
    /// A message.
    Message {
        /// Its topic.
        topic: Bytes,
        /// Its payload.
        payload: Bytes,
        /// It was kept by the broker from before.
        retained: bool,
    },
    /// The connection is over.
    Ended(Trouble),
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody has subscribed to its topic.
    Nobody,
    /// The broker does not allow it.
    Denied,
    /// Something else.
    Other,
}

/// A running client. Dropping it closes the connection.
pub(crate) struct Driver {
    /// Its reports.
    pub(crate) heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a client that connects once.
pub(crate) fn start(config: &BrokerConfig, client_id: &str) -> (AsyncClient, Driver) {
    let (client, event_loop) = AsyncClient::new(options(config, client_id), REQUESTS);
    let (reports, heard) = mpsc::channel(REPORTS);
    let place = format!("{}:{}", config.host, config.port);
    let user = config.login.as_ref().map(|(user, _)| user.clone());
    let task = tokio::spawn(drive(event_loop, reports, Place { place, user }));
    (client, Driver { heard, task })
}

fn options(config: &BrokerConfig, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, &config.host, config.port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_connection_timeout(config.connect_seconds)
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT);
    if let Some((user, password)) = &config.login {
        options.set_credentials(user, password);
    }
    if let Some(tls) = &config.tls {
        let tls = TlsConfiguration::Rustls(tls.clone());
        options.set_transport(Transport::tls_with_config(tls));
    }
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(PACKET_MAX);
    options.set_connect_properties(properties);
    options
}

async fn drive(mut event_loop: EventLoop, reports: mpsc::Sender<Heard>, place: Place) {
    loop {
        // The client has a few unwraps of its own; one of them must not end more than itself.
        let heard = match AssertUnwindSafe(event_loop.poll()).catch_unwind().await {
            Ok(Ok(event)) => translate(event),
            Ok(Err(error)) => Some(Heard::Ended(describe(&error, &place))),
            Err(_) => Some(anew("the MQTT client failed: connecting anew")),
        };
        let Some(heard) = heard else { continue };
        let ended = matches!(heard, Heard::Ended(_));
        if reports.send(heard).await.is_err() || ended {
            return;
        }
    }
}

/// The connection is to be made anew, for this reason.
pub(crate) fn anew(reason: &str) -> Heard {
    Heard::Ended(Trouble {
        words: reason.to_owned(),
        turned_away: false,
    })
}

fn translate(event: Event) -> Option<Heard> {
    Some(match event {
        Event::Outgoing(Outgoing::Publish(pkid)) => Heard::Left(pkid),
        // Two publications under one packet id: the client would wait for ever for a PUBACK.
        Event::Outgoing(Outgoing::AwaitAck(_)) => {
            anew("the broker acknowledges out of order: connecting anew")
        }
        Event::Incoming(Packet::ConnAck(_)) => Heard::Connected,
        Event::Incoming(Packet::PubAck(ack)) => Heard::Acked {
            pkid: ack.pkid,
            refused: match ack.reason {
                PubAckReason::Success => None,
                PubAckReason::NoMatchingSubscribers => Some(Refusal::Nobody),
                PubAckReason::NotAuthorized => Some(Refusal::Denied),
                _ => Some(Refusal::Other),
            },
        },
        Event::Incoming(Packet::SubAck(ack)) => {
            let mut codes = ack.return_codes.iter();
            let refused = codes.find(|c| !matches!(c, SubscribeReasonCode::Success(_)))?;
            Heard::NotSubscribed(format!("{refused:?}"))
        }
        Event::Incoming(Packet::Publish(publish)) => Heard::Message {
            topic: publish.topic,
            payload: publish.payload,
            retained: publish.retain,
        },
        Event::Outgoing(_) | Event::Incoming(_) => return None,
    })
}
