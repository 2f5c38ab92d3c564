//! A gateway as the tests play it: rumqttc, MQTT 5, TLS 1.3, its own certificate.

use crate::lab::DEADLINE;
use riser_cloud::pki::Issued;
use riser_wire::topic::{self, Direction, UpLane};
use riser_wire::{Down, Durable, Up};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How a connection ended, or what came on it.
#[derive(Debug)]
pub(crate) enum Heard {
    Packet(Box<Packet>),
    Ended(ConnectionError),
}

pub(crate) struct Gateway {
    pub(crate) client: AsyncClient,
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    id: String,
    listener: tokio::task::AbortHandle,
}

/// Letting go of a gateway cuts its connection without a word.
impl Drop for Gateway {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// TLS of a client that trusts `ca` and shows `own`.
pub(crate) fn tls(ca: &Path, own: Option<&Issued>) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let Some(own) = own else {
        return builder.with_no_client_auth();
    };
    let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    builder
        .with_client_auth_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap()
}

impl Gateway {
    pub(crate) fn options(id: &str, port: u16, tls: ClientConfig) -> MqttOptions {
        let mut options = MqttOptions::new(id, "localhost", port);
        options
            .set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(tls))))
            .set_keep_alive(Duration::from_secs(30))
            .set_max_packet_size(Some(2 * 1024 * 1024))
            .set_clean_start(true);
        options
    }

    pub(crate) fn connect(options: MqttOptions) -> Self {
        let id = options.client_id();
        let (client, events) = AsyncClient::new(options, 1024);
        let (sender, heard) = mpsc::unbounded_channel();
        let listener = tokio::spawn(listen(events, sender)).abort_handle();
        Self {
            client,
            heard,
            id,
            listener,
        }
    }

    /// Connects with a certificate and waits until it is in.
    pub(crate) async fn enter(id: &str, port: u16, ca: &Path, own: &Issued) -> Self {
        let mut gateway = Self::connect(Self::options(id, port, tls(ca, Some(own))));
        gateway.connected().await;
        gateway
    }

    pub(crate) async fn connected(&mut self) {
        match self.next().await {
            Heard::Packet(packet) if matches!(*packet, Packet::ConnAck(_)) => {}
            other => panic!("{} did not get in: {other:?}", self.id),
        }
    }

    /// Subscribes to everything down for this gateway and waits for the answer.
    pub(crate) async fn listen(&mut self) {
        let filter = format!("riser/v1/acme/{}/down/#", self.id);
        self.client
            .subscribe(filter, QoS::AtLeastOnce)
            .await
            .unwrap();
        self.wait("SUBACK", |packet| {
            matches!(packet, Packet::SubAck(_)).then_some(())
        })
        .await;
    }

    pub(crate) async fn next(&mut self) -> Heard {
        tokio::time::timeout(DEADLINE, self.heard.recv())
            .await
            .unwrap_or_else(|_| panic!("{} heard nothing", self.id))
            .expect("the listener runs until the connection ends")
    }

    /// Waits for a packet; others are passed over.
    pub(crate) async fn wait<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Packet) -> Option<T>,
    ) -> T {
        loop {
            match self.next().await {
                Heard::Packet(packet) => {
                    if let Some(found) = pick(&packet) {
                        return found;
                    }
                }
                Heard::Ended(error) => {
                    panic!("{} ended while waiting for {what}: {error}", self.id)
                }
            }
        }
    }

    /// Waits for the end of the connection.
    pub(crate) async fn end(&mut self) -> ConnectionError {
        loop {
            if let Heard::Ended(error) = self.next().await {
                return error;
            }
        }
    }

    pub(crate) async fn say(&self, lane: UpLane, up: Up) {
        let tenant = riser_model::Key::new("acme").unwrap();
        let topic = topic::up(&tenant, &riser_model::Key::new(&self.id).unwrap(), lane);
        let qos = if lane == UpLane::Watch {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        };
        self.client
            .publish(topic, qos, false, up.encode())
            .await
            .unwrap();
    }

    pub(crate) async fn puback(&mut self) -> PubAck {
        self.wait("PUBACK", |packet| match packet {
            Packet::PubAck(ack) => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// Says something and waits for a good answer.
    pub(crate) async fn stored(&mut self, lane: UpLane, up: Up) {
        self.say(lane, up).await;
        assert_eq!(self.puback().await.reason, PubAckReason::Success);
    }

    /// Waits for a message of the cloud.
    pub(crate) async fn down<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Down) -> Option<T>,
    ) -> T {
        self.wait(what, |packet| match packet {
            Packet::Publish(publish) => {
                let address = topic::parse(std::str::from_utf8(&publish.topic).unwrap()).unwrap();
                assert!(matches!(address.direction, Direction::Down(_)));
                assert!(!publish.retain, "nothing down is retained");
                pick(Down::decode(&publish.payload).unwrap())
            }
            _ => None,
        })
        .await
    }

    /// Waits until a durable message fulfils a condition.
    pub(crate) async fn durable(&mut self, mut wanted: impl FnMut(&Durable) -> bool) -> Durable {
        self.down("durable", |down| match down {
            Down::Durable(durable) if wanted(&durable) => Some(durable),
            _ => None,
        })
        .await
    }
}

async fn listen(mut events: EventLoop, sender: mpsc::UnboundedSender<Heard>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(packet)) => {
                if sender.send(Heard::Packet(Box::new(packet))).is_err() {
                    return;
                }
            }
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                // The test may be over.
                let _ = sender.send(Heard::Ended(error));
                return;
            }
        }
    }
}

/// The code of a DISCONNECT the service sent, with its reason string.
pub(crate) fn sent_away(error: ConnectionError) -> (u8, String) {
    match error {
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => (reason_code as u8, reason_string.unwrap_or_default()),
        other => panic!("the service should have said why: {other:?}"),
    }
}
