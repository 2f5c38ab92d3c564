//! Primitive values (clause 20.2.2 to 20.2.14) and everything else as the octets it came in. Owns
//! reading and writing of one value; what it means is said by whoever asked for it.

use super::ids::ObjectId;
use super::tag::{DecodeError, Element, Reader, Tag, number, put_tag, shortest, take, unsigned};
use super::text;

/// One value as it stands in a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// Nothing; written, it gives a level back.
    Null,
    /// Two states.
    Boolean(bool),
    /// Whole number from 0.
    Unsigned(u64),
    /// Whole number.
    Signed(i64),
    /// Real number, 32 bits.
    Real(f32),
    /// Real number, 64 bits.
    Double(f64),
    /// Octets without a meaning of their own.
    Octets(Vec<u8>),
    /// Text, whatever character set it came in.
    Text(String),
    /// Bits in order.
    Bits(Bits),
    /// Number of a list.
    Enumerated(u32),
    /// Day.
    Date(Date),
    /// Time of day.
    Time(Time),
    /// Name of an object.
    Object(ObjectId),
    /// A group, or a value whose type only its place tells: as it came, tags included.
    Raw(Vec<u8>),
}

/// Bits in order, the first in the highest bit of the first octet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    unused: u8,
    octets: Vec<u8>,
}

impl Bits {
    /// From bits in order.
    #[must_use]
    pub fn new(bits: &[bool]) -> Self {
        let octets: Vec<u8> = bits
            .chunks(8)
            .map(|chunk| {
                (0u32..)
                    .zip(chunk)
                    .fold(0, |sum, (at, bit)| sum | (u8::from(*bit) << (7 - at)))
            })
            .collect();
        let unused = (8 - bits.len() % 8) % 8;
        Self {
            unused: u8::try_from(unused).unwrap_or(0),
            octets,
        }
    }

    /// One bit; a bit that is not there is not set.
    #[must_use]
    pub fn get(&self, at: usize) -> bool {
        at < self.len()
            && self
                .octets
                .get(at / 8)
                .is_some_and(|o| o << (at % 8) & 0x80 != 0)
    }

    /// The octets behind a tag: how many bits of the last are none, then the bits.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let mut octets = vec![self.unused];
        octets.extend(&self.octets);
        octets
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.octets.len() * 8).saturating_sub(usize::from(self.unused))
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A day as it stands: 255 is "any" in each field, and the year counts from 1900.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// Year since 1900.
    pub year: u8,
    /// 1 to 12; 13 odd, 14 even months.
    pub month: u8,
    /// 1 to 31; 32 the last, 33 odd, 34 even days.
    pub day: u8,
    /// 1 Monday to 7 Sunday.
    pub weekday: u8,
}

/// A time of day as it stands: 255 is "any" in each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 99.
    pub hundredth: u8,
}

impl Date {
    /// Four octets.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = content;
        let [year, month, day, weekday] = take(&mut rest, "a date")?;
        match rest {
            [] => Ok(Self {
                year,
                month,
                day,
                weekday,
            }),
            _ => Err(DecodeError::Invalid("a date")),
        }
    }

    /// Four octets.
    #[must_use]
    pub fn octets(self) -> [u8; 4] {
        [self.year, self.month, self.day, self.weekday]
    }
}

impl Time {
    /// Four octets.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = content;
        let [hour, minute, second, hundredth] = take(&mut rest, "a time")?;
        match rest {
            [] => Ok(Self {
                hour,
                minute,
                second,
                hundredth,
            }),
            _ => Err(DecodeError::Invalid("a time")),
        }
    }

    /// Four octets.
    #[must_use]
    pub fn octets(self) -> [u8; 4] {
        [self.hour, self.minute, self.second, self.hundredth]
    }
}

