//! One BACnet/IP port and everything asked through it: sockets, the envelope, routers, transactions
//! with retries and segmentation, registration with a BBMD. Knows nothing of points.
//!
//! The edge to another data link is narrow: [`Binding::open`], [`Client::put`] and `receive` are all
//! that know IP (`docs/adr/0014-bacnet-codec.md`).

mod address;
mod assembly;
mod bbmd;
mod foreign;
mod receive;
mod request;
mod seek;
mod socket;
mod table;

pub use address::{Address, PORT, Place, parse_ip, written};
pub(crate) use assembly::{Assembly, Step};
pub use bbmd::Diagnosis;
pub use foreign::Registration;
pub use request::{Ask, RequestError};
pub use seek::Holder;
pub use socket::Binding;
pub use table::Answer;

use crate::codec::npdu::GLOBAL;
use crate::codec::service::device::IAm;
use crate::codec::{Apdu, Bvlc, Npdu, Payload, Remote};
use rustc_hash::FxHashMap;
use socket::Sockets;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use table::Table;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Presentations that may wait for one listener: a large building's burst.
const HEARD: usize = 8192;

/// How to treat those who are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long an answer may take.
    pub timeout: Duration,
    /// How often a question is asked again.
    pub retries: u32,
    /// How long the next part of an answer may take.
    pub part_timeout: Duration,
    /// Requests on the wire through one router.
    pub per_router: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            retries: 2,
            part_timeout: Duration::from_secs(2),
            per_router: 2,
        }
    }
}

/// Something a device or router said unasked, or to everybody.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A device presents itself.
    Device(Address, IAm),
    /// A device says that it holds an object: device instance, object, name.
    Object(Address, u32, crate::codec::ObjectId, String),
    /// A router says which networks it leads to.
    Router(SocketAddrV4, Vec<u16>),
    /// A device tells of an alarm or event.
    Event(Address, crate::codec::service::event::Notification),
    /// A BBMD, or a device that is none, answered a registration or a question.
    Bbmd(SocketAddrV4, u16),
    /// A BBMD told to which others it passes broadcasts on.
    Peers(SocketAddrV4, Vec<SocketAddrV4>),
    /// A BBMD told which foreign devices are registered with it.
    Foreign(SocketAddrV4, Vec<SocketAddrV4>),
}

/// A change a device tells of, for whoever subscribed.
#[derive(Debug)]
pub struct Notice {
    /// Who tells.
    pub from: Address,
    /// Parameters of the notification.
    pub body: Vec<u8>,
}

/// A request somebody sends to this port.
#[derive(Debug)]
pub struct Inbound {
    /// Who asks.
    pub from: Address,
    /// The APDU.
    pub apdu: Vec<u8>,
}

/// Figures since start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests sent, repeats included.
    pub requests: AtomicU64,
    /// Requests nobody answered in time.
    pub timeouts: AtomicU64,
    /// Answers that belong to no request.
    pub strays: AtomicU64,
    /// Datagrams that are no BACnet.
    pub garbage: AtomicU64,
    /// Notifications nobody could take.
    pub dropped: AtomicU64,
    /// Broadcasts of other networks that came through a BBMD.
    pub forwarded: AtomicU64,
    /// Datagrams the kernel had no room for, as far as it tells.
    pub lost: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(crate) struct Inner {
    sockets: Sockets,
    table: Mutex<Table>,
    heard: broadcast::Sender<Heard>,
    notices: Mutex<FxHashMap<(u32, u32), mpsc::Sender<Notice>>>,
    inbound: Mutex<Option<mpsc::Sender<Inbound>>>,
    routers: Mutex<FxHashMap<SocketAddrV4, Arc<Semaphore>>>,
    bbmd: Mutex<Option<SocketAddrV4>>,
    patience: Patience,
    counters: Counters,
}

/// One open port. Clones share it; it closes with the last.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    receiving: Arc<DropGuard>,
}

/// A port that may be open.
type Open = (Binding, Weak<Inner>, Weak<DropGuard>);

