//! Any octets as the times and the body of a chunk, with a checksum that fits; what can be read is
//! read to its end and reads the same once written again.
#![no_main]
#![expect(dead_code, unused_imports, reason = "the store's files are here whole")]

#[path = "../../src/chunk/mod.rs"]
mod chunk;
#[path = "../../src/octets.rs"]
mod octets;
mod rollup;

use chunk::Zip;
use libfuzzer_sys::fuzz_target;

fn signed(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets::sign(&mut octets);
    octets
}

fuzz_target!(|octets: &[u8]| {
    let mut zip = Zip::new().expect("compression");
    drop(chunk::decode_times(octets, &mut zip));
    let Some((cut, rest)) = octets.split_first() else {
        return;
    };
    let (times, body) = rest.split_at(usize::from(*cut).min(rest.len()));
    // A body with times of its own, or with as many as it says.
    let own = chunk::decode_times(&signed(times), &mut zip);
    let many = body.get(1).map_or(0, |n| i64::from(n & 0x7f));
    for at in [own.unwrap_or_default(), (0..many).collect()] {
        let Ok(series) = chunk::decode(&signed(body), at.clone(), &mut zip) else {
            continue;
        };
        let _ = series.within(i64::MIN, i64::MAX).count();
        let _ = series.sums();
        let again = chunk::encode(&series, &mut zip).expect("what was read can be written");
        let back = chunk::decode(&again, at, &mut zip).expect("what was written can be read");
        assert!(back.same(&series));
    }
});
