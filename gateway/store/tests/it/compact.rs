//! Compaction keeps every sample, bit by bit, and every trend; a crash at any moment leaves a whole
//! file; what waits for the cloud is left alone.

use crate::common::{DAY, Hands, MINUTE, NOON, append, close, config, open};
use proptest::prelude::*;
use riser_model::{
    Quality, Reading, Reason, Sample, ScanBatch, Slot, Timestamp, Trend, TrendBuilder, Value,
};
use riser_store::{Position, Store, Stream};
use std::collections::HashSet;
use std::path::Path;

const SLOTS: [Slot; 4] = [Slot(1), Slot(2), Slot(3), Slot(700)];

fn without_cloud(dir: &Path, hands: &Hands) -> Store {
    let mut settings = config(dir);
    settings.keep_unsent = false;
    Store::open(settings, hands.now()).unwrap().0
}

async fn all(store: &Store) -> Vec<Vec<Sample>> {
    let mut all = Vec::new();
    for slot in SLOTS {
        let (from, to) = (Timestamp(i64::MIN / 2), Timestamp(i64::MAX / 2));
        all.push(store.samples(slot, from, to, usize::MAX / 4).await.unwrap());
    }
    all
}

/// Where and how wide a trend is drawn, after the store's own rule.
fn builder(from: i64, to: i64, buckets: usize) -> TrendBuilder {
    let (from, to, hour) = (Timestamp(from), Timestamp(to), 60 * MINUTE);
    let raw = TrendBuilder::new(from, to, buckets);
    let (range, width) = (to.since(from), raw.bucket_ms());
    let steps = [(DAY, 400 * DAY), (hour, 8 * DAY), (hour / 4, 2 * DAY)];
    if let Some((step, _)) = steps.iter().find(|s| range > s.1 && width >= s.0) {
        return TrendBuilder::aligned(from, to, buckets, *step);
    }
    if width < MINUTE && range <= 4 * hour {
        return raw;
    }
    TrendBuilder::aligned(from, to, buckets, MINUTE)
}

fn same(found: &Trend, wanted: &Trend) {
    let shape = |t: &Trend| -> Vec<_> {
        let of = |b: &riser_model::Bucket| (b.at, b.min, b.max, b.last, b.count, b.bad);
        t.buckets.iter().map(of).collect()
    };
    assert_eq!(
        (found.from, found.to, found.bucket_ms),
        (wanted.from, wanted.to, wanted.bucket_ms)
    );
    assert_eq!(shape(found), shape(wanted));
    for (a, b) in found.buckets.iter().zip(&wanted.buckets) {
        let size = b.min.abs() + b.max.abs();
        assert!((a.mean - b.mean).abs() <= size * 1e-9, "{a:?} {b:?}");
    }
}

async fn trends_match(store: &Store, samples: &[Vec<Sample>], ranges: &[(i64, i64)]) {
    for (slot, samples) in SLOTS.iter().zip(samples) {
        for (from, to) in ranges {
            for buckets in [3, 40, 1_000] {
                let mut truth = builder(*from, *to, buckets);
                for s in samples {
                    truth.add(s.at, s.value.as_ref(), s.quality);
                }
                let (from, to) = (Timestamp(*from), Timestamp(*to));
                let found = store.trend(*slot, from, to, buckets).await.unwrap();
                same(&found, &truth.finish());
            }
        }
    }
}

fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        5 => (-3_000i32..9_000).prop_map(|n| Some(Value::Float(f64::from(n) / 10.0))),
        1 => any::<f64>().prop_filter("a number", |x| x.is_finite() && x.abs() < 1e200)
            .prop_map(|x| Some(Value::Float(x))),
        1 => (-1_000_000i64..1_000_000).prop_map(|n| Some(Value::Int(n))),
        1 => any::<bool>().prop_map(|b| Some(Value::Bool(b))),
        1 => "[a-c]{0,3}".prop_map(|s| Some(Value::text(&s))),
        1 => Just(None),
    ]
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        5 => Just(Quality::GOOD),
        1 => (0usize..10).prop_map(|i| Quality::bad(Reason::ALL[i])),
        1 => (0usize..10).prop_map(|i| Quality::uncertain(Reason::ALL[i])),
    ]
}

