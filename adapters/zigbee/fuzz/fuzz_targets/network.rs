//! Any story of messages, losses and time, one step a line: nothing panics, no good reading is without
//! its value, and the points of one device stay within their bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_zigbee::replay::Replay;

const DEVICES: &[u8] = include_bytes!("../../tests/fixtures/devices.json");
const TOPICS: [&str; 10] = [
    "z/bridge/response/x",
    "z/bridge/logging",
    "z/bridge/state",
    "z/bridge/devices",
    "z/bridge/groups",
    "z/bridge/info",
    "z/bridge/event",
    "z/0x000b57fffe112233",
    "z/0x000b57fffe112233/availability",
    "z/0x048727fffe778899",
];

fuzz_target!(|data: &[u8]| {
    let table = "host = 'h'\nbase_topic = 'z'".parse().expect("TOML");
    let mut replay = Replay::new(&table, 1_767_225_600_000).expect("a configuration");
    replay.connect();
    replay.message("z/bridge/devices", DEVICES, true);
    for step in data.split(|octet| *octet == b'\n').take(64) {
        let Some((first, rest)) = step.split_first() else { continue };
        match first % 14 {
            10 => replay.lose(),
            11 => replay.connect(),
            12 => replay.pass(i64::try_from(rest.len()).unwrap_or(0) * 1_000),
            13 => replay.answers = !replay.answers,
            topic => replay.message(TOPICS[usize::from(topic)], rest, first & 0x80 != 0),
        }
        for seen in replay.take() {
            assert!(seen.value.is_some() || !seen.quality.is_good());
        }
    }
});
