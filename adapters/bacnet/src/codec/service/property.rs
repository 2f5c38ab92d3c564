//! Reading and writing properties, one or many at once (clauses 15.5 to 15.10). Values stay the
//! octets they are; [`crate::codec::value`] reads them.

use super::error::Refusal;
use crate::codec::ids::{ObjectId, PropertyId};
use crate::codec::tag::{
    DecodeError, Reader, number, put_close, put_context, put_context_number, put_open,
};
use crate::codec::value::Datum;

/// A property of an object, or one element of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The object.
    pub object: ObjectId,
    /// The property.
    pub property: PropertyId,
    /// Element of an array, counted from 1; 0 is how many there are.
    pub index: Option<u32>,
}

impl Reference {
    /// A whole property.
    #[must_use]
    pub fn new(object: ObjectId, property: PropertyId) -> Self {
        Self {
            object,
            property,
            index: None,
        }
    }

    /// One element of it.
    #[must_use]
    pub fn at(self, index: u32) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.object, self.property)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

fn put_reference(out: &mut Vec<u8>, reference: &Reference, first: u8) {
    put_context_number(out, first, reference.property.0.into());
    if let Some(index) = reference.index {
        put_context_number(out, first + 1, index.into());
    }
}

fn reference(
    reader: &mut Reader<'_>,
    object: ObjectId,
    first: u8,
) -> Result<Reference, DecodeError> {
    let property = number(reader.context(first, "a property")?, "a property")?;
    let index = reader.optional(first + 1)?;
    let index = index.map(|c| number(c, "an array index")).transpose()?;
    Ok(Reference {
        object,
        property: PropertyId(property),
        index,
    })
}

/// Writes a ReadProperty request.
#[must_use]
pub fn read(wanted: &Reference) -> Vec<u8> {
    let mut out = Vec::with_capacity(12);
    put_context(&mut out, 0, &wanted.object.octets());
    put_reference(&mut out, wanted, 1);
    out
}

/// Reads a ReadProperty request.
pub fn decode_read(body: &[u8]) -> Result<Reference, DecodeError> {
    let mut reader = Reader::new(body);
    let object = ObjectId::decode(reader.context(0, "an object")?)?;
    let wanted = reference(&mut reader, object, 1)?;
    reader.end("the property to read").map(|()| wanted)
}

/// Writes the answer to ReadProperty.
#[must_use]
pub fn read_answer(wanted: &Reference, value: &[u8]) -> Vec<u8> {
    let mut out = read(wanted);
    put_open(&mut out, 3);
    out.extend(value);
    put_close(&mut out, 3);
    out
}

/// Reads the answer to ReadProperty: which property it is, and its value.
pub fn decode_read_answer(body: &[u8]) -> Result<(Reference, &[u8]), DecodeError> {
    let mut reader = Reader::new(body);
    let object = ObjectId::decode(reader.context(0, "an object")?)?;
    let found = reference(&mut reader, object, 1)?;
    Ok((found, reader.group(3, "the value")?))
}

/// Octets a reference takes in a ReadPropertyMultiple request at most, its object included.
pub const READ_MANY_OCTETS: usize = 5 + 2 + 5 + 5;

/// Writes a ReadPropertyMultiple request; references to one object that follow one another share it.
#[must_use]
pub fn read_many(wanted: &[Reference]) -> Vec<u8> {
    let mut out = Vec::with_capacity(wanted.len() * 9);
    for same in wanted.chunk_by(|a, b| a.object == b.object) {
        let Some(first) = same.first() else { continue };
        put_context(&mut out, 0, &first.object.octets());
        put_open(&mut out, 1);
        for reference in same {
            put_reference(&mut out, reference, 0);
        }
        put_close(&mut out, 1);
    }
    out
}

/// Reads a ReadPropertyMultiple request.
pub fn decode_read_many(body: &[u8]) -> Result<Vec<Reference>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut wanted = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::decode(reader.context(0, "an object")?)?;
        let mut inner = Reader::new(reader.group(1, "the properties of an object")?);
        while !inner.is_empty() {
            wanted.push(reference(&mut inner, object, 0)?);
        }
    }
    Ok(wanted)
}

/// One property in the answer to ReadPropertyMultiple: its value, or why there is none.
pub type Found<'a> = (Reference, Result<&'a [u8], Refusal>);

/// Reads the answer to ReadPropertyMultiple, property by property in the order they stand.
pub fn decode_read_many_answer<'a>(
    body: &'a [u8],
    mut each: impl FnMut(Found<'a>),
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(body);
    while !reader.is_empty() {
        let object = ObjectId::decode(reader.context(0, "an object")?)?;
        let mut inner = Reader::new(reader.group(1, "the properties of an object")?);
        while !inner.is_empty() {
            let found = reference(&mut inner, object, 2)?;
            let value = if inner.opens(5) {
                Err(Refusal::decode(inner.group(5, "an error")?)?)
            } else {
                Ok(inner.group(4, "the value of a property")?)
            };
            each((found, value));
        }
    }
    Ok(())
}