type Given = Vec<(i64, usize, Option<Value>, Quality)>;

/// Stamps repeat and go back; one in some hundred is days off.
fn given() -> impl Strategy<Value = Given> {
    let step = prop_oneof![
        6 => 0i64..20_000, 3 => Just(0i64), 2 => -60_000i64..0, 1 => 0i64..3_000_000
    ];
    prop::collection::vec((step, 0usize..SLOTS.len(), value(), quality()), 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn samples_and_trends_are_the_same_before_and_after(given in given()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(before_and_after(given));
    }
}

async fn before_and_after(given: Given) {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let store = without_cloud(dir.path(), &hands);
    let mut at = NOON;
    for (n, (step, point, value, quality)) in given.into_iter().enumerate() {
        at += step;
        let reading = Reading {
            slot: SLOTS[point],
            value,
            quality,
        };
        append(
            &store,
            vec![ScanBatch {
                at: Timestamp(at),
                readings: vec![reading],
            }],
        );
        if n % 40 == 39 {
            store.settle().await.unwrap();
        }
    }
    store.settle().await.unwrap();
    let ranges = [
        (NOON, NOON + 60 * MINUTE),
        (NOON - 5 * MINUTE, at + 1),
        (NOON - DAY, NOON + 2 * DAY + 1),
        (NOON - 30 * DAY, NOON + 30 * DAY),
        (NOON - 500 * DAY, NOON + 500 * DAY),
    ];
    let before = all(&store).await;
    trends_match(&store, &before, &ranges).await;
    hands.set(NOON + 2 * DAY);
    append(&store, vec![]);
    store.settle().await.unwrap();
    // Small days may not become smaller; both ways everything must stay.
    store.compact().await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(all(&store).await, before);
    trends_match(&store, &before, &ranges).await;
    close(store).await;
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
    let store = without_cloud(dir.path(), &hands);
    assert_eq!(all(&store).await, before);
    close(store).await;
}

/// A day that is worth compacting: some thousand samples.
async fn fill(store: &Store, hands: &Hands, many: i64) {
    for n in 0..many {
        let at = hands.forward(10_000);
        let reading = |slot: Slot| {
            let value = Some(Value::Float(20.0 + (n % 9) as f64 / 10.0));
            let quality = if n % 50 == 7 {
                Quality::bad(Reason::Stale)
            } else {
                Quality::GOOD
            };
            Reading {
                slot,
                value,
                quality,
            }
        };
        let readings = SLOTS.into_iter().map(reading).collect();
        append(
            store,
            vec![ScanBatch {
                at: Timestamp(at),
                readings,
            }],
        );
        if n % 100 == 99 {
            store.settle().await.unwrap();
        }
    }
    store.settle().await.unwrap();
}

fn tables(day: &Path) -> (i64, i64, i64) {
    let conn = rusqlite::Connection::open(day).unwrap();
    let count = |table: &str| {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))
            .unwrap()
    };
    (count("batch"), count("chunk"), count("rollup"))
}

