//! A damaged octet in any kind of file is found by the check, named, and contained: the store opens,
//! the rest of it is there, and it goes on.

use crate::common::{DAY, Hands, NOON, alarm, append, close, config, point, scan};
use riser_model::{Slot, Timestamp};
use riser_store::{Store, check};
use rusqlite::Connection;
use std::path::Path;

fn open(dir: &Path, hands: &Hands) -> Store {
    let mut settings = config(dir);
    settings.keep_unsent = false;
    Store::open(settings, hands.now()).unwrap().0
}

/// A compacted day, a sealed one that is not, an open one, a year of rollups.
async fn filled(dir: &Path) {
    let hands = Hands::new(NOON);
    let store = open(dir, &hands);
    store
        .declare_points(vec![point("ahu-1/supply_temp")])
        .await
        .unwrap();
    store.append_event(alarm(1)).await.unwrap();
    for day in 0..3 {
        hands.set(NOON + day * DAY);
        for n in 0..1_500 {
            append(
                &store,
                vec![scan(hands.forward(2_000), &[f64::from(n % 9), 7.0])],
            );
            if n % 50 == 49 {
                store.settle().await.unwrap();
            }
        }
        if day == 1 {
            assert_eq!(store.compact().await.unwrap(), 1);
        }
    }
    close(store).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Changes one octet of a row, far into it.
fn change(file: &Path, table: &str, column: &str) {
    let conn = Connection::open(file).unwrap();
    let find =
        format!("SELECT rowid, {column} FROM {table} ORDER BY length({column}) DESC LIMIT 1");
    let (id, mut blob): (i64, Vec<u8>) = conn
        .query_row(&find, [], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap();
    let at = blob.len() / 2;
    blob[at] ^= 0x04;
    let sql = format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1");
    assert_eq!(conn.execute(&sql, (id, blob)).unwrap(), 1);
}

const COMPACTED: &str = "history/2026-11-21.db";
const SEALED: &str = "history/2026-11-22.db";
const YEAR: &str = "rollup/2026.db";

#[tokio::test]
async fn a_changed_octet_in_any_kind_of_row_is_found_and_contained() {
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("sound");
    filled(&sound).await;
    assert_eq!(check(&sound).unwrap().problems, Vec::<String>::new());
    for (n, (file, table, column, lost)) in [
        (SEALED, "batch", "frame", true),
        (SEALED, "rollup", "cells", false),
        (SEALED, "directory", "body", false),
        (COMPACTED, "chunk", "body", true),
        (COMPACTED, "times", "body", true),
        (YEAR, "day", "quarters", false),
        (YEAR, "day", "hours", false),
        ("state.db", "event", "frame", false),
    ]
    .into_iter()
    .enumerate()
    {
        let copied = dir.path().join(format!("copy-{n}"));
        copy(&sound, &copied);
        change(&copied.join(file), table, column);
        let problems = check(&copied).unwrap().problems;
        assert!(
            problems.iter().any(|p| p.contains(file)),
            "{file} {table}: {problems:?}"
        );
        assert!(
            problems.iter().all(|p| p.contains(file)),
            "{file} {table}: {problems:?}"
        );
        // The store opens; what is lost is that row and nothing else.
        let hands = Hands::new(NOON + 2 * DAY + 9_000_000);
        let store = open(&copied, &hands);
        let (from, to) = (Timestamp(NOON), Timestamp(NOON + 9 * DAY));
        let found = store
            .samples(Slot(1), from, to, 99_999)
            .await
            .unwrap()
            .len();
        let all = 4_500;
        assert_eq!(found < all, lost, "{file} {table}: {found}");
        assert!(found >= 3_000, "{file} {table}: {found}");
        let trend = store.trend(Slot(1), from, to, 100).await.unwrap();
        assert!(!trend.buckets.is_empty());
        append(&store, vec![scan(hands.get(), &[1.0, 2.0])]);
        store.settle().await.unwrap();
        close(store).await;
    }
}

#[tokio::test]
async fn a_damaged_page_of_any_file_is_found_and_contained() {
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("sound");
    filled(&sound).await;
    for (n, file) in [COMPACTED, SEALED, YEAR, "state.db"]
        .into_iter()
        .enumerate()
    {
        let copied = dir.path().join(format!("copy-{n}"));
        copy(&sound, &copied);
        let path = copied.join(file);
        let mut octets = std::fs::read(&path).unwrap();
        octets[4_096..4_096 + 64].fill(0xff);
        std::fs::write(&path, octets).unwrap();
        let problems = check(&copied).unwrap().problems;
        assert!(
            problems.iter().any(|p| p.contains(file)),
            "{file}: {problems:?}"
        );
        let hands = Hands::new(NOON + 2 * DAY + 9_000_000);
        let store = open(&copied, &hands);
        let (from, to) = (Timestamp(NOON - 9 * DAY), Timestamp(NOON + 20 * DAY));
        for _ in 0..2 {
            // Whatever reading finds is set aside, or a year made again.
            let _ = store.samples(Slot(1), from, to, 99_999).await;
            let _ = store.trend(Slot(1), from, to, 100).await;
            store.settle().await.unwrap();
        }
        let found = store
            .samples(Slot(1), from, to, 99_999)
            .await
            .unwrap()
            .len();
        assert!(found >= 3_000, "{file}: {found}");
        append(&store, vec![scan(hands.get(), &[1.0, 2.0])]);
        store.settle().await.unwrap();
        store.compact().await.unwrap();
        close(store).await;
        let after = check(&copied).unwrap().problems;
        let rest: Vec<_> = after.iter().filter(|p| p.contains(".db: ")).collect();
        assert!(rest.is_empty(), "{file}: {after:?}");
    }
}

#[tokio::test]
async fn it_runs_beside_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let store = open(dir.path(), &hands);
    for n in 0..300 {
        append(&store, vec![scan(hands.forward(1_000), &[f64::from(n)])]);
        if n % 60 == 0 {
            store.settle().await.unwrap();
            let report = check(dir.path()).unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
        }
    }
    close(store).await;
}

#[tokio::test]
async fn a_damaged_journal_of_the_ledger_is_found_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("ledger.journal");
    let mut octets = std::fs::read(&path).unwrap();
    octets[8] ^= 0x40;
    std::fs::write(&path, octets).unwrap();
    let problems = check(dir.path()).unwrap().problems;
    assert!(
        problems.iter().any(|p| p.contains("ledger.journal")),
        "{problems:?}"
    );
    let hands = Hands::new(NOON + 2 * DAY + 9_000_000);
    let store = open(dir.path(), &hands);
    let scan = scan(hands.forward(1_000), &[1.0, 2.0]);
    store.collected(&scan);
    append(&store, vec![scan]);
    close(store).await;
    assert_eq!(check(dir.path()).unwrap().problems, Vec::<String>::new());
}
