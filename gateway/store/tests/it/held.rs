//! What is collected while the time is not known: held back, put right when it is, once, in order,
//! across restarts; and let go as it is when nobody waits any more.

use crate::common::{
    Hands, MINUTE, NOON, alarm, append, close, config, events_waiting, point, scan,
};
use riser_model::{ClockState, Event, Timestamp};
use riser_store::{AlarmFilter, Correction, Position, Store, Stream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the box believes while it does not know: a day behind the truth.
const ASSUMED: i64 = NOON - 86_400_000;

fn open(dir: &Path, hands: &Hands, line: Option<&str>) -> Store {
    let mut config = config(dir);
    config.hold_back = line.map(str::to_owned);
    Store::open(config, hands.now()).unwrap().0
}

fn known(until: i64) -> Correction {
    Correction {
        since: Timestamp(ASSUMED),
        until: Timestamp(until),
        by_ms: NOON - ASSUMED,
        clock: ClockState::Synchronised,
    }
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every sample that may go up, in the order of the numbers, with its trust.
async fn going_up(store: &Store) -> Vec<(i64, f64, ClockState)> {
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let batches = store.outbox().claim_live(from, 9_999).await.unwrap();
    let mut all = Vec::new();
    for batch in batches {
        let (header, samples) = riser_wire::decode_data(&batch.frame).unwrap();
        let mut samples: Vec<_> = samples
            .iter()
            .map(|s| {
                (
                    s.at.0,
                    s.value.as_ref().unwrap().as_f64().unwrap(),
                    header.clock,
                )
            })
            .collect();
        samples.sort_by_key(|s| s.0);
        all.extend(samples);
    }
    all
}

fn numbered(n: u32) -> (i64, f64) {
    (i64::from(n) * 1_000, f64::from(n))
}

async fn points(store: &Store) {
    store
        .declare_points(vec![Arc::new(point("d/n"))])
        .await
        .unwrap();
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn nothing_goes_up_before_the_time_is_known_and_then_all_of_it_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    let store = open(dir.path(), &hands, Some("boot/1"));
    points(&store).await;
    for n in 1..=300 {
        let (offset, value) = numbered(n);
        append(&store, vec![scan(ASSUMED + offset, &[value])]);
    }
    let Event::Alarm(mut raised) = alarm(7) else {
        unreachable!()
    };
    raised.raised_at = Timestamp(ASSUMED + 5_000);
    store.append_event(Event::Alarm(raised)).await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(store.stats().held_samples, 300);
    assert_eq!(going_up(&store).await, vec![]);
    assert_eq!(
        events_waiting(&store).await,
        vec![],
        "not even the directory"
    );
    let filter = AlarmFilter {
        open_only: true,
        path: None,
        limit: 10,
    };
    let shown = store.alarms(filter.clone()).await.unwrap();
    assert_eq!(shown[0].raised_at, Timestamp(ASSUMED + 5_000), "shown here");

    // The time service speaks up.
    hands.set(NOON + 400_000);
    store.release(known(ASSUMED + 400_000)).unwrap();
    append(&store, vec![scan(NOON + 301_000, &[301.0])]);
    let all = eventually("all of it goes", async || {
        let all = going_up(&store).await;
        (all.len() == 301).then_some(all)
    })
    .await;
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|s| s.0);
    for (n, (at, value, clock)) in (1..=301).zip(&all) {
        assert_eq!((*at, *value), (NOON + i64::from(n) * 1_000, f64::from(n)));
        assert_eq!(*clock, ClockState::Synchronised);
    }
    let events = events_waiting(&store).await;
    let Some(Event::Alarm(sent)) = events
        .iter()
        .map(|(_, e)| e)
        .find(|e| matches!(e, Event::Alarm(_)))
    else {
        unreachable!("the alarm goes up: {events:?}")
    };
    assert_eq!(sent.raised_at, Timestamp(NOON + 5_000));
    assert_eq!(
        store.alarms(filter).await.unwrap()[0].raised_at,
        sent.raised_at
    );
    let trend = store.samples(
        riser_model::Slot(1),
        Timestamp(NOON),
        Timestamp(NOON + 10 * MINUTE),
        999,
    );
    assert_eq!(trend.await.unwrap().len(), 301, "and the history has them");
    eventually("nothing waits", async || {
        (store.stats().held_samples == 0).then_some(())
    })
    .await;
    close(store).await;
}

#[tokio::test]
async fn a_restart_goes_on_waiting_and_a_crash_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    let mut n = 0;
    for _ in 0..3 {
        let store = open(dir.path(), &hands, Some("boot/1"));
        points(&store).await;
        for _ in 0..50 {
            n += 1;
            let (offset, value) = numbered(n);
            append(&store, vec![scan(ASSUMED + offset, &[value])]);
        }
        store.settle().await.unwrap();
        assert_eq!(going_up(&store).await, vec![]);
        close(store).await;
    }
    // The release is heard, and the process ends somewhere on the way, again and again.
    hands.set(NOON + 400_000);
    let store = open(dir.path(), &hands, Some("boot/1"));
    store.release(known(ASSUMED + 400_000)).unwrap();
    close(store).await;
    for _ in 0..3 {
        close(open(dir.path(), &hands, None)).await;
    }
    let store = open(dir.path(), &hands, None);
    let all = eventually("all of it goes", async || {
        let all = going_up(&store).await;
        (all.len() >= 150).then_some(all)
    })
    .await;
    let mut values: Vec<f64> = all.iter().map(|s| s.1).collect();
    values.sort_by(f64::total_cmp);
    let want: Vec<f64> = (1..=150).map(f64::from).collect();
    assert_eq!(values, want, "each once");
    for (at, value, clock) in all {
        let offset = i32::try_from(at - NOON).unwrap();
        assert_eq!(f64::from(offset), value * 1_000.0, "{value} at {at}");
        assert_eq!(clock, ClockState::Synchronised);
    }
    close(store).await;
}

