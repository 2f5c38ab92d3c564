//! A point's samples as they lie in a compacted day file. Owns the layout of a chunk and of the
//! times it shares with others; the decoder is total and bounded.
//!
//! ```text
//! body   := 1, count n, marks, bools, ints, floats, texts, crc32c
//! marks  := 0, kind, quality                      all alike
//!         | 1, zstd( n kinds, n qualities )
//! bools, ints := a column of whole numbers, for the samples of that kind
//! floats := a column of real numbers
//! texts  := count of words, zstd( words with their lengths ), octets of it, column of indices
//! times  := 1, count n, first, column of n-1 differences, crc32c
//! ```
//!
//! Points that are read together have the same times, so a chunk only names its times: they are
//! stored once. Samples lie in order of time; among equal stamps in the order they came.

mod numbers;
mod series;

use crate::octets::{Bad, Cursor, put, put_block, sign, signed, zigzag};
pub(crate) use numbers::Zip;
use numbers::{put_floats, put_ints, read_floats, read_ints, unzip};
use series::Kind;
pub(crate) use series::{Figures, Series, Sums};
use std::io;

const VERSION: u8 = 1;
/// Most samples in one chunk: a bound for the reader, far above what is written.
const MAX_SAMPLES: usize = 4_000_000;
/// Most octets of text in one chunk.
const MAX_WORDS: usize = 64 << 20;

/// The times of a series.
pub(crate) fn encode_times(at: &[i64], zip: &mut Zip) -> io::Result<Vec<u8>> {
    let mut out = vec![VERSION];
    put(&mut out, at.len() as u64);
    put(&mut out, zigzag(at.first().copied().unwrap_or(0)));
    let steps: Vec<i64> = at.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    put_ints(&mut out, &steps, zip)?;
    sign(&mut out);
    Ok(out)
}

/// The inverse of [`encode_times`].
pub(crate) fn decode_times(octets: &[u8], zip: &mut Zip) -> Result<Vec<i64>, Bad> {
    let mut c = Cursor(signed(octets)?);
    let n = count(&mut c)?;
    let mut at = c.signed()?;
    let mut times = Vec::with_capacity(n);
    if n > 0 {
        times.push(at);
        for step in read_ints(&mut c, n - 1, zip)? {
            at = at.wrapping_add(step);
            times.push(at);
        }
    }
    Ok(times)
}

/// Everything of a series but its times.
pub(crate) fn encode(series: &Series, zip: &mut Zip) -> io::Result<Vec<u8>> {
    let mut out = vec![VERSION];
    put(&mut out, series.len() as u64);
    put_marks(&mut out, &series.mark, zip)?;
    let of = |kind: Kind| {
        let all = series.mark.iter().zip(&series.bits);
        all.filter(move |(m, _)| m.to_be_bytes()[0] == kind as u8)
            .map(|(_, b)| *b)
    };
    let ints = |kind| -> Vec<i64> { of(kind).map(u64::cast_signed).collect() };
    put_ints(&mut out, &ints(Kind::Bool), zip)?;
    put_ints(&mut out, &ints(Kind::Int), zip)?;
    let floats: Vec<f64> = of(Kind::Float).map(f64::from_bits).collect();
    put_floats(&mut out, &floats, zip)?;
    let texts = ints(Kind::Text);
    if !texts.is_empty() {
        let mut words = Vec::new();
        for text in &series.texts {
            put_block(&mut words, text.as_bytes());
        }
        put(&mut out, series.texts.len() as u64);
        put(&mut out, words.len() as u64);
        put_block(&mut out, &zip.zip.compress(&words)?);
        put_ints(&mut out, &texts, zip)?;
    }
    sign(&mut out);
    Ok(out)
}

fn put_marks(out: &mut Vec<u8>, marks: &[u16], zip: &mut Zip) -> io::Result<()> {
    let first = marks.first().copied().unwrap_or(0);
    if marks.iter().all(|m| *m == first) {
        out.push(0);
        out.extend_from_slice(&first.to_be_bytes());
        return Ok(());
    }
    let kinds = marks.iter().map(|m| m.to_be_bytes()[0]);
    let octets: Vec<u8> = kinds
        .chain(marks.iter().map(|m| m.to_be_bytes()[1]))
        .collect();
    out.push(1);
    put_block(out, &zip.zip.compress(&octets)?);
    Ok(())
}

/// The inverse of [`encode`] for a series with these times.
pub(crate) fn decode(octets: &[u8], at: Vec<i64>, zip: &mut Zip) -> Result<Series, Bad> {
    let mut c = Cursor(signed(octets)?);
    let n = count(&mut c)?;
    if n != at.len() {
        return Err(Bad("there are more samples than times, or fewer"));
    }
    let mark = read_marks(&mut c, n, zip)?;
    let many = |kind: Kind| {
        mark.iter()
            .filter(|m| m.to_be_bytes()[0] == kind as u8)
            .count()
    };
    let mut bools = read_ints(&mut c, many(Kind::Bool), zip)?.into_iter();
    let mut ints = read_ints(&mut c, many(Kind::Int), zip)?.into_iter();
    let mut floats = read_floats(&mut c, many(Kind::Float), zip)?.into_iter();
    let mut series = Series::default();
    let mut indices = Vec::new().into_iter();
    if many(Kind::Text) > 0 {
        read_words(&mut c, &mut series, zip)?;
        indices = read_ints(&mut c, many(Kind::Text), zip)?.into_iter();
    }
    let missing = Bad("a value is missing");
    for m in &mark {
        let bits = match Kind::from_code(m.to_be_bytes()[0])? {
            Kind::None => Some(0),
            Kind::Bool => bools.next().map(i64::cast_unsigned),
            Kind::Int => ints.next().map(i64::cast_unsigned),
            Kind::Float => floats.next().map(f64::to_bits),
            Kind::Text => indices.next().map(i64::cast_unsigned),
        };
        series.bits.push(bits.ok_or(missing.clone())?);
    }
    (series.at, series.mark) = (at, mark);
    series.check()?;
    Ok(series)
}

