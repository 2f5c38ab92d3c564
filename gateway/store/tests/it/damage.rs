//! Files that a bad disk, a person or a power cut has damaged: set aside, a new numbering, and the
//! gateway keeps working.

use crate::common::{DAY, Hands, NOON, alarm, append, close, flip, open, point, scan};
use riser_model::{Event, Slot, Timestamp};
use riser_store::{Position, Recovery, Store, Stream};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Two days of data, two points, one alarm.
async fn filled(dir: &Path, hands: &Hands) -> Recovery {
    let (store, recovery) = open(dir, hands);
    let points = vec![point("ahu-1/supply_temp"), point("ahu-1/return_temp")];
    let declared = store.declare_points(points).await.unwrap();
    assert_eq!(declared.slots, [Slot(1), Slot(2)]);
    for day in 0..2 {
        hands.set(NOON + day * DAY);
        for n in 0..200 {
            let at = hands.forward(1_000);
            append(&store, vec![scan(at, &[f64::from(n), 2.0])]);
            if n % 20 == 0 {
                store.settle().await.unwrap();
            }
        }
        store.settle().await.unwrap();
    }
    store.append_event(alarm(1)).await.unwrap();
    store.settle().await.unwrap();
    close(store).await;
    recovery
}

fn day(dir: &Path, name: &str) -> PathBuf {
    dir.join("history").join(format!("{name}.db"))
}

/// The store works: numbers begin at 1, samples come back, events too.
async fn works(store: &Store, hands: &Hands) {
    let seq = store.outbox().head(Stream::Data).seq;
    let at = hands.forward(1_000);
    append(store, vec![scan(at, &[42.5, 1.0])]);
    store.settle().await.unwrap();
    assert_eq!(store.outbox().head(Stream::Data).seq, seq + 1);
    let found = store
        .samples(Slot(1), Timestamp(at), Timestamp(at + 1), 9)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    store.append_event(alarm(99)).await.unwrap();
}

async fn events(store: &Store) -> Vec<Event> {
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let claimed = store.outbox().claim_events(from, 99).await.unwrap();
    claimed
        .iter()
        .map(|e| riser_wire::decode_event(&e.frame).unwrap().1)
        .collect()
}

#[tokio::test]
async fn a_day_file_that_cannot_be_written_on_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    filled(dir.path(), &hands).await;
    let path = day(dir.path(), "2026-11-22");
    // A page that opening the store does not read, and opening the file for writing does.
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'directory'";
    let page: usize = file.query_row(sql, [], |row| row.get(0)).unwrap();
    let size: usize = file
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .unwrap();
    drop(file);
    flip(&path, (page - 1) * size);
    let (store, _) = open(dir.path(), &hands);
    append(&store, vec![scan(hands.forward(1_000), &[1.0, 2.0])]);
    let begun = std::time::Instant::now();
    while store.settle().await.is_err() {
        assert!(begun.elapsed().as_secs() < 5, "it never works again");
    }
    assert_eq!(store.stats().files_set_aside, 1);
    assert_eq!(store.stats().committed_samples, 2, "what waited is stored");
    works(&store, &hands).await;
    close(store).await;
}