#[tokio::test]
async fn a_line_nobody_can_put_right_any_more_goes_as_it_is_and_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    let store = open(dir.path(), &hands, Some("boot/1"));
    points(&store).await;
    append(&store, vec![scan(ASSUMED + 1_000, &[1.0])]);
    store.append_event(alarm(1)).await.unwrap();
    store.settle().await.unwrap();
    close(store).await;

    // Another start of the machine: its line says nothing about the one before.
    hands.set(ASSUMED + MINUTE);
    let store = open(dir.path(), &hands, Some("boot/2"));
    append(&store, vec![scan(ASSUMED + MINUTE, &[2.0])]);
    let all = eventually("the first goes", async || {
        let all = going_up(&store).await;
        (!all.is_empty()).then_some(all)
    })
    .await;
    assert_eq!(all, [(ASSUMED + 1_000, 1.0, ClockState::Unsynchronised)]);
    assert!(
        events_waiting(&store)
            .await
            .iter()
            .any(|(_, e)| matches!(e, Event::Alarm(_))),
        "its alarm, too"
    );
    // Nobody waits any more: the second goes as it is.
    store
        .release(Correction {
            since: Timestamp(0),
            until: Timestamp(-1),
            by_ms: 0,
            clock: ClockState::Unsynchronised,
        })
        .unwrap();
    let all = eventually("the second goes", async || {
        let all = going_up(&store).await;
        (all.len() == 2).then_some(all)
    })
    .await;
    assert_eq!(all[1], (ASSUMED + MINUTE, 2.0, ClockState::Unsynchronised));
    assert_eq!(store.committed(Stream::Data).borrow().seq, 2);
    close(store).await;
}

/// Two lanes, three points; what is held back is on a line a day behind.
async fn two_lanes(store: &Store) -> Vec<riser_model::Slot> {
    crate::common::ledger::declare(store).await
}

async fn held_back(dir: &Path, hands: &Hands, batches: i64) -> Vec<riser_model::Slot> {
    let store = open(dir, hands, Some("boot/1"));
    let slots = two_lanes(&store).await;
    for n in 0..batches {
        // An hour and a half apart, corrected to noon and after.
        let scan = crate::common::ledger::scan(ASSUMED + n * 5_400_000, &slots);
        store.collected(&scan);
        append(&store, vec![scan]);
    }
    store.settle().await.unwrap();
    assert_eq!(store.stats().held_samples, 3 * batches.cast_unsigned());
    close(store).await;
    slots
}

fn held_file(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("held.db")).unwrap()
}

