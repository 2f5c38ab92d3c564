//! The constructed types of schedules, calendars, events and recipients: what is written reads back,
//! octets of the standard's own examples, and frames broken on purpose.
#![expect(clippy::cast_possible_truncation, reason = "octets of chance")]

use proptest::prelude::*;
use riser_bacnet::codec::schedule::{self, Entry, Exception, Period, Switch, Target, WeekDay};
use riser_bacnet::codec::service::event::{self, Acknowledge, EventState, Notification, Stamp};
use riser_bacnet::codec::service::list::{self, Destination, Recipient};
use riser_bacnet::codec::service::property::Reference;
use riser_bacnet::codec::{Date, Datum, ObjectId, ObjectType, PropertyId, Time};

fn date() -> impl Strategy<Value = Date> {
    any::<[u8; 4]>().prop_map(|[year, month, day, weekday]| Date {
        year,
        month,
        day,
        weekday,
    })
}

fn time() -> impl Strategy<Value = Time> {
    any::<[u8; 4]>().prop_map(|[hour, minute, second, hundredth]| Time {
        hour,
        minute,
        second,
        hundredth,
    })
}

fn object() -> impl Strategy<Value = ObjectId> {
    (0..1024_u16, 0..4_194_304_u32).prop_map(|(kind, at)| ObjectId::new(ObjectType(kind), at))
}

fn switches() -> impl Strategy<Value = Vec<Switch>> {
    let value = prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Boolean),
        any::<u32>().prop_map(Datum::Enumerated),
        (-1e9_f32..1e9).prop_map(Datum::Real),
        "[a-zäöü ]{0,20}".prop_map(Datum::Text),
    ];
    let switch = (time(), value).prop_map(|(time, value)| Switch { time, value });
    prop::collection::vec(switch, 0..5)
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        date().prop_map(Entry::Day),
        (date(), date()).prop_map(|(a, b)| Entry::Days(a, b)),
        any::<[u8; 3]>().prop_map(|[month, week, weekday]| Entry::Week(WeekDay {
            month,
            week,
            weekday
        })),
    ]
}

fn exception() -> impl Strategy<Value = Exception> {
    let period = prop_oneof![
        entry().prop_map(Period::Entry),
        object().prop_map(Period::Calendar)
    ];
    (period, switches(), any::<u8>()).prop_map(|(period, switches, priority)| Exception {
        period,
        switches,
        priority,
    })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    prop_oneof![
        time().prop_map(Stamp::Time),
        any::<u32>().prop_map(Stamp::Sequence),
        (date(), time()).prop_map(|(d, t)| Stamp::DateTime(d, t)),
    ]
}

fn notification() -> impl Strategy<Value = Notification> {
    (
        (any::<u32>(), 0..4_194_304_u32, object(), stamp()),
        (any::<u32>(), any::<u8>(), any::<u32>()),
        prop::option::of("[a-zäöü ]{0,40}"),
        (
            any::<u32>(),
            any::<bool>(),
            any::<Option<u32>>(),
            any::<u32>(),
        ),
    )
        .prop_map(
            |((process, device, object, stamp), rest, text, last)| Notification {
                process,
                device,
                object,
                stamp,
                class: rest.0,
                priority: rest.1,
                kind: rest.2,
                text,
                notify: last.0,
                ack_required: last.1,
                from: last.2.map(EventState),
                to: EventState(last.3),
            },
        )
}

fn standing() -> impl Strategy<Value = event::Standing> {
    (
        object(),
        any::<u32>(),
        any::<[bool; 3]>(),
        [stamp(), stamp(), stamp()],
        any::<u32>(),
        any::<[u8; 3]>(),
    )
        .prop_map(
            |(object, state, acknowledged, stamps, notify, priorities)| event::Standing {
                object,
                state: EventState(state),
                acknowledged,
                stamps: Some(stamps),
                notify,
                priorities: Some(priorities),
            },
        )
}

