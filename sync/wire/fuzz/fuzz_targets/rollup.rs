//! Any octets as a rollup, as they are, with their checksum put right, and as the rows of a sound one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_model::Slot;
use riser_wire::{
    Epoch, RollupHeader, encode_rollup, peek_rollup, read_rollup, read_rollup_point,
};

fuzz_target!(|octets: &[u8]| {
    swallow(octets);
    let mut signed = octets.to_vec();
    signed.truncate(octets.len().saturating_sub(4));
    let checksum = crc32c::crc32c(&signed);
    signed.extend(checksum.to_le_bytes());
    swallow(&signed);
    let header = RollupHeader {
        epoch: Epoch(uuid::Uuid::from_u128(1)),
        dictionary: 1,
        minute: 60,
        minutes: 15,
        piece: 0,
        pieces: 1,
    };
    swallow(&encode_rollup(&header, &[(0, octets.to_vec())]));
    // Rows are compressed: without this no row but an empty one would ever be opened.
    let mut zip = zstd::bulk::Compressor::new(1).expect("zstd");
    let row = zip.compress(octets).expect("zstd");
    swallow(&encode_rollup(&header, &[(0, row)]));
});

fn swallow(octets: &[u8]) {
    _ = peek_rollup(octets);
    _ = read_rollup(octets, &mut |_, cell| {
        assert!(cell.count == 0 || (cell.min.is_finite() && cell.last_at < 900_000));
    });
    for slot in [0, 1, 255, 256] {
        _ = read_rollup_point(octets, Slot(slot));
    }
}
