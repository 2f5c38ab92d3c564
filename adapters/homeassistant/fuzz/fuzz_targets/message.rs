//! Any octets as a text of Home Assistant: reading ends with messages or words, and every reading
//! made of a message has a value exactly when it is good.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_homeassistant::codec::{Event, Message, read, rows};
use riser_homeassistant::mapping;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    for message in read(text).unwrap_or_default() {
        match message {
            Message::Event(Event::State { state: Some(state), .. }) => {
                for plan in mapping::plans(&state, &[]) {
                    let seen = mapping::read(&plan, &state);
                    assert_eq!(seen.value.is_some(), seen.quality.is_good());
                }
            }
            Message::Result { outcome: Ok(value), .. } => _ = rows(&value),
            _ => {}
        }
    }
});
