//! The loss ledger when files rot, vanish or are moved about: every sample of them is still accounted
//! for, by lane and hour.

use crate::common::ledger::{HOUR, LANES, batch, declare, ledger, row, scan, sum};
use crate::common::{DAY, Hands, NOON, close, config, events_waiting, open};
use riser_model::{Event, Ledger};
use riser_store::{Position, Store, StoreConfig, Stream};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Turns an octet in the middle of a stored frame; with `fitting`, its checksum is made to fit.
fn rot(day: &Path, seq: u64, fitting: bool) {
    let day = rusqlite::Connection::open(day).unwrap();
    let sql = "SELECT frame FROM batch WHERE id & 0xffffffffff = ?1";
    let mut frame: Vec<u8> = day.query_row(sql, [seq], |r| r.get(0)).unwrap();
    // Behind the first five octets and the header whose length the last two of them are.
    let body = 5 + usize::from(u16::from_le_bytes([frame[3], frame[4]]));
    frame[body] ^= 0x10;
    if fitting {
        let end = frame.len() - 4;
        let sum = crc32c::crc32c(&frame[..end]).to_le_bytes();
        frame[end..].copy_from_slice(&sum);
    }
    assert!(riser_wire::decode_data(&frame).is_err());
    let sql = "UPDATE batch SET frame = ?2 WHERE id & 0xffffffffff = ?1";
    assert_eq!(day.execute(sql, rusqlite::params![seq, frame]).unwrap(), 1);
}

fn explained(ledger: &Ledger) {
    for row in &ledger.rows {
        assert_eq!(row.unexplained, 0, "{row:?}");
        assert_eq!((row.waiting_disk, row.waiting_cloud), (0, 0), "{row:?}");
    }
}

async fn claim_all(store: &Store) -> usize {
    let below = Position {
        epoch: store.epoch(),
        seq: u64::MAX,
    };
    let none = HashSet::new();
    store
        .outbox()
        .claim_backfill(none, below, 999)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn batches_that_cannot_be_read_any_more_are_refused_by_lane_and_hour() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON + HOUR);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    batch(&store, scan(NOON + 1, &slots[1..])).await;
    batch(&store, scan(NOON + HOUR, &slots[..2])).await;
    batch(&store, scan(NOON + HOUR + 1, &slots)).await;
    close(store).await;
    let day = dir.path().join("history/2026-11-21.db");
    rot(&day, 2, false);
    rot(&day, 3, true);
    hands.forward(3 * HOUR);
    let (store, _) = open(dir.path(), &hands);
    // One is found out here, the other by the cloud.
    assert_eq!(claim_all(&store).await, 3);
    let epoch = store.epoch();
    let outbox = store.outbox();
    let third = Position { epoch, seq: 3 };
    outbox
        .quarantine(Stream::Data, third, "not a frame".into())
        .await
        .unwrap();
    outbox.confirm(epoch, Stream::Data, 4, &[]);
    store.settle().await.unwrap();
    let ledger = ledger(&store).await;
    let of = |hour: i64, lane: usize| {
        let counts = row(&ledger, NOON + hour * HOUR, LANES[lane]).counts;
        (counts.stored, counts.durable, counts.dropped.refused)
    };
    assert_eq!((of(0, 0), of(0, 1)), ((3, 2, 1), (2, 1, 1)));
    assert_eq!((of(1, 0), of(1, 1)), ((4, 2, 2), (1, 1, 0)));
    explained(&ledger);
    close(store).await;
}

#[tokio::test]
async fn a_device_that_is_moved_twice_leaves_its_samples_where_they_were_stored() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    for lane in ["bus c", "bus d"] {
        hands.forward(1_000);
        let places = slots.iter().map(|slot| (*slot, Arc::from(lane))).collect();
        store.assign_lanes(places).await.unwrap();
    }
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    let ledger = ledger(&store).await;
    for (lane, n) in LANES.iter().zip([2, 1]) {
        let counts = row(&ledger, NOON, lane).counts;
        assert_eq!(
            (counts.stored, counts.sent, counts.durable),
            (n, n, n),
            "{lane}"
        );
    }
    explained(&ledger);
    close(store).await;
}

/// Two days with two batches each; of the first day the cloud has one.
async fn two_days(store: &Store, hands: &Hands) {
    let slots = declare(store).await;
    for day in 0..2 {
        hands.set(NOON + day * DAY);
        batch(store, scan(hands.get(), &slots)).await;
        batch(store, scan(hands.get() + 1, &slots)).await;
    }
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    store.settle().await.unwrap();
}