fn count(c: &mut Cursor<'_>) -> Result<usize, Bad> {
    if c.byte()? != VERSION {
        return Err(Bad("its version is unknown"));
    }
    let n: usize = c.small()?;
    if n > MAX_SAMPLES {
        return Err(Bad("it has too many samples"));
    }
    Ok(n)
}

fn read_marks(c: &mut Cursor<'_>, n: usize, zip: &mut Zip) -> Result<Vec<u16>, Bad> {
    if c.byte()? == 0 {
        let mark = u16::from_be_bytes([c.byte()?, c.byte()?]);
        return Ok(vec![mark; n]);
    }
    let octets = unzip(c.block()?, 2 * n, zip)?;
    let (kinds, qualities) = octets.split_at(n);
    let pairs = kinds.iter().zip(qualities);
    Ok(pairs.map(|(k, q)| u16::from_be_bytes([*k, *q])).collect())
}

fn read_words(c: &mut Cursor<'_>, series: &mut Series, zip: &mut Zip) -> Result<(), Bad> {
    let (words, len): (usize, usize) = (c.small()?, c.small()?);
    if len > MAX_WORDS || words > len {
        return Err(Bad("it has too many words"));
    }
    let octets = unzip(c.block()?, len, zip)?;
    let mut c = Cursor(&octets);
    for _ in 0..words {
        let word = std::str::from_utf8(c.block()?).map_err(|_| Bad("a word is no text"))?;
        series.texts.push(word.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use riser_model::{Quality, Reason, Timestamp, Value};

    fn value() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            4 => (-3_000i32..9_000).prop_map(|n| Some(Value::Float(f64::from(n) / 10.0))),
            2 => any::<f64>().prop_map(|x| Some(Value::Float(x))),
            1 => prop_oneof![Just(f64::NAN), Just(-0.0), Just(f64::INFINITY), Just(1e-320)]
                .prop_map(|x| Some(Value::Float(x))),
            2 => any::<i64>().prop_map(|n| Some(Value::Int(n))),
            1 => any::<bool>().prop_map(|b| Some(Value::Bool(b))),
            1 => "[a-c]{0,3}".prop_map(|s| Some(Value::text(&s))),
            1 => Just(None),
        ]
    }

    fn quality() -> impl Strategy<Value = Quality> {
        prop_oneof![
            3 => Just(Quality::GOOD),
            1 => (0usize..10).prop_map(|i| Quality::bad(Reason::ALL[i])),
            1 => (0usize..10).prop_map(|i| Quality::uncertain(Reason::ALL[i])),
        ]
    }

    fn round_trip(series: &Series) -> Series {
        let zip = &mut Zip::new().unwrap();
        let times = encode_times(&series.at, zip).unwrap();
        let body = encode(series, zip).unwrap();
        decode(&body, decode_times(&times, zip).unwrap(), zip).unwrap()
    }

    proptest! {
        #[test]
        fn every_sample_survives(
            samples in prop::collection::vec((-100_000i64..100_000, value(), quality()), 0..200),
            alike in any::<bool>(),
        ) {
            let mut series = Series::default();
            for (at, value, quality) in &samples {
                let value = if alike { samples[0].1.as_ref() } else { value.as_ref() };
                series.push(Timestamp(*at), value, *quality);
            }
            series.sort();
            let back = round_trip(&series);
            prop_assert_eq!(&back.at, &series.at);
            prop_assert!(back.at.is_sorted());
            for i in 0..series.len() {
                prop_assert_eq!(back.get(i), series.get(i));
            }
        }

        #[test]
        fn any_octets_are_read_or_refused(mut octets in prop::collection::vec(any::<u8>(), 0..120)) {
            let zip = &mut Zip::new().unwrap();
            sign(&mut octets);
            let _ = decode_times(&octets, zip);
            let _ = decode(&octets, vec![0; 3], zip);
        }

        #[test]
        fn a_flipped_octet_is_found(at in any::<prop::sample::Index>()) {
            let mut series = Series::default();
            for n in 0..50 {
                series.push(Timestamp(n), Some(&Value::Int(n * n)), Quality::GOOD);
            }
            let zip = &mut Zip::new().unwrap();
            let mut body = encode(&series, zip).unwrap();
            let i = at.index(body.len());
            body[i] ^= 0x10;
            prop_assert!(decode(&body, series.at.clone(), zip).is_err());
        }
    }

    #[test]
    fn a_setpoint_costs_nothing_and_a_sensor_little() {
        let zip = &mut Zip::new().unwrap();
        let (mut setpoint, mut sensor) = (Series::default(), Series::default());
        for n in 0..1_000i64 {
            setpoint.push(
                Timestamp(n * 1_000),
                Some(&Value::Float(21.0)),
                Quality::GOOD,
            );
            let x = (n * 7_919 % 11) as f64 / 10.0 + 20.0;
            sensor.push(Timestamp(n * 1_000), Some(&Value::Float(x)), Quality::GOOD);
        }
        assert!(encode(&setpoint, zip).unwrap().len() < 24);
        assert!(encode_times(&setpoint.at, zip).unwrap().len() < 24);
        assert!(encode(&sensor, zip).unwrap().len() < 700);
    }
}
