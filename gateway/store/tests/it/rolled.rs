//! Rollups for the link: of time whose batches wait, the newest first, each once, with the figures
//! of its samples.

use crate::common::{Hands, MINUTE, NOON, append, close, open};
use riser_model::{Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Value};
use riser_store::{RolledUp, RollupAsk, Store, Stream};
use riser_wire::cells::Cell;
use riser_wire::{peek_rollup, read_rollup, read_rollup_point};

/// The minute of noon.
#[expect(
    clippy::cast_possible_truncation,
    reason = "minutes of this century fit"
)]
const FIRST: u32 = (NOON / MINUTE) as u32;

fn ask(minutes: u32, have: &[(u32, u32)]) -> RollupAsk {
    let have = have.iter().map(|(a, b)| (u64::from(*a), u64::from(*b)));
    RollupAsk {
        minutes,
        have: have.collect(),
        most: 32_768,
    }
}

/// A scan of two neighbouring points and one far away; the far one is down at every third.
fn scan(at: i64, n: i32) -> ScanBatch {
    let good = |slot, value| Reading {
        slot: Slot(slot),
        value: Some(Value::Float(value)),
        quality: Quality::GOOD,
    };
    let far = Reading {
        slot: Slot(700),
        value: (n % 3 != 0).then_some(Value::Int(i64::from(n))),
        quality: if n % 3 == 0 {
            Quality::bad(Reason::DeviceDown)
        } else {
            Quality::GOOD
        },
    };
    ScanBatch {
        at: Timestamp(at),
        readings: vec![good(0, f64::from(n)), good(1, 21.5), far],
    }
}

/// Collects every ten seconds for so many minutes and a little more, so that the last is over.
async fn collect(store: &Store, hands: &Hands, minutes: i64) {
    for n in 0..minutes * 6 + 2 {
        append(store, vec![scan(hands.get(), i32::try_from(n).unwrap())]);
        store.settle().await.unwrap();
        hands.forward(10_000);
    }
}

async fn claim(store: &Store, ask: RollupAsk) -> Option<RolledUp> {
    store.outbox().claim_rollup(ask).await.unwrap()
}

fn cell(rolled: &RolledUp, slot: u32) -> Cell {
    let found = rolled.frames.iter();
    let mut found = found.filter_map(|f| read_rollup_point(f, Slot(slot)).unwrap());
    found.next().unwrap()
}

#[tokio::test]
async fn minutes_that_wait_come_newest_first_and_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    collect(&store, &hands, 4).await;

    let newest = claim(&store, ask(1, &[])).await.unwrap();
    assert_eq!((newest.minute, newest.minutes), (FIRST + 3, 1));
    let header = peek_rollup(&newest.frames[0]).unwrap();
    assert_eq!(header.epoch, store.epoch());
    assert_eq!(header.from(), Timestamp(NOON + 3 * MINUTE));
    let first = cell(&newest, 0);
    assert_eq!((first.min, first.max, first.sum), (18.0, 23.0, 123.0));
    assert_eq!((first.last, first.last_at, first.count), (23.0, 50_000, 6));
    let far = cell(&newest, 700);
    assert_eq!((far.count, far.bad, far.min, far.max), (4, 2, 19.0, 23.0));

    let mut have = vec![(FIRST + 3, FIRST + 3)];
    for minute in (FIRST..FIRST + 3).rev() {
        let next = claim(&store, ask(1, &have)).await.unwrap();
        assert_eq!(next.minute, minute);
        have = vec![(minute, FIRST + 3)];
    }
    assert_eq!(claim(&store, ask(1, &have)).await, None, "all are known");
    close(store).await;
}

#[tokio::test]
async fn what_is_durable_is_not_rolled_up() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    collect(&store, &hands, 4).await;
    let outbox = store.outbox();
    let head = outbox.head(Stream::Data);
    // All but the batches of the second minute.
    outbox.confirm(head.epoch, Stream::Data, 6, &[(14, head.seq)]);
    let waiting = claim(&store, ask(1, &[])).await.unwrap();
    assert!(
        [FIRST + 1, FIRST + 2].contains(&waiting.minute),
        "{waiting:?}"
    );
    outbox.confirm(head.epoch, Stream::Data, head.seq, &[]);
    assert_eq!(claim(&store, ask(1, &[])).await, None);
    close(store).await;
}

