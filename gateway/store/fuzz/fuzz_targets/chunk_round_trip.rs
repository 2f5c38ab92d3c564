//! Any samples into a chunk and back.
#![no_main]
#![expect(dead_code, unused_imports, reason = "the store's files are here whole")]

#[path = "../../src/chunk/mod.rs"]
mod chunk;
#[path = "../../src/octets.rs"]
mod octets;
mod rollup;

use arbitrary::Arbitrary;
use chunk::{Series, Zip};
use libfuzzer_sys::fuzz_target;
use riser_model::{Quality, Reason, Timestamp, Value};

#[derive(Debug, Arbitrary)]
enum Given {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

fuzz_target!(|samples: Vec<(i64, Given, u8)>| {
    let mut zip = Zip::new().expect("compression");
    let mut series = Series::default();
    for (at, given, quality) in samples {
        let value = match given {
            Given::None => None,
            Given::Bool(b) => Some(Value::Bool(b)),
            Given::Int(n) => Some(Value::Int(n)),
            Given::Float(x) if x.is_finite() => Some(Value::Float(x)),
            Given::Float(_) => None,
            Given::Text(text) => Some(Value::text(&text)),
        };
        let reason = Reason::ALL[usize::from(quality) % Reason::ALL.len()];
        let quality = match quality >> 6 {
            0 | 1 => Quality::GOOD,
            2 => Quality::uncertain(reason),
            _ => Quality::bad(reason),
        };
        series.push(Timestamp(at), value.as_ref(), quality);
    }
    series.sort();
    let times = chunk::encode_times(&series.at, &mut zip).expect("times");
    let at = chunk::decode_times(&times, &mut zip).expect("the times that were written");
    assert_eq!(at, series.at);
    let body = chunk::encode(&series, &mut zip).expect("a chunk");
    let back = chunk::decode(&body, at, &mut zip).expect("the chunk that was written");
    assert!(back.same(&series));
});
