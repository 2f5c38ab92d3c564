//! Any octets as a command of Home Assistant for a point of any kind: it ends with a value that is of the
//! point's kind, or with words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_homeassistant::face::entity::{Component, command};
use riser_model::{Access, Label, Limits, Point, ValueKind};

fuzz_target!(|given: (u8, &[u8])| {
    let kinds = [
        ValueKind::Bool,
        ValueKind::Integer,
        ValueKind::Float,
        ValueKind::Enum,
        ValueKind::Text,
    ];
    let point = Point {
        path: "d/p".parse().expect("a path"),
        name: String::new(),
        device_name: String::new(),
        kind: kinds[usize::from(given.0) % kinds.len()],
        unit: None,
        access: Access::ReadWrite,
        limits: Limits::default(),
        labels: vec![Label { state: 3, text: "on".to_owned() }, Label { state: 4, text: "on".to_owned() }],
        deadband: None,
        stale_after_ms: 0,
    };
    let component = Component::of(&point, true);
    if let Ok(value) = command(&point, component, given.1) {
        assert_eq!(point.check_write(&value), Ok(()));
    }
});
