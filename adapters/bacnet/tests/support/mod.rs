//! A small BACnet device in memory, written with the adapter's own codec: for the contract and for
//! faults no independent stack can be asked to have. What is right is judged in `tests/peer.rs`.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{self, Refusal, device, error::code};
use riser_bacnet::codec::{
    Apdu, Bits, Bvlc, Datum, Npdu, ObjectId, ObjectType, Payload, PropertyId, Reader,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

pub(crate) const INSTANCE: u32 = 77;

/// What a device holds.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) values: BTreeMap<ObjectId, f32>,
    pub(crate) levels: BTreeMap<ObjectId, [Option<f32>; 16]>,
    /// Takes writes and keeps what it has.
    pub(crate) stubborn: bool,
}

pub(crate) fn ai(instance: u32) -> ObjectId {
    ObjectId::new(ObjectType::ANALOG_INPUT, instance)
}

pub(crate) fn ao(instance: u32) -> ObjectId {
    ObjectId::new(ObjectType::ANALOG_OUTPUT, instance)
}

impl Memory {
    pub(crate) fn new(stubborn: bool) -> Self {
        Self {
            values: [(ai(1), 205.0), (ai(2), 206.0), (ao(1), 0.0)].into(),
            levels: [(ao(1), [None; 16])].into(),
            stubborn,
        }
    }

    fn read(&self, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
        let unknown = |class, code| Refusal::Error { class, code };
        if wanted.object.kind() == ObjectType::DEVICE {
            return match wanted.property {
                PropertyId::OBJECT_IDENTIFIER => {
                    Ok(Datum::Object(ObjectId::device(INSTANCE)).encoded())
                }
                PropertyId::MAX_APDU_LENGTH => Ok(Datum::Unsigned(1476).encoded()),
                PropertyId::SEGMENTATION_SUPPORTED => Ok(Datum::Enumerated(3).encoded()),
                _ => Err(unknown(code::PROPERTY, code::UNKNOWN_PROPERTY)),
            };
        }
        let Some(value) = self.values.get(&wanted.object) else {
            return Err(unknown(code::OBJECT, code::UNKNOWN_OBJECT));
        };
        let levels = self.levels.get(&wanted.object);
        match (wanted.property, levels) {
            (PropertyId::PRESENT_VALUE, levels) => {
                let winner = levels.and_then(|l| l.iter().flatten().next().copied());
                Ok(Datum::Real(winner.unwrap_or(*value)).encoded())
            }
            (PropertyId::STATUS_FLAGS, _) => Ok(Datum::Bits(Bits::new(&[false; 4])).encoded()),
            (PropertyId::PRIORITY_ARRAY, Some(levels)) => {
                let mut out = Vec::new();
                for level in levels {
                    level.map_or(Datum::Null, Datum::Real).encode(&mut out);
                }
                Ok(out)
            }
            _ => Err(unknown(code::PROPERTY, code::UNKNOWN_PROPERTY)),
        }
    }

    fn write(&mut self, write: &Write) -> Result<(), Refusal> {
        let denied = Refusal::Error {
            class: code::PROPERTY,
            code: code::WRITE_ACCESS_DENIED,
        };
        let levels = self.levels.get_mut(&write.reference.object).ok_or(denied)?;
        let level = usize::from(write.priority.unwrap_or(16)) - 1;
        let value = match Datum::decode(&mut Reader::new(&write.value)) {
            Ok(Datum::Real(value)) => Some(value),
            Ok(Datum::Null) => None,
            _ => return Err(denied),
        };
        if !self.stubborn {
            levels[level] = value;
        }
        Ok(())
    }

    /// The answer to an APDU; none to what needs none.
    pub(crate) fn answer(&mut self, apdu: &Apdu<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match *apdu {
            Apdu::Unconfirmed {
                service: service::WHO_IS,
                ..
            } => {
                let body = device::IAm {
                    instance: INSTANCE,
                    max_apdu: 1476,
                    segmentation: device::Segmentation::None,
                    vendor: 999,
                }
                .encoded();
                let service = service::I_AM;
                Apdu::Unconfirmed {
                    service,
                    body: &body,
                }
                .encode(&mut out);
            }
            Apdu::Confirmed {
                invoke,
                service,
                body,
                ..
            } => self.confirmed((invoke, service, body), &mut out),
            _ => return None,
        }
        Some(out)
    }

