//! Trends and samples: raw and rolled up are the same picture, also across a crash, across days and
//! for samples that come late.

use crate::common::{DAY, Hands, MINUTE, NOON, append, close, open, scan};
use riser_model::{
    Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Trend, TrendBuilder, Value,
};
use riser_store::Store;

/// What was appended, to be reduced by the model's own rule.
#[derive(Default)]
struct Truth(Vec<(Slot, Timestamp, Option<Value>, Quality)>);

impl Truth {
    fn take(&mut self, scans: &[ScanBatch]) {
        for s in scans {
            for r in &s.readings {
                self.0.push((r.slot, s.at, r.value.clone(), r.quality));
            }
        }
    }
    fn trend(&self, slot: Slot, mut builder: TrendBuilder) -> Trend {
        for (s, at, value, quality) in &self.0 {
            if *s == slot {
                builder.add(*at, value.as_ref(), *quality);
            }
        }
        builder.finish()
    }
}

fn assert_same(found: &Trend, wanted: &Trend) {
    assert_eq!(
        (found.from, found.to, found.bucket_ms),
        (wanted.from, wanted.to, wanted.bucket_ms)
    );
    let shape = |t: &Trend| -> Vec<_> {
        t.buckets
            .iter()
            .map(|b| (b.at, b.min, b.max, b.last, b.count, b.bad))
            .collect()
    };
    assert_eq!(shape(found), shape(wanted));
    for (a, b) in found.buckets.iter().zip(&wanted.buckets) {
        let size = b.min.abs() + b.max.abs();
        assert!((a.mean - b.mean).abs() <= size * 1e-9, "{a:?} {b:?}");
    }
}

async fn assert_trends(store: &Store, truth: &Truth, from: i64, to: i64) {
    let (from, to) = (Timestamp(from), Timestamp(to));
    for slot in [1, 2, 300, 301].map(Slot) {
        for buckets in [2, 7, 50, 240] {
            let found = store.trend(slot, from, to, buckets).await.unwrap();
            let raw = TrendBuilder::new(from, to, buckets);
            let builder = if raw.bucket_ms() < MINUTE && to.since(from) <= 4 * 60 * MINUTE {
                raw
            } else {
                TrendBuilder::aligned(from, to, buckets, MINUTE)
            };
            assert_same(&found, &truth.trend(slot, builder));
        }
    }
}

fn scans_at(at: i64, n: i64) -> Vec<ScanBatch> {
    let value = |slot: u32| {
        let wave = ((n * 37 + i64::from(slot) * 11) % 400 - 200) as f64;
        match n % 23 {
            0 => (None, Quality::bad(Reason::DeviceDown)),
            1 => (
                Some(Value::Float(wave / 3.0)),
                Quality::uncertain(Reason::Initial),
            ),
            2 => (Some(Value::Float(wave)), Quality::bad(Reason::Stale)),
            3 => (Some(Value::Bool(n % 2 == 0)), Quality::GOOD),
            4 => (Some(Value::text("words")), Quality::GOOD),
            _ => (Some(Value::Float(wave / 10.0)), Quality::GOOD),
        }
    };
    let readings = [1u32, 2, 300]
        .into_iter()
        .map(|slot| {
            let (value, quality) = value(slot);
            Reading {
                slot: Slot(slot),
                value,
                quality,
            }
        })
        .collect();
    vec![ScanBatch {
        at: Timestamp(at),
        readings,
    }]
}

