//! A TCP peer that answers in octets: the protocol's own tests say which. Owns connections, delays,
//! and the count of requests that were outstanding at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The answer to one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// What to send; nothing is silence.
    pub octets: Vec<u8>,
    /// How long after the request.
    pub after: Duration,
    /// Close the connection afterwards.
    pub close: bool,
}

impl Reply {
    /// These octets at once.
    #[must_use]
    pub fn now(octets: Vec<u8>) -> Self {
        Self {
            octets,
            ..Self::default()
        }
    }

    /// No answer.
    #[must_use]
    pub fn silence() -> Self {
        Self::default()
    }
}

/// One end of one connection, in octets.
pub trait Respond: Send {
    /// Takes every whole request off the front of `received`, with its reply.
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply>;
}

impl<F: FnMut(&mut Vec<u8>) -> Vec<Reply> + Send> Respond for F {
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply> {
        self(received)
    }
}

/// How the peer treats its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// As they are.
    Answer = 0,
    /// Requests are swallowed.
    Silent = 1,
    /// Every reply is replaced by octets of chance.
    Garbage = 2,
}

#[derive(Debug, Default)]
struct Counters {
    mode: AtomicU8,
    connections: AtomicUsize,
    requests: AtomicUsize,
    outstanding: AtomicUsize,
    most_outstanding: AtomicUsize,
}

/// A listening peer. Ends when dropped.
pub struct Peer {
    address: SocketAddr,
    counters: Arc<Counters>,
    cancel: CancellationToken,
}

impl Peer {
    /// Listens on a free port of loopback; `make` makes the near end of every connection.
    pub async fn start(make: impl FnMut() -> Box<dyn Respond> + Send + 'static) -> Self {
        Self::start_at("127.0.0.1:0", make).await
    }

    /// The same at a given address.
    pub async fn start_at(
        address: &str,
        mut make: impl FnMut() -> Box<dyn Respond> + Send + 'static,
    ) -> Self {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => panic!("the peer could not listen on {address}: {error}"),
        };
        let Ok(address) = listener.local_addr() else {
            panic!("the peer has no address");
        };
        let counters = Arc::new(Counters::default());
        let cancel = CancellationToken::new();
        let (shared, stop) = (counters.clone(), cancel.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let end = converse(stream, make(), shared.clone());
                tokio::spawn(stop.clone().run_until_cancelled_owned(end));
            }
        }));
        Self {
            address,
            counters,
            cancel,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how replies are treated from now on.
    pub fn set_mode(&self, mode: Mode) {
        self.counters.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Requests received so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::SeqCst)
    }

    /// Most requests that waited for an answer at the same time, over all connections.
    #[must_use]
    pub fn most_outstanding(&self) -> usize {
        self.counters.most_outstanding.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn converse(stream: TcpStream, mut end: Box<dyn Respond>, counters: Arc<Counters>) {
    let _not_fatal = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(writer));
    let mut received = Vec::new();
    let mut chance = 0x2545_F491_4F6C_DD1D_u64;
    while read(&mut reader, &mut received).await {
        for mut reply in end.respond(&mut received) {
            counters.requests.fetch_add(1, Ordering::SeqCst);
            match counters.mode.load(Ordering::SeqCst) {
                mode if mode == Mode::Silent as u8 => reply = Reply::silence(),
                mode if mode == Mode::Garbage as u8 => reply.octets = garbage(&mut chance),
                _ => {}
            }
            if reply.octets.is_empty() && !reply.close {
                continue;
            }
            let waiting = counters.outstanding.fetch_add(1, Ordering::SeqCst) + 1;
            counters
                .most_outstanding
                .fetch_max(waiting, Ordering::SeqCst);
            let (writer, counters) = (writer.clone(), counters.clone());
            if reply.after.is_zero() {
                send(reply, &writer, &counters).await;
            } else {
                tokio::spawn(async move {
                    tokio::time::sleep(reply.after).await;
                    send(reply, &writer, &counters).await;
                });
            }
        }
    }
}

async fn read(reader: &mut OwnedReadHalf, received: &mut Vec<u8>) -> bool {
    matches!(reader.read_buf(received).await, Ok(n) if n > 0)
}

async fn send(reply: Reply, writer: &Mutex<OwnedWriteHalf>, counters: &Counters) {
    // Counted down first: the next request may be read before this task runs again.
    counters.outstanding.fetch_sub(1, Ordering::SeqCst);
    let mut writer = writer.lock().await;
    // A peer that has gone is what some tests are about.
    let _gone = writer.write_all(&reply.octets).await;
    if reply.close {
        let _gone = writer.shutdown().await;
    }
}

fn garbage(chance: &mut u64) -> Vec<u8> {
    let mut next = || {
        // Xorshift: repeatable, and good enough for noise.
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        chance.to_be_bytes()[0]
    };
    let length = 1 + usize::from(next()) % 40;
    (0..length).map(|_| next()).collect()
}
