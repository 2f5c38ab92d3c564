//! The codec by itself: what is written reads back, golden octets of other stacks, and a hundred
//! thousand frames broken on purpose.
#![expect(clippy::cast_possible_truncation, reason = "octets of chance")]

use proptest::prelude::*;
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{Refusal, cov, device, range};
use riser_bacnet::codec::{
    Apdu, Bits, Bvlc, Date, Datum, Npdu, ObjectId, ObjectType, Payload, PropertyId, Reader, Remote,
    Segment, Takes, Time,
};
use riser_bacnet::mapping;
use riser_model::ValueKind;

fn datum() -> impl Strategy<Value = Datum> {
    prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Boolean),
        any::<u64>().prop_map(Datum::Unsigned),
        any::<i64>().prop_map(Datum::Signed),
        any::<i8>().prop_map(|x| Datum::Signed(x.into())),
        (-1e30_f32..1e30).prop_map(Datum::Real),
        (-1e300_f64..1e300).prop_map(Datum::Double),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Datum::Octets),
        "[a-zäöü°€ ]{0,80}".prop_map(Datum::Text),
        prop::collection::vec(any::<bool>(), 0..40).prop_map(|b| Datum::Bits(Bits::new(&b))),
        any::<u32>().prop_map(Datum::Enumerated),
        any::<[u8; 4]>().prop_map(|[year, month, day, weekday]| Datum::Date(Date {
            year,
            month,
            day,
            weekday,
        })),
        any::<[u8; 4]>().prop_map(|[hour, minute, second, hundredth]| Datum::Time(Time {
            hour,
            minute,
            second,
            hundredth,
        })),
        (0..1024_u16, 0..4_194_304_u32)
            .prop_map(|(kind, instance)| Datum::Object(ObjectId::new(ObjectType(kind), instance))),
    ]
}

fn reference() -> impl Strategy<Value = Reference> {
    (
        0..1024_u16,
        0..4_194_304_u32,
        0..5000_u32,
        any::<Option<u32>>(),
    )
        .prop_map(|(kind, instance, property, index)| Reference {
            object: ObjectId::new(ObjectType(kind), instance),
            property: PropertyId(property),
            index,
        })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (any::<u32>(), any::<u32>()).prop_map(|(class, code)| Refusal::Error { class, code })
}