#[tokio::test]
async fn a_damaged_day_file_is_set_aside() {
    for damage in ["truncated", "header", "mark", "version", "empty"] {
        let dir = tempfile::tempdir().unwrap();
        let hands = Hands::new(NOON);
        let before = filled(dir.path(), &hands).await;
        let path = day(dir.path(), "2026-11-21");
        let octets = std::fs::read(&path).unwrap();
        match damage {
            "truncated" => std::fs::write(&path, &octets[..octets.len() / 2]).unwrap(),
            "empty" => std::fs::write(&path, []).unwrap(),
            "mark" => flip(&path, 70),
            "version" => flip(&path, 61),
            _ => flip(&path, 3),
        }
        let (store, recovery) = open(dir.path(), &hands);
        assert_eq!(recovery.set_aside.len(), 1, "{damage}");
        assert_ne!(recovery.epoch, before.epoch, "{damage}");
        assert!(
            recovery.set_aside[0].moved_to.exists() && !path.exists(),
            "{damage}"
        );
        let told = events(&store).await;
        assert!(matches!(told[0], Event::Directory(_)), "{damage}");
        assert!(
            told.contains(&alarm(1)),
            "{damage}: the alarm is numbered anew"
        );
        assert!(
            told.iter().any(|e| matches!(e, Event::Loss { .. })),
            "{damage}"
        );
        works(&store, &hands).await;
        // The other day is still there and still waits for the cloud, under its old epoch.
        let below = Position {
            epoch: store.epoch(),
            seq: 1,
        };
        let waiting = store
            .outbox()
            .claim_backfill(HashSet::new(), below, 999)
            .await
            .unwrap();
        assert_eq!(waiting.len(), 200, "{damage}");
        assert!(waiting.iter().all(|b| b.position.epoch == before.epoch));
        close(store).await;
        let (store, again) = open(dir.path(), &hands);
        assert_eq!(
            (again.new_epoch, again.epoch),
            (None, recovery.epoch),
            "{damage}"
        );
        close(store).await;
    }
}

#[tokio::test]
async fn a_missing_day_file_begins_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let before = filled(dir.path(), &hands).await;
    std::fs::remove_file(day(dir.path(), "2026-11-22")).unwrap();
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.missing, ["2026-11-22"]);
    assert_ne!(recovery.epoch, before.epoch);
    works(&store, &hands).await;
    close(store).await;
}

#[tokio::test]
async fn a_lost_state_keeps_slots_and_history() {
    for damage in ["deleted", "empty", "header", "middle"] {
        let dir = tempfile::tempdir().unwrap();
        let hands = Hands::new(NOON);
        let before = filled(dir.path(), &hands).await;
        let path = dir.path().join("state.db");
        match damage {
            "deleted" => std::fs::remove_file(&path).unwrap(),
            "empty" => std::fs::write(&path, []).unwrap(),
            "header" => flip(&path, 1),
            _ => {
                let mut octets = std::fs::read(&path).unwrap();
                octets[4096..4096 + 200].fill(0xff);
                std::fs::write(&path, octets).unwrap();
            }
        }
        let (store, recovery) = open(dir.path(), &hands);
        assert_ne!(recovery.epoch, before.epoch, "{damage}");
        assert_eq!(recovery.restored_points, 2, "{damage}");
        // Declared in another order, after a stranger: slots are those of before.
        let points = ["new/one", "ahu-1/return_temp", "ahu-1/supply_temp"].map(point);
        let declared = store.declare_points(points.to_vec()).await.unwrap();
        assert_eq!(declared.slots, [Slot(3), Slot(2), Slot(1)], "{damage}");
        let (from, to) = (Timestamp(NOON), Timestamp(NOON + 2 * DAY));
        let found = store.samples(Slot(1), from, to, 9_999).await.unwrap();
        assert_eq!(found.len(), 400, "{damage}");
        works(&store, &hands).await;
        close(store).await;
    }
}

#[tokio::test]
async fn a_state_older_than_the_history_begins_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, before) = open(dir.path(), &hands);
    append(&store, vec![scan(NOON, &[1.0])]);
    store.settle().await.unwrap();
    close(store).await;
    let copy = std::fs::read(dir.path().join("state.db")).unwrap();
    hands.forward(DAY);
    let (store, _) = open(dir.path(), &hands);
    append(&store, vec![scan(NOON + DAY, &[2.0])]);
    store.append_event(alarm(1)).await.unwrap();
    close(store).await;
    std::fs::write(dir.path().join("state.db"), copy).unwrap();
    let (store, recovery) = open(dir.path(), &hands);
    assert_ne!(recovery.epoch, before.epoch);
    assert!(recovery.new_epoch.unwrap().contains("older"));
    works(&store, &hands).await;
    close(store).await;
}

