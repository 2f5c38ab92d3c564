//! Any text as a configuration: refused in words or accepted, and whatever is accepted has an
//! identity, a sensible pace and points with kinds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_adapter::BuildContext;
use riser_tuya::codec::beacon::is_id;
use riser_tuya::config::Config;

fuzz_target!(|text: &str| {
    let Ok(table) = text.parse::<toml::Table>() else { return };
    let Ok(config) = Config::new(&table, &BuildContext::default()) else { return };
    for link in &config.links {
        assert!(is_id(&link.id) && !link.members.is_empty());
        assert!(link.timing.interval.as_millis() >= 10 && link.timing.retry <= link.timing.retry_max);
        for point in link.members.iter().flat_map(|m| &m.points) {
            assert_eq!(point.point.kind, point.mapping.kind());
        }
    }
});
