//! What the adapter costs: processor time for each state of a device, from the payload to readings.
//! Run with `cargo bench -p riser-zigbee`; figures are printed, nothing is asserted.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use riser_zigbee::replay::Replay;
use std::time::Instant;

const DEVICES: &[u8] = include_bytes!("../tests/fixtures/devices.json");
const STATE: &[u8] = br#"{"child_lock":"UNLOCK","closing_steps":1,"external_temperature_input":20,"frost_protection_temperature":7,"idle_steps":1,"last_seen":"2026-01-01T00:00:10.000Z","linkquality":168,"local_temperature":20.5,"local_temperature_calibration":0,"occupied_heating_setpoint":21,"open_window":"OFF","running_state":"idle","system_mode":"auto","temperature_sensor_select":"internal","valve_closing_degree":100,"valve_opening_degree":100,"battery":100}"#;

fn main() {
    let table = "host = 'h'\nbase_topic = 'z'".parse().expect("TOML");
    let mut replay = Replay::new(&table, 1_767_225_600_000).expect("a configuration");
    replay.connect();
    let began = Instant::now();
    replay.message("z/bridge/devices", DEVICES, true);
    println!(
        "list of 7 devices: {:.1} ms, {} points",
        began.elapsed().as_secs_f64() * 1e3,
        replay.points().len()
    );
    replay.pass(10_000);
    replay.take();
    let (mut readings, rounds) = (0, 20_000_u32);
    let began = Instant::now();
    for _ in 0..rounds {
        replay.message("z/0x048727fffe778899", STATE, false);
        readings += replay.take().len();
    }
    let each = began.elapsed().as_secs_f64() / f64::from(rounds);
    println!(
        "{:.1} µs a state, {:.2} µs a reading, {:.0} states/s on one core",
        each * 1e6,
        began.elapsed().as_secs_f64() * 1e6
            / f64::from(u32::try_from(readings.max(1)).unwrap_or(u32::MAX)),
        1.0 / each
    );
}
