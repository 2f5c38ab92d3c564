//! Versions live side by side: octets written by the first version decode for ever (the files in
//! `tests/golden`), and what a newer version adds is passed over or refused by name.

use crate::bytes;
use crate::generate::header;
use riser_model::quality::Level;
use riser_model::{
    Access, Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, AuditEntry, AuditHash,
    Author, AuthorKind, Command, CommandId, CommandState, ConfigurationAsk, Event, HeldBy, Key,
    Label, LedgerCounts, LedgerDropped, LedgerEntry, LedgerLane, LedgerReport, Limits, Outcome,
    Point, PointDirectory, Priority, Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Unit,
    Value, ValueKind,
};
use riser_wire::topic::UpTopic;
use riser_wire::{
    ConfigurationRequest, Down, Durable, Heartbeat, Hello, Stream, StreamHead, Up, WatchLease,
    WireError, decode_data, decode_event, encode_data, encode_event, peek,
};
use std::net::IpAddr;
use std::path::PathBuf;
use uuid::Uuid;

/// The golden file of that name. `GOLDEN=write` makes one that is missing; one that exists is
/// never rewritten, because gateways in the field have written such octets.
fn golden(name: &str, now: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if !path.exists() && std::env::var_os("GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, now).expect("the golden folder is writable");
    }
    std::fs::read(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
}

fn author() -> Author {
    Author {
        kind: AuthorKind::Cloud,
        name: "änne@example.com".into(),
    }
}

fn command() -> Command {
    Command {
        id: CommandId(Uuid::from_u128(2)),
        path: "ahu-1/setpoint".parse().expect("a path"),
        value: Some(Value::Float(21.5)),
        priority: Priority::MANUAL_OPERATOR,
        issued_at: Timestamp(1_760_000_000_000),
        expires_at: Timestamp(1_760_000_060_000),
        hold_until: Some(Timestamp(1_760_003_600_000)),
        author: author(),
    }
}

/// The command on its way down.
fn sent(from: Option<IpAddr>) -> Down {
    Down::Command {
        command: command(),
        from,
    }
}

fn events() -> Vec<(&'static str, Event)> {
    let path = "ahu-1/supply_temp".parse().expect("a path");
    let alarm = Alarm {
        id: AlarmId(Uuid::from_u128(1)),
        rule: Key::slug("frost"),
        path,
        priority: AlarmPriority::Critical,
        message: "Frost at the supply".into(),
        state: AlarmState::ClearedUnacknowledged,
        raised_at: Timestamp(1_760_000_000_000),
        value: Some(Value::Float(3.9)),
        limit: Some(4.0),
        cleared_at: Some(Timestamp(1_760_000_100_000)),
        acknowledged: Some(Acknowledgement {
            by: author(),
            at: Timestamp(1_760_000_050_000),
            comment: "on my way".into(),
        }),
    };
    let outcome = Outcome {
        command: CommandId(Uuid::from_u128(2)),
        state: CommandState::AcceptedNotEffective,
        at: Timestamp(1_760_000_001_000),
        detail: "held by level 5".into(),
        read_back: Some(Value::Int(-7)),
        held_by: Some(HeldBy {
            priority: Priority::new(5).expect("a level"),
            author: None,
        }),
    };
    let loss = Event::Loss {
        at: Timestamp(1_760_000_000_000),
        lane: "intake".into(),
        samples: 17,
        reason: "the disk is full".into(),
    };
    vec![
        ("event-directory.bin", Event::Directory(directory())),
        ("event-alarm.bin", Event::Alarm(alarm)),
        ("event-command.bin", Event::Command(command())),
        ("event-outcome.bin", Event::Outcome(outcome)),
        ("event-loss.bin", loss),
        ("event-audit.bin", Event::Audit(audit())),
        ("event-ledger.bin", Event::Ledger(ledger())),
    ]
}

fn ledger() -> LedgerReport {
    let counts = LedgerCounts {
        collected: 1_800_000,
        stored: 1_799_990,
        sent: 1_799_900,
        durable: 1_799_800,
        dropped: LedgerDropped {
            queue_full: 4,
            disk: 3,
            crash: 2,
            retention: 100,
            damaged: 50,
            refused: 40,
        },
    };
    LedgerReport {
        at: Timestamp(1_760_003_720_000),
        rows: vec![LedgerEntry {
            hour: Timestamp(1_760_000_400_000),
            lane: "tcp 192.0.2.7:502".into(),
            counts,
        }],
        lanes: vec![LedgerLane {
            lane: "tcp 192.0.2.7:502".into(),
            devices: vec![Key::slug("ahu-1"), Key::slug("boiler")],
        }],
    }
}

fn audit() -> AuditEntry {
    AuditEntry {
        chain: Uuid::from_u128(3),
        no: 41,
        at: Timestamp(1_760_000_000_000),
        actor: "ada".into(),
        source: "192.0.2.7".into(),
        action: "write".into(),
        object: "ahu-1/heating_valve".into(),
        detail: r#"{"value":40}"#.into(),
        previous: AuditHash([9; 32]),
        hash: AuditHash::ZERO,
    }
    .sealed()
}

fn directory() -> PointDirectory {
    let point = |path: &str, kind, labels| Point {
        path: path.parse().expect("a path"),
        name: "Zulufttemperatur".into(),
        device_name: "AHU 1".into(),
        kind,
        unit: Unit::parse("°C").ok(),
        access: Access::ReadWrite,
        limits: Limits {
            min: Some(-20.0),
            max: None,
            step: Some(0.1),
        },
        labels,
        deadband: Some(0.05),
        stale_after_ms: 15_000,
    };
    let labels = vec![
        Label {
            state: 0,
            text: "aus".into(),
        },
        Label {
            state: 1,
            text: "an".into(),
        },
    ];
    PointDirectory {
        version: 9,
        points: vec![
            (
                Slot(0),
                point("ahu-1/supply_temp", ValueKind::Float, vec![]),
            ),
            (Slot(7), point("ahu-1/fan", ValueKind::Enum, labels)),
        ],
    }
}

fn scans() -> Vec<ScanBatch> {
    let reading = |slot, value, quality| Reading {
        slot: Slot(slot),
        value,
        quality,
    };
    let first = vec![
        reading(0, Some(Value::Float(21.5)), Quality::GOOD),
        reading(
            1,
            Some(Value::Float(f64::NAN)),
            Quality::uncertain(Reason::Clamped),
        ),
        reading(2, Some(Value::Bool(true)), Quality::GOOD),
        reading(3, Some(Value::Int(i64::MIN)), Quality::GOOD),
        reading(4, Some(Value::text("störung")), Quality::GOOD),
        reading(5, None, Quality::bad(Reason::DeviceDown)),
    ];
    let second = vec![
        reading(0, Some(Value::Float(21.4)), Quality::GOOD),
        reading(1, Some(Value::Float(-0.0)), Quality::GOOD),
        reading(9, Some(Value::Float(f64::from(0.1_f32))), Quality::GOOD),
    ];
    vec![
        ScanBatch {
            at: Timestamp(1_760_000_000_000),
            readings: first,
        },
        ScanBatch {
            at: Timestamp(1_760_000_000_450),
            readings: second,
        },
    ]
}

#[test]
fn the_first_data_frame_decodes() {
    let frame = golden("data.bin", &encode_data(&header(), &scans()));
    let (head, samples) = decode_data(&frame).unwrap();
    assert_eq!((head.seq, head.samples, head.dictionary), (42, 9, 3));
    assert_eq!(
        crate::generate::sorted(samples),
        crate::generate::flatten(&scans())
    );
}

/// Enough of every numeric form, over several scans, to be compressed.
fn long_scans() -> Vec<ScanBatch> {
    let reading = |n: i64, slot: u32| {
        let x = n * 7 + i64::from(slot);
        let (decimal, narrow) = (f64::from(i32::try_from(x).expect("small")), f32::from(7_u8));
        let value = match slot % 7 {
            0 => Value::Float(decimal / 10.0),
            1 => Value::Float(decimal * 0.1),
            2 => Value::Float(f64::from(narrow / 10.0)),
            3 => Value::Float(decimal.sqrt()),
            4 => Value::Float(f64::from(1.0_f32 / narrow)),
            5 => Value::Int(x * 1_000_003),
            _ => Value::Bool(n % 2 == 0),
        };
        Reading {
            slot: Slot(slot),
            value: Some(value),
            quality: Quality::GOOD,
        }
    };
    (0..12)
        .map(|n| ScanBatch {
            at: Timestamp(1_760_000_000_000 + n * 1_001),
            readings: (0..20).map(|slot| reading(n, slot + slot / 9)).collect(),
        })
        .collect()
}

#[test]
fn the_first_compressed_frame_decodes() {
    let frame = golden("data-long.bin", &encode_data(&header(), &long_scans()));
    let (_, samples) = decode_data(&frame).unwrap();
    assert_eq!(
        crate::generate::sorted(samples),
        crate::generate::flatten(&long_scans())
    );
}

#[test]
fn the_first_events_decode() {
    for (name, event) in events() {
        let frame = golden(name, &encode_event(&header(), &event));
        let (head, back) = decode_event(&frame).unwrap();
        assert_eq!((back, head.stream), (event, Stream::Event), "{name}");
    }
}

#[test]
fn the_first_messages_up_decode_and_are_still_written_so() {
    let epoch = header().epoch;
    let heads = [(Stream::Event, 5), (Stream::Data, 900)];
    let hello = Hello {
        version: "0.1.0".into(),
        epoch,
        boot: Uuid::from_u128(77),
        name: "Boiler room".into(),
        streams: heads
            .map(|(stream, head)| StreamHead { stream, head })
            .to_vec(),
        rollups: false,
    };
    let beat = Heartbeat {
        nonce: 1 << 60,
        sent_at: Timestamp(1_760_000_000_000),
        backlog_batches: 1,
        backlog_bytes: 2,
        backlog_age_ms: 3,
    };
    for (name, topic, up) in [
        ("up-hello.bin", UpTopic::Hello, Up::Hello(hello)),
        ("up-heartbeat.bin", UpTopic::Heartbeat, Up::Heartbeat(beat)),
        ("up-watch.bin", UpTopic::Watch, Up::Watch(scans())),
    ] {
        let payload = up.clone().encode();
        assert_eq!(golden(name, &payload), payload, "{name}");
        assert_eq!(Up::decode(topic, &payload), Ok(up), "{name}");
    }
}

/// What is said of batches.
fn of_batches() -> Vec<(&'static str, Down)> {
    let epoch = header().epoch;
    let ranges = vec![(12, 14), (20, 20)];
    vec![
        (
            "down-durable.bin",
            Down::Durable(Durable {
                epoch,
                stream: Stream::Data,
                contiguous: 10,
                ranges,
            }),
        ),
        (
            "down-rolled-up.bin",
            Down::RolledUp(vec![(29_333_325, 29_333_339), (29_333_400, 29_333_400)]),
        ),
        (
            "down-rejected.bin",
            Down::Rejected {
                epoch,
                stream: Stream::Event,
                seq: 3,
                reason: "unreadable".into(),
            },
        ),
    ]
}

/// What is asked.
fn of_requests() -> Vec<(&'static str, Down)> {
    let alarm = AlarmId(Uuid::from_u128(1));
    let acknowledgement = Acknowledgement {
        by: author(),
        at: Timestamp(5),
        comment: "seen".into(),
    };
    let paths = vec!["ahu-1/supply_temp".parse().expect("a path")];
    let address = Some("2001:db8::7".parse().expect("an address"));
    vec![
        ("down-heartbeat.bin", Down::Heartbeat { nonce: 1 << 60 }),
        ("down-command.bin", sent(None)),
        (
            "down-acknowledge.bin",
            Down::Acknowledge {
                alarm,
                acknowledgement: acknowledgement.clone(),
                from: None,
            },
        ),
        ("down-command-from.bin", sent(address)),
        (
            "down-acknowledge-from.bin",
            Down::Acknowledge {
                alarm,
                acknowledgement,
                from: address,
            },
        ),
        (
            "down-configuration-from.bin",
            Down::Configuration(ConfigurationRequest {
                request: Uuid::from_u128(11),
                author: author(),
                expires_at: Timestamp(1_760_000_030_000),
                ask: ConfigurationAsk::Confirm { version: Some(7) },
                from: address,
            }),
        ),
        (
            "down-watch.bin",
            Down::Watch(WatchLease { paths, seconds: 30 }),
        ),
    ]
}

#[test]
fn the_first_messages_down_decode_and_are_still_written_so() {
    for (name, down) in of_batches().into_iter().chain(of_requests()) {
        let payload = down.clone().encode();
        assert_eq!(golden(name, &payload), payload, "{name}");
        assert_eq!(Down::decode(&payload), Ok(down), "{name}");
    }
}

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let body = [0, 0, 0];
    let mut head = bytes::header(2, 1, 0, body.len());
    bytes::octets(&mut head, 15, b"from the future");
    bytes::number(&mut head, 14, 99);
    assert_eq!(
        decode_data(&bytes::frame(1, &head, &body)).unwrap().1,
        vec![]
    );

    let mut payload = Up::Heartbeat(Heartbeat {
        nonce: 5,
        sent_at: Timestamp(1),
        backlog_batches: 0,
        backlog_bytes: 0,
        backlog_age_ms: 0,
    })
    .encode();
    bytes::octets(&mut payload, 15, b"from the future");
    assert!(matches!(
        Up::decode(UpTopic::Heartbeat, &payload),
        Ok(Up::Heartbeat(_))
    ));

    let mut payload = sent(None).encode();
    bytes::number(&mut payload, 15, 1);
    assert_eq!(Down::decode(&payload), Ok(sent(None)));
}

