//! Where a device is: an address on the IP network, and one behind a router there. Owns the way
//! people write it: `192.0.2.7`, `192.0.2.7:47809`, `5:0c@192.0.2.9`, `5:0c`.

use crate::codec::Remote;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The UDP port of BACnet/IP, 0xBAC0.
pub const PORT: u16 = 47_808;

/// Where frames to a device go, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The device, or the router before it.
    pub ip: SocketAddrV4,
    /// The device behind the router.
    pub remote: Option<Remote>,
}

impl Address {
    /// A device on the IP network.
    #[must_use]
    pub fn local(ip: SocketAddrV4) -> Self {
        Self { ip, remote: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.remote {
            None => write!(f, "{}", self.ip),
            Some(remote) => write!(f, "{}@{}", written(remote), self.ip),
        }
    }
}

/// A remote address as people write it.
#[must_use]
pub fn written(remote: &Remote) -> String {
    let mac: String = remote.mac.iter().map(|o| format!("{o:02x}")).collect();
    format!("{}:{mac}", remote.network)
}

/// What a configuration says of where a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Known(Address),
    /// Behind a router that has to be asked for.
    Behind(Remote),
}

impl Place {
    /// Reads it. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (remote, ip) = match text.split_once('@') {
            Some((remote, ip)) => (Some(remote), Some(ip)),
            None if text.contains('.') => (None, Some(text)),
            None => (Some(text), None),
        };
        let remote = remote.map(parse_remote).transpose()?;
        let ip = ip.map(parse_ip).transpose()?;
        match (remote, ip) {
            (remote, Some(ip)) => Ok(Self::Known(Address { ip, remote })),
            (Some(remote), None) => Ok(Self::Behind(remote)),
            (None, None) => Err(wrong(text)),
        }
    }
}

fn wrong(text: &str) -> String {
    format!(
        "'{text}' is no address; write 192.0.2.7, 192.0.2.7:47808, or network:mac as 5:0c, with @router behind it where the router is known"
    )
}

/// An IPv4 address, with the port of BACnet/IP if it names none.
pub fn parse_ip(text: &str) -> Result<SocketAddrV4, String> {
    let plain = text
        .parse::<Ipv4Addr>()
        .map(|ip| SocketAddrV4::new(ip, PORT));
    plain
        .or_else(|_| text.parse::<SocketAddrV4>())
        .map_err(|_| wrong(text))
}

fn parse_remote(text: &str) -> Result<Remote, String> {
    let (network, mac) = text.split_once(':').ok_or_else(|| wrong(text))?;
    let network: u16 = network.parse().map_err(|_| wrong(text))?;
    let digits: Vec<u8> = mac
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(text))?;
    let octets: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |sum, digit| (sum << 4) | digit))
        .collect();
    let fits =
        digits.len().is_multiple_of(2) && (1..=crate::codec::npdu::MAC_MAX).contains(&octets.len());
    match fits && (1..=0xFFFE).contains(&network) {
        true => Ok(Remote {
            network,
            mac: octets,
        }),
        false => Err(wrong(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        let ip = |port| SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), port);
        let remote = Remote {
            network: 5,
            mac: vec![0x0c],
        };
        let known = |ip, remote| Ok(Place::Known(Address { ip, remote }));
        assert_eq!(Place::parse("192.0.2.7"), known(ip(PORT), None));
        assert_eq!(Place::parse("192.0.2.7:9"), known(ip(9), None));
        let both = known(ip(9), Some(remote.clone()));
        assert_eq!(Place::parse("5:0c@192.0.2.7:9"), both);
        assert_eq!(Place::parse("5:0c"), Ok(Place::Behind(remote)));
        for bad in [
            "", "5", "5:c", "5:xx", "0:0c", "65535:0c", "192.0.2", "a@b", "5:",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
