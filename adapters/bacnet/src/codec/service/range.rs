//! Reading part of a list (clause 15.8) and the records of a trend log (clause 12.25).

use super::property::Reference;
use crate::codec::ids::{ObjectId, PropertyId};
use crate::codec::tag::{
    DecodeError, Reader, Tag, number, put_close, put_context, put_context_number, put_open,
};
use crate::codec::value::{Bits, Date, Datum, Time};

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// From this position (counted from 1), so many; negative counts backwards.
    Position(u32, i16),
    /// From this sequence number, so many.
    Sequence(u32, i16),
    /// After this time, so many.
    Time(Date, Time, i16),
}

/// Writes a ReadRange request.
#[must_use]
pub fn read(list: &Reference, part: Part) -> Vec<u8> {
    let mut out = super::property::read(list);
    let group = match part {
        Part::Position(..) => 3,
        Part::Sequence(..) => 6,
        Part::Time(..) => 7,
    };
    put_open(&mut out, group);
    let count = match part {
        Part::Position(from, count) | Part::Sequence(from, count) => {
            Datum::Unsigned(from.into()).encode(&mut out);
            count
        }
        Part::Time(date, time, count) => {
            Datum::Date(date).encode(&mut out);
            Datum::Time(time).encode(&mut out);
            count
        }
    };
    Datum::Signed(count.into()).encode(&mut out);
    put_close(&mut out, group);
    out
}

/// The answer to ReadRange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The first item of the list is among these.
    pub first: bool,
    /// The last item of the list is among these.
    pub last: bool,
    /// More were asked for than fitted.
    pub more: bool,
    /// How many items there are.
    pub count: u32,
    /// The items, one after another.
    pub items: &'a [u8],
    /// Sequence number of the first item.
    pub sequence: Option<u32>,
}

impl<'a> Answer<'a> {
    /// Reads the parameters.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let _object = ObjectId::decode(reader.context(0, "an object")?)?;
        let _property: u32 = number(reader.context(1, "a property")?, "a property")?;
        let _index = reader.optional(2)?;
        let flags = bits(reader.context(3, "the result flags")?)?;
        let count = number(reader.context(4, "the item count")?, "the item count")?;
        let items = reader.group(5, "the items")?;
        let sequence = reader.optional(6)?;
        let sequence = sequence
            .map(|c| number(c, "a sequence number"))
            .transpose()?;
        Ok(Self {
            first: flags.get(0),
            last: flags.get(1),
            more: flags.get(2),
            count,
            items,
            sequence,
        })
    }
}

fn bits(content: &[u8]) -> Result<Bits, DecodeError> {
    // A context tag leaves the type to its place; in application class it is number 8.
    let mut tagged = Vec::with_capacity(content.len() + 3);
    crate::codec::tag::put_tag(&mut tagged, false, 8, content.len());
    tagged.extend(content);
    match Datum::decode(&mut Reader::new(&tagged))? {
        Datum::Bits(bits) => Ok(bits),
        _ => Err(DecodeError::Invalid("a bit string")),
    }
}

/// What one record of a trend log holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Logged {
    /// A value.
    Value(Datum),
    /// The log was switched, cleared or interrupted: bits in that order of clause 21.
    Status(Bits),
    /// The value could not be read at that time.
    Failure,
    /// The device's clock was set by so many seconds.
    TimeChange(f32),
}

/// One record of a trend log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Day by the device's clock.
    pub date: Date,
    /// Time by the device's clock.
    pub time: Time,
    /// What was logged.
    pub logged: Logged,
    /// In alarm, fault, overridden, out of service.
    pub flags: Option<Bits>,
}

/// Reads the records of a log buffer.
pub fn records(items: &[u8]) -> Result<Vec<Record>, DecodeError> {
    let mut reader = Reader::new(items);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let mut stamp = Reader::new(reader.group(0, "the stamp of a record")?);
        let date = Date::decode(stamp.application(10, "the date of a record")?)?;
        let time = Time::decode(stamp.application(11, "the time of a record")?)?;
        let logged = logged(reader.group(1, "the value of a record")?)?;
        let flags = reader.optional(2)?.map(bits).transpose()?;
        records.push(Record {
            date,
            time,
            logged,
            flags,
        });
    }
    Ok(records)
}

fn logged(content: &[u8]) -> Result<Logged, DecodeError> {
    let mut reader = Reader::new(content);
    let element = reader.peek()?;
    let octets = element.content;
    let plain = |kind: u8| {
        let mut tagged = Vec::with_capacity(octets.len() + 5);
        crate::codec::tag::put_tag(&mut tagged, false, kind, octets.len());
        tagged.extend(octets);
        Datum::decode(&mut Reader::new(&tagged))
    };
    Ok(match element.tag {
        Tag::Context(0) => Logged::Status(bits(octets)?),
        Tag::Context(1) => Logged::Value(Datum::Boolean(octets.first().is_some_and(|o| *o != 0))),
        Tag::Context(2) => Logged::Value(plain(4)?),
        Tag::Context(3) => Logged::Value(plain(9)?),
        Tag::Context(4) => Logged::Value(plain(2)?),
        Tag::Context(5) => Logged::Value(plain(3)?),
        Tag::Context(6) => Logged::Value(plain(8)?),
        Tag::Context(7) => Logged::Value(Datum::Null),
        Tag::Opening(8) => Logged::Failure,
        Tag::Context(9) => match plain(4)? {
            Datum::Real(seconds) => Logged::TimeChange(seconds),
            _ => Logged::TimeChange(0.0),
        },
        Tag::Opening(10) => {
            let inner = reader.group(10, "the value of a record")?;
            Logged::Value(Datum::decode(&mut Reader::new(inner))?)
        }
        _ => return Err(DecodeError::Invalid("the kind of a record")),
    })
}

/// Writes the answer to ReadRange for records given as octets.
#[must_use]
pub fn answer(
    object: ObjectId,
    property: PropertyId,
    flags: [bool; 3],
    items: &[Vec<u8>],
    sequence: Option<u32>,
) -> Vec<u8> {
    let mut out = super::property::read(&Reference::new(object, property));
    let flags = Datum::Bits(Bits::new(&flags)).encoded();
    put_context(&mut out, 3, flags.get(1..).unwrap_or_default());
    put_context_number(&mut out, 4, items.len() as u64);
    put_open(&mut out, 5);
    items.iter().for_each(|item| out.extend(item));
    put_close(&mut out, 5);
    if let Some(sequence) = sequence {
        put_context_number(&mut out, 6, sequence.into());
    }
    out
}