    fn confirmed(&mut self, (invoke, service, body): (u8, u8, &[u8]), out: &mut Vec<u8>) {
        let outcome = match service {
            service::READ_PROPERTY => {
                let wanted = property::decode_read(body).expect("as the adapter writes it");
                self.read(&wanted)
                    .map(|value| property::read_answer(&wanted, &value))
            }
            service::READ_PROPERTY_MULTIPLE => {
                let wanted = property::decode_read_many(body).expect("as the adapter writes it");
                let found: Vec<_> = wanted.into_iter().map(|w| (w, self.read(&w))).collect();
                Ok(property::read_many_answer(&found))
            }
            service::WRITE_PROPERTY => self
                .write(&Write::decode(body).expect("as the adapter writes it"))
                .map(|()| Vec::new()),
            _ => {
                let reason = service::error::UNRECOGNISED_SERVICE;
                return Apdu::Reject { invoke, reason }.encode(out);
            }
        };
        match outcome {
            Ok(body) if body.is_empty() => Apdu::SimpleAck { invoke, service }.encode(out),
            Ok(body) => Apdu::ComplexAck {
                segment: None,
                invoke,
                service,
                body: &body,
            }
            .encode(out),
            Err(refusal) => {
                let mut body = Vec::new();
                refusal.encode(&mut body);
                let body = &body;
                Apdu::Error {
                    invoke,
                    service,
                    body,
                }
                .encode(out);
            }
        }
    }
}

/// The datagram that answers one; none to what needs none.
pub(crate) fn datagram(memory: &mut Memory, datagram: &[u8]) -> Option<Vec<u8>> {
    let Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu)) = Bvlc::decode(datagram) else {
        return None;
    };
    let Ok(Npdu {
        payload: Payload::Apdu(apdu),
        ..
    }) = Npdu::decode(npdu)
    else {
        return None;
    };
    let answer = memory.answer(&Apdu::decode(apdu).ok()?)?;
    let mut npdu = Vec::new();
    Npdu {
        to: None,
        from: None,
        expects: false,
        payload: Payload::Apdu(&answer),
    }
    .encode(&mut npdu);
    Some(Bvlc::Unicast(&npdu).encoded())
}

/// Datagrams of a stream: the envelope says how long each is. Octets that are none are one.
pub(crate) fn split(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    if received.is_empty() {
        return None;
    }
    let length = match received.as_slice() {
        [0x81, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => received.len(),
    };
    (length <= received.len()).then(|| received.drain(..length.max(1)).collect())
}

/// Carries datagrams to a device of the test kit that listens on TCP, and its answers back. Ends with
/// the runtime of its test.
pub(crate) fn relay(device: SocketAddr) -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_nonblocking(true).expect("a socket");
    let address = socket.local_addr().expect("it has an address");
    let socket = UdpSocket::from_std(socket).expect("a runtime");
    tokio::spawn(async move {
        let back = Arc::new(Mutex::new(None));
        let socket = Arc::new(socket);
        let mut buffer = [0; 2048];
        let mut forward: Option<tokio::net::tcp::OwnedWriteHalf> = None;
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            *back.lock().expect("as the adapter writes it") = Some(from);
            if forward.is_none()
                && let Ok(stream) = TcpStream::connect(device).await
            {
                stream.set_nodelay(true).expect("a stream");
                let (mut reader, writer) = stream.into_split();
                forward = Some(writer);
                let (socket, back) = (socket.clone(), back.clone());
                tokio::spawn(async move {
                    let mut received = Vec::new();
                    while matches!(reader.read_buf(&mut received).await, Ok(n) if n > 0) {
                        while let Some(datagram) = split(&mut received) {
                            let to = *back.lock().expect("as the adapter writes it");
                            if let Some(to) = to {
                                let _gone = socket.send_to(&datagram, to).await;
                            }
                        }
                    }
                });
            }
            if let Some(writer) = &mut forward {
                let _gone = writer.write_all(&buffer[..length]).await;
            }
        }
    });
    address
}
