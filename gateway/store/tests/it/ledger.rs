//! The loss ledger: every sample is somewhere, whatever happens in between.

use crate::common::ledger::{HOUR, batch, declare, leave, ledger, row, scan, sum};
use crate::common::{DAY, Hands, NOON, append, close, config, open};
use proptest::prelude::*;
use riser_model::{Slot, Timestamp};
use riser_store::{LedgerFilter, Position, Store, StoreConfig, Stream, read_ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test]
async fn every_sample_is_counted_by_lane_and_hour() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON - 1, &slots)).await;
    batch(&store, scan(NOON, &slots)).await;
    let second = batch(&store, scan(NOON + 5, &slots[..2])).await;
    let epoch = store.epoch();
    store.outbox().sent(Position { epoch, seq: second });
    store.outbox().confirm(epoch, Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    let ledger = ledger(&store).await;
    let a = row(&ledger, NOON, "bus a").counts;
    assert_eq!((a.collected, a.stored, a.sent, a.durable), (4, 4, 2, 0));
    let b = row(&ledger, NOON - HOUR, "bus b").counts;
    assert_eq!((b.collected, b.stored, b.sent, b.durable), (1, 1, 1, 1));
    assert_eq!(row(&ledger, NOON, "bus a").waiting_cloud, 4);
    assert!(ledger.rows.iter().all(|r| r.unexplained == 0));
    // The folder alone says the same.
    let read = read_ledger(dir.path(), &LedgerFilter::default()).unwrap();
    assert_eq!(read.rows, ledger.rows);
    let one = LedgerFilter {
        from: Some(Timestamp(NOON)),
        lane: Some("bus b".into()),
        ..LedgerFilter::default()
    };
    assert_eq!(store.ledger(one).await.unwrap().rows.len(), 1);
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lanes_that_are_assigned_at_once_are_all_known() {
    const POINTS: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), &Hands::new(NOON));
    let points = (0..POINTS).map(|n| crate::common::point(&format!("a/p{n}")));
    let slots = store.declare_points(points.collect()).await.unwrap().slots;
    for round in 0..100 {
        let mut all = tokio::task::JoinSet::new();
        for slot in slots.clone() {
            let (store, lane) = (store.clone(), Arc::from(format!("{round}-{slot:?}")));
            all.spawn(async move { store.assign_lanes(vec![(slot, lane)]).await });
        }
        all.join_all().await.into_iter().for_each(Result::unwrap);
        let at = NOON + round;
        batch(&store, scan(at, &slots)).await;
        let ledger = ledger(&store).await;
        for slot in &slots {
            let lane = format!("{round}-{slot:?}");
            assert_eq!(row(&ledger, NOON, &lane).counts.collected, 1);
        }
    }
    close(store).await;
}

#[tokio::test]
async fn what_was_in_memory_at_a_crash_is_dropped_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(&dir.path().join("alive"), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    // Collected, and still on the way to the store when the process is killed.
    store.collected(&scan(NOON, &slots));
    store.collected(&scan(NOON + 1, &slots[..1]));
    let deadline = Instant::now() + Duration::from_secs(20);
    for n in 0.. {
        let left = dir.path().join(format!("left-{n}"));
        leave(&dir.path().join("alive"), &left);
        let (after, _) = open(&left, &hands);
        let counts = sum(&ledger(&after).await);
        close(after).await;
        assert_eq!(counts.stored, 3);
        assert_eq!(counts.collected, counts.stored + counts.dropped.total());
        if counts.dropped.crash == 4 {
            break;
        }
        assert!(Instant::now() < deadline, "{counts:?}");
        tokio::task::yield_now().await;
    }
    close(store).await;
}

