//! Any JSON as the state of an entity of any domain: planning, reading and writing back are total.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_homeassistant::codec::State;
use riser_homeassistant::mapping::{call, plans, read, shows};

fuzz_target!(|octets: &[u8]| {
    let Ok(value) = serde_json::from_slice(octets) else { return };
    let Ok(state) = State::read(&value) else { return };
    let planned = plans(&state, &["a".to_owned(), "b".to_owned()]);
    for plan in planned {
        if let Some(value) = read(&plan, &state).value {
            assert!(shows(&plan, &value, &value));
            _ = call(&plan, &state.entity, &value);
        }
    }
});
