//! The one task that touches the MQTT client. Owns its options and turns what it reports into
//! [`Heard`]; decides nothing. The client must never be polled inside a `select!`: dropping a
//! poll halfway loses the packet it had taken on.

use crate::config::LinkConfig;
use crate::trouble;
use bytes::Bytes;
use futures_util::FutureExt;
use riser_wire::limits::MAX_FRAME;
use riser_wire::retry;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport};
use rustls::ClientConfig;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Requests that may wait for the client.
const REQUESTS: usize = 256;
/// Reports that may wait for the session; beyond, the client stops reading and TCP pushes back.
const REPORTS: usize = 128;
/// Unacknowledged publications the client keeps track of; above what the window allows.
const IN_FLIGHT: u16 = 128;
/// Commands the cloud may send before their PUBACK.
const RECEIVE_MAXIMUM: u16 = 64;

/// What the client reports.
#[derive(Debug)]
pub(crate) enum Heard {
    /// CONNACK: the connection is up.
    Connected {
        /// Publications the broker takes before it acknowledges.
        receive_maximum: u16,
        /// Longest packet the broker takes.
        packet_maximum: Option<u32>,
        /// It is not: the cloud has no room, and asks for another attempt after this long.
        retry_after: Option<Duration>,
    },
    /// A publication got its packet id and left; 0 with QoS 0.
    Left(u16),
    /// PUBACK; `refused` says why the message was not taken.
    Acked {
        /// Of which packet id.
        pkid: u16,
        /// Reason, unless taken.
        refused: Option<Refusal>,
    },
    /// SUBACK, or why not.
    Subscribed(Result<(), String>),
    /// A message from the cloud.
    Message {
        /// Its topic.
        topic: Bytes,
        /// Its payload.
        payload: Bytes,
    },
    /// Anything else that came in.
    Sign,
    /// The connection is over.
    Ended {
        /// Why, in words.
        reason: String,
        /// The other side does not want this gateway as it is: hurrying back would be no use.
        turned_away: bool,
        /// When the cloud wants to see this gateway again.
        retry_after: Option<Duration>,
        /// A packet was longer than the other side takes.
        too_long: bool,
    },
}

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// In words.
    pub(crate) reason: String,
    /// The same octets would be refused again (MQTT 5.0 reason 0x99): sending them anew is no use.
    pub(crate) for_good: bool,
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
pub(crate) fn start(config: &LinkConfig, tls: Arc<ClientConfig>) -> (AsyncClient, Driver) {
    let (client, event_loop) = AsyncClient::new(options(config, tls), REQUESTS);
    let (reports, heard) = mpsc::channel(REPORTS);
    let host = config.host.clone();
    let task = tokio::spawn(drive(event_loop, reports, host));
    (client, Driver { heard, task })
}

fn options(config: &LinkConfig, tls: Arc<ClientConfig>) -> MqttOptions {
    let mut options = MqttOptions::new(config.gateway.as_str(), &config.host, config.port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    let connect = config.timings.connect.as_secs().max(1);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_network_options(network)
        .set_connection_timeout(connect)
        .set_keep_alive(config.timings.keep_alive.max(Duration::from_secs(5)))
        .set_clean_start(true)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT);
    let mut properties = ConnectProperties::new();
    properties.receive_maximum = Some(RECEIVE_MAXIMUM);
    // Room for topic and properties around the longest message.
    properties.max_packet_size = u32::try_from(MAX_FRAME + 4_096).ok();
    options.set_connect_properties(properties);
    options
}

async fn drive(mut event_loop: EventLoop, reports: mpsc::Sender<Heard>, host: String) {
    loop {
        // The client has a few unwraps of its own; one of them must not end more than itself.
        let heard = match AssertUnwindSafe(event_loop.poll()).catch_unwind().await {
            Ok(Ok(event)) => translate(event),
            Ok(Err(error)) => Some(Heard::Ended {
                reason: trouble::describe(&error, &host),
                turned_away: trouble::turned_away(&error),
                retry_after: farewell(&event_loop),
                too_long: trouble::too_long(&error),
            }),
            Err(_) => Some(ended("the MQTT client failed: connecting anew")),
        };
        let Some(heard) = heard else { continue };
        let ended = matches!(heard, Heard::Ended { .. });
        if reports.send(heard).await.is_err() || ended {
            return;
        }
    }
}

fn ended(reason: &str) -> Heard {
    Heard::Ended {
        reason: reason.to_owned(),
        turned_away: false,
        retry_after: None,
        too_long: false,
    }
}

/// The wait asked for by the DISCONNECT that ended the connection, if one did. The error for it has
/// lost its properties, but the client notes every packet before it judges it.
fn farewell(event_loop: &EventLoop) -> Option<Duration> {
    let packets = event_loop.state.events.iter().rev();
    let properties = packets.into_iter().find_map(|event| match event {
        Event::Incoming(Packet::Disconnect(disconnect)) => disconnect.properties.as_ref(),
        _ => None,
    })?;
    retry::asked(&properties.user_properties)
}

fn translate(event: Event) -> Option<Heard> {
    Some(match event {
        Event::Outgoing(Outgoing::Publish(pkid)) => Heard::Left(pkid),
        // Two publications under one packet id: the client would wait for ever for a PUBACK.
        Event::Outgoing(Outgoing::AwaitAck(_)) => {
            ended("the broker acknowledges out of order: connecting anew")
        }
        Event::Outgoing(_) => return None,
        Event::Incoming(Packet::ConnAck(connack)) => {
            let properties = connack.properties;
            Heard::Connected {
                receive_maximum: properties
                    .as_ref()
                    .and_then(|p| p.receive_max)
                    .unwrap_or(u16::MAX),
                packet_maximum: properties.as_ref().and_then(|p| p.max_packet_size),
                retry_after: properties.and_then(|p| retry::asked(&p.user_properties)),
            }
        }
        Event::Incoming(Packet::PubAck(ack)) => {
            let reason = match ack.reason {
                PubAckReason::Success => None,
                PubAckReason::NoMatchingSubscribers => {
                    Some("nobody listens to this gateway on the broker".to_owned())
                }
                PubAckReason::PayloadFormatInvalid => {
                    Some("the cloud cannot read a batch: it is damaged".to_owned())
                }
                reason => Some(format!("the cloud did not take a batch ({reason:?})")),
            };
            let refused = reason.map(|reason| Refusal {
                reason,
                for_good: ack.reason == PubAckReason::PayloadFormatInvalid,
            });
            Heard::Acked {
                pkid: ack.pkid,
                refused,
            }
        }
        Event::Incoming(Packet::SubAck(ack)) => {
            let refused = ack
                .return_codes
                .iter()
                .find(|c| !matches!(c, SubscribeReasonCode::Success(_)));
            Heard::Subscribed(refused.map_or(Ok(()), |code| {
                Err(format!(
                    "the cloud refused the subscription to its answers ({code:?})"
                ))
            }))
        }
        Event::Incoming(Packet::Publish(publish)) => Heard::Message {
            topic: publish.topic,
            payload: publish.payload,
        },
        Event::Incoming(_) => Heard::Sign,
    })
}
