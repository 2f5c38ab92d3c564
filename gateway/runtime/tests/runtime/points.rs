//! Points and their present values, as people list them and as they are stored.

use crate::fake::Device;
use crate::support::{Bench, START, Setup, eventually, path, point, two_points};
use riser_adapter::RegistryError;
use riser_model::{
    Access, Key, Level, Point, Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Value,
};
use riser_runtime::{PointFilter, ReadError};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn points_are_there_before_they_are_read_and_show_what_was_read() {
    let bench = Bench::new(Setup::default()).await;
    let fresh = bench.runtime.point(&path("d/temp")).unwrap();
    assert_eq!((fresh.value, fresh.at), (None, None));
    assert_eq!(fresh.quality, Quality::bad(Reason::Initial));
    assert!(bench.runtime.point(&path("d/other")).is_none());

    bench.read_temp(20.5).await;
    let read = || bench.runtime.point(&path("d/temp")).unwrap();
    eventually("it is read", || read().value.is_some()).await;
    assert_eq!(read().value, Some(Value::Float(20.5)));
    assert_eq!(read().quality, Quality::GOOD);
    assert_eq!(read().at, Some(Timestamp(START)));
    assert_eq!(bench.runtime.path(read().slot), Some(path("d/temp")));
    let counts = bench.runtime.quality_counts();
    assert_eq!((counts.good, counts.uncertain, counts.bad), (1, 0, 1));
}

#[tokio::test]
async fn lists_are_filtered_paged_and_in_order() {
    let points = (0..10).map(|n| point(&format!("d{}/p{n}", n % 2), Access::Read));
    let device = Device::new("fake", points.collect());
    let bench = Bench::over(device, Setup::default()).await;
    bench.read(3, Some(Value::Float(1.0)), Quality::GOOD).await;
    eventually("it is read", || bench.runtime.quality_counts().good == 1).await;

    let list = |filter: PointFilter| {
        let page = bench.runtime.points(&filter);
        let paths: Vec<String> = page
            .points
            .iter()
            .map(|v| v.point.path.to_string())
            .collect();
        (paths.join(" "), page.total)
    };
    let (all, total) = list(PointFilter::default());
    assert_eq!(
        all,
        "d0/p0 d0/p2 d0/p4 d0/p6 d0/p8 d1/p1 d1/p3 d1/p5 d1/p7 d1/p9"
    );
    assert_eq!(total, 10);
    let page = PointFilter {
        offset: 4,
        limit: 2,
        ..PointFilter::default()
    };
    assert_eq!(list(page), ("d0/p8 d1/p1".to_owned(), 10));
    let of_device = PointFilter {
        device: Some(Key::new("d1").unwrap()),
        search: Some("NAME OF D1/P7".into()),
        ..PointFilter::default()
    };
    assert_eq!(list(of_device), ("d1/p7".to_owned(), 1));
    let good = PointFilter {
        quality: Some(Level::Good),
        ..PointFilter::default()
    };
    assert_eq!(list(good), ("d1/p3".to_owned(), 1));
}

