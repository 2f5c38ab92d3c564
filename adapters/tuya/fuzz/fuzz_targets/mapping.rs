//! Any reported JSON through any mapping: decoding is total, no good number is not finite, and what
//! was read in good quality can be written, and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_model::{Limits, Value};
use riser_tuya::mapping::{Mapping, Shape};

fuzz_target!(|input: (u8, u8, [f64; 2], &str)| {
    let (choice, small, [scale, offset], text) = input;
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else { return };
    if !scale.is_finite() || scale == 0.0 || !offset.is_finite() {
        return;
    }
    let shape = match choice % 7 {
        0 => Shape::Bool { invert: small & 1 == 1 },
        1 => Shape::Number { scale, offset },
        2 => Shape::Whole,
        3 => Shape::States(vec!["auto".into(), "off".into(), "1".into()]),
        4 => Shape::Text,
        5 => Shape::Bit(small % 63),
        _ => Shape::Packed { at: usize::from(small >> 3), length: 1 + usize::from(small & 7), signed: choice & 8 != 0, scale },
    };
    let mapping = Mapping { shape, limits: Limits::default() };
    let (value, quality) = mapping.decode(&json);
    if let Some(Value::Float(number)) = &value {
        assert!(number.is_finite());
    }
    let (Some(value), true) = (value, quality.is_good()) else { return };
    let exact = matches!(mapping.shape, Shape::Bool { .. } | Shape::Whole | Shape::States(_) | Shape::Text);
    if let (true, Ok(sent)) = (exact, mapping.encode(&value)) {
        assert_eq!(mapping.decode(&sent).0, Some(value));
    }
});
