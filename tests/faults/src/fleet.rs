//! A fleet in one process: gateways with a TLS client and a certificate each, that have nothing to
//! say but hello, and that wait between attempts exactly as the gateway's link does. Owns their
//! tasks and the record of every attempt.

use rand::SeedableRng;
use rand::rngs::StdRng;
use riser_cloud::clock::Clock;
use riser_cloud::db::Origin;
use riser_cloud::pki::{Authority, GatewayRequest, Issued, Validity};
use riser_model::{GatewayId, Key, TenantId, Timestamp};
use riser_sync::{Parting, Patience, Timings};
use riser_wire::topic::{self, UpLane};
use riser_wire::{Down, Epoch, Heartbeat, Hello, Up, retry};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Tenant of the fleet.
const TENANT: &str = "demo";
/// How often a gateway of the fleet shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken in, and its heartbeat came back.
    In,
    /// Asked to come back after this long.
    PutOff(Duration),
    /// Not reached, or let go before it had shown who it is.
    Failed,
}

/// One attempt to connect.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Which gateway.
    pub gateway: usize,
    /// When it began.
    pub at: Instant,
    /// When it was decided.
    pub over: Instant,
    /// What came of it.
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
struct Record {
    attempts: Mutex<Vec<Attempt>>,
    present: AtomicUsize,
    /// Partings in which the cloud has said when to come back.
    told: AtomicUsize,
}

impl Record {
    fn note(&self, attempt: Attempt) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.push(attempt);
    }
}