/// Writes the answer to ReadPropertyMultiple.
#[must_use]
pub fn read_many_answer(found: &[(Reference, Result<Vec<u8>, Refusal>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for same in found.chunk_by(|a, b| a.0.object == b.0.object) {
        let Some((first, _)) = same.first() else {
            continue;
        };
        put_context(&mut out, 0, &first.object.octets());
        put_open(&mut out, 1);
        for (reference, value) in same {
            put_reference(&mut out, reference, 2);
            match value {
                Ok(value) => {
                    put_open(&mut out, 4);
                    out.extend(value);
                    put_close(&mut out, 4);
                }
                Err(refusal) => {
                    put_open(&mut out, 5);
                    refusal.encode(&mut out);
                    put_close(&mut out, 5);
                }
            }
        }
        put_close(&mut out, 1);
    }
    out
}

/// One property to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which.
    pub reference: Reference,
    /// Its value, tags included.
    pub value: Vec<u8>,
    /// Level, 1 to 16; properties without levels ignore it.
    pub priority: Option<u8>,
}

impl Write {
    /// Writes a WriteProperty request.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = read(&self.reference);
        self.put_value(&mut out, 3);
        out
    }

    /// Octets it takes among many, its object included, at most.
    #[must_use]
    pub fn octets(&self) -> usize {
        READ_MANY_OCTETS + self.value.len() + 4
    }

    fn put_value(&self, out: &mut Vec<u8>, group: u8) {
        put_open(out, group);
        out.extend(&self.value);
        put_close(out, group);
        if let Some(priority) = self.priority {
            put_context_number(out, group + 1, priority.into());
        }
    }

    /// Reads a WriteProperty request.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let object = ObjectId::decode(reader.context(0, "an object")?)?;
        let reference = reference(&mut reader, object, 1)?;
        let write = Self::value(&mut reader, reference, 3)?;
        reader.end("the property to write").map(|()| write)
    }

    fn value(
        reader: &mut Reader<'_>,
        reference: Reference,
        group: u8,
    ) -> Result<Self, DecodeError> {
        let value = reader.group(group, "the value to write")?.to_vec();
        let priority = reader.optional(group + 1)?;
        let priority = priority.map(|c| number(c, "a priority")).transpose()?;
        if priority.is_some_and(|p: u8| !(1..=16).contains(&p)) {
            return Err(DecodeError::Invalid("a priority"));
        }
        Ok(Self {
            reference,
            value,
            priority,
        })
    }
}

/// Writes a WritePropertyMultiple request.
#[must_use]
pub fn write_many(writes: &[Write]) -> Vec<u8> {
    let mut out = Vec::new();
    for same in writes.chunk_by(|a, b| a.reference.object == b.reference.object) {
        let Some(first) = same.first() else { continue };
        put_context(&mut out, 0, &first.reference.object.octets());
        put_open(&mut out, 1);
        for write in same {
            put_reference(&mut out, &write.reference, 0);
            write.put_value(&mut out, 2);
        }
        put_close(&mut out, 1);
    }
    out
}

/// Reads a WritePropertyMultiple request.
pub fn decode_write_many(body: &[u8]) -> Result<Vec<Write>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut writes = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::decode(reader.context(0, "an object")?)?;
        let mut inner = Reader::new(reader.group(1, "the properties of an object")?);
        while !inner.is_empty() {
            let reference = reference(&mut inner, object, 0)?;
            writes.push(Write::value(&mut inner, reference, 2)?);
        }
    }
    Ok(writes)
}

/// Why a WritePropertyMultiple ended: the refusal, and the first property that was not written.
#[must_use]
pub fn write_many_refusal(refusal: Refusal, first: &Reference) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    put_open(&mut out, 0);
    refusal.encode(&mut out);
    put_close(&mut out, 0);
    put_open(&mut out, 1);
    out.extend(read(first));
    put_close(&mut out, 1);
    out
}

/// Reads why a WritePropertyMultiple ended.
pub fn decode_write_many_refusal(body: &[u8]) -> Result<(Refusal, Reference), DecodeError> {
    let mut reader = Reader::new(body);
    let refusal = Refusal::decode(reader.group(0, "an error")?)?;
    let first = decode_read(reader.group(1, "the first write that failed")?)?;
    Ok((refusal, first))
}

/// A value alone in its property.
pub fn single(value: &[u8]) -> Result<Datum, DecodeError> {
    let mut reader = Reader::new(value);
    let datum = Datum::decode(&mut reader)?;
    match reader.is_empty() {
        true => Ok(datum),
        false => Ok(Datum::Raw(value.to_vec())),
    }
}
