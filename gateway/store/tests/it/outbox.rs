//! The outbox against a simple model: whatever is appended, confirmed, refused and reopened in
//! whatever order, exactly what the cloud has not called durable is offered, under dense numbers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use crate::common::{Hands, NOON, alarm, append, close, open, scan};
use proptest::prelude::*;
use riser_model::Event;
use riser_store::{Epoch, Position, Store, Stream};
use std::collections::{BTreeMap, BTreeSet, HashSet};

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Event,
    /// Confirms a contiguous part and a range above, both in thousandths of the head.
    Confirm(Stream, u16, u16, u16),
    Refuse(u16),
    Reopen,
    Forward(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let stream = prop_oneof![Just(Stream::Event), Just(Stream::Data)];
    prop_oneof![
        6 => (1u8..6).prop_map(Step::Append),
        3 => Just(Step::Event),
        4 => (stream, 0u16..1000, 0u16..1000, 0u16..1000)
            .prop_map(|(s, a, b, c)| Step::Confirm(s, a, b.min(c), b.max(c))),
        1 => (0u16..1000).prop_map(Step::Refuse),
        1 => Just(Step::Reopen),
        2 => (1u8..120).prop_map(Step::Forward),
    ]
}

#[derive(Default)]
struct Model {
    /// Value of the one sample of each batch.
    data: BTreeMap<u64, f64>,
    /// Number of the alarm each event is; none for what the store tells by itself of the ledger.
    events: BTreeMap<u64, Option<u128>>,
    settled: BTreeMap<u8, BTreeSet<u64>>,
}

impl Model {
    fn settled(&mut self, stream: Stream) -> &mut BTreeSet<u64> {
        self.settled.entry(stream as u8).or_default()
    }
    fn waiting(&mut self, stream: Stream) -> Vec<u64> {
        let all: Vec<u64> = match stream {
            Stream::Data => self.data.keys().copied().collect(),
            Stream::Event => self.events.keys().copied().collect(),
        };
        let settled = self.settled(stream);
        all.into_iter().filter(|n| !settled.contains(n)).collect()
    }
}

async fn everything_waiting(store: &Store, epoch: Epoch) -> BTreeMap<u64, f64> {
    let outbox = store.outbox();
    let mut flying = HashSet::new();
    let mut found = BTreeMap::new();
    let below = Position {
        epoch,
        seq: u64::MAX,
    };
    loop {
        let claimed = outbox
            .claim_backfill(flying.clone(), below, 7)
            .await
            .unwrap();
        if claimed.is_empty() {
            return found;
        }
        for batch in claimed {
            let (header, samples) = riser_wire::decode_data(&batch.frame).unwrap();
            assert_eq!(
                (header.epoch, header.seq),
                (batch.position.epoch, batch.position.seq)
            );
            assert!(flying.insert(batch.position), "claimed twice");
            let value = samples[0].value.as_ref().unwrap().as_f64().unwrap();
            assert_eq!(found.insert(batch.position.seq, value), None);
        }
    }
}

fn part(head: u64, thousandths: u16) -> u64 {
    head * u64::from(thousandths) / 1000
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm a step reads best in one piece"
)]
async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (mut store, recovery) = open(dir.path(), &hands);
    let epoch = recovery.epoch;
    let mut model = Model::default();
    let mut next = 0u32;
    for step in steps {
        match step {
            Step::Append(n) => {
                for _ in 0..n {
                    next += 1;
                    append(&store, vec![scan(hands.get(), &[f64::from(next)])]);
                    store.settle().await.unwrap();
                    let seq = store.outbox().head(Stream::Data).seq;
                    assert_eq!(model.data.insert(seq, f64::from(next)), None);
                }
            }
            Step::Event => {
                next += 1;
                let id = u128::from(next);
                let seq = store.append_event(alarm(id)).await.unwrap();
                assert_eq!(model.events.insert(seq, Some(id)), None);
            }
            Step::Confirm(stream, a, b, c) => {
                let head = store.outbox().head(stream).seq;
                let (a, b, c) = (part(head, a), part(head, b).max(1), part(head, c));
                store.outbox().confirm(epoch, stream, a, &[(b, c)]);
                model.settled(stream).extend((1..=a).chain(b..=c));
            }
            Step::Refuse(n) => {
                let head = store.outbox().head(Stream::Data);
                let seq = part(head.seq, n);
                if seq > 0 {
                    let position = Position { epoch, seq };
                    let reason = "bad".to_owned();
                    store
                        .outbox()
                        .quarantine(Stream::Data, position, reason)
                        .await
                        .unwrap();
                    model.settled(Stream::Data).insert(seq);
                }
            }
            Step::Reopen => {
                store.settle().await.unwrap();
                close(store).await;
                let recovery;
                (store, recovery) = open(dir.path(), &hands);
                assert_eq!((recovery.epoch, recovery.new_epoch), (epoch, None));
            }
            Step::Forward(minutes) => {
                hands.forward(i64::from(minutes) * 60_000);
            }
        }
        verify(&store, epoch, &mut model).await;
    }
    close(store).await;
    let report = riser_store::check(dir.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.batches, model.data.len() as u64);
}

/// Holds the store against the model. The store tells of its ledger whenever an hour is over, so
/// what was seen counts only if no event came meanwhile.
async fn verify(store: &Store, epoch: Epoch, model: &mut Model) {
    loop {
        let head = store.outbox().head(Stream::Event).seq;
        // Numbers nobody was given by `append_event` are the ledger's.
        for seq in 1..=head {
            model.events.entry(seq).or_insert(None);
        }
        let events = crate::common::events_waiting(store).await;
        let occupancy = store.outbox().occupancy().batches;
        if store.outbox().head(Stream::Event).seq == head {
            return hold_against(store, epoch, model, (events, occupancy)).await;
        }
    }
}