proptest! {
    #[test]
    fn every_value_reads_back(values in prop::collection::vec(datum(), 0..12)) {
        let mut octets = Vec::new();
        values.iter().for_each(|v| v.encode(&mut octets));
        prop_assert_eq!(Datum::decode_all(&octets).unwrap(), values);
    }

    #[test]
    fn properties_read_back(wanted in prop::collection::vec(reference(), 1..20)) {
        let octets = property::read_many(&wanted);
        prop_assert_eq!(property::decode_read_many(&octets).unwrap(), wanted.as_slice());
        prop_assert_eq!(property::decode_read(&property::read(&wanted[0])).unwrap(), wanted[0]);
    }

    #[test]
    fn answers_read_back(
        found in prop::collection::vec((reference(), prop::result::maybe_ok(datum(), refusal())), 1..12)
    ) {
        let found: Vec<_> = found
            .into_iter()
            .map(|(r, value)| (r, value.map(|d| d.encoded())))
            .collect();
        let octets = property::read_many_answer(&found);
        let mut read = Vec::new();
        property::decode_read_many_answer(&octets, |(r, v)| read.push((r, v.map(<[u8]>::to_vec))))
            .unwrap();
        prop_assert_eq!(read, found);
    }

    #[test]
    fn writes_read_back(reference in reference(), value in datum(), priority in prop::option::of(1..=16_u8)) {
        let write = Write { reference, value: value.encoded(), priority };
        prop_assert_eq!(&Write::decode(&write.encoded()).unwrap(), &write);
        let many = vec![write.clone(), write];
        prop_assert_eq!(property::decode_write_many(&property::write_many(&many)).unwrap(), many);
    }

    #[test]
    fn what_a_server_says_reads_back(
        reference in reference(),
        refusal in refusal(),
        network in any::<u16>(),
        mac in prop::collection::vec(any::<u8>(), 0..8),
        numbers in any::<[u32; 2]>(),
        confirmed in any::<bool>(),
        increment in prop::option::of(-1e30_f32..1e30),
    ) {
        let octets = property::write_many_refusal(refusal, &reference);
        prop_assert_eq!(property::decode_write_many_refusal(&octets), Ok((refusal, reference)));
        // One who only looks for class and code finds them too.
        prop_assert_eq!(Refusal::decode(&octets), Ok(refusal));
        let active = cov::Active {
            subscriber: (network, mac),
            process: numbers[0],
            watched: reference,
            confirmed,
            remaining: numbers[1],
            increment,
        };
        let mut octets = Vec::new();
        active.encode(&mut octets);
        active.encode(&mut octets);
        prop_assert_eq!(cov::Active::decode_all(&octets), Ok(vec![active.clone(), active]));
    }

    #[test]
    fn what_follows_a_request_is_no_part_of_it(wanted in reference(), more in any::<u8>()) {
        let mut octets = property::read(&wanted);
        let index = wanted.index.is_none();
        // An index may follow; 0x79 is a tag no request has.
        octets.extend([if index { 0x79 } else { 0x29 }, more]);
        prop_assert!(property::decode_read(&octets).is_err());
    }

    #[test]
    fn headers_read_back(
        body in prop::collection::vec(any::<u8>(), 0..40),
        octets in any::<[u8; 4]>(),
        flags in any::<[bool; 3]>(),
        remote in prop::option::of((1..=65_534_u16, prop::collection::vec(any::<u8>(), 1..7))),
    ) {
        let [invoke, service, number, window] = octets;
        let segment = flags[0].then_some(Segment { number, window, more: flags[1] });
        let takes = Takes { segments: flags[2], max_segments: 7, max_apdu: 5 };
        let body = &body[..];
        for apdu in [
            Apdu::Confirmed { segment, takes, invoke, service, body },
            Apdu::Unconfirmed { service, body },
            Apdu::SimpleAck { invoke, service },
            Apdu::ComplexAck { segment, invoke, service, body },
            Apdu::SegmentAck { negative: flags[0], server: flags[1], invoke, number, window },
            Apdu::Error { invoke, service, body },
            Apdu::Reject { invoke, reason: service },
            Apdu::Abort { server: flags[0], invoke, reason: service },
        ] {
            let mut written = Vec::new();
            apdu.encode(&mut written);
            prop_assert_eq!(Apdu::decode(&written).unwrap(), apdu);
            let remote = remote.clone().map(|(network, mac)| Remote { network, mac });
            let npdu = Npdu {
                to: remote.clone(),
                from: remote,
                expects: flags[0],
                payload: Payload::Apdu(&written),
            };
            let mut envelope = Vec::new();
            npdu.encode(&mut envelope);
            let frame = Bvlc::Broadcast(&envelope).encoded();
            prop_assert_eq!(Bvlc::decode(&frame).unwrap(), Bvlc::Broadcast(&envelope));
            prop_assert_eq!(Npdu::decode(&envelope).unwrap(), npdu);
        }
    }
}