fn day(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join("history").join(format!("{name}.db"))
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Of the first day all but what is durable is damaged, of the second everything waits.
async fn first_day_is_lost(store: &Store) {
    let ledger = ledger(store).await;
    for (lane, n) in LANES.iter().zip([2, 1]) {
        let first = row(&ledger, NOON, lane).counts;
        assert_eq!((first.durable, first.dropped.damaged), (n, n), "{first:?}");
        let second = row(&ledger, NOON + DAY, lane);
        assert_eq!((second.counts.dropped.total(), second.unexplained), (0, 0));
        assert_eq!(second.waiting_cloud, 2 * i64::try_from(n).unwrap());
    }
}

#[tokio::test]
async fn a_day_file_that_is_gone_at_the_start_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    two_days(&store, &hands).await;
    close(store).await;
    std::fs::remove_file(day(dir.path(), "2026-11-21")).unwrap();
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("2026-11-21 is listed and not there"));
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.missing, ["2026-11-21"]);
    first_day_is_lost(&store).await;
    close(store).await;
    // Told once: the next start finds nothing missing.
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.missing, Vec::<String>::new());
    first_day_is_lost(&store).await;
    close(store).await;
}

#[tokio::test]
async fn a_day_file_that_vanishes_while_running_is_explained_and_blocks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, before) = open(dir.path(), &hands);
    two_days(&store, &hands).await;
    for part in ["", "-wal", "-shm"] {
        let path = dir.path().join(format!("history/2026-11-21.db{part}"));
        let _ = std::fs::remove_file(path);
    }
    // The link asks for what waits, and gets what is there.
    eventually("the loss is noticed", async || {
        let below = Position {
            epoch: store.epoch(),
            seq: u64::MAX,
        };
        let outbox = store.outbox();
        let claim = outbox.claim_backfill(HashSet::new(), below, 9);
        drop(claim.await);
        (store.epoch() != before.epoch).then_some(())
    })
    .await;
    assert_eq!(claim_all(&store).await, 2);
    first_day_is_lost(&store).await;
    let told = events_waiting(&store).await;
    let told = told
        .iter()
        .any(|(_, e)| matches!(e, Event::Loss { reason, .. } if reason.contains("missing")));
    assert!(told, "it is said");
    close(store).await;
}

#[tokio::test]
async fn the_open_day_file_that_vanishes_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, before) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    store.settle().await.unwrap();
    std::fs::remove_file(day(dir.path(), "2026-11-21")).unwrap();
    store.collected(&scan(NOON + 1, &slots));
    crate::common::append(&store, vec![scan(NOON + 1, &slots)]);
    store.settle().await.unwrap();
    assert_ne!(store.epoch(), before.epoch);
    let all = sum(&ledger(&store).await);
    assert_eq!(
        (all.collected, all.stored, all.dropped.damaged),
        (6, 6, 3),
        "{all:?}"
    );
    close(store).await;
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems, Vec::<String>::new());
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!((recovery.missing.len(), recovery.new_epoch), (0, None));
    assert_eq!(claim_all(&store).await, 1);
    close(store).await;
}

/// 600 samples of a day that is folded, and 3 of the next, on a gateway on its own.
async fn a_folded_day_without_a_cloud(dir: &Path, hands: &Hands) -> StoreConfig {
    let alone = StoreConfig {
        keep_unsent: false,
        ..config(dir)
    };
    let (store, _) = Store::open(alone.clone(), hands.now()).unwrap();
    let slots = declare(&store).await;
    for n in 0..200 {
        store.collected(&scan(NOON + n, &slots));
        crate::common::append(&store, vec![scan(NOON + n, &slots)]);
    }
    store.settle().await.unwrap();
    hands.forward(DAY);
    batch(&store, scan(hands.get(), &slots)).await;
    store.settle().await.unwrap();
    assert_eq!(store.compact().await.unwrap(), 1);
    close(store).await;
    alone
}

#[tokio::test]
async fn without_a_cloud_a_damaged_day_says_nothing_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let alone = a_folded_day_without_a_cloud(dir.path(), &hands).await;
    std::fs::write(day(dir.path(), "2026-11-22"), vec![0x5a; 8192]).unwrap();
    let (store, recovery) = Store::open(alone, hands.now()).unwrap();
    assert_eq!(recovery.set_aside.len(), 1);
    let ledger = ledger(&store).await;
    assert_eq!(row(&ledger, NOON, LANES[0]).counts.dropped.total(), 0);
    assert!(ledger.rows.iter().all(|r| r.unexplained == 0));
    close(store).await;
}

#[tokio::test]
async fn what_was_folded_before_there_was_a_cloud_is_explained_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    a_folded_day_without_a_cloud(dir.path(), &hands).await;
    hands.forward(3 * HOUR);
    // Twice: what is explained once is not explained again.
    for _ in 0..2 {
        let (store, _) = open(dir.path(), &hands);
        store.settle().await.unwrap();
        let ledger = ledger(&store).await;
        assert!(ledger.rows.iter().all(|r| r.unexplained == 0), "{ledger:?}");
        let all = sum(&ledger);
        assert_eq!((all.stored, all.dropped.retention), (603, 600));
        assert_eq!(claim_all(&store).await, 1);
        close(store).await;
    }
}

/// Samples may be older than the batch they come in.
#[tokio::test]
async fn what_was_back_filled_waits_like_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON - 30 * DAY, &slots)).await;
    for row in ledger(&store).await.rows {
        assert_eq!(
            (row.unexplained, row.waiting_cloud > 0),
            (0, true),
            "{row:?}"
        );
    }
    close(store).await;
}

