//! Any octets as a message of the bridge: read or refused, within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_zigbee::codec::{bridge, device, exposes, payload};

const TOPICS: [&str; 7] = ["state", "info", "devices", "groups", "event", "response/x", "logging"];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let topic = TOPICS[usize::from(*first) % TOPICS.len()];
    let _read = bridge::read(topic, rest);
    let _said = payload::said(rest);
    if let Ok((devices, _)) = device::devices(rest) {
        assert!(devices.len() <= device::DEVICES_MAX);
        assert!(devices.iter().all(|d| d.features.len() <= exposes::FEATURES_MAX));
    }
});
