//! The lanes by themselves: what is asked for, in which order, and what a held lane leaves behind.

use super::*;
use riser_model::Timestamp;
use riser_wire::Epoch;
use uuid::Uuid;

pub(crate) fn position(seq: u64) -> Position {
    Position {
        epoch: Epoch(Uuid::from_u128(9)),
        seq,
    }
}

pub(crate) fn batch(stream: Stream, seq: u64, size: usize) -> OutboxBatch {
    OutboxBatch {
        position: position(seq),
        stream,
        frame: vec![0; size].into(),
        samples: 1,
        at: Timestamp(0),
    }
}

fn data(seqs: std::ops::RangeInclusive<u64>) -> Vec<OutboxBatch> {
    seqs.map(|seq| batch(Stream::Data, seq, 10)).collect()
}

/// Lanes whose first question about events was answered with nothing.
fn opened(head: u64) -> (Lanes, Window, Instant) {
    let (mut lanes, window) = (
        Lanes::new(position(head)),
        Window::new(Duration::from_secs(20)),
    );
    let now = Instant::now();
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Events { .. })
    ));
    lanes.claimed(UpLane::Event, vec![]);
    (lanes, window, now)
}

#[test]
fn events_are_asked_for_before_any_data_and_a_failure_does_not_hold_it_up() {
    let (mut lanes, window) = (
        Lanes::new(position(5)),
        Window::new(Duration::from_secs(20)),
    );
    let now = Instant::now();
    let first = Claim::Events {
        after: position(0),
        max: CLAIM,
    };
    assert_eq!(lanes.claim(&window, now), Some(first));
    assert_eq!(lanes.claim(&window, now), None);
    lanes.failed(UpLane::Event, now);
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Backfill { .. })
    ));
    assert_eq!(lanes.claim(&window, now), None);
    assert!(matches!(
        lanes.claim(&window, now + RETRY),
        Some(Claim::Events { .. })
    ));
}

#[test]
fn the_order_is_event_live_backfill() {
    let (mut lanes, window, now) = opened(100);
    let claim = lanes.claim(&window, now);
    let below = position(101);
    let all = Claim::Backfill {
        in_flight: HashSet::new(),
        below,
        max: CLAIM,
    };
    assert_eq!(claim, Some(all), "nothing is live yet");
    lanes.claimed(UpLane::Backfill, data(90..=100));
    lanes.committed(Stream::Data, position(101));
    let live = Claim::Live {
        after: position(100),
        max: CLAIM,
    };
    assert_eq!(lanes.claim(&window, now), Some(live));
    lanes.claimed(UpLane::Live, data(101..=101));
    lanes.committed(Stream::Event, position(1));
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Events { .. })
    ));
    lanes.claimed(UpLane::Event, vec![batch(Stream::Event, 1, 10)]);
    let order: Vec<_> = std::iter::from_fn(|| lanes.next(&window, |_| true))
        .map(|(lane, b)| (lane, b.position.seq))
        .take(3)
        .collect();
    assert_eq!(
        order,
        [
            (UpLane::Event, 1),
            (UpLane::Live, 101),
            (UpLane::Backfill, 90)
        ]
    );
}

#[test]
fn caught_up_means_an_empty_answer_and_nothing_in_flight() {
    let (mut lanes, mut window, now) = opened(3);
    assert!(!lanes.caught_up(&window));
    lanes.claim(&window, now);
    assert!(!lanes.caught_up(&window));
    lanes.claimed(UpLane::Backfill, data(3..=3));
    let (lane, batch) = lanes.next(&window, |_| true).unwrap();
    window.sent(batch, lane, now);
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Backfill { in_flight, .. }) if in_flight.contains(&position(3))
    ));
    lanes.claimed(UpLane::Backfill, vec![]);
    assert!(!lanes.caught_up(&window), "it is not durable yet");
    window.durable(position(3).epoch, Stream::Data, 3, &[]);
    assert!(lanes.caught_up(&window));
}

#[test]
fn a_lane_asks_again_after_a_full_answer_and_after_a_commit() {
    let (mut lanes, window, now) = opened(0);
    lanes.claim(&window, now);
    lanes.claimed(UpLane::Backfill, vec![]);
    lanes.committed(Stream::Data, position(16));
    assert!(lanes.claim(&window, now).is_some());
    lanes.committed(Stream::Data, position(17));
    assert_eq!(lanes.claim(&window, now), None, "one question at a time");
    lanes.claimed(UpLane::Live, data(1..=16));
    assert_eq!(lanes.claim(&window, now), None, "not before they are sent");
    while lanes.next(&window, |_| true).is_some() {}
    let rest = Claim::Live {
        after: position(16),
        max: CLAIM,
    };
    assert_eq!(lanes.claim(&window, now), Some(rest));
}

#[test]
fn a_live_lane_that_lags_gives_its_arrears_to_the_backfill() {
    let (mut lanes, window, now) = opened(10);
    lanes.claim(&window, now);
    lanes.claimed(UpLane::Backfill, vec![]);
    lanes.committed(Stream::Data, position(11));
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Live { .. })
    ));
    lanes.committed(Stream::Data, position(300));
    lanes.claimed(UpLane::Live, data(11..=12));
    while lanes.next(&window, |_| true).is_some() {}
    let live = Claim::Live {
        after: position(300),
        max: CLAIM,
    };
    assert_eq!(lanes.claim(&window, now), Some(live));
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Backfill { below, .. }) if below == position(301)
    ));
}

#[test]
fn a_live_lane_that_is_held_up_goes_on_with_the_newest() {
    let (mut lanes, window, now) = opened(10);
    lanes.claim(&window, now);
    lanes.claimed(UpLane::Backfill, vec![]);
    lanes.committed(Stream::Data, position(12));
    lanes.claim(&window, now);
    lanes.claimed(UpLane::Live, data(11..=12));
    assert_eq!(lanes.thin(position(14)), 0, "not far behind yet");
    assert_eq!(lanes.ready(), Some(UpLane::Live));
    assert!(lanes.next(&window, |lane| lane == UpLane::Event).is_none());
    assert_eq!(lanes.thin(position(30)), 20);
    assert_eq!(lanes.ready(), None);
    assert!(matches!(
        lanes.claim(&window, now),
        Some(Claim::Backfill { below, .. }) if below == position(31)
    ));
    lanes.committed(Stream::Data, position(31));
    let live = Claim::Live {
        after: position(30),
        max: CLAIM,
    };
    assert_eq!(lanes.claim(&window, now), Some(live));
}