#[tokio::test]
async fn a_point_that_is_not_read_goes_stale_once_and_that_is_recorded() {
    let bench = Bench::new(Setup::default()).await;
    bench.device.up().await;
    tokio::time::pause();
    let mut live = bench.runtime.live();
    bench.read_temp(20.5).await;
    let first = live.recv().await.unwrap();
    assert_eq!(first.readings[0].quality, Quality::GOOD);
    let began = tokio::time::Instant::now();
    let stale = loop {
        let scan = live.recv().await.unwrap();
        if let Some(r) = scan
            .readings
            .iter()
            .find(|r| r.slot == first.readings[0].slot)
        {
            break r.clone();
        }
    };
    let took = began.elapsed();
    assert_eq!(stale.quality, Quality::bad(Reason::Stale));
    assert_eq!(stale.value, Some(Value::Float(20.5)));
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(took <= Duration::from_millis(10_500), "{took:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    // Both points, once each.
    assert_eq!(bench.runtime.stats().points_gone_stale, 2);
    assert!(live.is_empty());
    bench.runtime.shutdown(Duration::from_secs(5)).await;
    bench.store.settle().await.unwrap();
    let (from, to) = (Timestamp(START), Timestamp(START + 3_600_000));
    let stored = bench
        .runtime
        .samples(&path("d/temp"), from, to, 10)
        .await
        .unwrap();
    let qualities: Vec<Quality> = stored.iter().map(|s| s.quality).collect();
    assert_eq!(qualities, [Quality::GOOD, Quality::bad(Reason::Stale)]);
}

#[tokio::test]
async fn what_does_not_fit_is_counted_and_visible() {
    let bench = Bench::new(Setup::default()).await;
    let (sink, slots) = bench.device.up().await;
    let reading = |slot, value| Reading {
        slot,
        value,
        quality: Quality::GOOD,
    };
    let readings = vec![
        reading(slots[0], Some(Value::Float(f64::NAN))),
        reading(Slot(999), Some(Value::Float(1.0))),
        reading(slots[1], Some(Value::text("open"))),
    ];
    let at = Timestamp(START);
    assert!(sink.send(ScanBatch { at, readings }).await);
    eventually("they are taken in", || bench.runtime.stats().scans == 1).await;
    let stats = bench.runtime.stats();
    assert_eq!((stats.readings, stats.readings_unfit), (3, 2));
    assert_eq!(stats.readings_undeclared, 1);
    let view = bench.runtime.point(&path("d/temp")).unwrap();
    assert_eq!(view.quality, Quality::bad(Reason::OutOfRange));
    assert_eq!(view.value, None);
}

#[tokio::test]
async fn a_trend_comes_from_the_store_and_an_unknown_point_has_none() {
    let bench = Bench::new(Setup::default()).await;
    for value in [20.0, 22.0] {
        bench.read_temp(value).await;
        bench.clock.advance(Duration::from_secs(60));
    }
    bench.runtime.shutdown(Duration::from_secs(5)).await;
    bench.store.settle().await.unwrap();
    let (from, to) = (Timestamp(START), Timestamp(START + 120_000));
    let trend = bench
        .runtime
        .trend(&path("d/temp"), from, to, 2)
        .await
        .unwrap();
    let last: Vec<f64> = trend.buckets.iter().map(|b| b.last).collect();
    assert_eq!(last, [20.0, 22.0]);
    let none = bench.runtime.trend(&path("d/no"), from, to, 2).await;
    assert!(matches!(none, Err(ReadError::UnknownPoint(p)) if p == path("d/no")));
}

#[tokio::test]
async fn nothing_is_copied_for_the_live_stream_while_nobody_listens() {
    let bench = Bench::new(Setup::default()).await;
    bench.read_temp(1.0).await;
    eventually("it is taken in", || bench.runtime.stats().scans == 1).await;
    assert_eq!(bench.runtime.stats().live_scans, 0);
    let mut live = bench.runtime.live();
    bench.read_temp(2.0).await;
    let scan = live.recv().await.unwrap();
    assert_eq!(scan.readings[0].value, Some(Value::Float(2.0)));
    assert_eq!(bench.runtime.stats().live_scans, 1);
}

#[tokio::test]
async fn a_point_declared_by_another_adapter_is_refused_and_slots_are_kept() {
    let bench = Bench::new(Setup::default()).await;
    let (_, slots) = bench.device.up().await;
    let registry = bench.device.registry().await;
    let shared = |points: Vec<Point>| points.into_iter().map(Arc::new).collect();
    let declare = |owner, points| registry.declare(owner, shared(points));
    let error = declare("other", two_points()).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Duplicate { path, owner } if path == "d/temp" && owner == "fake"),
        "{error}"
    );
    let twice = vec![point("x/a", Access::Read), point("x/a", Access::Read)];
    assert!(declare("other", twice).await.is_err());
    let again = declare("fake", two_points()).await.unwrap();
    assert_eq!(again, slots);
    let more = declare("fake", vec![point("d/more", Access::Read)])
        .await
        .unwrap();
    assert_eq!(bench.runtime.slot(&path("d/more")), Some(more[0]));
}
