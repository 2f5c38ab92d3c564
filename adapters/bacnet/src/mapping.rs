//! Values of BACnet ↔ values of points. Owns what a status flag or an error makes of the quality, and
//! which type a written value is sent as.

use crate::codec::service::Refusal;
use crate::codec::service::property::Reference;
use crate::codec::service::property::single;
use crate::codec::{Bits, Date, Datum, ObjectType, PropertyId, Time};
use riser_model::{Quality, Reason, Unit, Value, ValueKind};

/// What one property read gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Unknown, never zero.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
}

impl Reading {
    fn bad(reason: Reason) -> Self {
        Self {
            value: None,
            quality: Quality::bad(reason),
        }
    }
}

/// A value as octets, with the object's status flags where they were read.
#[must_use]
pub fn reading(kind: ValueKind, value: &[u8], flags: Option<&Bits>) -> Reading {
    let Ok(datum) = single(value) else {
        return Reading::bad(Reason::Undecodable);
    };
    let value = match value_of(kind, &datum) {
        Ok(value) => value,
        Err(reason) => return Reading::bad(reason),
    };
    let quality = flags.map_or(Quality::GOOD, quality);
    Reading {
        value: Some(value),
        quality,
    }
}

/// What a refusal to be read makes of a point.
#[must_use]
pub fn refused(refusal: Refusal) -> Reading {
    Reading::bad(match refusal {
        refusal if refusal.is_about_absence() => Reason::NotConfigured,
        refusal if refusal.is_about_communication() => Reason::DeviceDown,
        _ => Reason::Fault,
    })
}

/// Status flags (clause 12): in alarm, fault, overridden, out of service. An alarm is a true value.
#[must_use]
pub fn quality(flags: &Bits) -> Quality {
    if flags.get(1) {
        Quality::bad(Reason::Fault)
    } else if flags.get(2) || flags.get(3) {
        Quality::uncertain(Reason::Overridden)
    } else {
        Quality::GOOD
    }
}

/// A value in the type of its point.
///
/// # Errors
/// Why it is none: not finite, empty, of another type.
pub fn value_of(kind: ValueKind, datum: &Datum) -> Result<Value, Reason> {
    let value = match (kind, datum) {
        (_, Datum::Null) => return Err(Reason::NotAvailable),
        (ValueKind::Float, Datum::Real(x)) => Value::Float(shown(*x)),
        (ValueKind::Float, Datum::Double(x)) => Value::Float(*x),
        (ValueKind::Float, datum) => Value::Float(whole(datum)?.as_f64().unwrap_or_default()),
        (ValueKind::Bool, Datum::Boolean(on)) => Value::Bool(*on),
        (ValueKind::Bool, datum) => match datum.as_unsigned() {
            Some(state) => Value::Bool(state != 0),
            None => return Err(Reason::Undecodable),
        },
        (ValueKind::Integer | ValueKind::Enum, datum) => whole(datum)?,
        (ValueKind::Text, datum) => Value::text(&text(datum)),
    };
    match value {
        Value::Float(x) if !x.is_finite() => Err(Reason::OutOfRange),
        value => Ok(value),
    }
}

/// 21.3 and not 21.299999237060547: the shortest decimal that is the same number of 32 bits.
pub(crate) fn shown(x: f32) -> f64 {
    x.to_string().parse().unwrap_or_else(|_| f64::from(x))
}

fn whole(datum: &Datum) -> Result<Value, Reason> {
    match datum {
        Datum::Boolean(on) => Ok(Value::Int(i64::from(*on))),
        Datum::Signed(x) => Ok(Value::Int(*x)),
        Datum::Unsigned(x) => i64::try_from(*x)
            .map(Value::Int)
            .map_err(|_| Reason::OutOfRange),
        Datum::Enumerated(x) => Ok(Value::Int(i64::from(*x))),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whole numbers far inside the range get here"
        )]
        Datum::Real(x) if x.fract() == 0.0 && x.abs() < 1e15 => Ok(Value::Int(*x as i64)),
        _ => Err(Reason::Undecodable),
    }
}

/// Any value as people read it.
#[must_use]
pub fn text(datum: &Datum) -> String {
    match datum {
        Datum::Null => String::new(),
        Datum::Boolean(on) => on.to_string(),
        Datum::Unsigned(x) => x.to_string(),
        Datum::Signed(x) => x.to_string(),
        Datum::Real(x) => x.to_string(),
        Datum::Double(x) => x.to_string(),
        Datum::Enumerated(x) => x.to_string(),
        Datum::Text(text) => text.clone(),
        Datum::Object(object) => object.to_string(),
        Datum::Date(date) => written_date(*date),
        Datum::Time(time) => written_time(*time),
        Datum::Bits(bits) => (0..bits.len())
            .map(|at| if bits.get(at) { '1' } else { '0' })
            .collect(),
        Datum::Octets(octets) | Datum::Raw(octets) => octets
            .iter()
            .take(256)
            .map(|o| format!("{o:02x}"))
            .collect(),
    }
}

fn written_date(date: Date) -> String {
    let part = |value: u8, add: u16| match value {
        255 => "*".to_owned(),
        value => format!("{:02}", u16::from(value) + add),
    };
    format!(
        "{}-{}-{}",
        part(date.year, 1900),
        part(date.month, 0),
        part(date.day, 0)
    )
}