/// The encodings another library was seen to get wrong, in the octets the standard wants.
#[test]
fn octets_are_those_of_the_standard() {
    let ai = ObjectId::new(ObjectType::ANALOG_INPUT, 5);
    // Clause F.3.5: ReadProperty of the present value of analog input 5.
    let wanted = Reference::new(ai, PropertyId::PRESENT_VALUE);
    assert_eq!(property::read(&wanted), [0x0c, 0, 0, 0, 5, 0x19, 0x55]);
    let answer = [
        0x0c, 0, 0, 0, 5, 0x19, 0x55, 0x3e, 0x44, 0x42, 0x90, 0x99, 0x9a, 0x3f,
    ];
    let (found, value) = property::decode_read_answer(&answer).unwrap();
    assert_eq!(
        (found, property::single(value)),
        (wanted, Ok(Datum::Real(72.3)))
    );
    // Property 512 and index 300 take two octets each.
    let write = Write {
        reference: Reference::new(ai, PropertyId(512)).at(300),
        value: Datum::Real(1.0).encoded(),
        priority: Some(8),
    };
    let octets = [
        0x0c, 0, 0, 0, 5, 0x1a, 2, 0, 0x2a, 1, 0x2c, 0x3e, 0x44, 0x3f, 0x80, 0, 0, 0x3f, 0x49, 8,
    ];
    assert_eq!(write.encoded(), octets);
    // The octet 3f inside the value ends nothing.
    assert_eq!(Write::decode(&octets).unwrap(), write);
    assert_eq!(Datum::Unsigned(65_536).encoded(), [0x23, 1, 0, 0]);
    assert_eq!(Datum::Signed(-1).encoded(), [0x31, 0xff]);
    assert_eq!(Datum::Signed(128).encoded(), [0x32, 0, 0x80]);
    // A date that is any day stays any day.
    let any = Date {
        year: 255,
        month: 255,
        day: 255,
        weekday: 255,
    };
    assert_eq!(Datum::Date(any).encoded(), [0xa4, 255, 255, 255, 255]);
    // A weekly schedule is a row of groups: kept as octets, not an error.
    let day = [0x0e, 0xb4, 6, 0, 0, 0, 0x44, 0x41, 0xa8, 0, 0, 0x0f];
    assert_eq!(Datum::decode_all(&day).unwrap(), [Datum::Raw(day.to_vec())]);
    // Clause F.4.8: I-Am.
    let i_am = device::IAm {
        instance: 3,
        max_apdu: 1024,
        segmentation: device::Segmentation::None,
        vendor: 99,
    };
    let octets = [0xc4, 2, 0, 0, 3, 0x22, 4, 0, 0x91, 3, 0x21, 99];
    assert_eq!(
        (i_am.encoded(), device::IAm::decode(&octets)),
        (octets.to_vec(), Ok(i_am))
    );
}

/// Every decoder on octets that may be anything.
fn decode(octets: &[u8]) {
    if let Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu) | Bvlc::Forwarded(_, npdu)) =
        Bvlc::decode(octets)
        && let Ok(npdu) = Npdu::decode(npdu)
        && let Payload::Apdu(apdu) = npdu.payload
    {
        let _any = Apdu::decode(apdu);
    }
    let _any = (Npdu::decode(octets).is_ok(), Apdu::decode(octets).is_ok());
    let _any = Datum::decode_all(octets);
    let _any = property::decode_read(octets);
    let _any = property::decode_read_answer(octets);
    let _any = property::decode_read_many(octets);
    let _any = property::decode_read_many_answer(octets, |(_, value)| {
        if let Ok(value) = value {
            for kind in [
                ValueKind::Float,
                ValueKind::Bool,
                ValueKind::Enum,
                ValueKind::Text,
            ] {
                let _any = mapping::reading(kind, value, None);
            }
        }
    });
    let _any = Write::decode(octets);
    let _any = property::decode_write_many_refusal(octets);
    let _any = cov::Active::decode_all(octets);
    let _any = property::decode_write_many(octets);
    let _any = cov::Notification::decode(octets);
    let _any = cov::Subscribe::decode(octets);
    let _any = device::IAm::decode(octets);
    let _any = device::decode_who_is(octets);
    let _any = device::decode_who_has(octets);
    let _any = device::decode_i_have(octets);
    let _any = Refusal::decode(octets);
    if let Ok(answer) = range::Answer::decode(octets) {
        let _any = range::records(answer.items);
    }
    let _any = range::records(octets);
    let mut reader = Reader::new(octets);
    while reader.skip().is_ok_and(|taken| !taken.is_empty()) {}
}

