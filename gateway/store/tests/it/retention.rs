//! Whole day files go, by age and by free space; what the cloud does not have goes last and is
//! reported. A disk that refuses costs nothing until the queue is full.

use crate::common::{DAY, Hands, NOON, alarm, append, close, config, open, scan};
use riser_model::{ClockState, Event, ScanBatch, Slot, Timestamp};
use riser_store::{DiskState, Position, Store, Stream};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn days(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("history")).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut days: Vec<String> = names
        .filter_map(|n| n.strip_suffix(".db").map(str::to_owned))
        .collect();
    days.sort();
    days
}

async fn fill(store: &Store, hands: &Hands, days: i64) {
    for _ in 0..days {
        for n in 0..10 {
            append(
                store,
                vec![scan(hands.forward(1_000), &[f64::from(n), 1.0])],
            );
        }
        store.settle().await.unwrap();
        hands.forward(DAY - 10_000);
    }
}

async fn losses(store: &Store) -> Vec<(String, u64)> {
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let events = store.outbox().claim_events(from, 999).await.unwrap();
    let decoded = events
        .iter()
        .map(|e| riser_wire::decode_event(&e.frame).unwrap().1);
    decoded
        .filter_map(|e| match e {
            Event::Loss { lane, samples, .. } => Some((lane, samples)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn old_days_go_once_the_cloud_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut settings = config(dir.path());
    settings.retention_days = 10;
    let (store, recovery) = Store::open(settings, hands.now()).unwrap();
    fill(&store, &hands, 15).await;
    store.settle().await.unwrap();
    assert_eq!(days(dir.path()).len(), 15, "nothing is durable yet");
    // Days 1 and 3 become durable, day 2 does not.
    store
        .outbox()
        .confirm(recovery.epoch, Stream::Data, 10, &[(21, 30)]);
    store.settle().await.unwrap();
    let left = days(dir.path());
    assert_eq!(left.len(), 13);
    assert_eq!(left[0], "2026-11-22");
    assert_eq!(losses(&store).await, []);
    close(store).await;
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    assert_eq!(crate::common::data_waiting(&store).await, 130);
    close(store).await;
}

#[tokio::test]
async fn without_a_cloud_age_alone_counts() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut settings = config(dir.path());
    (settings.retention_days, settings.keep_unsent) = (10, false);
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    fill(&store, &hands, 15).await;
    store.settle().await.unwrap();
    assert_eq!(days(dir.path())[0], "2026-11-26");
    close(store).await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_drops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut settings = config(dir.path());
    (settings.retention_days, settings.keep_unsent) = (10, false);
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    fill(&store, &hands, 5).await;
    hands.forward(9_000 * DAY);
    fill(&store, &hands, 1).await;
    store.settle().await.unwrap();
    assert_eq!(days(dir.path()).len(), 6);
    close(store).await;
}

#[tokio::test]
async fn the_free_space_floor_takes_durable_days_first_and_reports_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let mut settings = config(dir.path());
    settings.min_free_bytes = 1_000;
    let seen = Arc::clone(&free);
    // Every day file dropped gives back 600.
    let history = dir.path().join("history");
    settings.free_space = Arc::new(move |_| {
        let files = std::fs::read_dir(&history).unwrap().count() as u64;
        Some(seen.load(Ordering::SeqCst).saturating_sub(600 * files))
    });
    let (store, recovery) = Store::open(settings, hands.now()).unwrap();
    fill(&store, &hands, 5).await;
    append(&store, vec![scan(hands.forward(1_000), &[1.0])]);
    // Only day 3 is durable.
    store
        .outbox()
        .confirm(recovery.epoch, Stream::Data, 0, &[(21, 30)]);
    store.settle().await.unwrap();
    let files = std::fs::read_dir(dir.path().join("history"))
        .unwrap()
        .count() as u64;
    free.store(600 * files + 300, Ordering::SeqCst);
    store.settle().await.unwrap();
    let left = days(dir.path());
    assert_eq!(
        left,
        ["2026-11-22", "2026-11-24", "2026-11-25", "2026-11-26"],
        "day 3, which the cloud has, then day 1"
    );
    assert_eq!(losses(&store).await, [("history".to_owned(), 20)]);
    assert_eq!(store.stats().shed_samples, 20);
    // What was dropped is no longer offered.
    let below = Position {
        epoch: recovery.epoch,
        seq: u64::MAX,
    };
    let waiting = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 999)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 31);
    assert_eq!(store.outbox().durable(Stream::Data).contiguous, 10);
    // However little is left, the newest day stays.
    free.store(0, Ordering::SeqCst);
    for _ in 0..3 {
        store.settle().await.unwrap();
    }
    assert_eq!(days(dir.path()), ["2026-11-26"]);
    close(store).await;
    let (store, again) = open(dir.path(), &hands);
    assert_eq!((again.new_epoch, again.missing.len()), (None, 0));
    close(store).await;
}