fn written_time(time: Time) -> String {
    let part = |value: u8| match value {
        255 => "*".to_owned(),
        value => format!("{value:02}"),
    };
    format!(
        "{}:{}:{}",
        part(time.hour),
        part(time.minute),
        part(time.second)
    )
}

/// Whether an object's present value has a priority array, or may have one.
#[must_use]
pub fn has_levels(reference: &Reference) -> bool {
    reference.property == PropertyId::PRESENT_VALUE
        && reference.index.is_none()
        && !matches!(
            reference.object.kind(),
            ObjectType::ANALOG_INPUT
                | ObjectType::BINARY_INPUT
                | ObjectType::MULTI_STATE_INPUT
                | ObjectType::ACCUMULATOR
                | ObjectType::PULSE_CONVERTER
        )
}

/// A value to be written, in the type the property had when it was last read, or the one its object
/// has by the standard.
///
/// # Errors
/// Why it cannot be sent, in words.
pub fn datum_of(
    value: &Value,
    reference: &Reference,
    last: Option<&Datum>,
) -> Result<Datum, String> {
    let whole = |value: &Value| match value {
        Value::Bool(on) => Some(i64::from(*on)),
        Value::Int(x) => Some(*x),
        Value::Float(_) | Value::Text(_) => None,
    };
    let wrong = || format!("'{value}' does not fit {reference}");
    let shape = match last {
        Some(last) => last.clone(),
        None => shape(reference, value),
    };
    Ok(match shape {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked for a finite result"
        )]
        Datum::Real(_) => match value.as_f64().map(|x| x as f32) {
            Some(x) if x.is_finite() => Datum::Real(x),
            _ => return Err(wrong()),
        },
        Datum::Double(_) => Datum::Double(value.as_f64().ok_or_else(wrong)?),
        Datum::Boolean(_) => Datum::Boolean(whole(value).ok_or_else(wrong)? != 0),
        Datum::Enumerated(_) => {
            let number = whole(value).and_then(|x| u32::try_from(x).ok());
            Datum::Enumerated(number.ok_or_else(wrong)?)
        }
        Datum::Unsigned(_) => {
            let number = whole(value).and_then(|x| u64::try_from(x).ok());
            Datum::Unsigned(number.ok_or_else(wrong)?)
        }
        Datum::Signed(_) => Datum::Signed(whole(value).ok_or_else(wrong)?),
        Datum::Text(_) => match value {
            Value::Text(text) => Datum::Text(text.to_string()),
            _ => return Err(wrong()),
        },
        other => {
            return Err(format!(
                "{reference} holds {}; writing such values is not offered",
                text(&other)
            ));
        }
    })
}

/// The type a property has by the standard.
fn shape(reference: &Reference, value: &Value) -> Datum {
    let kind = reference.object.kind();
    if reference.property == PropertyId::PRESENT_VALUE {
        match kind {
            ObjectType::BINARY_INPUT | ObjectType::BINARY_OUTPUT | ObjectType::BINARY_VALUE => {
                return Datum::Enumerated(0);
            }
            ObjectType::MULTI_STATE_INPUT
            | ObjectType::MULTI_STATE_OUTPUT
            | ObjectType::MULTI_STATE_VALUE
            | ObjectType::POSITIVE_INTEGER_VALUE
            | ObjectType::ACCUMULATOR => return Datum::Unsigned(0),
            ObjectType::INTEGER_VALUE => return Datum::Signed(0),
            ObjectType::LARGE_ANALOG_VALUE => return Datum::Double(0.0),
            ObjectType::ANALOG_INPUT | ObjectType::ANALOG_OUTPUT | ObjectType::ANALOG_VALUE => {
                return Datum::Real(0.0);
            }
            _ => {}
        }
    }
    match value {
        Value::Bool(_) => Datum::Boolean(false),
        Value::Int(_) => Datum::Unsigned(0),
        Value::Float(_) => Datum::Real(0.0),
        Value::Text(_) => Datum::Text(String::new()),
    }
}

/// Whether a value read back is the one written, as far as the type on the wire can tell.
#[must_use]
pub fn shows(written: &Datum, read: &Datum) -> bool {
    match (written, read) {
        (Datum::Real(a), Datum::Real(b)) => (a - b).abs() <= a.abs().max(1.0) * 1e-6,
        (Datum::Real(_) | Datum::Double(_), _) => written == read,
        (a, b) => match (a.as_unsigned(), b.as_unsigned()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// A unit by its number in the standard, where the gateway knows it.
#[must_use]
pub fn unit(number: u64) -> Option<Unit> {
    Unit::all().find(|u| u.bacnet().map(u64::from) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_quality() {
        let of = |class, code| refused(Refusal::Error { class, code }).quality;
        assert_eq!(of(1, 31), Quality::bad(Reason::NotConfigured));
        assert_eq!(of(2, 32), Quality::bad(Reason::NotConfigured));
        // Communication disabled: as good as no answer.
        assert_eq!(of(7, 83), Quality::bad(Reason::DeviceDown));
        assert_eq!(of(2, 27), Quality::bad(Reason::Fault));
        assert_eq!(
            refused(Refusal::Abort(4)).quality,
            Quality::bad(Reason::Fault)
        );
    }
}
