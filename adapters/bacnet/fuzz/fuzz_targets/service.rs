//! Any octets as the parameters of any service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_bacnet::codec::service::property::{self, Write};
use riser_bacnet::codec::service::{Refusal, cov, device, range};
use riser_bacnet::mapping;
use riser_model::ValueKind;

fuzz_target!(|octets: &[u8]| {
    let Some((kind, body)) = octets.split_first() else {
        return;
    };
    match kind % 14 {
        0 => _ = property::decode_read(body),
        1 => _ = property::decode_read_answer(body),
        2 => _ = property::decode_read_many(body),
        3 => {
            _ = property::decode_read_many_answer(body, |(_, value)| {
                if let Ok(value) = value {
                    _ = mapping::reading(ValueKind::Float, value, None);
                }
            });
        }
        4 => {
            if let Ok(write) = Write::decode(body) {
                assert_eq!(Write::decode(&write.encoded()), Ok(write));
            }
        }
        5 => _ = property::decode_write_many(body),
        6 => _ = cov::Notification::decode(body),
        7 => _ = cov::Subscribe::decode(body),
        8 => _ = device::IAm::decode(body),
        9 => _ = device::decode_who_is(body),
        10 => _ = device::decode_who_has(body),
        11 => _ = device::decode_i_have(body),
        12 => _ = Refusal::decode(body),
        _ => {
            if let Ok(answer) = range::Answer::decode(body) {
                _ = range::records(answer.items);
            }
        }
    }
});