#[tokio::test]
async fn a_finished_day_becomes_chunks_and_a_day_taken_up_again_is_compacted_again() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let store = without_cloud(dir.path(), &hands);
    fill(&store, &hands, 2_000).await;
    assert_eq!(store.compact().await.unwrap(), 0, "the day is not over");
    hands.set(NOON + DAY);
    fill(&store, &hands, 10).await;
    let day = dir.path().join("history/2026-11-21.db");
    let octets = std::fs::metadata(&day).unwrap().len();
    assert_eq!(store.compact().await.unwrap(), 1);
    assert_eq!(store.compact().await.unwrap(), 0, "once is enough");
    assert!(std::fs::metadata(&day).unwrap().len() < octets / 2);
    assert_eq!(tables(&day), (0, 4, 0));
    let before = all(&store).await;
    assert_eq!(before[0].len(), 2_010);
    // The clock is set back: the day gets batches beside its chunks.
    hands.set(NOON + 7_000_000);
    fill(&store, &hands, 300).await;
    let both = all(&store).await;
    assert_eq!(both[0].len(), 2_310);
    let ranges = [(NOON, NOON + DAY), (NOON - 20 * DAY, NOON + 20 * DAY)];
    trends_match(&store, &both, &ranges).await;
    close(store).await;
    let store = without_cloud(dir.path(), &hands);
    assert_eq!(all(&store).await, both);
    hands.set(NOON + 2 * DAY);
    fill(&store, &hands, 1).await;
    assert!(store.compact().await.unwrap() >= 1);
    assert_eq!(tables(&day), (0, 4, 0));
    let after = all(&store).await;
    assert_eq!(after[0][..2_310], both[0]);
    trends_match(&store, &after, &ranges).await;
    close(store).await;
    let report = riser_store::check(dir.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.batches, report.samples), (2_311, 4 * 2_311));
}

#[tokio::test]
async fn what_waits_for_the_cloud_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, recovery) = open(dir.path(), &hands);
    fill(&store, &hands, 500).await;
    hands.set(NOON + DAY);
    fill(&store, &hands, 1).await;
    assert_eq!(store.compact().await.unwrap(), 0);
    store
        .outbox()
        .confirm(recovery.epoch, Stream::Data, 499, &[]);
    assert_eq!(store.compact().await.unwrap(), 0, "one batch still waits");
    store
        .outbox()
        .confirm(recovery.epoch, Stream::Data, 500, &[]);
    assert_eq!(store.compact().await.unwrap(), 1);
    let below = Position {
        epoch: recovery.epoch,
        seq: u64::MAX,
    };
    let waiting = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 999)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    close(store).await;
    // A lost state.db does not make what was compacted wait again: there is nothing to send.
    std::fs::remove_file(dir.path().join("state.db")).unwrap();
    let (store, again) = open(dir.path(), &hands);
    assert_ne!(again.epoch, recovery.epoch);
    let below = Position {
        epoch: again.epoch,
        seq: u64::MAX,
    };
    let waiting = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 999)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(all(&store).await[0].len(), 501);
    assert_eq!(store.stats().refused_batches, 0);
    close(store).await;
}

#[tokio::test]
async fn a_damaged_batch_is_kept_and_a_damaged_chunk_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let store = without_cloud(dir.path(), &hands);
    fill(&store, &hands, 1_000).await;
    hands.set(NOON + DAY);
    fill(&store, &hands, 1).await;
    let day = dir.path().join("history/2026-11-21.db");
    let change = |sql: &str| {
        let conn = rusqlite::Connection::open(&day).unwrap();
        assert_eq!(conn.execute(sql, []).unwrap(), 1);
    };
    change("UPDATE batch SET frame = zeroblob(40) WHERE id = (SELECT min(id) + 9 FROM batch)");
    assert_eq!(store.compact().await.unwrap(), 1);
    assert_eq!(tables(&day), (1, 4, 0));
    assert_eq!(all(&store).await[0].len(), 1_000);
    change(
        "UPDATE chunk SET body = CAST(substr(body, 1, 20) || x'55' || substr(body, 22) AS BLOB) WHERE id = 2",
    );
    let lengths: Vec<usize> = all(&store).await.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1_000, 1, 1_000, 1_000]);
    close(store).await;
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("1 chunks are damaged"), "{problems:?}");
    assert!(
        problems[1].contains("1 batches are damaged"),
        "{problems:?}"
    );
}
