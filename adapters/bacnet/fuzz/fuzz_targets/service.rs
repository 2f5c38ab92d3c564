//! Any octets as the parameters of any service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_bacnet::codec::service::property::{self, Write};
use riser_bacnet::codec::schedule;
use riser_bacnet::codec::service::{Refusal, cov, device, event, list, range};
use riser_bacnet::mapping;
use riser_model::ValueKind;

fuzz_target!(|octets: &[u8]| {
    let Some((kind, body)) = octets.split_first() else {
        return;
    };
    match kind % 25 {
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
        13 => {
            if let Ok(week) = schedule::week(body) {
                assert!(schedule::week(&schedule::put_week(&week)).is_ok());
            }
        }
        14 => {
            if let Ok(found) = schedule::exceptions(body) {
                assert!(schedule::exceptions(&schedule::put_exceptions(&found)).is_ok());
            }
        }
        15 => {
            if let Ok(found) = schedule::entries(body) {
                assert_eq!(schedule::entries(&schedule::put_entries(&found)), Ok(found));
            }
        }
        16 => {
            if let Ok(found) = schedule::targets(body) {
                assert_eq!(schedule::targets(&schedule::put_targets(&found)), Ok(found));
            }
        }
        17 => {
            if let Ok(told) = event::Notification::decode(body) {
                assert_eq!(event::Notification::decode(&told.encoded()), Ok(told));
            }
        }
        18 => {
            if let Ok((events, more)) = event::decode_information(body) {
                let octets = event::information_answer(&events, more);
                assert_eq!(event::decode_information(&octets), Ok((events, more)));
            }
        }
        19 => _ = event::decode_summary(body),
        20 => {
            if let Ok(said) = event::Acknowledge::decode(body) {
                assert_eq!(event::Acknowledge::decode(&said.encoded()), Ok(said));
            }
        }
        21 => {
            if let Ok(found) = list::destinations(body) {
                assert_eq!(list::destinations(&list::put_destinations(&found)), Ok(found));
            }
        }
        22 => _ = property::decode_write_many_refusal(body),
        23 => {
            if let Ok(list) = cov::Active::decode_all(body) {
                let mut octets = Vec::new();
                list.iter().for_each(|active| active.encode(&mut octets));
                let again = cov::Active::decode_all(&octets).expect("what was written is read");
                assert_eq!(again.len(), list.len());
            }
        }
        _ => {
            if let Ok(answer) = range::Answer::decode(body) {
                _ = range::records(answer.items);
            }
        }
    }
});
