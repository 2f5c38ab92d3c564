//! Changing a list without knowing the rest of it (clauses 15.1 and 15.2), and the list that says who
//! is told of events (`BACnetDestination`, clause 21). Total.

use super::property::{self, Reference};
use crate::codec::ids::ObjectId;
use crate::codec::tag::{DecodeError, Reader, number, put_close, put_context, put_open};
use crate::codec::value::{Bits, Datum, Time, bits};

/// Writes a request to put elements into a list, or to take them out of it.
#[must_use]
pub fn change(list: &Reference, elements: &[u8]) -> Vec<u8> {
    let mut out = property::read(list);
    put_open(&mut out, 3);
    out.extend(elements);
    put_close(&mut out, 3);
    out
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A device, wherever it is.
    Device(ObjectId),
    /// An address: number of the network, 0 for the device's own, and the octets there.
    Address(u16, Vec<u8>),
}

/// Who is told of events, when and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Monday to Sunday.
    pub days: [bool; 7],
    /// From this time of day.
    pub from: Time,
    /// To this one.
    pub to: Time,
    /// Who.
    pub recipient: Recipient,
    /// Number the recipient knows it by.
    pub process: u32,
    /// Whether it has to acknowledge each.
    pub confirmed: bool,
    /// To off normal, to fault, to normal.
    pub transitions: [bool; 3],
}

impl Destination {
    /// Always, of everything.
    #[must_use]
    pub fn always(recipient: Recipient, process: u32, confirmed: bool) -> Self {
        let midnight = Time {
            hour: 0,
            minute: 0,
            second: 0,
            hundredth: 0,
        };
        Self {
            days: [true; 7],
            from: midnight,
            to: Time {
                hour: 23,
                minute: 59,
                second: 59,
                hundredth: 99,
            },
            recipient,
            process,
            confirmed,
            transitions: [true; 3],
        }
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Datum::Bits(Bits::new(&self.days)).encode(out);
        Datum::Time(self.from).encode(out);
        Datum::Time(self.to).encode(out);
        match &self.recipient {
            Recipient::Device(device) => put_context(out, 0, &device.octets()),
            Recipient::Address(network, mac) => {
                put_open(out, 1);
                Datum::Unsigned((*network).into()).encode(out);
                Datum::Octets(mac.clone()).encode(out);
                put_close(out, 1);
            }
        }
        Datum::Unsigned(self.process.into()).encode(out);
        Datum::Boolean(self.confirmed).encode(out);
        Datum::Bits(Bits::new(&self.transitions)).encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let days = bits(reader.application(8, "the days of a recipient")?)?;
        let from = Time::decode(reader.application(11, "a time")?)?;
        let to = Time::decode(reader.application(11, "a time")?)?;
        let recipient = match reader.optional(0)? {
            Some(device) => Recipient::Device(ObjectId::decode(device)?),
            None => {
                let mut inner = Reader::new(reader.group(1, "a recipient")?);
                let network = number(inner.application(2, "a network")?, "a network")?;
                Recipient::Address(network, inner.application(6, "an address")?.to_vec())
            }
        };
        let process = number(reader.application(2, "a process")?, "a process")?;
        let confirmed = Datum::decode(reader)?;
        let transitions = bits(reader.application(8, "the transitions")?)?;
        Ok(Self {
            days: std::array::from_fn(|at| days.get(at)),
            from,
            to,
            recipient,
            process,
            confirmed: match confirmed {
                Datum::Boolean(confirmed) => confirmed,
                _ => return Err(DecodeError::Missing("how a recipient is told")),
            },
            transitions: std::array::from_fn(|at| transitions.get(at)),
        })
    }
}

/// Reads a list of recipients.
pub fn destinations(octets: &[u8]) -> Result<Vec<Destination>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut found = Vec::new();
    while !reader.is_empty() {
        found.push(Destination::decode(&mut reader)?);
    }
    Ok(found)
}

/// Writes a list of recipients.
#[must_use]
pub fn put_destinations(destinations: &[Destination]) -> Vec<u8> {
    let mut out = Vec::new();
    destinations.iter().for_each(|d| d.encode(&mut out));
    out
}