#[tokio::test]
async fn damage_found_while_running_is_set_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    filled(dir.path(), &hands).await;
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    // Every page but the first, so that it opens and cannot be read.
    let path = day(dir.path(), "2026-11-21");
    let mut octets = std::fs::read(&path).unwrap();
    octets[4096..].fill(0xff);
    std::fs::write(&path, octets).unwrap();
    let (from, to) = (Timestamp(NOON), Timestamp(NOON + 2 * DAY));
    let found = store.samples(Slot(1), from, to, 9_999).await.unwrap();
    assert_eq!(found.len(), 200, "the other day is still answered");
    let mut heads = store.committed(Stream::Data);
    heads
        .wait_for(|head| head.epoch != recovery.epoch)
        .await
        .unwrap();
    assert!(!path.exists());
    assert_eq!(store.stats().files_set_aside, 1);
    works(&store, &hands).await;
    close(store).await;
}

#[tokio::test]
async fn a_damaged_batch_does_not_block_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    filled(dir.path(), &hands).await;
    let path = day(dir.path(), "2026-11-21");
    let conn = rusqlite::Connection::open(&path).unwrap();
    let sql = "UPDATE batch SET frame = zeroblob(20) WHERE id = (SELECT max(id) FROM batch)";
    assert_eq!(conn.execute(sql, []).unwrap(), 1);
    drop(conn);
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert!(
        problems.len() == 1 && problems[0].contains("1 batches are damaged"),
        "{problems:?}"
    );
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    let below = Position {
        epoch: recovery.epoch,
        seq: u64::MAX,
    };
    let claimed = store
        .outbox()
        .claim_backfill(HashSet::new(), below, 999)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 399);
    store.settle().await.unwrap();
    assert_eq!(crate::common::data_waiting(&store).await, 399);
    assert_eq!(store.stats().refused_batches, 1);
    let (from, to) = (Timestamp(NOON), Timestamp(NOON + 2 * DAY));
    assert_eq!(
        store.samples(Slot(1), from, to, 9_999).await.unwrap().len(),
        399
    );
    close(store).await;
}

#[tokio::test]
async fn only_one_process_works_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let second = Store::open(crate::common::config(dir.path()), hands.now());
    assert!(matches!(second, Err(riser_store::StoreError::InUse { .. })));
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    close(store).await;
}

#[tokio::test]
async fn a_day_file_whose_making_was_cut_short_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let before = filled(dir.path(), &hands).await;
    let path = day(dir.path(), "2026-11-23");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(conn);
    assert!(riser_store::check(dir.path()).unwrap().problems.is_empty());
    hands.forward(DAY);
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!((recovery.epoch, recovery.new_epoch), (before.epoch, None));
    works(&store, &hands).await;
    close(store).await;
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    close(store).await;
}

#[tokio::test]
async fn a_commit_that_was_called_failed_and_landed_all_the_same_does_not_stop_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    append(&store, vec![scan(NOON, &[1.0])]);
    store.settle().await.unwrap();
    // What a disk leaves that fails the sync and keeps the octets: a batch nobody was told of.
    let day = rusqlite::Connection::open(dir.path().join("history/2026-11-21.db")).unwrap();
    let sql =
        "INSERT INTO batch SELECT id + 1, first_at, last_at, samples, frame, counts FROM batch";
    assert_eq!(day.execute(sql, []).unwrap(), 1);
    drop(day);
    append(&store, vec![scan(NOON + 1, &[2.0])]);
    let mut head = store.committed(Stream::Data);
    let patience = std::time::Duration::from_secs(20);
    let caught_up = tokio::time::timeout(patience, head.wait_for(|head| head.seq == 2));
    drop(
        caught_up
            .await
            .expect("the second batch is stored")
            .unwrap(),
    );
    close(store).await;
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    assert_eq!(store.outbox().head(Stream::Data).seq, 2);
    close(store).await;
}

#[test]
fn the_folder_is_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("data");
    let (store, _) = open(&place, &Hands::new(NOON));
    let mode = place.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(store);
}