/// A file is rewritten as soon as the cloud has it, also before that is written down.
#[tokio::test]
async fn what_is_durable_is_counted_before_its_day_is_compacted() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    for n in 0..200 {
        store.collected(&scan(NOON + n, &slots));
        crate::common::append(&store, vec![scan(NOON + n, &slots)]);
    }
    store.settle().await.unwrap();
    hands.forward(DAY);
    batch(&store, scan(hands.get(), &slots)).await;
    store.settle().await.unwrap();
    store
        .outbox()
        .confirm(store.epoch(), Stream::Data, 200, &[]);
    assert_eq!(store.compact().await.unwrap(), 1);
    store.settle().await.unwrap();
    let ledger = ledger(&store).await;
    let counts = row(&ledger, NOON, LANES[0]).counts;
    assert_eq!((counts.stored, counts.durable), (400, 400));
    close(store).await;
}

#[tokio::test]
async fn what_is_durable_and_not_counted_yet_is_not_unexplained() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    hands.forward(3 * HOUR);
    store.settle().await.unwrap();
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    for row in ledger(&store).await.rows {
        assert_eq!(row.unexplained, 0, "{row:?}");
    }
    store.settle().await.unwrap();
    explained(&ledger(&store).await);
    close(store).await;
}

#[tokio::test]
async fn batches_of_a_numbering_that_had_just_begun_are_counted_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let alive = dir.path().join("alive");
    let (store, before) = open(&alive, &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    store.settle().await.unwrap();
    // The cloud knows more of the numbering than is here.
    store.outbox().confirm(before.epoch, Stream::Data, 9, &[]);
    let mut heads = store.committed(Stream::Data);
    heads
        .wait_for(|head| head.epoch != before.epoch)
        .await
        .unwrap();
    batch(&store, scan(NOON + 1, &slots)).await;
    let left = dir.path().join("left");
    crate::common::ledger::leave(&alive, &left);
    close(store).await;
    let (store, _) = open(&left, &hands);
    let all = sum(&ledger(&store).await);
    assert_eq!(
        (all.collected, all.stored, all.dropped.total()),
        (6, 6, 0),
        "{all:?}"
    );
    let epoch = store.epoch();
    store.outbox().confirm(epoch, Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    assert_eq!(sum(&ledger(&store).await).durable, 6);
    close(store).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_taken_up_rests_and_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    close(store).await;
    let state = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    let spoil = "INSERT INTO ledger_epoch VALUES (x'00', 0, 0)";
    state.execute(spoil, []).unwrap();
    drop(state);
    let (store, _) = open(dir.path(), &hands);
    let asked = tokio::time::timeout(Duration::from_secs(10), ledger(&store));
    assert_eq!(sum(&asked.await.unwrap()).stored, 3);
    close(store).await;
}

/// Two numberings with batches that were sent, then a third while the first goes.
#[tokio::test]
async fn what_was_sent_is_remembered_when_another_numbering_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, first) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    let sent = |store: &Store| {
        let epoch = store.epoch();
        store.outbox().sent(Position { epoch, seq: 1 });
    };
    sent(&store);
    hands.forward(DAY);
    store.outbox().confirm(first.epoch, Stream::Data, 9, &[]);
    let mut heads = store.committed(Stream::Data);
    heads
        .wait_for(|head| head.epoch != first.epoch)
        .await
        .unwrap();
    batch(&store, scan(hands.get(), &slots)).await;
    sent(&store);
    let second = store.epoch();
    close(store).await;
    // The file of the first numbering is gone, and with that a third begins.
    std::fs::remove_file(day(dir.path(), "2026-11-21")).unwrap();
    let (store, third) = open(dir.path(), &hands);
    assert!(third.new_epoch.is_some());
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    store.outbox().confirm(second, Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    let all = sum(&ledger(&store).await);
    assert_eq!((all.stored, all.sent, all.durable), (6, 6, 6), "{all:?}");
    close(store).await;
}

/// A clock that jumps ahead makes every hour old at once, but does not make new ones.
#[tokio::test]
async fn a_clock_far_ahead_does_not_make_the_ledger_forget() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    batch(&store, scan(NOON, &slots)).await;
    store.outbox().confirm(store.epoch(), Stream::Data, 1, &[]);
    store.settle().await.unwrap();
    hands.forward(3_000 * DAY);
    store.settle().await.unwrap();
    hands.set(NOON + HOUR);
    store.settle().await.unwrap();
    assert_eq!(sum(&ledger(&store).await).durable, 3);
    close(store).await;
}

#[tokio::test]
async fn stamps_at_the_ends_of_time_are_counted_too() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let slots = declare(&store).await;
    for at in [i64::MIN, -1, 0, i64::MAX] {
        batch(&store, scan(at, &slots)).await;
    }
    store.outbox().confirm(store.epoch(), Stream::Data, 4, &[]);
    store.settle().await.unwrap();
    let all = sum(&ledger(&store).await);
    assert_eq!(
        (all.collected, all.stored, all.durable),
        (12, 12, 12),
        "{all:?}"
    );
    close(store).await;
}
