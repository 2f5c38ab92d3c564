//! From a type, a bit, an order and a scale to the mapping of one point. Owns which of them go
//! together; where a value lies and how it is written is `point`'s.

use super::raw_point::{Absent, Defaults, Half, PointTable, Sentinel, Type};
use crate::codec::Table;
use crate::mapping::{Encoding, Field, Linear, Mapping, Order, ones, order::NAMED};
use riser_model::ValueKind;

/// A problem and the key it is with.
pub(super) type Problem = (&'static str, String);

/// What the type of a point says about its registers.
pub(super) struct Shape {
    pub(super) encoding: Encoding,
    pub(super) registers: u16,
    pub(super) field: Option<Field>,
}

pub(super) fn shape(raw: &PointTable, table: Table) -> Result<Shape, Problem> {
    if table.is_bits() {
        return if raw.kind == Type::Bool && raw.bit.is_none() {
            Ok(Shape {
                encoding: Encoding::Bit,
                registers: 1,
                field: None,
            })
        } else {
            Err((
                "type",
                format!("a {table} is one bit: its type is bool, without 'bit'"),
            ))
        };
    }
    let (encoding, registers) = match raw.kind {
        Type::Bool | Type::U8 | Type::U16 | Type::Enum | Type::Bits => (Encoding::Unsigned, 1),
        Type::U32 | Type::Bits32 => (Encoding::Unsigned, 2),
        Type::U64 => (Encoding::Unsigned, 4),
        Type::I8 | Type::I16 => (Encoding::Signed, 1),
        Type::I32 => (Encoding::Signed, 2),
        Type::I64 => (Encoding::Signed, 4),
        Type::F32 => (Encoding::Float, 2),
        Type::F64 => (Encoding::Float, 4),
        Type::Bcd16 => (Encoding::Bcd, 1),
        Type::Bcd32 => (Encoding::Bcd, 2),
        Type::String => (Encoding::Text, raw.length.unwrap_or(0)),
    };
    if raw.length.is_some() && raw.kind != Type::String {
        return Err((
            "length",
            "only a string has a length; other types have their own".into(),
        ));
    }
    if !(1..=125).contains(&registers) {
        return Err((
            "length",
            "a string needs 'length', 1 to 125 registers".into(),
        ));
    }
    Ok(Shape {
        encoding,
        registers,
        field: field(raw, registers)?,
    })
}

fn field(raw: &PointTable, registers: u16) -> Result<Option<Field>, Problem> {
    let most = u8::try_from(registers * 16).unwrap_or(64);
    let field = match raw.kind {
        Type::Bool => raw.bit.map(|shift| Field { shift, width: 1 }),
        Type::U8 | Type::I8 => Some(Field {
            shift: if raw.byte == Some(Half::High) { 8 } else { 0 },
            width: 8,
        }),
        Type::Bits | Type::Bits32 => {
            let shift = raw.bit.unwrap_or(0);
            let width = raw.width.unwrap_or_else(|| most.saturating_sub(shift));
            Some(Field { shift, width })
        }
        _ => None,
    };
    if raw.bit.is_some() && !matches!(raw.kind, Type::Bool | Type::Bits | Type::Bits32) {
        return Err((
            "bit",
            "only bool, bits and bits32 take single bits of a register".into(),
        ));
    }
    if raw.width.is_some() && !matches!(raw.kind, Type::Bits | Type::Bits32) {
        return Err(("width", "only bits and bits32 have a width".into()));
    }
    if raw.byte.is_some() && !matches!(raw.kind, Type::U8 | Type::I8) {
        return Err(("byte", "only u8 and i8 take half a register".into()));
    }
    match field {
        Some(f) if f.width == 0 || f.shift.saturating_add(f.width) > most => Err((
            "bit",
            format!(
                "bits {} to {} are not in {most} bits",
                f.shift,
                f.shift.saturating_add(f.width)
            ),
        )),
        other => Ok(other.filter(|f| f.width < most)),
    }
}

pub(super) fn mapping(
    raw: &PointTable,
    shape: &Shape,
    defaults: &Defaults,
) -> Result<Mapping, Problem> {
    let (scale, offset) = (raw.scale.unwrap_or(1.0), raw.offset.unwrap_or(0.0));
    if !scale.is_finite() || scale == 0.0 || !offset.is_finite() {
        return Err((
            "scale",
            "scale and offset are finite numbers, and scale is not 0".into(),
        ));
    }
    let linear = Linear::new(scale, offset);
    let scaled = linear != Linear::None || raw.scale_from.is_some();
    let kind = value_kind(raw, shape, linear);
    if scaled && !matches!(kind, ValueKind::Float | ValueKind::Integer) {
        return Err((
            "scale",
            "only numbers can be scaled, not states and text".into(),
        ));
    }
    if raw.invert && kind != ValueKind::Bool {
        return Err(("invert", "only a bool can be inverted".into()));
    }
    if raw.kind == Type::Enum && raw.labels.is_none() {
        return Err(("labels", "an enum needs labels for its states".into()));
    }
    Ok(Mapping {
        encoding: shape.encoding,
        registers: shape.registers,
        order: order(raw, shape, defaults)?,
        field: shape.field,
        invert: raw.invert,
        linear,
        absent: absent(raw, shape, defaults)?,
        min: raw.limits.min,
        max: raw.limits.max,
        clamp: raw.clamp,
        kind,
    })
}

fn value_kind(raw: &PointTable, shape: &Shape, linear: Linear) -> ValueKind {
    match (raw.kind, shape.encoding, linear) {
        (Type::Bool, ..) => ValueKind::Bool,
        (_, Encoding::Text, _) => ValueKind::Text,
        (_, Encoding::Float, _) | (_, _, Linear::Real { .. }) => ValueKind::Float,
        _ if raw.scale_from.is_some() => ValueKind::Float,
        _ if raw.labels.is_some() => ValueKind::Enum,
        _ => ValueKind::Integer,
    }
}

/// A single register is in plain order unless the point itself says otherwise: devices that swap
/// the registers of long numbers do not swap the octets of short ones.
fn order(raw: &PointTable, shape: &Shape, defaults: &Defaults) -> Result<Order, Problem> {
    let long = matches!(shape.registers, 2 | 4) && shape.encoding != Encoding::Text;
    let octets = if long { shape.registers * 2 } else { 2 };
    let octets = u8::try_from(octets).unwrap_or(8);
    if let Some(default) = &defaults.order
        && !NAMED.contains(&default.as_str())
    {
        return Err((
            "order",
            format!(
                "the device's order '{default}' is none of {}",
                NAMED.join(", ")
            ),
        ));
    }
    match (&raw.order, &defaults.order) {
        (Some(text), _) => Order::parse(text, octets).map_err(|p| ("order", p)),
        (None, Some(text)) if long => Order::parse(text, octets).map_err(|p| ("order", p)),
        _ => Ok(Order::plain(octets)),
    }
}

/// Register contents that mean "no reading", in the order of the number.
fn absent(raw: &PointTable, shape: &Shape, defaults: &Defaults) -> Result<Box<[u64]>, Problem> {
    let mut found = Vec::new();
    if shape.encoding == Encoding::Bit {
        return Ok(found.into());
    }
    let bits = u8::try_from(shape.registers.min(4) * 16).unwrap_or(64);
    let sentinel = raw.sentinel.or(defaults.sentinel).unwrap_or_default();
    if sentinel == Sentinel::Sunspec {
        // SunSpec Information Model Specification, "unimplemented" values by type.
        found.push(match shape.encoding {
            Encoding::Signed => 1 << (bits - 1),
            Encoding::Float if bits == 32 => u64::from(f32::NAN.to_bits()),
            Encoding::Float => f64::NAN.to_bits(),
            Encoding::Text => 0,
            _ => ones(bits),
        });
    }
    for value in &raw.not_available {
        found.push(absent_pattern(*value, shape, bits).ok_or_else(|| {
            let problem = format!("{value:?} is no content of {bits} bits");
            ("not_available", problem)
        })?);
    }
    Ok(found.into())
}

#[expect(clippy::cast_precision_loss, reason = "the register is a real number")]
fn absent_pattern(value: Absent, shape: &Shape, bits: u8) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the register is single precision"
    )]
    let real = |number: f64| match bits {
        32 => u64::from((number as f32).to_bits()),
        _ => number.to_bits(),
    };
    match (value, shape.encoding) {
        (_, Encoding::Text) => None,
        (Absent::Real(number), Encoding::Float) => Some(real(number)),
        (Absent::Whole(number), Encoding::Float) => Some(real(number as f64)),
        (Absent::Whole(number), _) => {
            let (low, high) = (-(1_i128 << (bits - 1)), (1_i128 << bits) - 1);
            (low..=high)
                .contains(&number.into())
                .then(|| number.cast_unsigned() & ones(bits))
        }
        (Absent::Real(_), _) => None,
    }
}
