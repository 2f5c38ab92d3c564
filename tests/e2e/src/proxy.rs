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

/// How long the side of a half-open connection that has not given up hears nothing of it.
const FORGOTTEN: Duration = Duration::from_secs(300);
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
    /// A new connection; answers its number.
    fn begin(&self) -> u64 {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.clear();
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn flew(&self, connection: u64, up: bool, octets: u64) {
        if up {
            self.octets_up.fetch_add(octets, Ordering::Relaxed);
        }
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if connection != self.accepted.load(Ordering::Relaxed) {
            return;
        }
        if let Some(last) = flights.last_mut().filter(|last| last.up == up) {
            last.octets += octets;
        } else if flights.len() < FLIGHTS {
            flights.push(Flight { up, octets });
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
                let connection = Connection {
                    number: counters.begin(),
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
        self.pass(near, far).await;
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

    async fn pass(&self, mut near: TcpStream, mut far: TcpStream) {
        let mut mode = self.mode.clone();
        let reset = {
            let (near_read, near_write) = near.split();
            let (far_read, far_write) = far.split();
            tokio::select! {
                _ = mode.wait_for(|m| *m == Mode::Cut) => true,
                reset = self.pump(near_read, far_write, true) => reset,
                reset = self.pump(far_read, near_write, false) => reset,
            }
        };
        if reset {
            let (_, _) = (near.set_zero_linger(), far.set_zero_linger());
        } else if self.dead.load(Ordering::Relaxed) {
            // One side has given up; the other must not hear of it.
            tokio::time::sleep(FORGOTTEN).await;
        }
    }

    /// Passes on what comes in one direction; true when the connection is to end in a reset.
    async fn pump(
        &self,
        mut from: impl AsyncReadExt + Unpin,
        mut to: impl AsyncWriteExt + Unpin,
        up: bool,
    ) -> bool {
        let mut mode = self.mode.clone();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let now = *mode.borrow_and_update();
                let octets = match self.leave(now, up, rest.len()) {
                    Leave::Go(octets) => octets,
                    Leave::Slowly(octets, pause) => {
                        tokio::time::sleep(pause).await;
                        octets
                    }
                    Leave::Wait if mode.changed().await.is_err() => return false,
                    Leave::Wait => continue,
                    Leave::Never => std::future::pending().await,
                    Leave::Reset => return true,
                };
                let (first, later) = rest.split_at(octets);
                if !up {
                    self.down.fetch_add(octets as u64, Ordering::Relaxed);
                }
                self.shared.flew(self.number, up, octets as u64);
                if to.write_all(first).await.is_err() {
                    return false;
                }
                rest = later;
                // So that octets sent one by one also arrive one by one.
                tokio::task::yield_now().await;
            }
        }
        false
    }

    fn leave(&self, mode: Mode, up: bool, waiting: usize) -> Leave {
        if self.dead.load(Ordering::Relaxed) {
            return Leave::Never;
        }
        match mode {
            Mode::Pass => Leave::Go(waiting),
            Mode::Cut => Leave::Reset,
            Mode::BlackHole => Leave::Wait,
            Mode::Spoilt(spoil) => self.spoilt(spoil, up, waiting),
        }
    }

    fn spoilt(&self, spoil: Spoil, up: bool, waiting: usize) -> Leave {
        let down = self.down.load(Ordering::Relaxed);
        if down < spoil.after_down {
            let left = usize::try_from(spoil.after_down - down).unwrap_or(usize::MAX);
            return Leave::Go(if up { waiting } else { waiting.min(left) });
        }
        if spoil.up_only && !up {
            return Leave::Go(waiting);
        }
        match spoil.how {
            How::BlackHole => Leave::Wait,
            How::HalfOpen => {
                self.dead.store(true, Ordering::Relaxed);
                Leave::Never
            }
            How::Reset => Leave::Reset,
            How::Octets => Leave::Go(1),
            How::Slow(rate) => {
                let octets = waiting.min(usize::try_from(rate / 20).unwrap_or(1).max(1));
                let pause = Duration::from_secs(1) / rate.max(1);
                Leave::Slowly(octets, pause * u32::try_from(octets).unwrap_or(1))
            }
        }
    }
}
