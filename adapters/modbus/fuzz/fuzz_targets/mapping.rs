//! Any registers through any mapping: decoding is total, no good value is not finite, and what was
//! read in good quality can be written back without changing a register.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_model::{Value, ValueKind};
use riser_modbus::mapping::{Encoded, Encoding, Field, Linear, Mapping, Order};

fuzz_target!(|input: (u8, u8, [f64; 2], i8, Vec<u8>)| {
    let (shape, bits, [scale, offset], exponent, octets) = input;
    let registers = [1, 2, 4, 5][usize::from(shape & 3)];
    let encoding = match (shape >> 2 & 7, registers) {
        (_, 5) => Encoding::Text,
        (0 | 1, _) => Encoding::Unsigned,
        (2 | 3, _) => Encoding::Signed,
        (4 | 5, 2 | 4) => Encoding::Float,
        _ => Encoding::Bcd,
    };
    if !scale.is_finite() || scale == 0.0 || !offset.is_finite() {
        return;
    }
    let linear = if shape & 0x40 == 0 { Linear::None } else { Linear::new(scale, offset) };
    let kind = match (encoding, linear) {
        (Encoding::Text, _) => ValueKind::Text,
        (Encoding::Float, _) | (_, Linear::Real { .. }) => ValueKind::Float,
        _ => ValueKind::Integer,
    };
    let field = (shape & 0x80 != 0 && registers == 1 && matches!(encoding, Encoding::Unsigned | Encoding::Signed))
        .then(|| Field { shift: bits & 7, width: 1 + (bits >> 3) % 8 });
    let order = ["abcd", "cdab", "badc", "dcba"][usize::from(bits & 3)];
    let order = match registers {
        2 => Order::parse(order, 4),
        4 => Order::parse(order, 8),
        _ => Ok(Order::plain(2)),
    };
    let Ok(order) = order else { return };
    let mapping = Mapping {
        encoding,
        registers,
        order,
        field,
        invert: false,
        linear,
        absent: Box::default(),
        min: None,
        max: None,
        clamp: false,
        kind,
    };
    let (value, quality) = mapping.decode(&octets, i32::from(exponent % 11));
    if let Some(Value::Float(number)) = &value {
        assert!(number.is_finite());
    }
    let (Some(value), true, Linear::None) = (value, quality.is_good(), linear) else { return };
    let exact = kind == ValueKind::Integer || exponent % 11 == 0;
    let Ok(encoded) = mapping.encode(&value, if kind == ValueKind::Integer { 0 } else { i32::from(exponent % 11) }) else {
        assert!(!exact || encoding == Encoding::Text, "a value that was read could not be written: {value:?}");
        return;
    };
    if let (Encoded::Registers(words), true) = (encoded, exact && encoding != Encoding::Text) {
        let wire: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        assert_eq!(wire, octets[..wire.len()]);
    }
});