fn destination() -> impl Strategy<Value = Destination> {
    let recipient = prop_oneof![
        object().prop_map(Recipient::Device),
        (any::<u16>(), prop::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(network, mac)| Recipient::Address(network, mac)),
    ];
    (
        recipient,
        any::<u32>(),
        any::<bool>(),
        any::<[bool; 7]>(),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(recipient, process, confirmed, days, transitions)| Destination {
                days,
                transitions,
                ..Destination::always(recipient, process, confirmed)
            },
        )
}

proptest! {
    #[test]
    fn schedules_and_calendars_read_back(
        week in prop::collection::vec(switches(), 0..8),
        exceptions in prop::collection::vec(exception(), 0..5),
        entries in prop::collection::vec(entry(), 0..8),
        days in (date(), date()),
        targets in prop::collection::vec(
            (object(), 0..5000_u32, any::<Option<u32>>(), prop::option::of(object())), 0..4),
    ) {
        prop_assert_eq!(schedule::week(&schedule::put_week(&week)).unwrap(), week);
        let octets = schedule::put_exceptions(&exceptions);
        prop_assert_eq!(schedule::exceptions(&octets).unwrap(), exceptions);
        prop_assert_eq!(schedule::entries(&schedule::put_entries(&entries)).unwrap(), entries);
        prop_assert_eq!(schedule::days(&schedule::put_days(days.0, days.1)).unwrap(), days);
        let targets: Vec<Target> = targets
            .into_iter()
            .map(|(object, property, index, device)| Target {
                reference: Reference { object, property: PropertyId(property), index },
                device,
            })
            .collect();
        prop_assert_eq!(schedule::targets(&schedule::put_targets(&targets)).unwrap(), targets);
    }

    #[test]
    fn events_and_recipients_read_back(
        told in notification(),
        standing in prop::collection::vec(standing(), 0..5),
        more in any::<bool>(),
        recipients in prop::collection::vec(destination(), 0..4),
        source in "[a-zäöü ]{0,30}",
        at in stamp(),
    ) {
        let back = Notification::decode(&told.encoded()).unwrap();
        prop_assert_eq!(&back, &told);
        let octets = event::information_answer(&standing, more);
        prop_assert_eq!(event::decode_information(&octets).unwrap(), (standing, more));
        let said = Acknowledge {
            process: told.process,
            object: told.object,
            state: told.to,
            stamp: told.stamp,
            source,
            at,
        };
        prop_assert_eq!(Acknowledge::decode(&said.encoded()).unwrap(), said);
        let octets = list::put_destinations(&recipients);
        prop_assert_eq!(list::destinations(&octets).unwrap(), recipients);
    }

    #[test]
    fn any_octets_end_as_something_or_as_an_error(
        octets in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        decode(&octets);
    }
}

/// Every decoder on octets that may be anything.
fn decode(octets: &[u8]) {
    let _any = schedule::week(octets);
    let _any = schedule::exceptions(octets);
    let _any = schedule::entries(octets);
    let _any = schedule::days(octets);
    let _any = schedule::targets(octets);
    let _any = Notification::decode(octets);
    let _any = Acknowledge::decode(octets);
    let _any = event::decode_information(octets);
    let _any = event::decode_summary(octets);
    let _any = event::decode_stamps(octets);
    let _any = list::destinations(octets);
}

/// Clauses F.1.4 and F.1.1: an UnconfirmedEventNotification and an AcknowledgeAlarm.
const TOLD: &[u8] = &[
    0x09, 0x01, 0x1c, 0x02, 0x00, 0x00, 0x09, 0x2c, 0x00, 0x00, 0x00, 0x02, 0x3e, 0x19, 0x10, 0x3f,
    0x49, 0x04, 0x59, 0x64, 0x69, 0x05, 0x89, 0x00, 0x99, 0x01, 0xa9, 0x00, 0xb9, 0x03, 0xce, 0x5e,
    0x0c, 0x42, 0xa0, 0x33, 0x33, 0x1a, 0x04, 0x80, 0x2c, 0x3f, 0x80, 0x00, 0x00, 0x3c, 0x42, 0xa0,
    0x00, 0x00, 0x5f, 0xcf,
];

