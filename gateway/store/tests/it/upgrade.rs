//! Files of earlier schemas open as they are and keep everything. `fixtures/schema-<n>` was written
//! by the version of that schema of the day files: three days, two points, one alarm, part of it
//! durable; from 2 on with a ledger.

use crate::common::{DAY, Hands, NOON, append, close, config, open, scan};
use riser_model::{Quality, Reason, Sample, Slot, Timestamp, Value};
use riser_store::{Position, Store, Stream};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn copied(name: &str) -> tempfile::TempDir {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("history")).unwrap();
    std::fs::copy(from.join("state.db"), dir.path().join("state.db")).unwrap();
    for entry in std::fs::read_dir(from.join("history")).unwrap() {
        let entry = entry.unwrap();
        let to = dir.path().join("history").join(entry.file_name());
        std::fs::copy(entry.path(), to).unwrap();
    }
    dir
}

/// What the fixture was filled with.
fn wanted(slot: u32) -> Vec<Sample> {
    let mut all = Vec::new();
    for day in 0..3 {
        for n in 0..60 {
            let at = Timestamp(NOON + day * DAY + (n + 1) * 20_000);
            let (value, quality) = match slot {
                1 => (Some(20.0 + (n % 7) as f64 / 10.0), Quality::GOOD),
                _ if n % 13 == 5 => (None, Quality::bad(Reason::DeviceDown)),
                _ if n % 11 == 3 => (Some(18.5), Quality::bad(Reason::Stale)),
                _ => (Some(18.5), Quality::GOOD),
            };
            let (slot, value) = (Slot(slot), value.map(Value::Float));
            all.push(Sample {
                slot,
                at,
                value,
                quality,
            });
        }
    }
    all
}

async fn keeps_everything(store: &Store) {
    let (from, to) = (Timestamp(NOON), Timestamp(NOON + 3 * DAY));
    for slot in [1, 2] {
        let found = store.samples(Slot(slot), from, to, 9_999).await.unwrap();
        assert_eq!(found, wanted(slot));
    }
    let trend = store.trend(Slot(2), from, to, 10).await.unwrap();
    let sum = |of: fn(&riser_model::Bucket) -> u32| trend.buckets.iter().map(of).sum::<u32>();
    let bad = wanted(2)
        .iter()
        .filter(|s| s.quality != Quality::GOOD)
        .count();
    assert_eq!(sum(|b| b.bad) as usize, bad);
    assert_eq!(sum(|b| b.count) as usize, 180 - bad);
}

fn version(file: &Path) -> i64 {
    let conn = rusqlite::Connection::open(file).unwrap();
    conn.pragma_query_value(None, "user_version", |r| r.get(0))
        .unwrap()
}

#[tokio::test]
async fn files_of_the_first_schema_open_and_keep_everything() {
    let dir = copied("schema-1");
    let day = dir.path().join("history/2026-11-21.db");
    assert_eq!(
        (version(&day), version(&dir.path().join("state.db"))),
        (1, 1)
    );
    // An old store can be looked at before it is upgraded.
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
    assert_eq!(version(&day), 1);
    let hands = Hands::new(NOON + 2 * DAY + 2_000_000);
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!((recovery.new_epoch, recovery.set_aside.len()), (None, 0));
    assert_eq!(store.points().await.unwrap().points.len(), 2);
    assert_eq!(store.outbox().durable(Stream::Data).contiguous, 70);
    let below = Position {
        epoch: recovery.epoch,
        seq: u64::MAX,
    };
    let waiting = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 999)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 180 - 70 - 11);
    keeps_everything(&store).await;
    append(&store, vec![scan(hands.forward(1_000), &[1.0, 2.0])]);
    store.settle().await.unwrap();
    assert_eq!(store.outbox().head(Stream::Data).seq, 181);
    close(store).await;
    assert_eq!(version(&day), 3);
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn batches_without_counts_are_counted_by_their_frames() {
    let dir = copied("schema-2");
    let day = dir.path().join("history/2026-11-21.db");
    let state = version(&dir.path().join("state.db"));
    assert_eq!((version(&day), state), (2, 4));
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!((problems, version(&day)), (Vec::new(), 2));
    let hands = Hands::new(NOON + 2 * DAY + 2_000_000);
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!((recovery.new_epoch, recovery.set_aside.len()), (None, 0));
    keeps_everything(&store).await;
    append(&store, vec![scan(hands.forward(1_000), &[1.0, 2.0])]);
    store.settle().await.unwrap();
    let confirm = |to| store.outbox().confirm(store.epoch(), Stream::Data, to, &[]);
    confirm(181);
    store.settle().await.unwrap();
    let ledger = store.ledger(riser_store::LedgerFilter::default()).await;
    for row in ledger.unwrap().rows {
        let counts = row.counts;
        let all = (row.hour.0 - NOON) / DAY == 2;
        let wanted = if all { 61 } else { 60 };
        assert_eq!((counts.stored, counts.durable), (wanted, wanted), "{row:?}");
        assert_eq!(row.waiting_cloud, 0, "{row:?}");
    }
    close(store).await;
    assert_eq!(version(&day), 3);
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
}

#[tokio::test]
async fn days_of_the_first_schema_are_compacted() {
    let dir = copied("schema-1");
    let hands = Hands::new(NOON + 30 * DAY);
    let mut settings = config(dir.path());
    settings.keep_unsent = false;
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    for _ in 0..3 {
        // One day that a crash left open is sealed at a time.
        store.settle().await.unwrap();
    }
    store.compact().await.unwrap();
    keeps_everything(&store).await;
    close(store).await;
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
}
