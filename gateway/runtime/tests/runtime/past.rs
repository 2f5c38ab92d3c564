//! History devices recorded themselves, and the notes of adapters.

use crate::fake::Device;
use crate::support::{Bench, START, Setup, alarm_rule, path, point};
use riser_adapter::PastError;
use riser_model::{Access, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::LedgerFilter;

const HOUR: i64 = 3_600_000;

fn scan(slot: Slot, at: i64, value: f64) -> ScanBatch {
    ScanBatch {
        at: Timestamp(at),
        readings: vec![Reading {
            slot,
            value: Some(Value::Float(value)),
            quality: Quality::GOOD,
        }],
    }
}

fn alarming() -> Setup {
    Setup {
        rules: vec![alarm_rule(0)],
        ..Setup::default()
    }
}

#[tokio::test]
async fn history_is_stored_at_its_own_time_and_neither_shown_nor_judged() {
    let bench = Bench::new(alarming()).await;
    let (past, _) = bench.device.past().await;
    let (_, slots) = bench.device.up().await;
    let mut live = bench.runtime.live();
    let hours: Vec<_> = (1..=30).map(|h| START - h * HOUR).collect();
    let scans = hours.iter().map(|at| scan(slots[0], *at, 90.0)).collect();
    past.add(scans).await.expect("it is stored");

    let (from, to) = (Timestamp(START - 31 * HOUR), Timestamp(START));
    let stamps = past.stamps(slots[0], from, to).await.expect("it is read");
    let sorted: Vec<_> = hours.iter().rev().map(|at| Timestamp(*at)).collect();
    assert_eq!(stamps, sorted);
    let samples = bench.store.samples(slots[0], from, to, 100).await.unwrap();
    assert!(samples.iter().all(|s| s.value == Some(Value::Float(90.0))));
    assert_eq!(bench.runtime.point(&path("d/temp")).unwrap().value, None);
    assert!(bench.runtime.alarms().is_empty());
    assert!(live.try_recv().is_err());
    assert_eq!(bench.runtime.stats().samples_backfilled, 30);
}

#[tokio::test]
async fn history_is_in_the_account_of_the_hours_it_is_of() {
    let bench = Bench::new(Setup::default()).await;
    let (past, _) = bench.device.past().await;
    let (_, slots) = bench.device.up().await;
    let scans = (0..10).map(|n| scan(slots[0], START - 5 * HOUR + n, 1.0));
    past.add(scans.collect()).await.expect("it is stored");
    bench.store.settle().await.expect("it is written");
    let ledger = bench.store.ledger(LedgerFilter::default()).await.unwrap();
    let of_then: Vec<_> = ledger
        .rows
        .iter()
        .filter(|r| r.hour.0 == START - 5 * HOUR)
        .collect();
    assert_eq!(of_then.len(), 1);
    assert_eq!(
        (of_then[0].counts.collected, of_then[0].counts.stored),
        (10, 10)
    );
}

#[tokio::test]
async fn what_is_not_its_own_or_not_past_is_refused_whole() {
    let other = Device::new("other", vec![point("e/temp", Access::Read)]);
    let setup = Setup {
        others: vec![other.clone()],
        ..Setup::default()
    };
    let bench = Bench::new(setup).await;
    let (past, _) = bench.device.past().await;
    let (_, own) = bench.device.up().await;
    let (_, foreign) = other.up().await;
    for bad in [
        scan(foreign[0], START - HOUR, 1.0),
        scan(Slot(9_999), START - HOUR, 1.0),
        scan(own[0], START + HOUR, 1.0),
    ] {
        let added = past.add(vec![scan(own[0], START - HOUR, 1.0), bad]).await;
        assert!(matches!(added, Err(PastError::Refused(_))), "{added:?}");
    }
    let all = past.stamps(own[0], Timestamp(0), Timestamp(START + 2 * HOUR));
    assert!(all.await.unwrap().is_empty());
}

#[tokio::test]
async fn notes_are_an_adapters_own_and_survive_a_restart() {
    let bench = Bench::new(Setup::default()).await;
    let (_, notes) = bench.device.past().await;
    notes.put("device-1", Some("3.4".into())).await;
    notes.put("device-2", Some("3.3".into())).await;
    notes.put("device-2", None).await;
    notes.put("long", Some("x".repeat(5000))).await;
    let again = Device::new("fake", crate::support::two_points());
    let other = Device::new("other", vec![point("e/temp", Access::Read)]);
    let setup = Setup {
        others: vec![other.clone()],
        ..Setup::default()
    };
    let _bench = bench.restart(again.clone(), setup).await;
    let (_, notes) = again.past().await;
    assert_eq!(notes.get("device-1").await.as_deref(), Some("3.4"));
    assert_eq!(notes.get("device-2").await, None);
    assert_eq!(notes.get("long").await, None);
    let (_, foreign) = other.past().await;
    assert_eq!(foreign.get("device-1").await, None);
}
