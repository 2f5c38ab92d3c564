//! A scripted MQTT 5 endpoint behind TLS that does what no broker can be made to do: it sends
//! gateways away with a time to come back, and withholds one PUBACK for ever.

use riser_wire::topic::{self, Direction, UpTopic};
use riser_wire::{Down, Durable, Epoch, Stream, Up, peek, retry};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What one connection meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// CONNACK with a time to come back, then DISCONNECT: server busy.
    PutOff(Duration),
    /// Takes the hello, then DISCONNECT with a time to come back: the service is restarted.
    Farewell(Duration),
    /// The PUBACK of the first batch never comes; everything else does.
    Withholds,
    /// As it should be.
    Proper,
}

type Durables = Arc<Mutex<HashMap<(Epoch, Stream), BTreeSet<u64>>>>;

/// A running endpoint.
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    /// The connections meet these manners in turn, all further ones the last.
    pub(crate) async fn start(dir: &Path, manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(tls(dir)));
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let (seen, stored) = (Arc::clone(&arrivals), Durables::default());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Instant::now());
                    seen.len() - 1
                };
                let manner = *manners.get(number).or(manners.last()).unwrap();
                let (acceptor, stored) = (acceptor.clone(), Arc::clone(&stored));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let mut talk = Talk {
                            stream,
                            manner,
                            stored,
                            withheld: None,
                        };
                        while talk.turn().await.is_some() {}
                    }
                });
            }
        });
        Self {
            port,
            arrivals,
            task,
        }
    }

    /// When connections came in.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().unwrap().clone()
    }
}

fn tls(dir: &Path) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(dir.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap()
}

struct Talk {
    stream: TlsStream<TcpStream>,
    manner: Manner,
    stored: Durables,
    withheld: Option<u16>,
}

fn text(text: &str) -> Vec<u8> {
    let mut out = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

/// Properties with a time to come back (MQTT 5.0, 2.2.2).
fn later(wait: Duration) -> Vec<u8> {
    let mut property = vec![0x26];
    property.extend(text(retry::PROPERTY));
    property.extend(text(&retry::value(wait)));
    let mut out = vec![u8::try_from(property.len()).unwrap()];
    out.extend(property);
    out
}

impl Talk {
    /// Reads a packet and answers it; `None` at the end.
    async fn turn(&mut self) -> Option<()> {
        let (first, body) = self.packet().await?;
        match first >> 4 {
            1 => self.connect().await,
            3 => self.publish(&body).await,
            8 => self.send(0x90, &[&body[..2], &[0, 0]]).await,
            12 => self.send(0xD0, &[]).await,
            4 => Some(()),
            _ => None,
        }
    }

    async fn connect(&mut self) -> Option<()> {
        if let Manner::PutOff(wait) = self.manner {
            self.send(0x20, &[&[0, 0], &later(wait)]).await?;
            return self.send(0xE0, &[&[0x89], &later(wait)]).await;
        }
        self.send(0x20, &[&[0, 0, 0]]).await
    }

    async fn publish(&mut self, body: &[u8]) -> Option<()> {
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = std::str::from_utf8(&body[2..2 + length]).unwrap();
        let rest = &body[2 + length..];
        // Every publication but those watched has QoS 1 and no properties.
        let (id, payload) = (u16::from_be_bytes([rest[0], rest[1]]), &rest[3..]);
        let address = topic::parse(topic).unwrap();
        let Direction::Up(lane) = address.direction else {
            panic!("{topic}")
        };
        if lane == UpTopic::Data && self.manner == Manner::Withholds && self.withheld.is_none() {
            self.withheld = Some(id);
        } else {
            self.send(0x40, &[&id.to_be_bytes()]).await?;
        }
        let down = match Up::decode(lane, payload).unwrap() {
            Up::Hello(_) => {
                if let Manner::Farewell(wait) = self.manner {
                    return self.send(0xE0, &[&[0x8B], &later(wait)]).await;
                }
                return Some(());
            }
            Up::Heartbeat(beat) => Down::Heartbeat { nonce: beat.nonce },
            Up::Batch(frame) => self.store(&frame),
            Up::Watch(_) | Up::Rollup(_) => return Some(()),
        };
        let topic = topic::down(&address.tenant, &address.gateway, down.topic());
        self.send(0x30, &[&text(&topic), &[0], &down.encode()])
            .await
    }

    fn store(&self, frame: &[u8]) -> Down {
        let header = peek(frame).unwrap();
        let (epoch, stream) = (header.epoch, header.stream);
        let mut stored = self.stored.lock().unwrap();
        let seqs = stored.entry((epoch, stream)).or_default();
        seqs.insert(header.seq);
        let contiguous = (1..).take_while(|seq| seqs.contains(seq)).last();
        let contiguous = contiguous.unwrap_or(0);
        let ranges: Vec<(u64, u64)> = seqs
            .iter()
            .filter(|seq| **seq > contiguous)
            .map(|seq| (*seq, *seq))
            .collect();
        Down::Durable(Durable {
            epoch,
            stream,
            contiguous,
            ranges: ranges[ranges.len().saturating_sub(256)..].to_vec(),
        })
    }

    async fn send(&mut self, first: u8, parts: &[&[u8]]) -> Option<()> {
        let body = parts.concat();
        let mut packet = vec![first];
        let mut left = body.len();
        loop {
            let octet = u8::try_from(left % 128).unwrap();
            left /= 128;
            packet.push(if left > 0 { octet | 0x80 } else { octet });
            if left == 0 {
                break;
            }
        }
        packet.extend(body);
        self.stream.write_all(&packet).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let octet = self.stream.read_u8().await.ok()?;
            length |= usize::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }
}