#[tokio::test]
async fn a_damaged_batch_that_waited_is_counted_by_its_right_hour_once() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    held_back(dir.path(), &hands, 3).await;
    let held = held_file(dir.path());
    let sql = "UPDATE batch SET frame = zeroblob(30) WHERE id = 2";
    assert_eq!(held.execute(sql, []).unwrap(), 1);
    drop(held);
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("held.db") && problems[0].contains("1 batches"));
    hands.set(NOON + 20_000_000);
    let store = open(dir.path(), &hands, Some("boot/1"));
    store.release(known(ASSUMED + 20_000_000)).unwrap();
    eventually("nothing waits", async || {
        (store.stats().held_samples == 0).then_some(())
    })
    .await;
    close(store).await;
    // Also after another start it is counted once.
    let store = open(dir.path(), &hands, None);
    let ledger = crate::common::ledger::ledger(&store).await;
    let of = |hour: i64, lane: usize| {
        let hour = NOON + hour * crate::common::ledger::HOUR;
        let counts =
            crate::common::ledger::row(&ledger, hour, crate::common::ledger::LANES[lane]).counts;
        (counts.collected, counts.stored, counts.dropped.damaged)
    };
    assert_eq!((of(0, 0), of(0, 1)), ((2, 2, 0), (1, 1, 0)));
    assert_eq!((of(1, 0), of(1, 1)), ((2, 2, 2), (1, 1, 1)));
    assert_eq!((of(3, 0), of(3, 1)), ((2, 2, 0), (1, 1, 0)));
    let losses = events_waiting(&store).await;
    let losses = losses.iter().filter_map(|(_, e)| match e {
        Event::Loss { samples, .. } => Some(*samples),
        _ => None,
    });
    assert_eq!(losses.collect::<Vec<_>>(), [3]);
    assert_eq!(going_up(&store).await.len(), 6);
    close(store).await;
}

#[tokio::test]
async fn a_damaged_file_of_what_waits_is_set_aside_and_the_history_stays() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    held_back(dir.path(), &hands, 3).await;
    let path = dir.path().join("held.db");
    let octets = std::fs::metadata(&path).unwrap().len();
    std::fs::write(&path, vec![0x5a; usize::try_from(octets).unwrap()]).unwrap();
    let problems = riser_store::check(dir.path()).unwrap().problems;
    assert!(
        problems.iter().any(|p| p.contains("held.db")),
        "{problems:?}"
    );
    let store = open(dir.path(), &hands, Some("boot/2"));
    assert_eq!(store.stats().files_set_aside, 1);
    append(&store, vec![scan(ASSUMED + 9_000, &[1.0])]);
    store.settle().await.unwrap();
    assert_eq!(store.stats().held_samples, 1, "what comes waits as before");
    close(store).await;
    let store = open(dir.path(), &hands, None);
    let told = eventually("the loss is told", async || {
        let waiting = events_waiting(&store).await;
        waiting.into_iter().find_map(|(_, e)| match e {
            Event::Loss { reason, .. } => Some(reason),
            _ => None,
        })
    })
    .await;
    assert!(told.contains("held.db was damaged"), "{told}");
    close(store).await;
}

#[tokio::test]
async fn damage_of_what_waits_found_while_running_leaves_todays_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let store = open(dir.path(), &hands, None);
    let slots = two_lanes(&store).await;
    crate::common::ledger::batch(&store, crate::common::ledger::scan(NOON, &slots)).await;
    close(store).await;
    held_back(dir.path(), &hands, 3).await;
    let store = open(dir.path(), &hands, Some("boot/1"));
    // Somebody else's write has the store read the file anew, and it finds every page but the first
    // damaged.
    let path = dir.path().join("held.db");
    let other = held_file(dir.path());
    let write = "CREATE TABLE other (a); PRAGMA wal_checkpoint(TRUNCATE)";
    other.execute_batch(write).unwrap();
    drop(other);
    let mut octets = std::fs::read(&path).unwrap();
    octets[4096..].fill(0xff);
    std::fs::write(&path, octets).unwrap();
    store.release(known(ASSUMED + 20_000_000)).unwrap();
    eventually("it is set aside", async || {
        (store.stats().files_set_aside > 0).then_some(())
    })
    .await;
    // The write that found it is repeated a moment later.
    eventually("it works again", async || store.settle().await.ok()).await;
    assert!(dir.path().join("history/2026-11-21.db").exists());
    let all = crate::common::ledger::sum(&crate::common::ledger::ledger(&store).await);
    assert_eq!(
        (all.collected, all.stored, all.dropped.damaged),
        (12, 12, 9)
    );
    assert_eq!(store.stats().history_files, 1);
    close(store).await;
}

#[tokio::test]
async fn what_waits_and_finds_no_room_was_collected_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(ASSUMED);
    let mut config = config(dir.path());
    config.hold_back = Some("boot/1".into());
    config.queue_samples = 2;
    let (store, _) = Store::open(config, hands.now()).unwrap();
    let slots = two_lanes(&store).await;
    let scans = vec![crate::common::ledger::scan(ASSUMED, &slots)];
    let full = store.append(scans, ClockState::Synchronised, 1);
    assert_eq!(full.unwrap_err().samples, 3);
    for row in crate::common::ledger::ledger(&store).await.rows {
        assert_eq!((row.waiting_disk, row.unexplained), (0, 0), "{row:?}");
    }
    close(store).await;
}