impl Datum {
    /// The next value of a row; a group and a context tag are taken as octets.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let element = reader.peek()?;
        let Tag::Application(kind) = element.tag else {
            return reader.skip().map(|octets| Self::Raw(octets.to_vec()));
        };
        let value = Self::of_kind(kind, &element)?;
        reader.next()?;
        Ok(value)
    }

    /// Every value of a row: one for a plain property, many for an array or a list.
    pub fn decode_all(octets: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(octets);
        let mut values = Vec::new();
        while !reader.is_empty() {
            values.push(Self::decode(&mut reader)?);
        }
        Ok(values)
    }

    fn of_kind(kind: u8, element: &Element<'_>) -> Result<Self, DecodeError> {
        let content = element.content;
        Ok(match kind {
            0 => Self::Null,
            1 => Self::Boolean(element.length != 0),
            2 => Self::Unsigned(unsigned(content, "an unsigned number")?),
            3 => Self::Signed(signed(content)?),
            4 => Self::Real(f32::from_be_bytes(exact(content, "a real number")?)),
            5 => Self::Double(f64::from_be_bytes(exact(content, "a double")?)),
            6 => Self::Octets(content.to_vec()),
            7 => Self::Text(text::decode(content)?),
            8 => Self::Bits(bits(content)?),
            9 => Self::Enumerated(number(content, "an enumerated value")?),
            10 => Self::Date(Date::decode(content)?),
            11 => Self::Time(Time::decode(content)?),
            12 => Self::Object(ObjectId::decode(content)?),
            _ => return Err(DecodeError::Invalid("the type of a value")),
        })
    }

    /// Writes the value with its tag.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => put_tag(out, false, 0, 0),
            // The value stands in the length.
            Self::Boolean(on) => out.push(0x10 | u8::from(*on)),
            Self::Unsigned(value) => put(out, 2, shortest(&value.to_be_bytes())),
            Self::Signed(value) => put(out, 3, shortest_signed(&value.to_be_bytes())),
            Self::Real(value) => put(out, 4, &value.to_be_bytes()),
            Self::Double(value) => put(out, 5, &value.to_be_bytes()),
            Self::Octets(octets) => put(out, 6, octets),
            Self::Text(text) => {
                put_tag(out, false, 7, text.len() + 1);
                out.push(text::UTF_8);
                out.extend(text.as_bytes());
            }
            Self::Bits(bits) => {
                put_tag(out, false, 8, bits.octets.len() + 1);
                out.push(bits.unused);
                out.extend(&bits.octets);
            }
            Self::Enumerated(value) => put(out, 9, shortest(&u64::from(*value).to_be_bytes())),
            Self::Date(date) => put(out, 10, &date.octets()),
            Self::Time(time) => put(out, 11, &time.octets()),
            Self::Object(object) => put(out, 12, &object.octets()),
            Self::Raw(octets) => out.extend(octets),
        }
    }

    /// The value with its tag.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8);
        self.encode(&mut out);
        out
    }

    /// The value as an unsigned number, also where it is a number of a list.
    #[must_use]
    pub fn as_unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Enumerated(value) => Some(u64::from(*value)),
            _ => None,
        }
    }
}

fn put(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    put_tag(out, false, kind, content.len());
    out.extend(content);
}

fn exact<const N: usize>(content: &[u8], what: &'static str) -> Result<[u8; N], DecodeError> {
    content.try_into().map_err(|_| DecodeError::Invalid(what))
}

fn signed(content: &[u8]) -> Result<i64, DecodeError> {
    let bits = unsigned(content, "a signed number")?;
    let spare = 64 - 8 * u32::try_from(content.len()).unwrap_or(8).clamp(1, 8);
    Ok((bits << spare).cast_signed() >> spare)
}

/// A signed number without the leading octets that only repeat its sign.
fn shortest_signed(octets: &[u8; 8]) -> &[u8] {
    let spare = octets
        .windows(2)
        .take_while(|pair| matches!(pair, [0, 0..=127] | [255, 128..=255]))
        .count();
    octets.get(spare..).unwrap_or(octets)
}

/// Bits without a tag.
pub(crate) fn bits(content: &[u8]) -> Result<Bits, DecodeError> {
    match content.split_first() {
        Some((unused @ 0..=7, octets)) if *unused == 0 || !octets.is_empty() => Ok(Bits {
            unused: *unused,
            octets: octets.to_vec(),
        }),
        _ => Err(DecodeError::Invalid("a bit string")),
    }
}
