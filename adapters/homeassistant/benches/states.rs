//! What a change of state costs: reading the message, finding its points, making readings of it.
//! Run with `cargo bench -p riser-homeassistant`; figures are printed, nothing is asserted.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use riser_homeassistant::codec::{Event, Message, read};
use riser_homeassistant::mapping;
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 200_000;

fn main() {
    let event = |entity: &str, state: &str, attributes: serde_json::Value| {
        json!({"id": 1, "type": "event", "event": {"event_type": "state_changed", "origin": "LOCAL",
            "time_fired": "2026-11-21T10:00:00.000000+00:00",
            "context": {"id": "01J", "parent_id": null, "user_id": null},
            "data": {"entity_id": entity,
                "old_state": {"entity_id": entity, "state": "1", "attributes": attributes},
                "new_state": {"entity_id": entity, "state": state, "attributes": attributes}}}})
        .to_string()
    };
    let sensor = json!({"unit_of_measurement": "°C", "state_class": "measurement",
        "device_class": "temperature", "friendly_name": "Outside temperature"});
    let climate = json!({"hvac_modes": ["off", "heat"], "min_temp": 7, "max_temp": 35,
        "current_temperature": 20.5, "temperature": 21, "hvac_action": "heating",
        "preset_modes": ["none", "eco"], "friendly_name": "Office"});
    println!("| change of state | octets | each |");
    println!("|---|---|---|");
    for (name, text) in [
        (
            "sensor",
            event("sensor.outside_temperature", "21.5", sensor),
        ),
        (
            "climate with five points",
            event("climate.office", "heat", climate),
        ),
    ] {
        measure(name, &text);
    }
}

fn measure(name: &str, text: &str) {
    let plans = match &read(text).expect("a message")[..] {
        [
            Message::Event(Event::State {
                state: Some(state), ..
            }),
        ] => mapping::plans(state, &[]),
        other => unreachable!("{other:?}"),
    };
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for message in read(black_box(text)).expect("a message") {
            if let Message::Event(Event::State {
                state: Some(state), ..
            }) = message
            {
                for plan in &plans {
                    black_box(mapping::read(plan, &state));
                }
            }
        }
    }
    let each = began.elapsed() / ROUNDS;
    println!(
        "| {name} | {} | {:.2} µs |",
        text.len(),
        each.as_secs_f64() * 1e6
    );
}