async fn hold_against(
    store: &Store,
    epoch: Epoch,
    model: &mut Model,
    (told, batches): (Vec<(u64, Event)>, u64),
) {
    let outbox = store.outbox();
    // Numbers are dense from 1, whatever happened.
    let data: Vec<u64> = model.data.keys().copied().collect();
    assert_eq!(data, (1..=data.len() as u64).collect::<Vec<_>>());
    let seq = data.len() as u64;
    assert_eq!(outbox.head(Stream::Data), Position { epoch, seq });
    for stream in [Stream::Data, Stream::Event] {
        let durable = outbox.durable(stream);
        let mut flat: BTreeSet<u64> = (1..=durable.contiguous).collect();
        flat.extend(durable.ranges.iter().flat_map(|(a, b)| *a..=*b));
        assert_eq!(&flat, model.settled(stream));
    }
    let waiting = model.waiting(Stream::Data);
    let found = everything_waiting(store, epoch).await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), waiting);
    assert!(found.iter().all(|(seq, value)| model.data[seq] == *value));
    let mut offered = BTreeSet::new();
    for (seq, event) in told {
        let id = match event {
            Event::Alarm(alarm) => Some(alarm.id.0.as_u128()),
            Event::Ledger(_) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(id, model.events[&seq]);
        offered.insert(seq);
    }
    let events = model.waiting(Stream::Event);
    assert!(events.iter().all(|seq| offered.contains(seq)));
    assert_eq!(batches, (waiting.len() + events.len()) as u64);
    assert!(waiting.is_empty() || outbox.occupancy().oldest_at.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn offers_exactly_what_is_not_durable(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[tokio::test]
async fn live_claims_come_from_memory_and_from_disk_alike() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut config = crate::common::config(dir.path());
    config.recent_bytes = 2_000;
    let (store, recovery) = Store::open(config, hands.now()).unwrap();
    let mut heads = store.committed(Stream::Data);
    for n in 0..50 {
        append(&store, vec![scan(NOON + n, &[n as f64])]);
    }
    let wanted = Position {
        epoch: recovery.epoch,
        seq: 50,
    };
    heads.wait_for(|head| *head == wanted).await.unwrap();
    let outbox = store.outbox();
    let mut after = Position {
        epoch: recovery.epoch,
        seq: 0,
    };
    let mut seen = Vec::new();
    while after != wanted {
        let claimed = outbox.claim_live(after, 8).await.unwrap();
        assert!(!claimed.is_empty() && claimed.len() <= 8);
        for batch in claimed {
            let (header, samples) = riser_wire::decode_data(&batch.frame).unwrap();
            assert_eq!(header.seq, batch.position.seq);
            assert_eq!(batch.at, header.first_at);
            seen.push(samples[0].value.as_ref().unwrap().as_f64().unwrap());
            after = batch.position;
        }
    }
    assert_eq!(seen, (0..50).map(f64::from).collect::<Vec<_>>());
    assert!(outbox.claim_live(after, 8).await.unwrap().is_empty());
    close(store).await;
}

#[tokio::test]
async fn backfill_goes_newest_hour_first_and_stays_below_the_live_lane() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, recovery) = open(dir.path(), &hands);
    for n in 0..6 {
        append(&store, vec![scan(hands.get(), &[f64::from(n)])]);
        store.settle().await.unwrap();
        hands.forward(25 * crate::common::MINUTE);
    }
    // Committed at 12:00 12:25 12:50 | 13:15 13:40 | 14:05.
    let below = Position {
        epoch: recovery.epoch,
        seq: 6,
    };
    let claimed = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 99)
        .await
        .unwrap();
    let seqs: Vec<u64> = claimed.iter().map(|b| b.position.seq).collect();
    assert_eq!(seqs, [4, 5, 1, 2, 3]);
    let oldest = store.outbox().occupancy().oldest_at.unwrap();
    assert_eq!(oldest.0, NOON);
    close(store).await;
}

#[tokio::test]
async fn a_cloud_that_knows_more_than_was_written_makes_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, recovery) = open(dir.path(), &hands);
    store
        .declare_points(vec![crate::common::point("ahu-1/supply_temp")])
        .await
        .unwrap();
    append(&store, vec![scan(NOON, &[1.0])]);
    let kept = store.append_event(alarm(7)).await.unwrap();
    store.settle().await.unwrap();
    let mut heads = store.committed(Stream::Data);
    store.outbox().confirm(recovery.epoch, Stream::Data, 5, &[]);
    heads
        .wait_for(|head| head.epoch != recovery.epoch)
        .await
        .unwrap();
    let epoch = store.epoch();
    assert_ne!(epoch, recovery.epoch);
    assert_eq!(kept, 2, "after the directory");
    append(&store, vec![scan(NOON + 1, &[2.0])]);
    store.settle().await.unwrap();
    assert_eq!(
        store.outbox().head(Stream::Data),
        Position { epoch, seq: 1 }
    );
    // Events were numbered anew, behind the directory they need.
    let from = Position {
        epoch: recovery.epoch,
        seq: 2,
    };
    let events = store.outbox().claim_events(from, 9).await.unwrap();
    let kinds: Vec<Event> = events
        .iter()
        .map(|e| riser_wire::decode_event(&e.frame).unwrap().1)
        .collect();
    assert!(matches!(kinds[0], Event::Directory(_)) && kinds[1] == alarm(7) && kinds.len() == 2);
    close(store).await;
}
