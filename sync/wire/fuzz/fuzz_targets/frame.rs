//! Any octets as a frame, once as they are and once with their checksum put right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_model::Slot;
use riser_wire::{decode_data, decode_event, peek, read_point};

fuzz_target!(|octets: &[u8]| {
    swallow(octets);
    let mut signed = octets.to_vec();
    signed.truncate(octets.len().saturating_sub(4));
    let checksum = crc32c::crc32c(&signed);
    signed.extend(checksum.to_le_bytes());
    swallow(&signed);
});

fn swallow(octets: &[u8]) {
    _ = peek(octets);
    _ = decode_data(octets);
    _ = decode_event(octets);
    _ = read_point(octets, Slot(1), &mut |_, _, _| {});
}