#[tokio::test]
async fn a_quarter_of_an_hour_is_what_its_minutes_are() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON + 2 * MINUTE);
    let (store, _) = open(dir.path(), &hands);
    collect(&store, &hands, 12).await;
    assert_eq!(claim(&store, ask(15, &[])).await, None, "it is not over");
    collect(&store, &hands, 2).await;
    let quarter = claim(&store, ask(15, &[])).await.unwrap();
    assert_eq!((quarter.minute, quarter.minutes), (FIRST, 15));
    let mut sum = Cell::EMPTY;
    let mut have = Vec::new();
    while let Some(minute) = claim(&store, ask(1, &have)).await {
        have.push((minute.minute, minute.minute));
        if minute.minute < FIRST + 15 {
            let one = cell(&minute, 700);
            sum.count += one.count;
            sum.bad += one.bad;
            sum.sum += one.sum;
        }
    }
    let all = cell(&quarter, 700);
    assert_eq!((all.count, all.bad, all.sum), (sum.count, sum.bad, sum.sum));
    // Some of its minutes are not all of it.
    let next = claim(&store, ask(15, &[(FIRST, FIRST + 9)])).await.unwrap();
    assert_eq!(next.minute, FIRST);
    assert_eq!(claim(&store, ask(15, &[(FIRST, FIRST + 14)])).await, None);
    close(store).await;
}

#[tokio::test]
async fn a_minute_waits_for_samples_that_came_late() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    collect(&store, &hands, 3).await;
    let late = NOON + 2 * MINUTE + 55_000;
    append(&store, vec![scan(late, 1)]);
    store.settle().await.unwrap();
    let newest = claim(&store, ask(1, &[])).await.unwrap();
    assert_eq!(
        newest.minute,
        FIRST + 1,
        "the one after it is not whole yet"
    );
    collect(&store, &hands, 1).await;
    let known = [(FIRST + 3, FIRST + 9)];
    let whole = claim(&store, ask(1, &known)).await.unwrap();
    assert_eq!((whole.minute, cell(&whole, 1).count), (FIRST + 2, 7));
    close(store).await;
}

#[tokio::test]
async fn many_points_come_in_several_frames() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    for n in 0..8 {
        let readings = (0..2_000).map(|slot| Reading {
            slot: Slot(slot),
            value: Some(Value::Float(f64::from(slot * 7 % 13) / 3.0)),
            quality: Quality::GOOD,
        });
        let scan = ScanBatch {
            at: Timestamp(NOON + n * 10_000),
            readings: readings.collect(),
        };
        append(&store, vec![scan]);
        store.settle().await.unwrap();
        hands.forward(10_000);
    }
    let whole = claim(&store, ask(1, &[])).await.unwrap();
    let cut = RollupAsk {
        most: 512,
        ..ask(1, &[])
    };
    let cut = claim(&store, cut).await.unwrap();
    assert!(whole.frames.len() < cut.frames.len());
    for rolled in [&whole, &cut] {
        let mut slots = Vec::new();
        for (piece, frame) in (0..).zip(&rolled.frames) {
            let header = read_rollup(frame, &mut |slot, _| slots.push(slot.0)).unwrap();
            assert_eq!(header.piece, piece);
            assert_eq!(header.pieces as usize, rolled.frames.len());
        }
        assert_eq!(slots, (0..2_000).collect::<Vec<u32>>());
    }
    close(store).await;
}

/// A batch that was begun before midnight is in the file of the day after, with the last samples of a
/// minute whose first are in the file of the day before.
#[tokio::test]
async fn a_minute_in_two_day_files_is_rolled_up_whole() {
    let dir = tempfile::tempdir().unwrap();
    let midnight = NOON + 12 * 60 * MINUTE;
    let hands = Hands::new(midnight - 2 * MINUTE);
    let (store, _) = open(dir.path(), &hands);
    for n in 0..11 {
        append(&store, vec![scan(hands.get(), n)]);
        store.settle().await.unwrap();
        hands.forward(10_000);
    }
    let begun = hands.get();
    hands.set(midnight);
    append(&store, vec![scan(begun, 11), scan(midnight, 12)]);
    store.settle().await.unwrap();
    hands.forward(10_000);
    collect(&store, &hands, 1).await;

    let midnight = FIRST + 12 * 60;
    let mut have = vec![(midnight, midnight)];
    for (minute, newest) in [(midnight - 1, 11.0), (midnight - 2, 5.0)] {
        let next = claim(&store, ask(1, &have)).await.unwrap();
        let points = cell(&next, 0);
        assert_eq!(
            (next.minute, points.count, points.max, points.last),
            (minute, 6, newest, newest)
        );
        have.push((minute, minute));
    }
    assert_eq!(claim(&store, ask(1, &have)).await, None);
    let quarter = claim(&store, ask(15, &[])).await.unwrap();
    assert_eq!(
        (quarter.minute, cell(&quarter, 1).count),
        (midnight - 15, 12)
    );
    close(store).await;
}
