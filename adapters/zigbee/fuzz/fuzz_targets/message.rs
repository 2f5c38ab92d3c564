//! Any octets as a message of the bridge: read or refused, within its bounds; and what a search makes of
//! a list of devices is a configuration that is accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_adapter::BuildContext;
use riser_zigbee::codec::{bridge, device, exposes, payload};
use riser_zigbee::config::Config;
use riser_zigbee::replay;

const TOPICS: [&str; 7] = ["state", "info", "devices", "groups", "event", "response/x", "logging"];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let topic = TOPICS[usize::from(*first) % TOPICS.len()];
    if let Ok(bridge::BridgeNews::Answered(response)) = bridge::read(topic, rest)
        && let Ok(data) = response.outcome
    {
        let _tables = replay::answers(&data);
    }
    let _said = payload::said(rest);
    if let Ok((devices, _)) = device::devices(rest) {
        assert!(devices.len() <= device::DEVICES_MAX);
        assert!(devices.iter().all(|d| d.features.len() <= exposes::FEATURES_MAX));
        for find in replay::finds(rest) {
            assert!(Config::new(&find.config, &BuildContext::default()).is_ok(), "{find:?}");
        }
    }
});
