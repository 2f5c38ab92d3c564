//! The generated protobuf types. Private: nothing outside this crate sees them.

#![expect(
    unreachable_pub,
    reason = "prost generates pub items; the module itself is private"
)]

include!(concat!(env!("OUT_DIR"), "/riser.v1.rs"));
