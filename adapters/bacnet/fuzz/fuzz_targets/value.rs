//! Any octets as a row of values: reading is total, and what was read is written back as something
//! that reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_bacnet::codec::Datum;
use riser_bacnet::mapping;
use riser_model::ValueKind;

fuzz_target!(|octets: &[u8]| {
    for kind in [ValueKind::Float, ValueKind::Bool, ValueKind::Integer, ValueKind::Text] {
        _ = mapping::reading(kind, octets, None);
    }
    if let Ok(values) = Datum::decode_all(octets) {
        let mut again = Vec::new();
        values.iter().for_each(|v| v.encode(&mut again));
        let read = Datum::decode_all(&again).expect("what was written is read");
        let mut third = Vec::new();
        read.iter().for_each(|v| v.encode(&mut third));
        assert_eq!(again, third);
    }
});
