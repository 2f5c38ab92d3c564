//! A TCP proxy that can spoil the connections through it, at run time and without touching either
//! side. Owns the ways a link goes bad in the field, and from which octet of a connection on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Open connections are reset, new ones refused.
    Cut,
    /// Connections stay open and nothing passes.
    BlackHole,
    /// Each connection is spoilt once so much has passed on it.
    Spoilt(Spoil),
}

/// How a connection goes bad, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoil {
    /// What happens to it.
    pub how: How,
    /// After so many octets have passed from the far to the near side: 0 is at once.
    pub after_down: u64,
    /// Only what goes from the near to the far side is spoilt.
    pub up_only: bool,
}

/// What happens to a spoilt connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing passes until the mode changes; then all of it does.
    BlackHole,
    /// Nothing passes ever again, and neither side is told, as when a firewall forgets a connection.
    HalfOpen,
    /// Both sides get a TCP reset.
    Reset,
    /// One octet a segment.
    Octets,
    /// So many octets a second each way.
    Slow(u32),
}

/// Octets that passed in one direction without any in the other in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// From the near to the far side.
    pub up: bool,
    /// How many.
    pub octets: u64,
}

/// Flights remembered of a connection.
const FLIGHTS: usize = 64;

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Port to connect to, on 127.0.0.1.
    pub port: u16,
    mode: watch::Sender<Mode>,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    octets_up: AtomicU64,
    accepted: AtomicU64,
    /// Flights of the newest connection, first one first.
    flights: Mutex<Vec<Flight>>,
}

impl Shared {
    fn flew(&self, connection: u64, up: bool, octets: u64) {
        if up {
            self.octets_up.fetch_add(octets, Ordering::Relaxed);
        }
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if connection != self.accepted.load(Ordering::Relaxed) {
            return;
        }
        match flights.last_mut() {
            Some(last) if last.up == up => last.octets += octets,
            _ if flights.len() < FLIGHTS => flights.push(Flight { up, octets }),
            _ => {}
        }
    }
}

impl Proxy {
    /// Listens on a free port and passes on to `127.0.0.1:target`.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on loopback");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let (mode, seen) = watch::channel(Mode::Pass);
        let shared = Arc::new(Shared::default());
        let counters = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut flights = counters.flights.lock();
                flights.as_mut().map_or((), |f| f.clear());
                let number = counters.accepted.fetch_add(1, Ordering::Relaxed) + 1;
                drop(flights);
                let connection = Connection {
                    number,
                    shared: Arc::clone(&counters),
                    mode: seen.clone(),
                    down: AtomicU64::new(0),
                    dead: AtomicBool::new(false),
                };
                tokio::spawn(connection.serve(near, target));
            }
        });
        Self {
            port,
            mode,
            shared,
            task,
        }
    }

    /// Changes what the link does, for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Octets passed from the near to the far side so far.
    #[must_use]
    pub fn octets_up(&self) -> u64 {
        self.shared.octets_up.load(Ordering::Relaxed)
    }

    /// Connections taken so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How the newest connection went, from its first octet.
    #[must_use]
    pub fn flights(&self) -> Vec<Flight> {
        let flights = self.shared.flights.lock();
        flights.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the next octets may do.
enum Leave {
    /// So many may go at once.
    Go(usize),
    /// So many may go, and then comes a pause.
    Slowly(usize, Duration),
    /// None until the mode changes.
    Wait,
    /// None any more.
    Never,
    /// The connection ends in a reset.
    Reset,
}

struct Connection {
    number: u64,
    shared: Arc<Shared>,
    mode: watch::Receiver<Mode>,
    /// Octets passed from the far to the near side.
    down: AtomicU64,
    /// Forgotten by whatever is in between.
    dead: AtomicBool,
}

impl Connection {
    async fn serve(self, near: TcpStream, target: u16) {
        // A closed socket with unread input is reset, which is what a cut looks like.
        if *self.mode.borrow() == Mode::Cut || !self.may_connect().await {
            let _ = near.set_zero_linger();
            return;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else {
            return;
        };
        let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
        if self.pass(near, far).await.is_err() {
            tracing_reset();
        }
    }

    /// A connection that is spoilt before its first octet never reaches the far side.
    async fn may_connect(&self) -> bool {
        let mut mode = self.mode.clone();
        loop {
            let now = *mode.borrow_and_update();
            let Mode::Spoilt(Spoil {
                how,
                after_down: 0,
                up_only: false,
            }) = now
            else {
                return now != Mode::Cut;
            };
            match how {
                How::Reset => return false,
                How::HalfOpen => std::future::pending().await,
                How::BlackHole => {}
                How::Octets | How::Slow(_) => return true,
            }
            if mode.changed().await.is_err() {
                return false;
            }
        }
    }
}
