//! The envelope of BACnet/IP (Annex J.2): what a datagram is and where it really came from. Total.

use super::tag::{DecodeError, octet, take};
use std::net::{Ipv4Addr, SocketAddrV4};

/// First octet of every datagram.
const BACNET_IP: u8 = 0x81;

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bvlc<'a> {
    /// Answer to a management request: 0 is success.
    Result(u16),
    /// Asks for the broadcast distribution table.
    ReadBdt,
    /// The broadcast distribution table, ten octets an entry.
    BdtAck(&'a [u8]),
    /// A broadcast from another network, by a BBMD, with who sent it first.
    Forwarded(SocketAddrV4, &'a [u8]),
    /// Registration as a foreign device for so many seconds.
    Register(u16),
    /// Asks for the foreign devices.
    ReadFdt,
    /// The foreign devices, ten octets an entry.
    FdtAck(&'a [u8]),
    /// A foreign device's broadcast, for a BBMD to spread.
    Distribute(&'a [u8]),
    /// To one.
    Unicast(&'a [u8]),
    /// To all of one network.
    Broadcast(&'a [u8]),
}

impl<'a> Bvlc<'a> {
    /// Reads a datagram. Octets beyond the length it says are ignored, fewer are an error.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = datagram;
        if octet(&mut rest, "the envelope")? != BACNET_IP {
            return Err(DecodeError::Invalid("the envelope"));
        }
        let function = octet(&mut rest, "the envelope")?;
        let length = u16::from_be_bytes(take(&mut rest, "the envelope")?);
        let body = usize::from(length)
            .checked_sub(4)
            .and_then(|length| rest.get(..length))
            .ok_or(DecodeError::Short("the envelope"))?;
        let mut inner = body;
        Ok(match function {
            0 => Self::Result(u16::from_be_bytes(take(&mut inner, "a result")?)),
            2 => Self::ReadBdt,
            3 => Self::BdtAck(body),
            4 => Self::Forwarded(address(&mut inner)?, inner),
            5 => Self::Register(u16::from_be_bytes(take(&mut inner, "a registration")?)),
            6 => Self::ReadFdt,
            7 => Self::FdtAck(body),
            9 => Self::Distribute(body),
            10 => Self::Unicast(body),
            11 => Self::Broadcast(body),
            _ => return Err(DecodeError::Invalid("the function of the envelope")),
        })
    }

    /// Writes a datagram.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let (function, head, body): (u8, Vec<u8>, &[u8]) = match self {
            Self::Result(code) => (0, code.to_be_bytes().to_vec(), &[]),
            Self::ReadBdt => (2, Vec::new(), &[]),
            Self::BdtAck(body) => (3, Vec::new(), body),
            Self::Forwarded(from, body) => {
                let mut head = from.ip().octets().to_vec();
                head.extend(from.port().to_be_bytes());
                (4, head, body)
            }
            Self::Register(seconds) => (5, seconds.to_be_bytes().to_vec(), &[]),
            Self::ReadFdt => (6, Vec::new(), &[]),
            Self::FdtAck(body) => (7, Vec::new(), body),
            Self::Distribute(body) => (9, Vec::new(), body),
            Self::Unicast(body) => (10, Vec::new(), body),
            Self::Broadcast(body) => (11, Vec::new(), body),
        };
        let length = u16::try_from(4 + head.len() + body.len()).unwrap_or(u16::MAX);
        let mut out = Vec::with_capacity(usize::from(length));
        out.extend([BACNET_IP, function]);
        out.extend(length.to_be_bytes());
        out.extend(head);
        out.extend(body);
        out
    }
}

/// An IPv4 address with its port, six octets.
pub(crate) fn address(rest: &mut &[u8]) -> Result<SocketAddrV4, DecodeError> {
    let ip: [u8; 4] = take(rest, "an address")?;
    let port = u16::from_be_bytes(take(rest, "an address")?);
    Ok(SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

/// The addresses in a table of a BBMD, ten octets an entry; what follows each address is not kept.
#[must_use]
pub fn entries(table: &[u8]) -> Vec<SocketAddrV4> {
    let entries = table.chunks_exact(10);
    entries
        .filter_map(|mut entry| address(&mut entry).ok())
        .collect()
}

/// What a result code other than 0 says (Annex J.2.1.1).
#[must_use]
pub fn refusal(code: u16) -> &'static str {
    match code {
        0x10 => "it does not let its broadcast distribution table be written",
        0x20 => "it does not let its broadcast distribution table be read",
        0x30 => "it does not take foreign devices",
        0x40 => "it does not let its foreign device table be read",
        0x50 => "it does not let its foreign device table be changed",
        0x60 => "it does not spread broadcasts of foreign devices",
        _ => "it refused without a known reason",
    }
}
