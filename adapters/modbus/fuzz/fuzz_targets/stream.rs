//! Any octets as a stream: a frame found lies within the stream, and is found again when cut to size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_modbus::codec::frame::{Frame, Peel, peel_mbap, peel_rtu};

fn check(stream: &[u8], peel: fn(&[u8]) -> Peel) {
    let mut rest = stream;
    while let Peel::Frame(Frame { start, end, length, .. }) = peel(rest) {
        assert!(start <= end && end <= length && length <= rest.len() && length > 0);
        assert!(matches!(peel(&rest[..length]), Peel::Frame(_)));
        assert_eq!(peel(&rest[..length - 1]), Peel::More);
        rest = &rest[length..];
    }
}

fuzz_target!(|stream: &[u8]| {
    check(stream, peel_mbap);
    check(stream, peel_rtu);
});
