//! The sockets of one lane. Owns what it takes to hear everybody: a socket of one's own for what is
//! sent to this address, one on the broadcast address where the first cannot hear broadcasts, both
//! open to be shared (`SO_REUSEADDR` and `SO_REUSEPORT`: stacks set one or the other, and refuse each
//! other unless both are set).

use super::address::PORT;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use tokio::net::UdpSocket;

/// Room for bursts: a building's I-Ams come within milliseconds.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// What to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Network interface to stay on, by name.
    pub interface: Option<String>,
    /// Own address; unspecified hears on all.
    pub ip: Ipv4Addr,
    /// UDP port; 0 takes any, and then no broadcast is heard.
    pub port: u16,
    /// Where broadcasts go. The first is also listened to where the own address hears none.
    pub broadcasts: Vec<SocketAddrV4>,
}

impl Default for Binding {
    fn default() -> Self {
        Self {
            interface: None,
            ip: Ipv4Addr::UNSPECIFIED,
            port: PORT,
            broadcasts: Vec::new(),
        }
    }
}

/// Open sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) own: UdpSocket,
    pub(crate) broadcast: Vec<UdpSocket>,
    pub(crate) targets: Vec<SocketAddrV4>,
}

impl Binding {
    /// Opens the sockets.
    pub(crate) fn open(&self) -> io::Result<Sockets> {
        let own = self.socket(self.ip)?;
        let mut broadcast = Vec::new();
        if !self.ip.is_unspecified() && self.port != 0 {
            // A socket bound to one address hears no broadcast on Linux: each form needs its own.
            for target in self.broadcasts.iter().filter(|t| t.port() == self.port) {
                broadcast.push(self.socket(*target.ip())?);
            }
        }
        Ok(Sockets {
            own,
            broadcast,
            targets: self.broadcasts.clone(),
        })
    }

    fn socket(&self, ip: Ipv4Addr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        // The kernel may give less; a burst then costs a repeat.
        let _less = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.bind(&SocketAddrV4::new(ip, self.port).into())?;
        UdpSocket::from_std(socket.into())
    }
}