#[tokio::test]
async fn a_day_that_has_to_go_is_dropped_by_retention_and_a_damaged_one_as_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let look = Arc::clone(&full);
    let config = StoreConfig {
        min_free_bytes: 1 << 30,
        free_space: Arc::new(move |_| {
            let full = look.load(std::sync::atomic::Ordering::SeqCst);
            Some(if full { 0 } else { 1 << 40 })
        }),
        ..config(dir.path())
    };
    let (store, _) = Store::open(config.clone(), hands.now()).unwrap();
    let slots = declare(&store).await;
    for day in 0..3 {
        hands.set(NOON + day * DAY);
        batch(&store, scan(hands.get(), &slots)).await;
        batch(&store, scan(hands.get() + 1, &slots)).await;
    }
    // Of the first day the cloud has one batch of two.
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    full.store(true, std::sync::atomic::Ordering::SeqCst);
    store.settle().await.unwrap();
    full.store(false, std::sync::atomic::Ordering::SeqCst);
    let after = sum(&ledger(&store).await);
    assert_eq!(
        (after.durable, after.dropped.retention),
        (3, 9),
        "{after:?}"
    );
    close(store).await;
    let newest = std::fs::read_dir(dir.path().join("history")).unwrap();
    let newest = newest.map(|e| e.unwrap().path()).max().unwrap();
    std::fs::write(&newest, vec![0x5a; 8192]).unwrap();
    let (store, recovery) = Store::open(config, hands.now()).unwrap();
    assert_eq!(recovery.set_aside.len(), 1);
    let after = sum(&ledger(&store).await);
    assert_eq!(after.dropped.damaged, 6, "{after:?}");
    assert_eq!(after.collected, after.durable + after.dropped.total());
    close(store).await;
}

#[tokio::test]
async fn closed_hours_go_up_once_and_again_when_nothing_waits() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    let told = async |store: &Store| {
        let from = Position {
            epoch: store.epoch(),
            seq: 0,
        };
        let events = store.outbox().claim_events(from, 100).await.unwrap();
        let mut rows = Vec::new();
        for event in events {
            if let Ok((_, riser_model::Event::Ledger(report))) =
                riser_wire::decode_event(&event.frame)
            {
                rows.extend(report.rows.into_iter().map(|r| (r.lane, r.counts.durable)));
                assert_eq!(report.lanes.len(), 2);
            }
        }
        rows
    };
    store.settle().await.unwrap();
    assert!(told(&store).await.is_empty(), "the hour is not over");
    hands.forward(HOUR + 180_000);
    store.settle().await.unwrap();
    store.settle().await.unwrap();
    let waiting = [("bus a".to_owned(), 0), ("bus b".to_owned(), 0)];
    assert_eq!(told(&store).await, waiting);
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    store.settle().await.unwrap();
    let all = told(&store).await;
    assert_eq!(all[2..], [("bus a".to_owned(), 2), ("bus b".to_owned(), 1)]);
    close(store).await;
}

#[derive(Debug, Clone)]
enum Step {
    /// A batch: hour, which points.
    Batch(i64, usize),
    /// Collected and never handed over.
    Lose(i64, usize),
    Sent(u64),
    Confirm(u64),
    Range(u64, u64),
    Refuse(u64),
    Settle,
    Reopen,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0i64..3, 1usize..4).prop_map(|(h, n)| Step::Batch(h, n)),
        1 => (0i64..3, 1usize..4).prop_map(|(h, n)| Step::Lose(h, n)),
        3 => (1u64..12).prop_map(Step::Sent),
        2 => (1u64..8).prop_map(Step::Confirm),
        2 => (1u64..8, 1u64..5).prop_map(|(a, n)| Step::Range(a, n)),
        1 => (1u64..12).prop_map(Step::Refuse),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..30)
}

/// What the ledger must say.
#[derive(Default)]
struct Model {
    batches: BTreeMap<u64, (i64, usize)>,
    durable: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

impl Model {
    fn of(&self, which: impl Fn(u64) -> bool) -> u64 {
        let some = self.batches.iter().filter(|(seq, _)| which(**seq));
        some.map(|(_, (_, n))| *n as u64).sum()
    }

    fn confirm(&mut self, first: u64, last: u64) {
        let head = self.batches.len() as u64;
        for seq in first..=last.min(head) {
            if !self.refused.contains(&seq) {
                self.durable.insert(seq);
            }
        }
    }
}

struct Run {
    dir: tempfile::TempDir,
    no: u32,
    hands: Hands,
    model: Model,
    slots: Vec<Slot>,
}

impl Run {
    fn dir(&self) -> std::path::PathBuf {
        self.dir.path().join(self.no.to_string())
    }