/// Frames that are right, to be broken.
fn active(watched: Reference) -> Vec<u8> {
    let active = cov::Active {
        subscriber: (0, vec![192, 0, 2, 1, 0xBA, 0xC0]),
        process: 7,
        watched,
        confirmed: true,
        remaining: 60,
        increment: Some(0.5),
    };
    let mut octets = Vec::new();
    active.encode(&mut octets);
    octets
}

/// One record of a trend log.
fn record() -> Vec<u8> {
    [
        &[0x0e][..],
        &Datum::Date(Date {
            year: 126,
            month: 11,
            day: 20,
            weekday: 5,
        })
        .encoded(),
        &Datum::Time(Time {
            hour: 1,
            minute: 2,
            second: 3,
            hundredth: 4,
        })
        .encoded(),
        &[0x0f, 0x1e, 0x2c, 0x41, 0xac, 0, 0, 0x1f, 0x2a, 4, 0],
    ]
    .concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let ai = ObjectId::new(ObjectType::ANALOG_INPUT, 5);
    let wanted = Reference::new(ai, PropertyId::PRESENT_VALUE);
    let value = Datum::Real(21.5).encoded();
    let flags = Datum::Bits(Bits::new(&[false; 4])).encoded();
    let notification = cov::Notification {
        process: 7,
        device: 1101,
        object: ai,
        remaining: 60,
        values: vec![
            (PropertyId::PRESENT_VALUE, &value),
            (PropertyId::STATUS_FLAGS, &flags),
        ],
    }
    .encoded();
    let found = [
        (wanted, Ok(value.clone())),
        (wanted, Err(Refusal::Error { class: 2, code: 32 })),
        (wanted, Ok(Datum::Text("Zulufttemperatur".into()).encoded())),
    ];
    let log = range::answer(ai, PropertyId::LOG_BUFFER, [true; 3], &[record()], Some(9));
    let bodies = [
        property::read(&wanted),
        property::read_answer(&wanted, &value),
        property::read_many(&[wanted, wanted.at(3)]),
        property::read_many_answer(&found),
        notification,
        log,
        Write {
            reference: wanted,
            value: value.clone(),
            priority: Some(8),
        }
        .encoded(),
        property::write_many_refusal(Refusal::Error { class: 2, code: 40 }, &wanted),
        active(wanted),
    ];
    let mut seeds: Vec<Vec<u8>> = bodies.to_vec();
    for body in &bodies {
        let (mut apdu, mut npdu) = (Vec::new(), Vec::new());
        Apdu::ComplexAck {
            segment: None,
            invoke: 1,
            service: 14,
            body,
        }
        .encode(&mut apdu);
        Npdu {
            to: None,
            from: None,
            expects: false,
            payload: Payload::Apdu(&apdu),
        }
        .encode(&mut npdu);
        seeds.push(Bvlc::Unicast(&npdu).encoded());
    }
    seeds
}

/// Xorshift: repeatable, and good enough for noise.
fn chance(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 20) as usize
}

fn broken(frames: usize) {
    let (seeds, mut state) = (seeds(), 0x2545_F491_4F6C_DD1D);
    for _ in 0..frames {
        let mut frame = seeds[chance(&mut state) % seeds.len()].clone();
        for _ in 0..=chance(&mut state) % 4 {
            if frame.is_empty() {
                break;
            }
            let at = chance(&mut state) % frame.len();
            match chance(&mut state) % 4 {
                0 => frame[at] = chance(&mut state) as u8,
                1 => frame[at] ^= 1 << (chance(&mut state) % 8),
                2 => frame.truncate(at),
                _ => frame.insert(at, chance(&mut state) as u8),
            }
        }
        decode(&frame);
    }
}

#[test]
fn a_hundred_thousand_broken_frames_harm_nothing() {
    broken(100_000);
}

#[test]
#[ignore = "a million frames take longer than a test should; run it after a change of the codec"]
fn a_million_broken_frames_harm_nothing() {
    broken(1_000_000);
}
