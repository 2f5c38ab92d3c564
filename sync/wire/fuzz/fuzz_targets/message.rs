//! Any octets as a message on each topic, and any text as a topic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_wire::topic::{UpTopic, parse};
use riser_wire::{Down, Up};

fuzz_target!(|octets: &[u8]| {
    for topic in [
        UpTopic::Hello,
        UpTopic::Watch,
        UpTopic::Heartbeat,
        UpTopic::Data,
    ] {
        if let Ok(up) = Up::decode(topic, octets) {
            assert_eq!(Up::decode(topic, &up.clone().encode()), Ok(up));
        }
    }
    if let Ok(down) = Down::decode(octets) {
        assert_eq!(Down::decode(&down.clone().encode()), Ok(down));
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        _ = parse(text);
    }
});