    async fn step(&mut self, store: Store, step: &Step) -> Store {
        let (epoch, head) = (store.epoch(), self.model.batches.len() as u64);
        match step {
            Step::Batch(hour, n) => {
                let seq = batch(&store, scan(NOON + hour * HOUR, &self.slots[..*n])).await;
                self.model.batches.insert(seq, (*hour, *n));
            }
            Step::Lose(hour, n) => store.collected(&scan(NOON + hour * HOUR, &self.slots[..*n])),
            Step::Sent(seq) if *seq <= head => store.outbox().sent(Position { epoch, seq: *seq }),
            Step::Confirm(to) if *to <= head => {
                store.outbox().confirm(epoch, Stream::Data, *to, &[]);
                self.model.confirm(1, *to);
            }
            Step::Range(first, n) if first + n <= head => {
                let range = (*first, first + n);
                store.outbox().confirm(epoch, Stream::Data, 0, &[range]);
                self.model.confirm(range.0, range.1);
            }
            Step::Refuse(seq) if *seq <= head && !self.model.durable.contains(seq) => {
                let at = Position { epoch, seq: *seq };
                let outbox = store.outbox();
                let done = outbox.quarantine(Stream::Data, at, "no".into());
                done.await.unwrap();
                self.model.refused.insert(*seq);
            }
            Step::Settle => store.settle().await.unwrap(),
            Step::Reopen => {
                close(store).await;
                return open(&self.dir(), &self.hands).0;
            }
            Step::Crash => {
                let before = self.dir();
                self.no += 1;
                leave(&before, &self.dir());
                close(store).await;
                let store = open(&self.dir(), &self.hands).0;
                self.forget_what_was_not_written(&store);
                self.check(&store, false).await;
                return store;
            }
            _ => {}
        }
        store
    }

    /// Marks may lag behind what the cloud has said; then it says so again.
    fn forget_what_was_not_written(&mut self, store: &Store) {
        let known = store.outbox().durable(Stream::Data);
        let known = |seq: u64| {
            seq <= known.contiguous || known.ranges.iter().any(|r| r.0 <= seq && seq <= r.1)
        };
        self.model.durable.retain(|seq| known(*seq));
    }

    async fn check(&self, store: &Store, settled: bool) {
        let ledger = ledger(store).await;
        let all = sum(&ledger);
        let dropped = all.dropped;
        assert_eq!(all.stored, self.model.of(|_| true), "{ledger:?}");
        assert_eq!(all.collected, all.stored + dropped.before_storing());
        assert!(all.sent >= all.durable, "{all:?}");
        assert!(
            ledger.rows.iter().all(|r| r.waiting_disk == 0),
            "{ledger:?}"
        );
        if settled {
            let durable = self.model.of(|seq| self.model.durable.contains(&seq));
            let refused = self.model.of(|seq| self.model.refused.contains(&seq));
            assert_eq!(
                (all.durable, dropped.refused),
                (durable, refused),
                "{ledger:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_equation_holds_after_any_steps_and_crashes(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run {
                dir: tempfile::tempdir().unwrap(),
                no: 0,
                hands: Hands::new(NOON),
                model: Model::default(),
                slots: Vec::new(),
            };
            let mut store = open(&run.dir(), &run.hands).0;
            run.slots = declare(&store).await;
            for step in &steps {
                store = run.step(store, step).await;
            }
            // What was never handed over is accounted for when the process ends.
            close(store).await;
            let store = open(&run.dir(), &run.hands).0;
            store.settle().await.unwrap();
            run.check(&store, true).await;
            close(store).await;
        });
    }
}

/// The cloud settles what it refuses, and that word may be here before the refusal is on disk.
#[tokio::test]
async fn a_refused_batch_counts_once_and_is_listed_though_it_was_settled_before() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    append(&store, vec![scan(hands.forward(1_000), &slots[..2])]);
    store.settle().await.unwrap();
    let outbox = store.outbox();
    let position = outbox.head(Stream::Data);
    let refused = outbox.quarantine(Stream::Data, position, "not a frame".to_owned());
    outbox.confirm(position.epoch, Stream::Data, position.seq, &[]);
    refused.await.unwrap();
    let again = outbox.quarantine(Stream::Data, position, "told again".to_owned());
    again.await.unwrap();
    assert_eq!(outbox.occupancy().put_aside, 1);
    let list = store.put_aside(9).await.unwrap();
    assert_eq!((list.total, list.batches.len()), (1, 1));
    assert_eq!(list.batches[0].reason, "not a frame");
    assert_eq!(list.batches[0].samples, Some(2));
    let frame = store.put_aside_frame(Stream::Data, position).await.unwrap();
    assert_eq!(riser_wire::peek(&frame.unwrap()).unwrap().seq, position.seq);
    assert_eq!(riser_store::read_put_aside(dir.path(), 9).unwrap(), list);
    close(store).await;
}
