//! The one task that touches the MQTT client. Owns its options, the last will among them, and turns
//! what it reports into [`Heard`]; decides nothing. The client is never polled inside a `select!`:
//! dropping a poll halfway loses the packet it had taken on. A new client is built for every
//! connection, so nothing of a broken one is carried over.

use super::config::{Broker, Names};
use futures_util::FutureExt;
use riser_mqtt::{Place, Trouble, describe};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, LastWill, Packet, PubAckReason, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Requests that may wait for the client.
const REQUESTS: usize = 256;
/// Reports that may wait for the adapter; beyond, the client stops reading and TCP pushes back.
const REPORTS: usize = 256;
/// Unacknowledged publications the client keeps track of; more than are handed to it.
const IN_FLIGHT: u16 = 128;
/// Longest packet taken: a description is some hundred octets.
const PACKET_MAX: u32 = 256 * 1024;
/// Silence after which the client asks whether the broker is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Seconds TCP, TLS and MQTT may take to be up.
const CONNECT_SECONDS: u64 = 10;

/// What the client reports.
#[derive(Debug)]
pub(super) enum Heard {
    /// CONNACK: the connection is up.
    Connected,
    /// PUBACK; `refused` when the broker does not allow the message.
    Acked { refused: bool },
    /// The broker refused a subscription.
    NotSubscribed,
    /// A message.
    Message {
        topic: String,
        payload: Vec<u8>,
        /// It was kept by the broker from before.
        retained: bool,
    },
    /// The connection is over.
    Ended(Trouble),
}

/// A running client. Dropping it closes the connection, and the broker tells the last will.
pub(super) struct Driver {
    pub(super) client: AsyncClient,
    pub(super) heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a client that connects once.
pub(super) fn start(broker: &Broker, names: &Names, client_id: &str) -> Driver {
    let options = options(broker, names, client_id);
    let (client, event_loop) = AsyncClient::new(options, REQUESTS);
    let (reports, heard) = mpsc::channel(REPORTS);
    let place = Place {
        place: format!("{}:{}", broker.host, broker.port),
        user: broker.login.as_ref().map(|(user, _)| user.clone()),
    };
    let task = tokio::spawn(drive(event_loop, reports, place));
    Driver {
        client,
        heard,
        task,
    }
}

fn options(broker: &Broker, names: &Names, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    let will = LastWill::new(names.status(), "offline", QoS::AtLeastOnce, true, None);
    options
        .set_network_options(network)
        .set_connection_timeout(CONNECT_SECONDS)
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_last_will(will)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT);
    if let Some((user, password)) = &broker.login {
        options.set_credentials(user, password);
    }
    if let Some(tls) = &broker.tls {
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
fn anew(reason: &str) -> Heard {
    Heard::Ended(Trouble {
        words: reason.to_owned(),
        turned_away: false,
    })
}

fn translate(event: Event) -> Option<Heard> {
    Some(match event {
        // Two publications under one packet id: the client would wait for ever for a PUBACK.
        Event::Outgoing(Outgoing::AwaitAck(_)) => {
            anew("the broker acknowledges out of order: connecting anew")
        }
        Event::Incoming(Packet::ConnAck(_)) => Heard::Connected,
        Event::Incoming(Packet::PubAck(ack)) => Heard::Acked {
            // That nobody listens yet is no refusal: the broker keeps it for whoever comes.
            refused: !matches!(
                ack.reason,
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers
            ),
        },
        Event::Incoming(Packet::SubAck(ack)) => {
            let mut codes = ack.return_codes.iter();
            codes.find(|c| !matches!(c, SubscribeReasonCode::Success(_)))?;
            Heard::NotSubscribed
        }
        Event::Incoming(Packet::Publish(publish)) => Heard::Message {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        },
        Event::Outgoing(_) | Event::Incoming(_) => return None,
    })
}