#[tokio::test]
async fn rolled_up_and_raw_are_the_same_picture() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (mut store, _) = open(dir.path(), &hands);
    let mut truth = Truth::default();
    for n in 0..400 {
        let at = hands.forward(7_300);
        let mut scans = scans_at(at, n);
        if n % 50 == 49 {
            // A device that buffered: its stamps are up to twenty minutes old.
            scans.extend(scans_at(at - 20 * MINUTE + n, n + 1));
        }
        truth.take(&scans);
        append(&store, scans);
        if n % 40 == 0 {
            store.settle().await.unwrap();
        }
        if n % 130 == 129 {
            // No chance to write the minute being reduced: it is rebuilt from the batches.
            store.settle().await.unwrap();
            close(store).await;
            store = open(dir.path(), &hands).0;
        }
    }
    store.settle().await.unwrap();
    let (from, to) = (NOON, hands.get() + 1);
    assert_trends(&store, &truth, from, to).await;
    assert_trends(&store, &truth, from + 12_345, to - 54_321).await;
    assert_trends(&store, &truth, NOON - DAY, NOON + DAY).await;
    let samples = store
        .samples(Slot(1), Timestamp(from), Timestamp(to), 9_999)
        .await
        .unwrap();
    let mut wanted: Vec<_> = truth
        .0
        .iter()
        .filter(|s| s.0 == Slot(1) && s.1.0 >= from)
        .collect();
    wanted.sort_by_key(|s| s.1);
    assert_eq!(samples.len(), wanted.len());
    for (a, b) in samples.iter().zip(wanted) {
        assert_eq!((a.at, &a.value, a.quality), (b.1, &b.2, b.3));
    }
    let first = store
        .samples(Slot(1), Timestamp(from), Timestamp(to), 10)
        .await
        .unwrap();
    assert_eq!(first, samples[..10]);
    close(store).await;
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_trend_crosses_midnight_and_clock_steps() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON + 11 * 60 * MINUTE);
    let (store, _) = open(dir.path(), &hands);
    let mut truth = Truth::default();
    let mut n = 0;
    let mut go = |ms: i64, times: i64| {
        let mut all = Vec::new();
        for _ in 0..times {
            n += 1;
            let scans = scans_at(hands.forward(ms), n);
            truth.take(&scans);
            all.push(scans);
        }
        all
    };
    // Two hours over midnight, half an hour back, a jump far ahead and home again.
    let mut plan = go(20_000, 360);
    plan.extend(go(-1_800_000, 1));
    plan.extend(go(20_000, 60));
    plan.extend(go(400 * DAY, 1));
    plan.extend(go(20_000, 10));
    plan.extend(go(-400 * DAY, 1));
    plan.extend(go(20_000, 30));
    let mut files = std::collections::BTreeSet::new();
    for scans in plan {
        hands.set(scans[0].at.0);
        append(&store, scans);
        store.settle().await.unwrap();
        for entry in std::fs::read_dir(dir.path().join("history")).unwrap() {
            files.insert(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    assert!(
        files.contains("2026-11-21.db") && files.contains("2026-11-22.db"),
        "{files:?}"
    );
    assert_trends(&store, &truth, NOON + 11 * 60 * MINUTE, hands.get() + 1).await;
    close(store).await;
    let (store, recovery) = open(dir.path(), &hands);
    assert_eq!(recovery.new_epoch, None);
    append(&store, scans_at(hands.forward(1_000), 1));
    store.settle().await.unwrap();
    close(store).await;
    assert_eq!(
        riser_store::check(dir.path()).unwrap().problems,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_large_append_becomes_several_batches() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    append(&store, vec![scan(NOON, &vec![1.5; 10_000])]);
    store.settle().await.unwrap();
    let stats = store.stats();
    assert_eq!(
        (stats.committed_batches, stats.committed_samples),
        (3, 10_000)
    );
    let from = Timestamp(NOON);
    let found = store
        .samples(Slot(10_000), from, Timestamp(NOON + 1), 9)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    close(store).await;
}

#[tokio::test]
async fn a_restart_in_mid_minute_loses_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON + 2_000);
    let (mut store, _) = open(dir.path(), &hands);
    let mut truth = Truth::default();
    let mut n = 9;
    // A sample two seconds into the minute goes into the span written four seconds later, which
    // says that only the minutes before are reduced. Then one more that no span covers.
    for _ in 0..3 {
        for seconds in [0, 1, 3, 20] {
            n += 1;
            let at = hands.forward(seconds * 1_000);
            // Two and a half seconds before: the first batch straddles the minute.
            let mut scans = scans_at(at - 2_500, n + 100);
            scans.extend(scans_at(at, n));
            truth.take(&scans);
            append(&store, scans);
            store.settle().await.unwrap();
            assert_trends(&store, &truth, NOON - DAY, NOON + DAY).await;
        }
        close(store).await;
        store = open(dir.path(), &hands).0;
        hands.forward(36_000);
    }
    append(&store, scans_at(hands.get(), 1));
    truth.take(&scans_at(hands.get(), 1));
    hands.forward(2 * MINUTE);
    store.settle().await.unwrap();
    assert_trends(&store, &truth, NOON, NOON + 10 * MINUTE).await;
    assert_trends(&store, &truth, NOON - DAY, NOON + DAY).await;
    close(store).await;
}
