//! The network layer (clause 6): which network an APDU comes from or goes to, and the few messages
//! routers exchange that a client needs. Total.

use super::tag::{DecodeError, octet, take};

/// Longest address on a network: BACnet/IP has 6 octets, a Zigbee or IPv6 virtual address 3, Ethernet 6.
pub const MAC_MAX: usize = 18;
/// The network number that means all of them.
pub const GLOBAL: u16 = 0xFFFF;

/// An address on a network behind a router; no octets is a broadcast there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Remote {
    /// Number of the network, 1 to 65,534; 65,535 is every one.
    pub network: u16,
    /// Address there.
    pub mac: Vec<u8>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.network)?;
        self.mac.iter().try_for_each(|o| write!(f, "{o:02x}"))
    }
}

/// What the network layer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// An APDU.
    Apdu(&'a [u8]),
    /// A message of routers: its type and content.
    Network(u8, &'a [u8]),
}

/// "Who is the router to …".
pub const WHO_IS_ROUTER: u8 = 0;
/// "I am the router to …".
pub const I_AM_ROUTER: u8 = 1;
/// "I cannot pass this on".
pub const REJECT: u8 = 3;

/// One message of the network layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Npdu<'a> {
    /// Where it goes, if not to the local network.
    pub to: Option<Remote>,
    /// Where it comes from, if not from the local network.
    pub from: Option<Remote>,
    /// An answer is expected.
    pub expects: bool,
    /// What it carries.
    pub payload: Payload<'a>,
}

impl<'a> Npdu<'a> {
    /// Reads one.
    pub fn decode(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = octets;
        if octet(&mut rest, "the network header")? != 1 {
            return Err(DecodeError::Invalid("the version of the network header"));
        }
        let control = octet(&mut rest, "the network header")?;
        let to = match control & 0x20 {
            0 => None,
            _ => Some(remote(&mut rest)?),
        };
        let from = match control & 0x08 {
            0 => None,
            _ => Some(remote(&mut rest)?),
        };
        if from
            .as_ref()
            .is_some_and(|f| f.mac.is_empty() || f.network == GLOBAL)
        {
            return Err(DecodeError::Invalid("the source of the network header"));
        }
        if to.is_some() {
            octet(&mut rest, "the hop count")?;
        }
        let payload = if control & 0x80 == 0 {
            Payload::Apdu(rest)
        } else {
            let kind = octet(&mut rest, "the network message")?;
            if kind >= 0x80 {
                let _vendor: [u8; 2] = take(&mut rest, "the vendor of a network message")?;
            }
            Payload::Network(kind, rest)
        };
        Ok(Self {
            to,
            from,
            expects: control & 0x04 != 0,
            payload,
        })
    }

    /// Writes one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let network = matches!(self.payload, Payload::Network(..));
        out.push(1);
        out.push(
            flag(network, 0x80)
                | flag(self.to.is_some(), 0x20)
                | flag(self.from.is_some(), 0x08)
                | flag(self.expects, 0x04),
        );
        for remote in [&self.to, &self.from].into_iter().flatten() {
            out.extend(remote.network.to_be_bytes());
            let mac = remote.mac.get(..MAC_MAX).unwrap_or(&remote.mac);
            out.push(u8::try_from(mac.len()).unwrap_or(0));
            out.extend(mac);
        }
        if self.to.is_some() {
            out.push(0xFF);
        }
        match self.payload {
            Payload::Apdu(apdu) => out.extend(apdu),
            Payload::Network(kind, body) => {
                out.push(kind);
                out.extend(body);
            }
        }
    }
}

fn remote(rest: &mut &[u8]) -> Result<Remote, DecodeError> {
    let network = u16::from_be_bytes(take(rest, "a network number")?);
    let length = usize::from(octet(rest, "an address")?);
    if network == 0 || length > MAC_MAX {
        return Err(DecodeError::Invalid("an address"));
    }
    let (mac, others) = rest
        .split_at_checked(length)
        .ok_or(DecodeError::Short("an address"))?;
    *rest = others;
    Ok(Remote {
        network,
        mac: mac.to_vec(),
    })
}

/// The networks an "I am the router" names.
#[must_use]
pub fn networks(body: &[u8]) -> Vec<u16> {
    body.chunks_exact(2)
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(u16::from_be_bytes)
        .collect()
}
