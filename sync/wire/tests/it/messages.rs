//! Messages beside the frames survive, and only where they belong.

use crate::generate::{any_acknowledgement, any_command, any_scans};
use proptest::prelude::*;
use riser_model::{AlarmId, ConfigurationAsk, Timestamp};
use riser_wire::topic::{DownTopic, UpTopic};
use riser_wire::{
    ConfigurationRequest, Down, Durable, Epoch, Heartbeat, Hello, Stream, StreamHead, Up,
    WatchLease, WireError,
};
use std::net::IpAddr;
use uuid::Uuid;

fn any_epoch() -> impl Strategy<Value = Epoch> {
    any::<u128>().prop_map(|n| Epoch(Uuid::from_u128(n)))
}

fn any_stream() -> impl Strategy<Value = Stream> {
    prop::sample::select(Stream::ALL.to_vec())
}

fn any_up() -> impl Strategy<Value = (UpTopic, Up)> {
    let head = (any_stream(), any::<u64>()).prop_map(|(stream, head)| StreamHead { stream, head });
    let hello = (
        any::<String>(),
        any_epoch(),
        any::<u128>(),
        any::<String>(),
        prop::collection::vec(head, 0..3),
        any::<bool>(),
    )
        .prop_map(|(version, epoch, boot, name, streams, rollups)| {
            let boot = Uuid::from_u128(boot);
            (
                UpTopic::Hello,
                Up::Hello(Hello {
                    version,
                    epoch,
                    boot,
                    name,
                    streams,
                    rollups,
                }),
            )
        });
    let beat = any::<[u64; 4]>().prop_map(|[nonce, backlog_batches, backlog_bytes, age]| {
        let beat = Heartbeat {
            nonce,
            sent_at: Timestamp(nonce.cast_signed()),
            backlog_batches,
            backlog_bytes,
            backlog_age_ms: age,
        };
        (UpTopic::Heartbeat, Up::Heartbeat(beat))
    });
    let watch = any_scans().prop_map(|scans| (UpTopic::Watch, Up::Watch(scans)));
    prop_oneof![hello, beat, watch]
}

fn any_durable() -> impl Strategy<Value = Durable> {
    let gaps = prop::collection::vec((1..1_000_u64, 0..1_000_u64), 0..9);
    (any_epoch(), any_stream(), 0..1_000_000_u64, gaps).prop_map(
        |(epoch, stream, contiguous, gaps)| {
            let mut last = contiguous;
            let range = |(gap, length)| {
                let first = last + gap;
                last = first + length;
                (first, last)
            };
            let ranges = gaps.into_iter().map(range).collect();
            Durable {
                epoch,
                stream,
                contiguous,
                ranges,
            }
        },
    )
}

fn any_configuration() -> impl Strategy<Value = ConfigurationAsk> {
    let number = || prop::option::of(any::<u32>());
    prop_oneof![
        (any::<String>(), number(), any::<String>()).prop_map(
            |(document, confirm_seconds, note)| ConfigurationAsk::Apply {
                document,
                confirm_seconds,
                note,
            }
        ),
        number().prop_map(|version| ConfigurationAsk::Confirm { version }),
        (number(), any::<String>(), number()).prop_map(|(version, reason, confirm_seconds)| {
            ConfigurationAsk::Revert {
                version,
                reason,
                confirm_seconds,
            }
        }),
    ]
}

fn any_address() -> impl Strategy<Value = Option<IpAddr>> {
    any::<Option<IpAddr>>()
}

fn any_down() -> impl Strategy<Value = Down> {
    let path =
        "[a-z0-9]{1,8}/[a-z0-9]{1,8}".prop_map(|p| p.parse().expect("the pattern is a path"));
    prop_oneof![
        any_durable().prop_map(Down::Durable),
        any_durable().prop_map(|d| Down::RolledUp(d.ranges)),
        (any_epoch(), any_stream(), any::<u64>(), any::<String>()).prop_map(
            |(epoch, stream, seq, reason)| Down::Rejected {
                epoch,
                stream,
                seq,
                reason
            }
        ),
        any::<u64>().prop_map(|nonce| Down::Heartbeat { nonce }),
        (any_command(), any_address()).prop_map(|(command, from)| Down::Command { command, from }),
        (any::<u128>(), any_acknowledgement(), any_address()).prop_map(
            |(id, acknowledgement, from)| {
                Down::Acknowledge {
                    alarm: AlarmId(Uuid::from_u128(id)),
                    acknowledgement,
                    from,
                }
            }
        ),
        (prop::collection::vec(path, 0..5), any::<u32>())
            .prop_map(|(paths, seconds)| Down::Watch(WatchLease { paths, seconds })),
        (
            any::<u128>(),
            any_acknowledgement(),
            any_configuration(),
            any_address()
        )
            .prop_map(|(id, by, ask, from)| {
                Down::Configuration(ConfigurationRequest {
                    request: Uuid::from_u128(id),
                    author: by.by,
                    expires_at: by.at,
                    ask,
                    from,
                })
            }),
    ]
}

proptest! {
    #[test]
    fn messages_up_survive((topic, up) in any_up()) {
        let payload = up.clone().encode();
        prop_assert_eq!(Up::decode(topic, &payload), Ok(up));
        let other = if topic == UpTopic::Hello { UpTopic::Watch } else { UpTopic::Hello };
        prop_assert!(Up::decode(other, &payload).is_err());
    }

    #[test]
    fn messages_down_survive(down in any_down()) {
        prop_assert_eq!(Down::decode(&down.clone().encode()), Ok(down));
    }
}

#[test]
fn each_message_down_has_its_topic() {
    assert_eq!(Down::Heartbeat { nonce: 1 }.topic(), DownTopic::Heartbeat);
    let lease = WatchLease {
        paths: vec![],
        seconds: 0,
    };
    assert_eq!(Down::Watch(lease).topic(), DownTopic::Watch);
}

#[test]
fn durable_ranges_out_of_order_are_refused() {
    let epoch = Epoch(Uuid::from_u128(1));
    for ranges in [
        vec![(5, 9)],
        vec![(12, 11)],
        vec![(12, 14), (14, 20)],
        vec![(0, 3)],
    ] {
        let durable = Durable {
            epoch,
            stream: Stream::Data,
            contiguous: 9,
            ranges,
        };
        let payload = Down::Durable(durable).encode();
        assert!(matches!(
            Down::decode(&payload),
            Err(WireError::Malformed(_))
        ));
    }
    let ranges = (0..300).map(|n| (n * 2 + 11, n * 2 + 11)).collect();
    let durable = Durable {
        epoch,
        stream: Stream::Data,
        contiguous: 9,
        ranges,
    };
    let payload = Down::Durable(durable).encode();
    assert!(matches!(
        Down::decode(&payload),
        Err(WireError::TooLarge { .. })
    ));
}