#[tokio::test]
async fn of_a_day_that_went_the_rollups_stay() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut settings = config(dir.path());
    (settings.retention_days, settings.keep_unsent) = (7, false);
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    // Within a week nothing goes by age.
    fill(&store, &hands, 5).await;
    store.settle().await.unwrap();
    store.compact().await.unwrap();
    let slot = Slot(1);
    let (from, to) = (Timestamp(NOON - DAY), Timestamp(NOON + 3 * DAY));
    let before = store.trend(slot, from, to, 300).await.unwrap();
    assert_eq!(
        before
            .buckets
            .iter()
            .map(|b| u64::from(b.count))
            .sum::<u64>(),
        30
    );
    fill(&store, &hands, 12).await;
    store.settle().await.unwrap();
    let oldest = days(dir.path())[0].clone();
    assert!(oldest.as_str() > "2026-11-26", "{oldest}");

    assert!(store.samples(slot, from, to, 99).await.unwrap().is_empty());
    let after = store.trend(slot, from, to, 300).await.unwrap();
    assert_eq!(after, before, "drawn from what is left of it");
    let short = (Timestamp(NOON), Timestamp(NOON + DAY / 24));
    let hour = store.trend(slot, short.0, short.1, 300).await.unwrap();
    assert_eq!(
        hour.buckets.iter().map(|b| u64::from(b.count)).sum::<u64>(),
        10
    );
    close(store).await;
}

#[tokio::test]
async fn the_bound_on_bytes_takes_durable_days_first_and_reports_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, recovery) = open(dir.path(), &hands);
    fill(&store, &hands, 5).await;
    append(&store, vec![scan(hands.forward(1_000), &[1.0])]);
    // Only day 3 is durable.
    store
        .outbox()
        .confirm(recovery.epoch, Stream::Data, 0, &[(21, 30)]);
    store.settle().await.unwrap();
    let sizes = |dir: &Path| -> u64 {
        let all = std::fs::read_dir(dir.join("history")).unwrap();
        all.map(|e| e.unwrap().metadata().unwrap().len()).sum()
    };
    assert_eq!(store.stats().history_disk_bytes, sizes(dir.path()));
    let one = std::fs::metadata(dir.path().join("history/2026-11-21.db"))
        .unwrap()
        .len();
    close(store).await;
    // One day less is not enough: day 3, which the cloud has, goes, then day 1.
    let mut settings = config(dir.path());
    settings.history_max_bytes = Some(sizes(dir.path()) - one - one / 8);
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    store.settle().await.unwrap();
    assert_eq!(
        days(dir.path()),
        ["2026-11-22", "2026-11-24", "2026-11-25", "2026-11-26"]
    );
    assert_eq!(losses(&store).await, [("history".to_owned(), 20)]);
    close(store).await;
}

/// The writer holds a full queue for the moment it takes to try the disk, and nothing older can go
/// for new scans meanwhile: they are given back, as they are to the intake.
async fn append_patiently(store: &Store, scan: ScanBatch) {
    let mut scans = vec![scan];
    let version = store.directory_version();
    while let Err(full) = store.append(scans, ClockState::Synchronised, version) {
        scans = full.scans;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_refusing_disk_costs_the_oldest_samples_and_never_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let mut settings = config(dir.path());
    settings.queue_samples = 100;
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    append(&store, vec![scan(NOON, &[0.0; 10])]);
    store.settle().await.unwrap();
    // Tomorrow's file cannot be made: a folder lies where it belongs.
    hands.set(NOON + DAY);
    let block = dir.path().join("history/2026-11-22.db");
    std::fs::create_dir(&block).unwrap();
    for n in 0..30 {
        append_patiently(&store, scan(NOON + DAY + n, &[n as f64; 10])).await;
    }
    assert!(store.settle().await.is_err());
    assert!(matches!(store.stats().disk, DiskState::Failing { .. }));
    store.append_event(alarm(5)).await.unwrap();
    let refused = store.append(vec![scan(1, &[0.0; 101])], ClockState::Unsynchronised, 0);
    assert_eq!(refused.unwrap_err().samples, 101);
    std::fs::remove_dir(&block).unwrap();
    // The back-off is at most five seconds.
    let mut heads = store.committed(Stream::Data);
    let done = heads.wait_for(|head| head.seq == 11);
    tokio::time::timeout(Duration::from_secs(20), done)
        .await
        .unwrap()
        .unwrap();
    store.settle().await.unwrap();
    let stats = store.stats();
    assert_eq!(stats.disk, DiskState::Ok);
    assert_eq!((stats.dropped_samples, stats.committed_samples), (200, 110));
    assert_eq!(losses(&store).await.iter().map(|l| l.1).sum::<u64>(), 200);
    let (from, to) = (Timestamp(NOON + DAY), Timestamp(NOON + 2 * DAY));
    let found = store.samples(Slot(1), from, to, 99).await.unwrap();
    let values: Vec<f64> = found
        .iter()
        .map(|s| s.value.as_ref().unwrap().as_f64().unwrap())
        .collect();
    assert_eq!(
        values,
        (20..30).map(f64::from).collect::<Vec<_>>(),
        "the newest are kept"
    );
    close(store).await;
}
