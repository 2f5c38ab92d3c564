//! Octets nobody should send: never a panic, never more memory than the limits allow.

use crate::bytes;
use crate::generate::{any_event, any_scans, header};
use proptest::prelude::*;
use riser_model::{Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_wire::topic::{DownTopic, UpTopic, parse};
use riser_wire::{
    Down, Up, WireError, decode_data, decode_event, encode_data, encode_event, limits, peek,
    read_point,
};

/// Runs every decoder over the octets; the results do not matter, only that there are some.
fn swallow(octets: &[u8]) {
    _ = peek(octets);
    if let Ok((head, samples)) = decode_data(octets) {
        assert_eq!(head.samples as usize, samples.len());
        assert!(samples.len() <= limits::MAX_SAMPLES);
    }
    for slot in [0, 1, 5, u32::MAX] {
        let mut seen = 0;
        _ = read_point(octets, Slot(slot), &mut |_, _, _| seen += 1);
        assert!(seen <= limits::MAX_SAMPLES);
    }
    _ = decode_event(octets);
    for topic in [
        UpTopic::Hello,
        UpTopic::Event,
        UpTopic::Data,
        UpTopic::Rollup,
        UpTopic::Watch,
        UpTopic::Heartbeat,
    ] {
        _ = Up::decode(topic, octets);
    }
    if let Ok(down) = Down::decode(octets) {
        assert!(matches!(
            down.topic(),
            DownTopic::Ack | DownTopic::Command | DownTopic::Watch | DownTopic::Heartbeat
        ));
    }
}

/// Changes to make: overwrite, insert, remove, cut.
fn any_changes() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, u8)>> {
    prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

fn change(mut octets: Vec<u8>, changes: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (what, place, octet) in changes {
        if octets.is_empty() {
            break;
        }
        let place = place.index(octets.len());
        match what {
            0 => octets[place] = *octet,
            1 => octets.insert(place, *octet),
            2 => _ = octets.remove(place),
            _ => octets.truncate(place),
        }
    }
    octets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn damage_is_noticed(scans in any_scans(), changes in any_changes()) {
        let frame = encode_data(&header(), &scans);
        let damaged = change(frame.clone(), &changes);
        if damaged != frame {
            prop_assert!(decode_data(&damaged).is_err());
            prop_assert!(peek(&damaged).is_err());
        }
    }

    #[test]
    fn changed_frames_with_a_right_checksum_are_swallowed(
        scans in any_scans(),
        changes in any_changes(),
    ) {
        let mut frame = change(encode_data(&header(), &scans), &changes);
        bytes::resign(&mut frame);
        swallow(&frame);
    }

    #[test]
    fn changed_events_are_swallowed(event in any_event(), changes in any_changes()) {
        let mut frame = change(encode_event(&header(), &event), &changes);
        bytes::resign(&mut frame);
        swallow(&frame);
    }

    #[test]
    fn any_body_is_swallowed(
        samples in 0..64_u64,
        body in prop::collection::vec(prop_oneof![3 => 0..9_u8, 1 => any::<u8>()], 0..120),
    ) {
        swallow(&bytes::data(samples, &body));
        swallow(&bytes::event(&body));
    }

    #[test]
    fn any_octets_are_swallowed(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        swallow(&octets);
    }

    #[test]
    fn any_topic_is_swallowed(topic in "(riser/v1/)?[a-z0-9/+#]{0,20}(/up|/down)?(/data)?") {
        _ = parse(&topic);
    }
}

fn refused_as_too_large<T: std::fmt::Debug>(result: Result<T, WireError>) {
    let error = result.expect_err("it is too large");
    assert!(matches!(error, WireError::TooLarge { .. }), "{error:?}");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let body = vec![0; limits::MAX_BODY + 1];
    let packed = zstd::bulk::compress(&body, 3).unwrap();
    let bomb = |claimed: usize| {
        let mut header = bytes::header(2, 1, 1, claimed);
        bytes::number(&mut header, 9, 1);
        bytes::frame(1, &header, &packed)
    };
    refused_as_too_large(decode_data(&bomb(body.len())));
    assert!(matches!(
        decode_data(&bomb(100)),
        Err(WireError::Compression(_))
    ));
    refused_as_too_large(decode_data(&bytes::data(
        limits::MAX_SAMPLES as u64 + 1,
        &[],
    )));
    refused_as_too_large(peek(&vec![0; limits::MAX_EVENT_FRAME + 1]));
    refused_as_too_large(decode_data(&bytes::data(1, &vec![0; limits::MAX_FRAME])));
    refused_as_too_large(Down::decode(&vec![0; limits::MAX_FRAME + 1]));
    refused_as_too_large(Up::decode(UpTopic::Hello, &vec![0; limits::MAX_FRAME + 1]));
}

#[test]
fn a_block_of_a_million_samples_in_forty_octets_is_held_to_the_header() {
    // times: one, lists: none, blocks: one of form 1 with 1,000,000 series of one sample.
    let million = [0xc0, 0x84, 0x3d];
    let mut block = vec![0];
    block.extend([0xbf, 0x84, 0x3d]);
    block.push(0);
    block.extend([0xff, 0x88, 0x7a, 0]);
    block.extend([0, 0, 0]);
    let mut body = vec![1, 0, 0, 1, 1];
    body.extend(million);
    body.push(1);
    body.push(u8::try_from(block.len()).unwrap());
    body.extend(&block);
    assert_eq!(
        decode_data(&bytes::data(1_000_000, &body)).unwrap().1.len(),
        1_000_000
    );
    assert!(matches!(
        decode_data(&bytes::data(999_999, &body)),
        Err(WireError::Malformed(_))
    ));
}

#[test]
fn an_event_of_empty_points_is_refused_before_they_are_made() {
    for (field, label) in [(3, false), (2, false), (3, true)] {
        let mut part = Vec::new();
        bytes::octets(
            &mut part,
            field,
            if label {
                &[0x5a, 0, 0x5a, 0, 0x5a, 0, 0x5a, 0]
            } else {
                &[]
            },
        );
        let parts = if label {
            limits::MAX_LABELS / 4 + 1
        } else {
            limits::MAX_POINTS + 1
        };
        let directory = part.repeat(parts.min(limits::MAX_POINTS + 1));
        let mut event = vec![0x0a];
        let mut length = directory.len();
        while length >= 0x80 {
            event.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        event.push(u8::try_from(length).unwrap());
        event.extend(&directory);
        refused_as_too_large(decode_event(&bytes::event(&event)));
    }
}

#[test]
fn streams_are_not_mixed_up() {
    let scans = [ScanBatch {
        at: Timestamp(1),
        readings: vec![Reading {
            slot: Slot(u32::MAX),
            value: Some(Value::Int(1)),
            quality: Quality::GOOD,
        }],
    }];
    let frame = encode_data(&header(), &scans);
    assert_eq!(decode_data(&frame).unwrap().1[0].slot, Slot(u32::MAX));
    assert!(matches!(decode_event(&frame), Err(WireError::Malformed(_))));
    assert!(matches!(
        Up::decode(UpTopic::Event, &frame),
        Err(WireError::Malformed(_))
    ));
    assert_eq!(
        Up::decode(UpTopic::Data, &frame),
        Ok(Up::Batch(frame.clone()))
    );
}