#[test]
fn an_address_that_is_none_takes_nothing_from_a_command() {
    for text in ["", "the plant room", "203.0.113.7, 10.0.0.1"] {
        let mut payload = sent(None).encode();
        bytes::octets(&mut payload, 9, text.as_bytes());
        assert_eq!(Down::decode(&payload), Ok(sent(None)), "{text}");
    }
    let mut payload = sent(None).encode();
    bytes::octets(&mut payload, 9, b"203.0.113.7");
    let address = "203.0.113.7".parse().ok();
    assert_eq!(Down::decode(&payload), Ok(sent(address)));
}

#[test]
fn kinds_of_a_newer_version_are_refused_by_name() {
    let unknown = |result: Result<(), WireError>| {
        assert!(
            matches!(result, Err(WireError::Unknown { .. })),
            "{result:?}"
        );
    };
    let frame = encode_data(&header(), &scans());
    let mut newer = frame;
    newer[2] = 2;
    unknown(peek(&newer).map(drop));
    unknown(decode_data(&bytes::frame(1, &bytes::header(2, 9, 0, 0), &[])).map(drop));
    unknown(peek(&bytes::frame(1, &bytes::header(3, 1, 0, 0), &[])).map(drop));
    let mut head = bytes::header(2, 1, 0, 0);
    bytes::number(&mut head, 9, 7);
    unknown(decode_data(&bytes::frame(1, &head, &[])).map(drop));
    // A block of form 15.
    unknown(decode_data(&bytes::data(1, &[1, 0, 0, 1, 15, 1, 1, 0])).map(drop));
    let mut message = Vec::new();
    bytes::octets(&mut message, 14, b"x");
    unknown(Down::decode(&message).map(drop));
    unknown(Up::decode(UpTopic::Hello, &message).map(drop));
    unknown(decode_event(&bytes::event(&message)).map(drop));
}

#[test]
fn a_command_with_a_value_of_an_unknown_kind_is_not_a_release() {
    let released = Command {
        value: None,
        ..command()
    };
    let mut inner = Down::Command {
        command: released,
        from: None,
    }
    .encode();
    // The message is: field 4, its length, the command. Append an empty value (field 3) to it.
    inner.extend([0x1a, 0x00]);
    inner[1] += 2;
    assert!(matches!(
        Down::decode(&inner),
        Err(WireError::Unknown { .. })
    ));
}

#[test]
fn a_reason_of_a_newer_version_keeps_its_level() {
    // One scan, one block of form 1, one series of one sample, bad with reason 33.
    let body = [1, 0, 0, 1, 1, 1, 1, 9, 0, 0, 0, 1, 128 + 33, 4, 0, 0];
    let block = body.len() - 8;
    let mut body = body.to_vec();
    body[7] = u8::try_from(block).unwrap();
    let (_, samples) = decode_data(&bytes::data(1, &body)).unwrap();
    assert_eq!(samples[0].quality.level, Level::Bad);
    assert_eq!(samples[0].value, Some(Value::Int(2)));
}
