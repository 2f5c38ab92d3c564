//! The sockets of one lane. Owns what it takes to hear everybody: a socket of one's own for what is
//! sent to this address, one on the broadcast address where the first cannot hear broadcasts, both
//! open to be shared (`SO_REUSEADDR` and `SO_REUSEPORT`: stacks set one or the other, and refuse each
//! other unless both are set).

use super::address::PORT;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
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
    /// Where broadcasts go; none takes 255.255.255.255 and the broadcast address of every subnet.
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
    /// Octets the kernel keeps for the first, its own bookkeeping included.
    pub(crate) room: usize,
    /// What the kernel's table of sockets calls them.
    inodes: Vec<String>,
}

impl Sockets {
    /// Datagrams the kernel had no room for so far.
    pub(crate) fn lost(&self) -> u64 {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        dropped(&table, &self.inodes)
    }
}

impl Binding {
    /// Opens the sockets.
    pub(crate) fn open(&self) -> io::Result<Sockets> {
        let own = self.socket(self.ip)?;
        let targets = match self.broadcasts.is_empty() {
            true => self.found(),
            false => self.broadcasts.clone(),
        };
        let mut broadcast = Vec::new();
        if !self.ip.is_unspecified() && self.port != 0 {
            // A socket bound to one address hears no broadcast on Linux: each form needs its own.
            for target in targets.iter().filter(|t| t.port() == self.port) {
                broadcast.push(self.socket(*target.ip())?);
            }
        }
        let inodes = std::iter::once(&own).chain(&broadcast);
        Ok(Sockets {
            room: socket2::SockRef::from(&own)
                .recv_buffer_size()
                .unwrap_or_default(),
            inodes: inodes.filter_map(inode).collect(),
            own,
            broadcast,
            targets,
        })
    }

    /// Both forms of broadcast: of this network, and of each subnet this machine is in.
    fn found(&self) -> Vec<SocketAddrV4> {
        let mut found = vec![Ipv4Addr::BROADCAST];
        if self.ip.is_loopback() {
            found = vec![Ipv4Addr::new(127, 255, 255, 255)];
        }
        let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        found.extend(subnets(&routes, self.interface.as_deref(), self.ip));
        found.dedup();
        found
            .into_iter()
            .map(|ip| SocketAddrV4::new(ip, self.port))
            .collect()
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

/// The number of a socket in the kernel's tables.
fn inode(socket: &UdpSocket) -> Option<String> {
    let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let target = std::fs::read_link(link).ok()?;
    let number = target.to_str()?.strip_prefix("socket:[")?;
    number.strip_suffix(']').map(str::to_owned)
}

/// What the kernel dropped at these sockets: the tenth field of a line is the number of the socket,
/// the last how many datagrams it had no room for (proc(5), `/proc/net/udp`).
fn dropped(table: &str, inodes: &[String]) -> u64 {
    let lines = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(9);
        let inode = fields.next()?;
        let own = inodes.iter().any(|own| own == inode);
        fields.last()?.parse::<u64>().ok().filter(|_| own)
    });
    lines.sum()
}

/// Broadcast addresses of the subnets in the kernel's table of routes: lines of interface, destination,
/// gateway … mask, in hexadecimal with the first octet last.
fn subnets(routes: &str, interface: Option<&str>, own: Ipv4Addr) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    for line in routes.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| {
            let field = fields.get(at)?;
            u32::from_str_radix(field, 16).ok().map(u32::swap_bytes)
        };
        let (Some(name), Some(network), Some(0), Some(mask)) =
            (fields.first(), number(1), number(2), number(7))
        else {
            continue;
        };
        let elsewhere = interface.is_some_and(|i| i != *name);
        let other = !own.is_unspecified() && u32::from(own) & mask != network;
        // A host route, or a link between two, has no broadcast.
        if elsewhere || other || mask == 0 || mask >= 0xFFFF_FFFE {
            continue;
        }
        let broadcast = Ipv4Addr::from(network | !mask);
        if !found.contains(&broadcast) {
            found.push(broadcast);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        eth1\t0000110A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
        wg0\t0100FE0A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n";

    #[test]
    fn what_the_kernel_dropped_is_that_of_ones_own_sockets() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             110: 0100007F:BAC0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 57641 2 0000000000000000 17\n\
             111: FFFFFF7F:BAC0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 57642 2 0000000000000000 3\n\
             112: 0200007F:BAC0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 57700 2 0000000000000000 500\n";
        let own = ["57641".to_owned(), "57642".to_owned()];
        assert_eq!(dropped(table, &own), 20);
        assert_eq!(dropped("", &own), 0);
    }

    #[test]
    fn subnets_come_out_of_the_routes() {
        let (a, b) = (
            Ipv4Addr::new(192, 0, 2, 255),
            Ipv4Addr::new(10, 17, 255, 255),
        );
        let any = Ipv4Addr::UNSPECIFIED;
        assert_eq!(subnets(ROUTES, None, any), [a, b]);
        assert_eq!(subnets(ROUTES, Some("eth1"), any), [b]);
        assert_eq!(subnets(ROUTES, None, Ipv4Addr::new(192, 0, 2, 7)), [a]);
        assert!(subnets("nonsense", None, any).is_empty());
    }
}
