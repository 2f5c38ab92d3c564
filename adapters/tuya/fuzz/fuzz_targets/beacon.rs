//! Any datagram, and any text in a well-made one: reading is total, and an identity that is taken
//! needs no escaping.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_tuya::codec::beacon;
use riser_tuya::codec::frame::{Frame, seal};
use riser_tuya::codec::LocalKey;
use riser_tuya::codec::version::Framing;
use riser_tuya::config::keys;

const ANY: LocalKey = LocalKey::new([0; 16]);

fuzz_target!(|octets: &[u8]| {
    let frame = Frame { sequence: 1, command: 0, body: octets.to_vec() };
    for datagram in [octets.to_vec(), seal(&frame, Framing::Crc, &ANY, [0; 12])] {
        if let Some(found) = beacon::read(&datagram) {
            assert!(beacon::is_id(&found.id));
            assert!(found.product.is_none_or(|p| beacon::is_id(&p)));
        }
    }
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(devices) = keys::read(text)
    {
        assert!(devices.iter().all(|d| beacon::is_id(&d.id)));
    }
});
