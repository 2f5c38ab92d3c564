//! What devices announce on the local network. Owns the sockets, and what was heard last of each
//! device; whoever waits for one is woken.

use crate::codec::Version;
use crate::codec::beacon::{self, Beacon};
use crate::config::Listen;
use rustc_hash::FxHashMap;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Devices remembered, at most; a network of one gateway has far fewer.
const DEVICES: usize = 4096;
/// An announcement older than this says nothing about now.
pub(crate) const FRESH: Duration = Duration::from_secs(60);

/// What was heard of a device.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Where it is.
    pub(crate) address: IpAddr,
    /// What it speaks.
    pub(crate) version: Option<Version>,
    /// When it said so.
    pub(crate) at: Instant,
}

/// What is heard; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Lan {
    heard: Arc<Mutex<FxHashMap<String, Heard>>>,
    changed: watch::Sender<u64>,
}

impl Lan {
    pub(crate) fn new() -> Self {
        Self {
            heard: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// The latest of a device, if it is fresh.
    pub(crate) fn of(&self, id: &str) -> Option<Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(id).filter(|h| h.at.elapsed() < FRESH).cloned()
    }

    /// Waits for an announcement of a device after an instant.
    pub(crate) async fn wait(&self, id: &str, after: Option<Instant>) -> Heard {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(heard) = self.of(id).filter(|h| after.is_none_or(|a| h.at > a)) {
                return heard;
            }
            if changes.changed().await.is_err() {
                // Nobody listens any more: nothing will come.
                std::future::pending::<()>().await;
            }
        }
    }

    fn note(&self, beacon: Beacon, from: IpAddr) {
        let heard = Heard {
            address: beacon.address.unwrap_or(from),
            version: beacon.version,
            at: Instant::now(),
        };
        let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DEVICES && !all.contains_key(&beacon.id) {
            all.retain(|_, h| h.at.elapsed() < FRESH);
            if all.len() >= DEVICES {
                return;
            }
        }
        all.insert(beacon.id, heard);
        drop(all);
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Listens until dropped. Ports that cannot be had are told and done without.
    pub(crate) async fn listen(self, listen: Listen) {
        let mut tasks = JoinSet::new();
        for port in listen.ports {
            match open(SocketAddr::new(listen.address, port)) {
                Ok(socket) => {
                    let lan = self.clone();
                    tasks.spawn(async move {
                        hear(&socket, |beacon, from| lan.note(beacon, from)).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(port, %error, "cannot listen for announcements of Tuya devices");
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// A socket that shares its port with whoever listens too.
pub(crate) fn open(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Hands out every announcement that arrives, for ever.
pub(crate) async fn hear(socket: &UdpSocket, mut take: impl FnMut(Beacon, IpAddr)) {
    let mut datagram = [0; 2048];
    loop {
        match socket.recv_from(&mut datagram).await {
            Ok((length, from)) => {
                if let Some(found) = datagram.get(..length).and_then(beacon::read) {
                    take(found, from.ip());
                }
            }
            // Such as a refused datagram of our own; the socket goes on.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
