//! Generators and comparisons shared by these tests.

use proptest::prelude::*;
use riser_model::{
    Access, Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, AuditEntry, AuditHash,
    Author, AuthorKind, ClockState, Command, CommandId, CommandState, Event, HeldBy, Key, Label,
    LedgerCounts, LedgerDropped, LedgerEntry, LedgerLane, LedgerReport, Limits, Outcome, Point,
    PointDirectory, PointPath, Priority, Quality, Reading, Reason, Sample, ScanBatch, Slot,
    Timestamp, Unit, Value, ValueKind,
};
use riser_wire::{BatchHeader, Epoch, Stream};
use uuid::Uuid;

pub(crate) fn header() -> BatchHeader {
    BatchHeader {
        epoch: Epoch(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
        stream: Stream::Data,
        seq: 42,
        first_at: Timestamp(1_760_000_000_000),
        last_at: Timestamp(1_760_000_000_450),
        dictionary: 3,
        clock: ClockState::Synchronised,
        samples: 0,
    }
}

/// Samples in the order of a frame sorted by slot: stable by time within a slot.
pub(crate) fn sorted(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.sort_by_key(|s| s.slot);
    samples
}

pub(crate) fn flatten(scans: &[ScanBatch]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = scans
        .iter()
        .flat_map(|scan| {
            scan.readings.iter().map(|r| Sample {
                slot: r.slot,
                at: scan.at,
                value: r.value.clone(),
                quality: r.quality,
            })
        })
        .collect();
    samples.sort_by_key(|s| (s.slot, s.at));
    samples
}

pub(crate) fn any_real() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<f32>().prop_map(f64::from),
        any::<u32>().prop_map(|b| f64::from(f32::from_bits(b))),
        (any::<i32>(), 0..7_i32).prop_map(|(m, e)| f64::from(m) / 10_f64.powi(e)),
        (any::<i16>(), 1..7_i32).prop_map(|(m, e)| f64::from(m) * 10_f64.powi(-e)),
        (any::<i16>(), 1..4_i32).prop_map(|(m, e)| f64::from(f32::from(m) / 10_f32.powi(e))),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MIN_POSITIVE),
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-5..5_i64).prop_map(Value::Int),
        Just(Value::Int(i64::MIN)),
        Just(Value::Int(i64::MAX)),
        any_real().prop_map(Value::Float),
        any::<String>().prop_map(|s| Value::text(&s)),
    ]
}

pub(crate) fn any_quality() -> impl Strategy<Value = Quality> {
    let reason = || prop::sample::select(Reason::ALL.to_vec());
    prop_oneof![
        4 => Just(Quality::GOOD),
        1 => reason().prop_map(Quality::uncertain),
        1 => reason().prop_map(Quality::bad),
    ]
}

fn any_reading(slots: std::ops::Range<u32>) -> impl Strategy<Value = Reading> {
    (
        slots,
        prop::option::weighted(0.9, any_value()),
        any_quality(),
    )
        .prop_map(|(slot, value, quality)| Reading {
            slot: Slot(slot),
            value,
            quality,
        })
}

/// Scans as adapters make them (few kinds, near times) and as nobody would.
pub(crate) fn any_scans() -> impl Strategy<Value = Vec<ScanBatch>> {
    let tame = (
        0..40_u32,
        prop::collection::vec((0..1_000_i64, any_real()), 0..30),
    )
        .prop_map(|(width, scans)| {
            let scan = |(n, (jitter, real)): (i64, (i64, f64))| ScanBatch {
                at: Timestamp(1_760_000_000_000 + n * 1_000 + jitter),
                readings: (0..width)
                    .map(|slot| Reading {
                        slot: Slot(slot * 3 / 2),
                        value: Some(Value::Float(if slot % 2 == 0 { real } else { 0.5 })),
                        quality: Quality::GOOD,
                    })
                    .collect(),
            };
            (0..).zip(scans).map(scan).collect()
        });
    let at = prop_oneof![any::<i64>(), 0..20_i64];
    let readings = prop_oneof![
        prop::collection::vec(any_reading(0..12), 0..12),
        prop::collection::vec(any_reading(0..u32::MAX), 0..12),
        prop::collection::vec(any_reading(u32::MAX - 3..u32::MAX), 0..4),
    ];
    let wild = prop::collection::vec(
        (at, readings).prop_map(|(at, readings)| ScanBatch {
            at: Timestamp(at),
            readings,
        }),
        0..20,
    );
    prop_oneof![tame, wild]
}

fn any_key() -> impl Strategy<Value = Key> {
    "[a-z0-9][a-z0-9_-]{0,20}".prop_map(|s| Key::new(&s).expect("the pattern is that of a key"))
}

