//! Finding devices and objects, and setting clocks: Who-Is, I-Am, Who-Has, I-Have, the two time
//! synchronisations (clauses 16.7 to 16.10).

use crate::codec::ids::{ObjectId, ObjectType};
use crate::codec::tag::{DecodeError, Reader, number, put_context, put_context_number};
use crate::codec::value::{Date, Datum, Time};

/// Instances from, to; `None` asks everybody.
pub type Range = Option<(u32, u32)>;

/// Writes a Who-Is.
#[must_use]
pub fn who_is(range: Range) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some((low, high)) = range {
        put_context_number(&mut out, 0, low.into());
        put_context_number(&mut out, 1, high.into());
    }
    out
}

/// Reads a Who-Is.
pub fn decode_who_is(body: &[u8]) -> Result<Range, DecodeError> {
    let mut reader = Reader::new(body);
    let Some(low) = reader.optional(0)? else {
        return Ok(None);
    };
    let high = reader.context(1, "the upper limit of Who-Is")?;
    Ok(Some((
        number(low, "a limit of Who-Is")?,
        number(high, "a limit of Who-Is")?,
    )))
}

/// What a device can take in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segmentation {
    /// Parts both ways.
    Both,
    /// It sends parts.
    Transmit,
    /// It takes parts.
    Receive,
    /// Neither.
    None,
}

impl Segmentation {
    /// From its number; unknown ones are taken for none.
    #[must_use]
    pub fn new(number: u64) -> Self {
        match number {
            0 => Self::Both,
            1 => Self::Transmit,
            2 => Self::Receive,
            _ => Self::None,
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Both => 0,
            Self::Transmit => 1,
            Self::Receive => 2,
            Self::None => 3,
        }
    }

    /// Sends answers in parts.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Transmit)
    }

    /// Takes requests in parts.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }
}

/// A device's presentation of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IAm {
    /// Its instance.
    pub instance: u32,
    /// Octets of the longest APDU it takes.
    pub max_apdu: u32,
    /// What it can take in parts.
    pub segmentation: Segmentation,
    /// Who made it.
    pub vendor: u16,
}

impl IAm {
    /// Reads the parameters.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let object = ObjectId::decode(reader.application(12, "the device of I-Am")?)?;
        if object.kind() != ObjectType::DEVICE {
            return Err(DecodeError::Invalid("the device of I-Am"));
        }
        let max_apdu = number(reader.application(2, "the APDU length")?, "the APDU length")?;
        let segments: u64 = number(reader.application(9, "segmentation")?, "segmentation")?;
        Ok(Self {
            instance: object.instance(),
            max_apdu,
            segmentation: Segmentation::new(segments),
            vendor: number(reader.application(2, "the vendor")?, "the vendor")?,
        })
    }

    /// Writes the parameters.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Datum::Object(ObjectId::device(self.instance)).encode(&mut out);
        Datum::Unsigned(self.max_apdu.into()).encode(&mut out);
        Datum::Enumerated(self.segmentation.number()).encode(&mut out);
        Datum::Unsigned(self.vendor.into()).encode(&mut out);
        out
    }
}

/// What is looked for by Who-Has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// An object by its identifier.
    Object(ObjectId),
    /// An object by its name.
    Name(String),
}

/// Writes a Who-Has.
#[must_use]
pub fn who_has(range: Range, sought: &Sought) -> Vec<u8> {
    let mut out = who_is(range);
    match sought {
        Sought::Object(object) => put_context(&mut out, 2, &object.octets()),
        Sought::Name(name) => {
            let mut text = vec![0];
            text.extend(name.as_bytes());
            put_context(&mut out, 3, &text);
        }
    }
    out
}

/// Reads a Who-Has.
pub fn decode_who_has(body: &[u8]) -> Result<(Range, Sought), DecodeError> {
    let range = decode_who_is(body)?;
    let mut reader = Reader::new(body);
    reader.optional(0)?;
    reader.optional(1)?;
    if let Some(object) = reader.optional(2)? {
        return Ok((range, Sought::Object(ObjectId::decode(object)?)));
    }
    let name = reader.context(3, "what Who-Has looks for")?;
    Ok((range, Sought::Name(crate::codec::text::decode(name)?)))
}

/// Reads an I-Have: device, object, the object's name.
pub fn decode_i_have(body: &[u8]) -> Result<(ObjectId, ObjectId, String), DecodeError> {
    let mut reader = Reader::new(body);
    let device = ObjectId::decode(reader.application(12, "the device of I-Have")?)?;
    let object = ObjectId::decode(reader.application(12, "the object of I-Have")?)?;
    let name = reader.application(7, "the name of I-Have")?;
    Ok((device, object, crate::codec::text::decode(name)?))
}

/// Writes an I-Have.
#[must_use]
pub fn i_have(device: ObjectId, object: ObjectId, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Datum::Object(device).encode(&mut out);
    Datum::Object(object).encode(&mut out);
    Datum::Text(name.to_owned()).encode(&mut out);
    out
}

/// Writes either time synchronisation.
#[must_use]
pub fn time_synchronization(date: Date, time: Time) -> Vec<u8> {
    let mut out = Vec::new();
    Datum::Date(date).encode(&mut out);
    Datum::Time(time).encode(&mut out);
    out
}
