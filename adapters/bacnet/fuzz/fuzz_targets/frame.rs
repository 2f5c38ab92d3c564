//! Any octets as a datagram: envelope, network layer and header are total, and what they accept is
//! written back as something they read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_bacnet::codec::{Apdu, Bvlc, Npdu, Payload};

fuzz_target!(|octets: &[u8]| {
    let Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu) | Bvlc::Forwarded(_, npdu)) =
        Bvlc::decode(octets)
    else {
        return;
    };
    let Ok(npdu) = Npdu::decode(npdu) else { return };
    let mut again = Vec::new();
    npdu.encode(&mut again);
    if let Payload::Apdu(apdu) = npdu.payload {
        assert_eq!(Npdu::decode(&again).as_ref(), Ok(&npdu));
        if let Ok(apdu) = Apdu::decode(apdu) {
            let mut again = Vec::new();
            apdu.encode(&mut again);
            assert_eq!(Apdu::decode(&again), Ok(apdu));
        }
    }
});