fn any_path() -> impl Strategy<Value = PointPath> {
    (any_key(), any_key()).prop_map(|(device, point)| PointPath::new(device, point))
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn any_author() -> impl Strategy<Value = Author> {
    let kind = prop::sample::select(vec![AuthorKind::Local, AuthorKind::Cloud, AuthorKind::Rule]);
    (kind, any::<String>()).prop_map(|(kind, name)| Author { kind, name })
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    let times = (any_time(), any_time(), prop::option::of(any_time()));
    let rest = (prop::option::of(any_value()), 1..=16_u8, any_author());
    (any::<u128>(), any_path(), times, rest).prop_map(
        |(id, path, (issued_at, expires_at, hold_until), (value, level, author))| Command {
            id: CommandId(Uuid::from_u128(id)),
            path,
            value,
            priority: Priority::new(level).expect("1 to 16 is a priority"),
            issued_at,
            expires_at,
            hold_until,
            author,
        },
    )
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let state = prop::sample::select(vec![
        CommandState::Requested,
        CommandState::Sent,
        CommandState::Applied,
        CommandState::AcceptedNotEffective,
        CommandState::Refused,
        CommandState::Expired,
        CommandState::Failed,
    ]);
    let held = (1..=16_u8, prop::option::of(any_author())).prop_map(|(level, author)| HeldBy {
        priority: Priority::new(level).expect("1 to 16 is a priority"),
        author,
    });
    let rest = (prop::option::of(any_value()), prop::option::of(held));
    (any::<u128>(), state, any_time(), any::<String>(), rest).prop_map(
        |(id, state, at, detail, (read_back, held_by))| Outcome {
            command: CommandId(Uuid::from_u128(id)),
            state,
            at,
            detail,
            read_back,
            held_by,
        },
    )
}

pub(crate) fn any_acknowledgement() -> impl Strategy<Value = Acknowledgement> {
    (any_author(), any_time(), any::<String>()).prop_map(|(by, at, comment)| Acknowledgement {
        by,
        at,
        comment,
    })
}

fn any_alarm() -> impl Strategy<Value = Alarm> {
    let words = (
        prop::sample::select(vec![
            AlarmPriority::Low,
            AlarmPriority::Medium,
            AlarmPriority::High,
            AlarmPriority::Critical,
        ]),
        prop::sample::select(vec![
            AlarmState::ActiveUnacknowledged,
            AlarmState::ActiveAcknowledged,
            AlarmState::ClearedUnacknowledged,
            AlarmState::Normal,
        ]),
        any::<String>(),
    );
    let rest = (
        prop::option::of(any_value()),
        prop::option::of(-1e9..1e9_f64),
        prop::option::of(any_time()),
        prop::option::of(any_acknowledgement()),
    );
    (
        any::<u128>(),
        any_key(),
        any_path(),
        words,
        any_time(),
        rest,
    )
        .prop_map(
            |(id, rule, path, (priority, state, message), raised_at, rest)| Alarm {
                id: AlarmId(Uuid::from_u128(id)),
                rule,
                path,
                priority,
                message,
                state,
                raised_at,
                value: rest.0,
                limit: rest.1,
                cleared_at: rest.2,
                acknowledged: rest.3,
            },
        )
}

fn any_point() -> impl Strategy<Value = Point> {
    let kind = prop::sample::select(vec![
        ValueKind::Bool,
        ValueKind::Integer,
        ValueKind::Float,
        ValueKind::Enum,
        ValueKind::Text,
    ]);
    let access = prop::sample::select(vec![Access::Read, Access::ReadWrite, Access::Write]);
    let unit = prop::option::of(prop::sample::select(Unit::all().collect::<Vec<_>>()));
    let number = || prop::option::of(-1e9..1e9_f64);
    let label = (any::<i64>(), any::<String>()).prop_map(|(state, text)| Label { state, text });
    let limits = (number(), number(), number());
    let rest = (prop::collection::vec(label, 0..3), number(), any::<u32>());
    let names = (any_path(), any::<String>(), any::<String>());
    (names, kind, access, unit, limits, rest).prop_map(
        |((path, name, device_name), kind, access, unit, (min, max, step), rest)| Point {
            path,
            name,
            device_name,
            kind,
            unit,
            access,
            limits: Limits { min, max, step },
            labels: rest.0,
            deadband: rest.1,
            stale_after_ms: rest.2,
        },
    )
}

fn any_audit() -> impl Strategy<Value = AuditEntry> {
    let texts = proptest::array::uniform5(any::<String>());
    let hashes = (any::<[u8; 32]>(), any::<[u8; 32]>());
    (any::<u128>(), any::<u64>(), any_time(), texts, hashes).prop_map(
        |(chain, no, at, [actor, source, action, object, detail], (previous, hash))| AuditEntry {
            chain: uuid::Uuid::from_u128(chain),
            no,
            at,
            actor,
            source,
            action,
            object,
            detail,
            previous: AuditHash(previous),
            hash: AuditHash(hash),
        },
    )
}

fn any_ledger() -> impl Strategy<Value = LedgerReport> {
    let number = 0..1_u64 << 53;
    let row = (
        any_time(),
        any::<String>(),
        proptest::array::uniform10(number),
    )
        .prop_map(|(hour, lane, n)| LedgerEntry {
            hour,
            lane,
            counts: LedgerCounts {
                collected: n[0],
                stored: n[1],
                sent: n[2],
                durable: n[3],
                dropped: LedgerDropped {
                    queue_full: n[4],
                    disk: n[5],
                    crash: n[6],
                    retention: n[7],
                    damaged: n[8],
                    refused: n[9],
                },
            },
        });
    (
        any_time(),
        prop::collection::vec(row, 0..5),
        any::<String>(),
    )
        .prop_map(|(at, rows, lane)| LedgerReport {
            at,
            rows,
            lanes: vec![LedgerLane {
                lane,
                devices: vec![Key::slug("ahu-1")],
            }],
        })
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let points = prop::collection::vec((any::<u32>().prop_map(Slot), any_point()), 0..8);
    prop_oneof![
        (any::<u32>(), points)
            .prop_map(|(version, points)| Event::Directory(PointDirectory { version, points })),
        any_alarm().prop_map(Event::Alarm),
        any_command().prop_map(Event::Command),
        any_outcome().prop_map(Event::Outcome),
        (any_time(), any::<String>(), any::<u64>(), any::<String>()).prop_map(
            |(at, lane, samples, reason)| Event::Loss {
                at,
                lane,
                samples,
                reason
            }
        ),
        any_audit().prop_map(Event::Audit),
        any_ledger().prop_map(Event::Ledger),
    ]
}