#[test]
fn octets_are_those_of_the_standard() {
    let ai2 = ObjectId::new(ObjectType::ANALOG_INPUT, 2);
    let told = Notification::decode(TOLD).unwrap();
    let expected = Notification {
        process: 1,
        device: 9,
        object: ai2,
        stamp: Stamp::Sequence(16),
        class: 4,
        priority: 100,
        kind: 5,
        text: None,
        notify: 0,
        ack_required: true,
        from: Some(EventState::NORMAL),
        to: EventState(3),
    };
    assert_eq!(told, expected);
    assert_eq!(told.to.to_string(), "high limit");
    // All but the values that led to it, which stand at the end.
    assert_eq!(told.encoded(), &TOLD[..30]);
    let said = Acknowledge {
        process: 1,
        object: ai2,
        state: EventState(3),
        stamp: Stamp::Sequence(16),
        source: "MDL".into(),
        at: Stamp::DateTime(
            Date {
                year: 92,
                month: 6,
                day: 21,
                weekday: 255,
            },
            Time {
                hour: 13,
                minute: 3,
                second: 41,
                hundredth: 9,
            },
        ),
    };
    let octets = [
        0x09, 0x01, 0x1c, 0x00, 0x00, 0x00, 0x02, 0x29, 0x03, 0x3e, 0x19, 0x10, 0x3f, 0x4c, 0x00,
        0x4d, 0x44, 0x4c, 0x5e, 0x2e, 0xa4, 0x5c, 0x06, 0x15, 0xff, 0xb4, 0x0d, 0x03, 0x29, 0x09,
        0x2f, 0x5f,
    ];
    assert_eq!(said.encoded(), octets);
    // A day of the week: 06:00 21.0, and nothing more.
    let day = [0x0e, 0xb4, 6, 0, 0, 0, 0x44, 0x41, 0xa8, 0, 0, 0x0f];
    let week = schedule::week(&day).unwrap();
    assert_eq!(week[0][0].value, Datum::Real(21.0));
    assert_eq!(schedule::put_week(&week), day);
    // A time without a value is no switch.
    assert!(schedule::week(&[0x0e, 0xb4, 6, 0, 0, 0, 0x0f]).is_err());
}

#[test]
fn broken_frames_harm_nothing() {
    let entry = Entry::Days(
        Date {
            year: 126,
            month: 12,
            day: 24,
            weekday: 4,
        },
        Date {
            year: 126,
            month: 12,
            day: 26,
            weekday: 6,
        },
    );
    let switch = Switch {
        time: Time {
            hour: 6,
            minute: 0,
            second: 0,
            hundredth: 0,
        },
        value: Datum::Real(17.0),
    };
    let exception = Exception {
        period: Period::Entry(entry),
        switches: vec![switch.clone()],
        priority: 3,
    };
    let own = Destination::always(
        Recipient::Address(0, vec![192, 0, 2, 1, 0xba, 0xc0]),
        1,
        true,
    );
    let seeds = [
        TOLD.to_vec(),
        schedule::put_week(&vec![vec![switch]; 7]),
        schedule::put_exceptions(&[exception.clone(), exception]),
        schedule::put_entries(&[entry, entry]),
        list::put_destinations(&[own]),
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut chance = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize
    };
    for _ in 0..60_000 {
        let mut frame = seeds[chance() % seeds.len()].clone();
        for _ in 0..=chance() % 4 {
            let at = chance() % frame.len().max(1);
            match chance() % 4 {
                0 if !frame.is_empty() => frame[at] = chance() as u8,
                1 if !frame.is_empty() => frame[at] ^= 1 << (chance() % 8),
                2 => frame.truncate(at),
                _ => frame.insert(at.min(frame.len()), chance() as u8),
            }
        }
        decode(&frame);
    }
}
