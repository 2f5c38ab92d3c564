//! Any text as a configuration: refused in words or accepted, and every accepted point is of its device.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_adapter::BuildContext;
use riser_zigbee::config::{Config, key_of};

fuzz_target!(|text: &str| {
    let Ok(table) = text.parse::<toml::Table>() else { return };
    // A path would be read.
    if ["ca", "cert", "private_key"].iter().any(|key| table.contains_key(*key)) {
        return;
    }
    let Ok(config) = Config::new(&table, &BuildContext::default()) else { return };
    for (ieee, device) in &config.devices {
        let key = device.key.clone().unwrap_or_else(|| key_of(*ieee));
        assert!(device.points.values().all(|p| p.path.device == key));
    }
});
