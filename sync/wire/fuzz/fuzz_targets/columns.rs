//! Any octets as the uncompressed body of a data frame whose header and checksum are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_model::Slot;
use riser_wire::{decode_data, decode_event, read_point};

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (samples, event, body) = input;
    let frame = frame(samples, event, body);
    if event {
        _ = decode_event(&frame);
        return;
    }
    let Ok((_, all)) = decode_data(&frame) else {
        _ = read_point(&frame, Slot(3), &mut |_, _, _| {});
        return;
    };
    assert_eq!(all.len(), usize::from(samples));
    // The first series of a frame reads the same alone: nothing before it can hide its slot.
    let Some(first) = all.first() else { return };
    let mut seen = 0;
    let alone = read_point(&frame, first.slot, &mut |at, value, quality| {
        let sample = &all[seen];
        assert_eq!((sample.at, sample.quality), (at, quality));
        assert_eq!(sample.value.as_ref(), value);
        seen += 1;
    });
    assert!(alone.is_ok() && seen > 0);
});

fn number(out: &mut Vec<u8>, field: u8, mut value: u64) {
    out.push(field << 3);
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn frame(samples: u16, event: bool, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0x0a, 16];
    header.extend([7; 16]);
    number(&mut header, 2, if event { 1 } else { 2 });
    number(&mut header, 8, u64::from(samples));
    number(&mut header, 10, u64::from(!event));
    number(&mut header, 11, body.len() as u64);
    let mut frame = b"RF\x01".to_vec();
    frame.extend((header.len() as u16).to_le_bytes());
    frame.extend(header);
    frame.extend_from_slice(body);
    let checksum = crc32c::crc32c(&frame);
    frame.extend(checksum.to_le_bytes());
    frame
}
