//! The other way in: this service as a client of a third-party MQTT 5 broker. Owns the
//! connection to it; what arrives is the business of `peers`.
//!
//! The broker checks the gateways' certificates here, so a gateway is who its topic says. That is
//! only as good as the broker's rule that each certificate publishes and subscribes below its own
//! topics (`docs/adr/0001-mqtt-endpoint.md`). The broker is trusted with nothing else: a PUBACK of
//! it means nothing to a gateway, which waits for the durable range this service sends.

use super::peers::Peers;
use super::tls::{TlsError, certified, roots};
use super::{Ingest, PACKET_MAX};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Messages with QoS 1 the broker may have outstanding here.
const RECEIVE_MAX: u16 = 256;
/// Messages waiting to be worked on. Those with QoS 1 always find room; watched values are
/// dropped when only that room is left.
const INBOX: usize = 1024;
/// Messages waiting to be sent.
const OUTBOX: usize = 1024;
/// How long the broker keeps what comes while this service restarts.
const SESSION_S: u32 = 3600;
/// First and longest pause between two attempts.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where the broker is and how to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Host name or address, as in its certificate.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The authority of the broker's certificate.
    pub ca: PathBuf,
    /// This service's certificate for the broker.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Client id; the broker keeps messages under it while this service restarts.
    pub client_id: String,
}

/// The client, ready to connect.
pub struct BrokerClient {
    address: BrokerAddress,
    tls: Arc<ClientConfig>,
    ingest: Ingest,
}

/// What comes from the connection.
pub(super) enum Signal {
    /// It is made; the subscription is to be sent.
    Connected,
    /// A message.
    Message(Box<Publish>),
}

impl BrokerClient {
    /// Reads the certificates; connects to nothing yet.
    ///
    /// # Errors
    /// When a certificate file cannot be used.
    pub fn new(address: BrokerAddress, ingest: Ingest) -> Result<Self, TlsError> {
        let tls = client_config(&address)?;
        Ok(Self {
            address,
            tls: Arc::new(tls),
            ingest,
        })
    }

    /// Reads the certificates and forgets them: what a check of the configuration does.
    ///
    /// # Errors
    /// When a certificate file cannot be used.
    pub fn check(address: &BrokerAddress) -> Result<(), TlsError> {
        client_config(address).map(|_| ())
    }

    /// Keeps a connection until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let mut peers = Peers::new(self.ingest.clone());
        let mut pause = PAUSE.0;
        while !stop.is_cancelled() {
            let started = Instant::now();
            let ended = self.connection(&mut peers, &stop).await;
            let Err(why) = ended else { return };
            if started.elapsed() > PAUSE.1 {
                pause = PAUSE.0;
            }
            tracing::warn!(
                broker = %self.address.host, why, retry_s = pause.as_secs(),
                "no connection to the MQTT broker; gateways keep their data and send it again"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// One connection. Each has a client of its own: nothing of a broken one is carried over.
    async fn connection(&self, peers: &mut Peers, stop: &CancellationToken) -> Result<(), String> {
        let (client, events) = AsyncClient::new(self.options(), OUTBOX);
        let (sender, mut inbox) = mpsc::channel(INBOX);
        let mut reading = tokio::spawn(read(events, sender, self.ingest.clone()));
        let ended = tokio::select! {
            () = stop.cancelled() => {
                // The broker may be gone; then it sees the connection end.
                let _ = client.try_disconnect();
                let _ = tokio::time::timeout(PAUSE.0, &mut reading).await;
                Ok(())
            }
            why = peers.work(&client, &mut inbox) => Err(why),
            why = &mut reading => Err(why.unwrap_or_else(|e| e.to_string())),
        };
        reading.abort();
        ended
    }

    fn options(&self) -> MqttOptions {
        let address = &self.address;
        let mut options = MqttOptions::new(&address.client_id, &address.host, address.port);
        options
            .set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::clone(
                &self.tls,
            ))))
            .set_keep_alive(Duration::from_secs(30))
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_S))
            .set_receive_maximum(Some(RECEIVE_MAX))
            .set_max_packet_size(Some(PACKET_MAX))
            .set_manual_acks(true);
        options
    }
}

/// Reads until the connection breaks; answers why.
async fn read(mut events: EventLoop, inbox: mpsc::Sender<Signal>, ingest: Ingest) -> String {
    loop {
        let signal = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Signal::Connected,
            Ok(Event::Incoming(Packet::Publish(publish))) => Signal::Message(Box::new(publish)),
            Ok(Event::Incoming(Packet::Disconnect(d))) => {
                return format!("the broker ended it ({:?})", d.reason_code);
            }
            Ok(_) => continue,
            Err(error) => return error.to_string(),
        };
        let watched = matches!(&signal, Signal::Message(p) if p.qos == QoS::AtMostOnce);
        if watched && inbox.capacity() <= usize::from(RECEIVE_MAX) {
            let dropped = &ingest.pipeline.figures.watch_dropped;
            dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            continue;
        }
        if inbox.send(signal).await.is_err() {
            return "the service ends".to_owned();
        }
    }
}

fn client_config(address: &BrokerAddress) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = certified(&address.cert, &address.key, &provider)?;
    let roots = roots(&address.ca)?;
    // A broker of somebody else may still be at TLS 1.2.
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::new(&address.ca, e))?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)));
    Ok(config)
}
