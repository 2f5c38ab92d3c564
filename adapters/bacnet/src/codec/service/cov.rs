//! Change of value: subscribing and being told (clauses 13.1, 13.14 and 13.15).

use super::property::{Reference, decode_read};
use crate::codec::Datum;
use crate::codec::ids::{ObjectId, PropertyId};
use crate::codec::tag::{
    DecodeError, Reader, number, put_close, put_context, put_context_number, put_open,
};

/// A subscription to the changes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe {
    /// Number the subscriber knows the subscription by.
    pub process: u32,
    /// The object.
    pub object: ObjectId,
    /// Whether notifications are to be answered, and for how many seconds; `None` ends it.
    pub terms: Option<(bool, u32)>,
}

impl Subscribe {
    /// Writes the parameters.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        put_context_number(&mut out, 0, self.process.into());
        put_context(&mut out, 1, &self.object.octets());
        if let Some((confirmed, seconds)) = self.terms {
            put_context(&mut out, 2, &[u8::from(confirmed)]);
            put_context_number(&mut out, 3, seconds.into());
        }
        out
    }

    /// Reads the parameters.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let process = number(reader.context(0, "a process")?, "a process")?;
        let object = ObjectId::decode(reader.context(1, "an object")?)?;
        let confirmed = reader.optional(2)?;
        let seconds = reader.optional(3)?;
        let terms = match (confirmed, seconds) {
            (None, None) => None,
            (Some(confirmed), seconds) => {
                let confirmed: u8 = number(confirmed, "how notifications are sent")?;
                let seconds = seconds.map(|c| number(c, "a lifetime")).transpose()?;
                Some((confirmed != 0, seconds.unwrap_or(0)))
            }
            (None, Some(_)) => return Err(DecodeError::Missing("how notifications are sent")),
        };
        reader.end("a subscription")?;
        Ok(Self {
            process,
            object,
            terms,
        })
    }
}

/// One entry of a device's list of subscriptions (`BACnetCOVSubscription`).
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Network and address of the subscriber; network 0 is the device's own.
    pub subscriber: (u16, Vec<u8>),
    /// Number the subscriber knows the subscription by.
    pub process: u32,
    /// What is watched.
    pub watched: Reference,
    /// Notifications are to be answered.
    pub confirmed: bool,
    /// Seconds it lasts yet; 0 does not end.
    pub remaining: u32,
    /// Change that is told; none where every change is.
    pub increment: Option<f32>,
}

impl Active {
    /// Writes the entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_open(out, 0);
        put_open(out, 0);
        put_open(out, 1);
        Datum::Unsigned(self.subscriber.0.into()).encode(out);
        Datum::Octets(self.subscriber.1.clone()).encode(out);
        put_close(out, 1);
        put_close(out, 0);
        put_context_number(out, 1, self.process.into());
        put_close(out, 0);
        put_open(out, 1);
        out.extend(super::property::read(&self.watched));
        put_close(out, 1);
        put_context(out, 2, &[u8::from(self.confirmed)]);
        put_context_number(out, 3, self.remaining.into());
        if let Some(increment) = self.increment {
            put_context(out, 4, &increment.to_be_bytes());
        }
    }

    /// Reads a list of them.
    pub fn decode_all(octets: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(octets);
        let mut list = Vec::new();
        while !reader.is_empty() {
            list.push(Self::decode(&mut reader)?);
        }
        Ok(list)
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut who = Reader::new(reader.group(0, "a subscriber")?);
        let mut recipient = Reader::new(who.group(0, "a subscriber")?);
        let mut address = Reader::new(recipient.group(1, "an address")?);
        let network = number(address.application(2, "a network")?, "a network")?;
        let mac = address.application(6, "an address")?.to_vec();
        let process = number(who.context(1, "a process")?, "a process")?;
        let watched = decode_read(reader.group(1, "what is watched")?)?;
        let confirmed: u8 = number(reader.context(2, "how it is told")?, "how it is told")?;
        let remaining = number(
            reader.context(3, "the time remaining")?,
            "the time remaining",
        )?;
        let increment = reader.optional(4)?.map(|octets| {
            let octets = octets.try_into();
            octets
                .map(f32::from_be_bytes)
                .map_err(|_| DecodeError::Invalid("an increment"))
        });
        Ok(Self {
            subscriber: (network, mac),
            process,
            watched,
            confirmed: confirmed != 0,
            remaining,
            increment: increment.transpose()?,
        })
    }
}

/// What a device tells of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The subscriber's number.
    pub process: u32,
    /// The device's instance.
    pub device: u32,
    /// The object.
    pub object: ObjectId,
    /// Seconds the subscription lasts yet.
    pub remaining: u32,
    /// Properties with their values.
    pub values: Vec<(PropertyId, &'a [u8])>,
}

impl<'a> Notification<'a> {
    /// Reads the parameters.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let process = number(reader.context(0, "a process")?, "a process")?;
        let device = ObjectId::decode(reader.context(1, "a device")?)?;
        let object = ObjectId::decode(reader.context(2, "an object")?)?;
        let remaining = number(
            reader.context(3, "the time remaining")?,
            "the time remaining",
        )?;
        let mut inner = Reader::new(reader.group(4, "the values")?);
        let mut values = Vec::new();
        while !inner.is_empty() {
            let property = number(inner.context(0, "a property")?, "a property")?;
            let _index = inner.optional(1)?;
            values.push((PropertyId(property), inner.group(2, "a value")?));
            let _priority = inner.optional(3)?;
        }
        Ok(Self {
            process,
            device: device.instance(),
            object,
            remaining,
            values,
        })
    }

    /// Writes the parameters.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        put_context_number(&mut out, 0, self.process.into());
        put_context(&mut out, 1, &ObjectId::device(self.device).octets());
        put_context(&mut out, 2, &self.object.octets());
        put_context_number(&mut out, 3, self.remaining.into());
        put_open(&mut out, 4);
        for (property, value) in &self.values {
            put_context_number(&mut out, 0, property.0.into());
            put_open(&mut out, 2);
            out.extend(*value);
            put_close(&mut out, 2);
        }
        put_close(&mut out, 4);
        out
    }
}
