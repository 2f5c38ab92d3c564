//! Any octets as messages that claim to be parts, and any frame cut and joined.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_wire::part::{Joiner, LEAST, OVERHEAD, cut};

fuzz_target!(|octets: &[u8]| {
    let mut joiner = Joiner::default();
    let size = octets.first().map_or(1, |n| usize::from(*n) + 1);
    for octets in octets.chunks(size) {
        let mut message = b"RP\x01".to_vec();
        message.extend_from_slice(octets);
        _ = joiner.join(&message);
        _ = joiner.join(octets);
    }
    let mut whole = None;
    for part in cut(octets, LEAST + OVERHEAD).into_iter().flatten() {
        whole = Joiner::join(&mut joiner, &part).expect("a part of its own cutting");
    }
    assert!(octets.is_empty() || whole.as_deref() == Some(octets));
});