/// A running fleet; its gateways go when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    record: Arc<Record>,
    size: usize,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Fleet {
    /// So many gateways, with certificates of the authority in `pki`, all starting at this moment.
    ///
    /// # Panics
    /// When the authority cannot be used.
    #[must_use]
    pub fn start(size: usize, pki: &Path, port: u16, seed: u64) -> Self {
        let authority = Authority::open(pki).expect("the lab's authority");
        let validity = Validity::days(Clock::system().now(), 30);
        let members: Vec<Member> = (0..size)
            .map(|number| Member::new(number, &authority, validity, port))
            .collect();
        let record = Arc::new(Record::default());
        let tasks = members
            .into_iter()
            .map(|member| {
                let number = u64::try_from(member.number).unwrap_or(u64::MAX);
                let random = StdRng::seed_from_u64(seed.wrapping_add(number));
                tokio::spawn(member.live(Arc::clone(&record), random))
            })
            .collect();
        Self {
            record,
            size,
            tasks,
        }
    }

    /// How many are connected and have had a heartbeat back.
    #[must_use]
    pub fn present(&self) -> usize {
        self.record.present.load(Ordering::Relaxed)
    }

    /// Whether all are.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.present() == self.size
    }

    /// How often a connection has ended with the cloud's word when to come back.
    #[must_use]
    pub fn told(&self) -> usize {
        self.record.told.load(Ordering::Relaxed)
    }

    /// Attempts since the last look.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let attempts = &self.record.attempts;
        std::mem::take(&mut *attempts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Member {
    number: usize,
    tenant: TenantId,
    gateway: GatewayId,
    tls: Arc<ClientConfig>,
    port: u16,
}

impl Member {
    fn new(number: usize, authority: &Authority, validity: Validity, port: u16) -> Self {
        let key = |text: &str| Key::new(text).expect("a key");
        let (tenant, gateway) = (key(TENANT), key(&format!("fleet-{number:05}")));
        let origin = Origin {
            tenant: tenant.clone(),
            gateway: gateway.clone(),
        };
        let request = GatewayRequest { origin, validity };
        let issued = authority.issue_gateway(&request).expect("a certificate");
        Self {
            number,
            tenant,
            gateway,
            tls: Arc::new(tls(authority.certificate(), &issued)),
            port,
        }
    }

    async fn live(self, record: Arc<Record>, mut random: StdRng) {
        let mut patience = Patience::new(Timings::default());
        loop {
            let parting = self.connection(&record).await;
            if parting.retry_after.is_some() {
                record.told.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(patience.wait(parting, &mut random)).await;
        }
    }

    /// One attempt, and the connection if it came to one.
    async fn connection(&self, record: &Record) -> Parting {
        let (client, events) = AsyncClient::new(self.options(), 16);
        let at = Instant::now();
        let decided = |outcome| {
            record.note(Attempt {
                gateway: self.number,
                at,
                over: Instant::now(),
                outcome,
            });
        };
        let entered = OnceLock::new();
        let enter = || {
            if entered.set(Instant::now()).is_ok() {
                decided(Outcome::In);
                record.present.fetch_add(1, Ordering::Relaxed);
            }
        };
        let parting = tokio::select! {
            parting = self.hear(events, &client, &enter) => parting,
            parting = self.beat(&client) => parting,
        };
        let Some(since) = entered.get() else {
            decided(parting.retry_after.map_or(Outcome::Failed, Outcome::PutOff));
            return Parting {
                tried: at.elapsed(),
                ..parting
            };
        };
        record.present.fetch_sub(1, Ordering::Relaxed);
        Parting {
            worked: Some(since.elapsed()),
            ..parting
        }
    }

    async fn hear(
        &self,
        mut events: EventLoop,
        client: &AsyncClient,
        enter: &(dyn Fn() + Sync),
    ) -> Parting {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                    let properties = connack.properties.map(|p| p.user_properties);
                    let asked = properties.and_then(|p| retry::asked(&p));
                    if asked.is_some() {
                        return Parting {
                            turned_away: true,
                            retry_after: asked,
                            ..Parting::default()
                        };
                    }
                    self.greet(client);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    if let Ok(Down::Heartbeat { .. }) = Down::decode(&publish.payload) {
                        enter();
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    return Parting {
                        turned_away: matches!(error, ConnectionError::ConnectionRefused(_)),
                        retry_after: last_word(&events),
                        ..Parting::default()
                    };
                }
            }
        }
    }

    fn greet(&self, client: &AsyncClient) {
        let filter = topic::down_filter(&self.tenant, &self.gateway);
        let number = u128::try_from(self.number).unwrap_or_default();
        let hello = Up::Hello(Hello {
            rollups: false,
            version: "0.0.0".to_owned(),
            epoch: Epoch(Uuid::from_u128(number + 1)),
            boot: Uuid::from_u128(1),
            name: self.gateway.to_string(),
            streams: Vec::new(),
        });
        // The queue is empty: there is room for three.
        let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
        self.say(client, UpLane::Hello, hello);
        self.say(client, UpLane::Heartbeat, heartbeat());
    }

    fn say(&self, client: &AsyncClient, lane: UpLane, up: Up) {
        let topic = topic::up(&self.tenant, &self.gateway, lane);
        let _ = client.try_publish(topic, QoS::AtLeastOnce, false, up.encode());
    }

    async fn beat(&self, client: &AsyncClient) -> Parting {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            self.say(client, UpLane::Heartbeat, heartbeat());
        }
    }

    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(self.gateway.as_str(), "localhost", self.port);
        let tls = TlsConfiguration::Rustls(Arc::clone(&self.tls));
        options
            .set_transport(Transport::Tls(tls))
            .set_connection_timeout(Timings::default().connect.as_secs())
            .set_keep_alive(Duration::from_secs(30))
            .set_outgoing_inflight_upper_limit(16)
            .set_clean_start(true);
        options
    }
}

fn heartbeat() -> Up {
    Up::Heartbeat(Heartbeat {
        nonce: rand::random(),
        sent_at: Timestamp(crate::rig::now()),
        backlog_batches: 0,
        backlog_bytes: 0,
        backlog_age_ms: 0,
    })
}

/// When the DISCONNECT that ended a connection asks the gateway to come back.
fn last_word(events: &EventLoop) -> Option<Duration> {
    let properties = events.state.events.iter().rev().find_map(|e| match e {
        Event::Incoming(Packet::Disconnect(last)) => last.properties.as_ref(),
        _ => None,
    })?;
    retry::asked(&properties.user_properties)
}

fn tls(ca: &str, own: &Issued) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        let certificate = certificate.expect("the authority's certificate");
        roots.add(certificate).expect("an authority");
    }
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(own.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.expect("a certificate"), key)
        .expect("a pair");
    // Room for the one server there is; the usual cache would weigh more than all the rest.
    config.resumption = rustls::client::Resumption::in_memory_sessions(2);
    config
}