/// Ports that are open in this process. A datagram sent to a port two sockets share reaches one of
/// them, so a search has to use the port the adapter has open already.
static PORTS: Mutex<Vec<Open>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Opens the sockets and begins to listen, or shares the port if this process has it open.
    ///
    /// # Errors
    /// The address is not this machine's, or the port is taken by a program that does not share it.
    pub fn open(binding: &Binding, patience: Patience) -> std::io::Result<Self> {
        let mut ports = lock(&PORTS);
        ports.retain(|(_, inner, _)| inner.strong_count() > 0);
        // Port 0 takes a new one each time.
        let shared = ports.iter().find(|(b, ..)| b == binding && b.port != 0);
        if let Some((Some(inner), Some(receiving))) =
            shared.map(|(_, inner, receiving)| (inner.upgrade(), receiving.upgrade()))
        {
            return Ok(Self { inner, receiving });
        }
        let client = Self::new(binding, patience)?;
        let receiving = Arc::downgrade(&client.receiving);
        ports.push((binding.clone(), Arc::downgrade(&client.inner), receiving));
        Ok(client)
    }

    fn new(binding: &Binding, patience: Patience) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            sockets: binding.open()?,
            table: Mutex::default(),
            heard: broadcast::channel(HEARD).0,
            notices: Mutex::default(),
            inbound: Mutex::default(),
            routers: Mutex::default(),
            bbmd: Mutex::default(),
            patience,
            counters: Counters::default(),
        });
        let cancel = CancellationToken::new();
        receive::start(&inner, &cancel);
        Ok(Self {
            inner,
            receiving: Arc::new(cancel.drop_guard()),
        })
    }

    /// Everything devices and routers say from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Heard> {
        self.inner.heard.subscribe()
    }

    /// Where changes go from now on that the device of this instance tells under this number: two
    /// devices may know their subscriber by the same one.
    pub fn notices(&self, (process, instance): (u32, u32), to: mpsc::Sender<Notice>) {
        lock(&self.inner.notices).insert((process, instance), to);
    }

    /// Where requests of others go from now on. False when somebody answers them already.
    pub fn serve(&self, to: mpsc::Sender<Inbound>) -> bool {
        let mut inbound = lock(&self.inner.inbound);
        let taken = inbound.as_ref().is_some_and(|face| !face.is_closed());
        if !taken {
            *inbound = Some(to);
        }
        !taken
    }

    /// Figures since start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Looks at how many datagrams the kernel had no room for, and says how many there were so far.
    pub(crate) fn look_for_losses(&self) -> u64 {
        let lost = self.inner.sockets.lost();
        // The kernel's own count begins with the socket.
        self.inner.counters.lost.store(lost, Ordering::Relaxed);
        lost
    }

    /// Changes somebody told that did not arrive here, of whichever device.
    pub(crate) fn missed(&self) -> u64 {
        let counters = &self.inner.counters;
        counters.lost.load(Ordering::Relaxed) + counters.dropped.load(Ordering::Relaxed)
    }

    /// Octets of what may wait at the port.
    pub(crate) fn room(&self) -> usize {
        self.inner.sockets.room
    }

    /// How long requests were on the wire since this was last asked.
    #[must_use]
    pub fn take_busy(&self) -> Duration {
        lock(&self.inner.table).take_busy()
    }

    /// The patience of this port.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.inner.patience
    }

    /// Own address, as far as the socket knows it.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddrV4> {
        match self.inner.sockets.own.local_addr() {
            Ok(std::net::SocketAddr::V4(address)) => Some(address),
            _ => None,
        }
    }

    /// Tells one device something.
    pub async fn tell(&self, to: &Address, service: u8, body: &[u8]) -> std::io::Result<()> {
        self.inner
            .put(to, false, &Apdu::Unconfirmed { service, body })
            .await
    }

    /// Sends an APDU to one.
    pub async fn put(&self, to: &Address, apdu: &Apdu<'_>) -> std::io::Result<()> {
        self.inner.put(to, false, apdu).await
    }

    /// Tells everybody something: on this network in every form of broadcast, through the BBMD where
    /// there is one, and through every router.
    pub async fn tell_all(&self, service: u8, body: &[u8]) -> std::io::Result<()> {
        let mut apdu = Vec::with_capacity(body.len() + 2);
        Apdu::Unconfirmed { service, body }.encode(&mut apdu);
        let everybody = Remote {
            network: GLOBAL,
            mac: Vec::new(),
        };
        self.spread(Some(everybody), Payload::Apdu(&apdu)).await
    }

    /// Asks which routers there are, or which one leads to a network.
    pub async fn who_is_router(&self, network: Option<u16>) -> std::io::Result<()> {
        let body = network.map(u16::to_be_bytes);
        let body = body.as_ref().map_or(&[][..], |b| &b[..]);
        let payload = Payload::Network(crate::codec::npdu::WHO_IS_ROUTER, body);
        self.spread(None, payload).await
    }

    async fn spread(&self, to: Option<Remote>, payload: Payload<'_>) -> std::io::Result<()> {
        let mut npdu = Vec::new();
        Npdu {
            to,
            from: None,
            expects: false,
            payload,
        }
        .encode(&mut npdu);
        let inner = &self.inner;
        let bbmd = *lock(&inner.bbmd);
        if let Some(bbmd) = bbmd {
            let frame = Bvlc::Distribute(&npdu).encoded();
            inner.sockets.own.send_to(&frame, bbmd).await?;
        }
        let frame = Bvlc::Broadcast(&npdu).encoded();
        let mut failed = None;
        let mut sent = bbmd.is_some();
        for target in &inner.sockets.targets {
            match inner.sockets.own.send_to(&frame, target).await {
                Ok(_) => sent = true,
                Err(error) => failed = Some(error),
            }
        }
        match (sent, failed) {
            (false, Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// The requests that may be on the wire through a router at once.
    pub(crate) fn router(&self, to: &Address) -> Option<Arc<Semaphore>> {
        to.remote.as_ref()?;
        let mut routers = lock(&self.inner.routers);
        let most = self.inner.patience.per_router;
        let lane = routers
            .entry(to.ip)
            .or_insert_with(|| Arc::new(Semaphore::new(most)));
        Some(lane.clone())
    }
}

impl Inner {
    /// Sends an APDU to one device.
    pub(crate) async fn put(
        &self,
        to: &Address,
        expects: bool,
        apdu: &Apdu<'_>,
    ) -> std::io::Result<()> {
        let mut octets = Vec::with_capacity(256);
        apdu.encode(&mut octets);
        let mut npdu = Vec::with_capacity(octets.len() + 12);
        Npdu {
            to: to.remote.clone(),
            from: None,
            expects,
            payload: Payload::Apdu(&octets),
        }
        .encode(&mut npdu);
        let frame = Bvlc::Unicast(&npdu).encoded();
        self.sockets.own.send_to(&frame, to.ip).await.map(|_| ())
    }
}
