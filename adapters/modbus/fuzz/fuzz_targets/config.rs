//! Any text as a configuration: refused in words or accepted, and every accepted point lies within
//! its table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_adapter::BuildContext;
use riser_modbus::config::Config;

fuzz_target!(|text: &str| {
    let Ok(table) = text.parse::<toml::Table>() else { return };
    let Ok(config) = Config::new(&table, &BuildContext::default()) else { return };
    for point in config.lanes.iter().flat_map(|l| &l.devices).flat_map(|d| &d.points) {
        assert!(u32::from(point.address) + u32::from(point.mapping.registers) <= 0x1_0000);
        assert!(point.interval.as_millis() >= 10);
    }
});
