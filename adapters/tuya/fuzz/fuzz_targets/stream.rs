//! Any octets as a stream, and any octets behind a right check: peeling always goes on, opening is
//! total, and what is opened is understood or passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_tuya::codec::frame::{FRAME_MAX, Frame, Peel, peel, seal};
use riser_tuya::codec::payload::open_message;
use riser_tuya::codec::{LocalKey, Message, Version};

const KEY: LocalKey = LocalKey::new(*b"0123456789abcdef");

fuzz_target!(|input: (u8, u32, &[u8])| {
    let (choice, command, octets) = input;
    let version = Version::ALL[usize::from(choice) % Version::ALL.len()];
    let mut rest = octets;
    loop {
        match peel(rest) {
            Peel::More => break,
            Peel::Stray(n) => {
                assert!(n > 0 && n <= rest.len());
                rest = &rest[n..];
            }
            Peel::Frame(n) => {
                assert!(n <= rest.len() && n <= FRAME_MAX);
                if let Ok(opened) = open_message(&rest[..n], version, &KEY) {
                    _ = Message::new(&opened);
                }
                rest = &rest[n..];
            }
        }
    }
    // Behind a right check the fuzzer would never come by chance.
    for body in [octets.to_vec(), KEY.encrypt(octets)] {
        let frame = Frame { sequence: 1, command, body };
        let raw = seal(&frame, version.framing(), &KEY, [1; 12]);
        if let Ok(opened) = open_message(&raw, version, &KEY) {
            let message = Message::new(&opened);
            _ = (message.refusal(), message.wants_names());
        }
    }
});
