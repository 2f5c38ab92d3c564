//! The loss ledger when files rot, vanish or are moved about: every sample of them is still accounted
//! for, by lane and hour.
#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod common;

use common::ledger::{HOUR, LANES, batch, declare, ledger, row, scan, sum};
use common::{DAY, Hands, NOON, close, config, open};
use riser_model::{Ledger, LedgerCounts};
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
